"""What the site is measured against, written as the users of those libraries would.

The server runs in an environment of its own: `make bench` makes `.venv-peers`.
"""
