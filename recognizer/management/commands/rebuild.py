"""Recompute the derived columns of submissions and the site's statistics."""

from typing import Any

from django.core.management.base import BaseCommand

from recognizer.drawings.derived import rebuild_derived


class Command(BaseCommand):
    help = "Recompute derived columns and the statistics from the stored rows."

    def handle(self, *args: Any, **options: Any) -> None:
        mended = rebuild_derived()
        self.stdout.write(f"{mended} submissions corrected, statistics recomputed.")
