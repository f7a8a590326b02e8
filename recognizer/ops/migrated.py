"""Which migrations this code has, and which of them the database lacks."""

from functools import cache

from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder


@cache
def migrations_of_this_code() -> frozenset[tuple[str, str]]:
    """Return app and name of each migration file there is."""
    return frozenset(MigrationLoader(None).disk_migrations)


def missing_migrations() -> frozenset[tuple[str, str]]:
    """Return what is to be run yet; newer code may have run more already."""
    return migrations_of_this_code() - applied_migrations()


def applied_migrations() -> frozenset[tuple[str, str]]:
    """Return app and name of what the database says was run."""
    return frozenset(MigrationRecorder(connection).applied_migrations())
