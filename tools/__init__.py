"""What developers run, and what tests and measurements share: a server, a browser."""
