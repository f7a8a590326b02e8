"""Migrate the database and register the model; safe to run at every start."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection, transaction

from recognizer.reader.active import active_model

PREPARING = 0x0D161751  # id of the advisory lock, unique in this database


@contextmanager
def data_folder_locked() -> Iterator[None]:
    """Lock this data folder; the lock also ends with the process."""
    with (settings.DIGITSITE_VAR / "prepare.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Let servers that start together prepare one by one.

    A lock in the data folder serves one machine, an advisory lock in PostgreSQL many.
    Both are released when the process ends, even if it fails. PostgreSQL's is held by
    a transaction, because PgBouncer may give each one another connection; so an upgrade
    is done whole or not at all.
    """
    with data_folder_locked():
        if connection.vendor != "postgresql":
            yield
            return
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PREPARING])
            # Migrations that share a transaction must leave no checks for its end.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            yield


class Command(BaseCommand):
    help = "Run `migrate`, one server at a time. Safe to run at every start."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with one_at_a_time():
                call_command("migrate", verbosity=0)
                version = active_model()
        except (DatabaseError, OSError) as error:
            raise CommandError(
                f"Data folder {settings.DIGITSITE_VAR} or database cannot be used: "
                f"{error}. Check its permissions, DIGITSITE_VAR and DATABASE_URL."
            ) from error
        self.stdout.write(f"Model {version.short_digest} is active.")
