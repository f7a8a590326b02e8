"""Serve the site with granian, after `prepare`."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from django.conf import settings
from django.core.checks import Tags
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from digitsite.server import free_address, serve


@contextmanager
def a_worker_along() -> Iterator[None]:
    """Train in the background while the site is served, where this machine can.

    Told to stop twice, a worker hands its training back instead of finishing it.
    """
    from recognizer.learning import worker as training

    if not training.is_installed():
        yield
        return
    work = [sys.executable, "manage.py", "work", "--watched"]
    worker = subprocess.Popen(
        # Its readings are not counted with the site's.
        ["env", "-u", "PROMETHEUS_MULTIPROC_DIR", *work],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,  # closes with us, however we go
        start_new_session=True,  # Ctrl+C is for the site, which tells the worker
    )
    try:
        yield
    finally:
        for _ in range(2):
            worker.terminate()
            time.sleep(0.5)
        worker.communicate()


class Command(BaseCommand):
    help = "Prepare database and model, then serve at HOST:PORT with WORKERS processes."
    # What an operator can get wrong is refused by the settings and by `prepare`; the
    # other checks judge our code, as `make check` does, and load all pages for it.
    requires_system_checks = (Tags.caches, Tags.files, Tags.database)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--worker", action="store_true", help="also run a training worker"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = settings.HOST, settings.PORT
        try:
            address, port = free_address(host, port)
        except OSError as error:
            raise CommandError(
                f"Cannot listen on {host} port {port}: {error.strerror}. Choose "
                f"another port, such as PORT={port + 1 if port < 65535 else 8000}."
            ) from error
        call_command("prepare", stdout=self.stdout)
        connections.close_all()  # no database connection may cross a fork
        along = a_worker_along() if options["worker"] else nullcontext()
        with along:
            serve(address, port)
