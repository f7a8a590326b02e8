"""Our cursor writes statements as Django's own does."""

import pytest
from django.db import connection
from django.db.backends.sqlite3.base import SQLiteCursorWrapper

from digitsite.sqlite.base import Cursor


@pytest.mark.sqlite
@pytest.mark.django_db
class TestCursor:
    def test_is_the_one_in_use(self) -> None:
        with connection.cursor() as cursor:
            assert isinstance(cursor.cursor, Cursor)

    @pytest.mark.parametrize(
        "query",
        [
            "SELECT 1",
            "SELECT %s, %s",
            "SELECT '100 %%', %s",
            "SELECT '%%s', %s, '%%%%'",
        ],
    )
    def test_writes_what_django_s_would(self, query: str) -> None:
        with connection.cursor() as cursor:
            ours = cursor.cursor
            for _ in range(2):  # worked out, and remembered
                expected = SQLiteCursorWrapper.convert_query(ours, query)
                assert ours.convert_query(query) == expected

    def test_takes_names_and_many_rows(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT %(one)s + %(two)s", {"one": 1, "two": 2})
            assert cursor.fetchone() == (3,)
            cursor.execute("CREATE TEMPORARY TABLE numbers (one, two)")
            cursor.executemany("INSERT INTO numbers VALUES (%s, %s)", [(1, 2), (3, 4)])
            cursor.execute("SELECT '%%', one, two FROM numbers WHERE one > %s", [2])
            assert cursor.fetchall() == [("%", 3, 4)]
