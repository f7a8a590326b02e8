"""Take out old drawings, for good or into archives; bring an archive back."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from recognizer.ops import retention as expiry


class Command(BaseCommand):
    help = "Take out drawings older than RETENTION_DAYS: run it daily."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than", type=int, metavar="DAYS", help="instead of RETENTION_DAYS"
        )
        parser.add_argument(
            "--archive",
            type=Path,
            metavar="FOLDER",
            help="keep what is taken out in files here; else it is gone",
        )
        parser.add_argument(
            "--restore", type=Path, metavar="FILE", help="bring an archive back"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with tqdm(unit=" drawings") as bar:
                if options["restore"]:
                    back = expiry.restore(options["restore"], tell=bar.update)
                    told = f"{back:,} drawings are back."
                else:
                    told = self._expire(bar, **options)
        except expiry.ArchiveError as error:
            raise CommandError(str(error)) from error
        except OSError as error:
            raise CommandError(f"The archive cannot be used: {error}.") from error
        self.stdout.write(told)

    def _expire(self, bar: Any, **options: Any) -> str:
        days = options["older_than"]
        days = settings.RETENTION_DAYS if days is None else days
        folder = options["archive"]
        erased = expiry.forget_erased(folder) if folder else 0
        if days < 1:
            if not folder:
                raise CommandError(
                    "Drawings are kept for good: set RETENTION_DAYS, or say "
                    "--older-than and a number of days of at least 1."
                )
            gone = 0
        else:
            before = timezone.now() - timedelta(days=days)
            gone = expiry.expire(before=before, folder=folder, tell=bar.update)
        where = f"are in {folder}" if folder else "are gone"
        return f"{gone:,} drawings {where}; {erased:,} were erased from archives."
