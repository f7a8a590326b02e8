"""Delete or archive old drawings, clear away sessions; restore an archive."""

from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from tqdm import tqdm

from recognizer.ops import retention as expiry


class Command(BaseCommand):
    help = (
        "Clear away ended sessions, finished tasks and webhooks' old messages, and "
        "remove drawings older than RETENTION_DAYS. Run it daily."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=int,
            metavar="DAYS",
            help="use this instead of RETENTION_DAYS",
        )
        parser.add_argument(
            "--archive",
            type=Path,
            metavar="FOLDER",
            help="archive the removed drawings here instead of deleting them",
        )
        parser.add_argument(
            "--restore", type=Path, metavar="FILE", help="restore an archive"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with tqdm(unit=" drawings") as bar:
                if options["restore"]:
                    back = expiry.restore(options["restore"], tell=bar.update)
                    told = f"Restored {back:,} drawings."
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
        expiry.clear_away()
        erased = expiry.forget_erased(folder) if folder else 0
        if days < 1:
            if not folder:
                return (
                    "Drawings are kept forever: set RETENTION_DAYS, or pass "
                    "--older-than with at least 1 day, to remove old ones."
                )
            gone = 0
        else:
            before = timezone.now() - timedelta(days=days)
            gone = expiry.expire(before=before, folder=folder, tell=bar.update)
        done = "Archived" if folder else "Deleted"
        return f"{done} {gone:,} drawings; erased {erased:,} from archives."
