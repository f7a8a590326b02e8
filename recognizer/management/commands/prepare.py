"""Bring database and models up to this code; safe to run at every start."""

from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from mlcore.bundle import BundleError, open_bundle
from recognizer import services


class Command(BaseCommand):
    help = "Migrate the database if needed and see to it that a model is active."

    def handle(self, *args: Any, **options: Any) -> None:
        executor = MigrationExecutor(connection)
        if executor.migration_plan(executor.loader.graph.leaf_nodes()):
            call_command("migrate", verbosity=0)
            self.stdout.write("The database is up to date.")
        try:
            starter = open_bundle(settings.STARTER_BUNDLE)
        except BundleError as error:
            raise CommandError(str(error)) from error
        version = services.prepare_models(starter=starter)
        self.stdout.write(f"Model {version.short_digest} reads.")
