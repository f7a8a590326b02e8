"""Back up the whole site while it is running."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from recognizer.ops import backups


class Command(BaseCommand):
    help = (
        "Back up the database, pictures, models and the secret key into a new folder."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("to", type=Path, help="folder that holds the backups")
        parser.add_argument(
            "--keep", type=int, metavar="N", help="delete all but the latest N backups"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        keep = options["keep"]
        if keep is not None and keep < 1:
            raise CommandError(f"--keep={keep}: must be at least 1.")
        try:
            made = backups.make_backup(options["to"])
        except (backups.BackupError, DatabaseError, OSError) as error:
            raise CommandError(f"The backup failed: {error}") from error
        size = sum(path.stat().st_size for path in made.folder.iterdir())
        self.stdout.write(f"Wrote {made.folder} ({size / 1e6:,.1f} MB).")
        if keep is not None:
            for folder in backups.forget_older(options["to"], keep=keep):
                self.stdout.write(f"Deleted {folder}.")
