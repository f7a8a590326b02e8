"""Put a backup back, without what was deleted since."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from recognizer.management.commands.prepare import data_folder_locked
from recognizer.ops import backups
from recognizer.ops.backups import BackupError


class Command(BaseCommand):
    help = "Put a backup in the place of the database; the site is stopped meanwhile."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("backup", type=Path, help="the backup's folder")
        parser.add_argument(
            "--erased",
            type=Path,
            action="append",
            default=[],
            metavar="FILE",
            help="deleted since, as manage.py erasures wrote it; may be repeated",
        )
        parser.add_argument(
            "--nothing-was-erased",
            action="store_true",
            help="say so where neither a file nor the database tells",
        )
        parser.add_argument(
            "--replace", action="store_true", help="also where there are drawings"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            backup = backups.open_backup(options["backup"])
            erased = self._erased(options)
            with data_folder_locked():
                number = backups.restore(backup, erased=erased)
        except (BackupError, DatabaseError, OSError) as error:
            raise CommandError(f"Nothing was restored: {error}") from error
        self.stdout.write(
            f"{backup.folder} is restored; {number} of its drawings were deleted "
            "since, and are."
        )

    def _erased(self, options: dict[str, Any]) -> set[Any]:
        found = backups.in_place()
        if found.has_drawings and not options["replace"]:
            raise CommandError(
                "There are drawings in the database already: --replace drops them."
            )
        files = [backups.read_erasures(path) for path in options["erased"]]
        if found.erased is None and not files and not options["nothing_was_erased"]:
            raise CommandError(
                "Nothing tells what was deleted since this backup: name a file that "
                "manage.py erasures wrote by --erased, or say --nothing-was-erased."
            )
        return (found.erased or set()).union(*files)
