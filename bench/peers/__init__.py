"""Peers to compare the site with, in the usual style of their libraries.

The server runs in its own environment: `make bench` creates `.venv-peers`.
"""
