"""The database's backend: Django's own, but for one thing.

Django writes `%s` in its statements and SQLite `?`. Django looks through the text of
each statement at each execution, 40 us of a stored drawing; here once for each text.
"""

from functools import lru_cache
from typing import Any

from django.db.backends.sqlite3 import base

_STATEMENTS = 512  # of which the last are remembered; a drawing takes about 10


class Cursor(base.SQLiteCursorWrapper):
    """Remembers how SQLite writes a statement."""

    def convert_query(self, query: str, *, param_names: Any = None) -> str:
        """Return the statement as SQLite writes it."""
        if param_names is None:
            return _with_question_marks(query)
        return super().convert_query(query, param_names=param_names)


@lru_cache(_STATEMENTS)
def _with_question_marks(query: str) -> str:
    return base.FORMAT_QMARK_REGEX.sub("?", query).replace("%%", "%")


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's, with cursors of ours."""

    def create_cursor(self, name: str | None = None) -> Cursor:
        """Return a cursor."""
        cursor: Cursor = self.connection.cursor(factory=Cursor)
        return cursor
