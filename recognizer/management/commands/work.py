"""Run queued trainings, recover lost runs, and deliver webhooks' messages."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, close_old_connections

from recognizer.learning import training
from recognizer.learning import worker as crossing
from recognizer.webhooks.delivering import LOOK_EVERY_S, deliver

TEND_EVERY_S = 5
log = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Run queued trainings and deliver webhooks' messages. Any number of workers "
        "may run, on many machines."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--until-done", action="store_true", help="exit when no work is left"
        )
        parser.add_argument(
            "--watched", action="store_true", help="exit when standard input closes"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        can_train = crossing.is_installed()
        if options["watched"]:
            crossing.end_with_starter()
        elif not can_train:
            self.stderr.write(f"Trainings wait. {crossing.HOW_TO_INSTALL}")
        with ExitStack() as threads:
            threads.enter_context(meanwhile(tend, join_s=TEND_EVERY_S))
            if not options["until_done"]:
                join_s = settings.WEBHOOK_TIMEOUT_S + 5  # an attempt, and storing it
                threads.enter_context(meanwhile(keep_delivering, join_s=join_s))
            if can_train:
                call_command(
                    "db_worker", batch=options["until_done"], reload=False, interval=1.0
                )
            elif not options["until_done"]:
                until_stopped()
        if options["until_done"]:
            deliver(until_idle=True)


def until_stopped() -> None:
    """Wait for SIGINT or SIGTERM, as `db_worker` does."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()


@contextmanager
def meanwhile(
    act: Callable[[threading.Event], None], *, join_s: float
) -> Iterator[None]:
    """Run a function in a thread; at the end, set its event and wait for it."""
    stop = threading.Event()
    thread = threading.Thread(target=act, args=[stop], daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=join_s)


def keep_delivering(stop: threading.Event) -> None:
    """Deliver webhooks' messages, whatever goes wrong."""
    while not stop.is_set():
        try:
            deliver(stop)
        except Exception:
            log.exception("Delivering webhooks' messages failed. It begins again.")
            stop.wait(LOOK_EVERY_S)


def tend(stop: threading.Event) -> None:
    """Recover runs without a heartbeat, and remove the folders of ended runs."""
    while not stop.wait(TEND_EVERY_S):
        try:
            training.tend_runs()
            crossing.clear_away()
        except DatabaseError as error:
            log.warning("Could not check for trainings without a heartbeat: %s", error)
        finally:
            close_old_connections()
