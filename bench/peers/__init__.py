"""What others would build: servers of the same task, written as their users would.

They run in an environment of their own, `.venv-peers`; `make bench-peers` makes it.
"""
