"""Django's SQLite, without doing for each statement what was done for it before."""
