"""Activate a model that has passed its gate."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recognizer.learning import promotion
from recognizer.models import ModelVersion


def model_named(beginning: str) -> ModelVersion:
    """Return the only model whose digest has this prefix."""
    found = ModelVersion.objects.filter(digest__startswith=beginning)
    if len(found) != 1:
        raise CommandError(
            f"{len(found)} models begin with {beginning!r}. Model versions in the "
            "admin lists them."
        )
    return found[0]


class Command(BaseCommand):
    help = (
        "Make a model that has passed its gate the active one, in all processes "
        "within 0.25 s."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "digest", help="digest of the model; a unique prefix is enough"
        )
        parser.add_argument(
            "--because",
            default="",
            help="reason, required if it has not passed its gate",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        version = model_named(options["digest"])
        try:
            promotion.promote(version=version, actor=None, reason=options["because"])
        except promotion.GateError as error:
            raise CommandError(f"{error} Use --because for the reason.") from error
        self.stdout.write(f"Model {version} is now active.")
