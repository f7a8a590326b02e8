"""List what was deleted, for a later restore of an older backup."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from recognizer.ops import backups


class Command(BaseCommand):
    help = (
        "Write the ids of all deleted drawings and accounts to a file. Keep it apart "
        "from the database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("to", type=Path, help="file")
        parser.add_argument(
            "--backups",
            type=Path,
            metavar="FOLDER",
            help="also remove what was deleted from the backups in this folder",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            number = backups.write_erasures(options["to"])
        except (DatabaseError, OSError) as error:
            raise CommandError(f"Nothing was written: {error}") from error
        self.stdout.write(f"Wrote {number} ids of deletions to {options['to']}.")
        if options["backups"] is None:
            return
        try:
            changed = backups.erase_from_backups(options["backups"])
        except (backups.BackupError, DatabaseError, OSError) as error:
            raise CommandError(f"A backup still has deleted data: {error}") from error
        for folder in changed:
            self.stdout.write(f"Removed what was deleted from {folder}.")
