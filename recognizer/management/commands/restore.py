"""Restore a backup, without what was deleted since."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from recognizer.management.commands.prepare import data_folder_locked
from recognizer.ops import backups
from recognizer.ops.backups import BackupError


class Command(BaseCommand):
    help = "Replace the database with a backup. Stop the site first."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", type=Path, help="folder of the backup")
        parser.add_argument(
            "--erased",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help=(
                "what was deleted since, as written by manage.py erasures; may be "
                "repeated"
            ),
        )
        parser.add_argument(
            "--nothing-was-erased",
            action="store_true",
            help="confirm that nothing was deleted since the backup",
        )
        parser.add_argument(
            "--replace",
            action="store_true",
            help="replace a database that contains drawings",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            backup = backups.open_backup(options["backup"])
            erased = self._erased(options)
            with data_folder_locked():
                found = backups.restore(backup, erased=erased)
        except (BackupError, DatabaseError, OSError) as error:
            raise CommandError(f"The restore failed: {error}") from error
        self.stdout.write(
            f"Restored {backup.folder} without the {found.drawings} drawings deleted "
            f"since, and without {found.accounts} deleted accounts."
        )

    def _erased(self, options: dict[str, Any]) -> set[Any]:
        found = backups.in_place()
        if found.has_drawings and not options["replace"]:
            raise CommandError(
                "The database already contains drawings. Use --replace to drop them."
            )
        files = [backups.read_erasures(path) for path in options["erased"]]
        if found.erased is None and not files and not options["nothing_was_erased"]:
            raise CommandError(
                "It is unknown what was deleted since this backup. Pass a "
                "file written by manage.py erasures with --erased, or pass "
                "--nothing-was-erased."
            )
        return (found.erased or set()).union(*files)
