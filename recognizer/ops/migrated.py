"""Which migrations this code has, and which of them the database lacks.

Told by their names alone: to load them all, as Django's executor does, takes longer
than all else that is to be prepared where nothing has changed.
"""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from django.apps import apps
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder


@cache
def migrations_of_this_code() -> frozenset[tuple[str, str]]:
    """Return app and name of each migration file there is."""
    found = set()
    for app in apps.get_app_configs():
        try:
            package = import_module(f"{app.name}.migrations")
        except ModuleNotFoundError:  # an app without tables
            continue
        found |= {
            (app.label, module.name)
            for module in iter_modules(package.__path__)
            if not module.ispkg and module.name[0] not in "_~"
        }
    return frozenset(found)


def missing_migrations() -> frozenset[tuple[str, str]]:
    """Return what is to be run yet; newer code may have run more already."""
    return migrations_of_this_code() - applied_migrations()


def applied_migrations() -> frozenset[tuple[str, str]]:
    """Return app and name of what the database says was run."""
    return frozenset(MigrationRecorder(connection).applied_migrations())
