"""Derive again what is derived: columns of submissions, and the site's numbers."""

from typing import Any

from django.core.management.base import BaseCommand

from recognizer.drawings.derived import rebuild_derived


class Command(BaseCommand):
    help = "Derive shown digits, verdicts, labels and numbers anew from the facts."

    def handle(self, *args: Any, **options: Any) -> None:
        mended = rebuild_derived()
        self.stdout.write(f"{mended} submissions were mended; all numbers are new.")
