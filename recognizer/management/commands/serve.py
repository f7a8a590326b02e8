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
from recognizer.people.security_log import note


@contextmanager
def a_worker_along() -> Iterator[None]:
    """Run a worker beside the server.

    On exit, two SIGTERMs make the worker hand its training back instead of finishing.
    """
    work = [sys.executable, "manage.py", "work", "--watched"]
    worker = subprocess.Popen(
        # Without the variable, the site's metrics exclude the worker's readings.
        ["env", "-u", "PROMETHEUS_MULTIPROC_DIR", *work],
        cwd=settings.BASE_DIR,
        stdin=subprocess.PIPE,  # closes when this process ends, even if killed
        start_new_session=True,  # Ctrl+C stops the site, which then stops the worker
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
    # The settings and `prepare` already refuse an operator's mistakes. The other checks
    # are for our code; `make check` runs them, and they would load all pages here.
    requires_system_checks = (Tags.caches, Tags.files, Tags.database)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--worker", action="store_true", help="also run a worker")

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
        note(
            "started",
            production=settings.PRODUCTION,
            debug=settings.DEBUG,
            hosts=len(settings.ALLOWED_HOSTS),
            proxies=settings.TRUSTED_PROXIES,
            throttle=str(settings.THROTTLE),
            retention_days=settings.RETENTION_DAYS,
        )
        connections.close_all()  # a forked process must not share a connection
        along = a_worker_along() if options["worker"] else nullcontext()
        with along:
            serve(address, port)
