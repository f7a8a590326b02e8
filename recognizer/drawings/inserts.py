"""Insert new rows in two steps: convert their values first, then store them.

Only one process can write to SQLite at a time, so the transaction is kept short.
`bulk_create` would pack the strokes and build its statement while all others wait. With
it, throughput relative to the former server was 0.73 instead of 0.87 at 8 connections,
and 0.72 instead of 0.81 at 64 (stored drawings/s, medians of 5 interleaved rounds,
2026-11-28).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import Field, Model

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class NewRow(Generic[Row]):
    """A new row, with its values converted for the database."""

    row: Row
    values: list[Any]


def converted(row: Row) -> NewRow[Row]:
    """Convert an unsaved row that already has its primary key."""
    database = connections[DEFAULT_DB_ALIAS]  # looked up once, not by each field
    values = [
        field.get_db_prep_save(field.pre_save(row, add=True), database)
        for field in _fields(type(row))
    ]
    return NewRow(row, values)


def insert(rows: Sequence[NewRow[Any]]) -> None:
    """Store rows of one model. Call it in a transaction."""
    if not rows:
        return
    model: type[Model] = type(rows[0].row)
    columns = tuple(field.column for field in _fields(model))
    with connection.cursor() as cursor:
        cursor.executemany(
            insert_statement(model, columns), [new.values for new in rows]
        )
    for new in rows:
        new.row._state.adding = False
        new.row._state.db = connection.alias


@cache
def _fields(model: type[Model]) -> list["Field[Any, Any]"]:
    return [field for field in model._meta.get_fields() if field.concrete]


@cache
def insert_statement(model: type[Model], columns: tuple[str, ...]) -> str:
    """Return the INSERT for one row of a model."""
    table, *names = map(connection.ops.quote_name, [model._meta.db_table, *columns])
    places = ", ".join(["%s"] * len(names))
    # Only names of our own tables and columns are written into the statement.
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"  # noqa: S608
