"""Compare the migrations of this code with those of the database."""

from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder


@cache
def migrations_of_this_code() -> frozenset[tuple[str, str]]:
    """Return app and name of each migration file."""
    return frozenset(MigrationLoader(None).disk_migrations)


def missing_migrations() -> frozenset[tuple[str, str]]:
    """Return which of this code's migrations the database lacks.

    Those that newer code has applied do not matter.
    """
    return migrations_of_this_code() - applied_migrations()


def applied_migrations() -> frozenset[tuple[str, str]]:
    """Return app and name of each migration that the database lists as applied."""
    return frozenset(MigrationRecorder(connection).applied_migrations())
