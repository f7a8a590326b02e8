"""Run queued trainings, and recover runs whose worker stopped responding."""

import logging
import threading
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from recognizer.learning import training
from recognizer.learning import worker as crossing

TEND_EVERY_S = 5
log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = "Run queued trainings. Any number of workers may run, on many machines."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--until-done", action="store_true", help="exit when no work is left"
        )
        parser.add_argument(
            "--watched", action="store_true", help="exit when standard input closes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not crossing.is_installed():
            self.stderr.write(crossing.HOW_TO_INSTALL)
        if options["watched"]:
            crossing.end_with_starter()
        threading.Thread(target=tend_for_ever, daemon=True).start()
        call_command(
            "db_worker", batch=options["until_done"], reload=False, interval=1.0
        )


def tend_for_ever() -> None:
    """Recover runs without a heartbeat and remove ended runs' folders, until exit."""
    stop = threading.Event()
    while not stop.wait(TEND_EVERY_S):
        try:
            training.tend_runs()
            crossing.clear_away()
        except DatabaseError as error:
            log.warning("Could not check for trainings without a heartbeat: %s", error)
        finally:
            close_old_connections()
