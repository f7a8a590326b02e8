"""Read old drawings again by any version; go on where it was stopped."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recognizer.learning import rescoring
from recognizer.models import ModelVersion
from recognizer.reader.recognisers import ReaderUnavailableError


class Command(BaseCommand):
    help = "Read the history by a version, oldest first; resumable."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("digest", help="the beginning of it is enough")
        parser.add_argument("--batch", type=int, default=200, help="a transaction")
        parser.add_argument("--most", type=int, help="stop after so many")
        parser.add_argument(
            "--afresh", action="store_true", help="begin at the oldest again"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = ModelVersion.objects.filter(digest__startswith=options["digest"])
        if len(found) != 1:
            raise CommandError(
                f"{len(found)} models begin with {options['digest']!r}: the admin's "
                "page Model versions lists them."
            )
        if options["batch"] < 1 or (options["most"] or 1) < 1:
            raise CommandError("--batch and --most are at least 1.")
        try:
            done = rescoring.rescore(
                version=found[0],
                batch=options["batch"],
                most=options["most"],
                afresh=options["afresh"],
                tell=lambda so_far: self.stderr.write(f"{so_far.read} read"),
            )
        except ReaderUnavailableError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Model {found[0]} has read {done.read} drawings again, {done.otherwise} "
            f"otherwise than shown. Of {done.reviewed} reviewed ones {done.is_right} "
            f"are right; {done.was_right} were."
        )
