"""List the deleted drawings, for a later restore of an older backup."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from recognizer.ops import backups


class Command(BaseCommand):
    help = (
        "Write the ids of all deleted drawings to a file. Keep it apart from the "
        "database."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("to", type=Path, help="file")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            number = backups.write_erasures(options["to"])
        except (DatabaseError, OSError) as error:
            raise CommandError(f"Nothing was written: {error}") from error
        self.stdout.write(f"Wrote {number} ids of deleted drawings to {options['to']}.")
