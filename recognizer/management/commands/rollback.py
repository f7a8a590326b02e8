"""Activate the previous model again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recognizer.learning import promotion


class Command(BaseCommand):
    help = "Make the previous model active again, in all processes within 0.25 s."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--because", default="", help="reason, for the history")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = promotion.roll_back(actor=None, reason=options["because"])
        except promotion.GateError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Model {version} is active again.")
