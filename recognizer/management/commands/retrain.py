"""Queue a training on a snapshot; `manage.py work` runs it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recognizer.learning import training
from recognizer.learning import worker as crossing
from recognizer.models import Snapshot


class Command(BaseCommand):
    help = "Queue a training on the newest snapshot, or on the given one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--snapshot", default="", help="prefix of its digest")
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help="an option of mlcore.training.train, such as epochs=5",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not crossing.is_installed():
            raise CommandError(crossing.HOW_TO_INSTALL)
        snapshots = Snapshot.objects.filter(digest__startswith=options["snapshot"])
        snapshot = snapshots.order_by("-pk").first()
        if snapshot is None:
            raise CommandError(
                "There is no such snapshot. Create one with manage.py export_snapshot."
            )
        run = training.start_training(
            snapshot=snapshot, actor=None, options=self._told(options["set"])
        )
        self.stdout.write(f"Training {run.pk} is queued for manage.py work.")

    def _told(self, settings: list[str]) -> dict[str, Any]:
        told: dict[str, Any] = {}
        for setting in settings:
            name, given, value = setting.partition("=")
            if not given:
                raise CommandError(f"--set {setting}: must be NAME=VALUE.")
            told[name] = {"true": True, "false": False}.get(value, value)
        return told
