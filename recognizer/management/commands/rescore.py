"""Read stored drawings again with any model; resume where it stopped."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recognizer.learning import rescoring
from recognizer.management.commands.promote import model_named
from recognizer.reader.recognisers import ReaderUnavailableError


class Command(BaseCommand):
    help = "Read all stored drawings with a model version, oldest first. Resumable."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "digest", help="digest of the model; a unique prefix is enough"
        )
        parser.add_argument(
            "--batch", type=int, default=200, help="drawings per transaction"
        )
        parser.add_argument("--most", type=int, help="stop after this many drawings")
        parser.add_argument(
            "--afresh", action="store_true", help="start again from the oldest drawing"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        version = model_named(options["digest"])
        if options["batch"] < 1 or (options["most"] or 1) < 1:
            raise CommandError("--batch and --most must be at least 1.")
        try:
            done = rescoring.rescore(
                version=version,
                batch=options["batch"],
                most=options["most"],
                afresh=options["afresh"],
                tell=lambda so_far: self.stderr.write(f"{so_far.read} read"),
            )
        except ReaderUnavailableError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(
            f"Model {version} has read {done.read} drawings again, {done.otherwise} "
            f"differently. Of {done.reviewed} reviewed drawings it reads "
            f"{done.is_right} correctly; {done.was_right} were before."
        )
