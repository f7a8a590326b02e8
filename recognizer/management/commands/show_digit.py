"""Show a digit in the terminal as dots and zeros, with its reading."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from recognizer.reader import showing
from recognizer.reader.recognisers import ReaderUnavailableError


class Command(BaseCommand):
    help = (
        "Show a digit as dots and zeros, with its reading: show_digit test 42, "
        "show_digit train 7, show_digit submission ID, show_digit file seven.png."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=(*showing.SOURCES, "submission"))
        parser.add_argument("which", help="an index from 0, a submission id, or a path")

    def handle(self, *args: Any, **options: Any) -> None:
        what, which = options["what"], options["which"]
        try:
            if what == "submission":
                lines = showing.submission(which)
            else:
                lines = showing.digit(what, which)
        except (showing.DataError, ReaderUnavailableError) as error:
            raise CommandError(str(error)) from error
        except DatabaseError as error:
            raise CommandError(
                f"The database cannot be read ({error}). Run manage.py migrate."
            ) from error
        self.stdout.write(lines)
