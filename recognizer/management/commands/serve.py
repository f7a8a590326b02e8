"""Serve the site with gunicorn, after `prepare`."""

import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.core.wsgi import get_wsgi_application
from django.db import connections
from gunicorn.app.base import BaseApplication


class Server(BaseApplication):
    """gunicorn, started from here so that Django is loaded once."""

    def load_config(self) -> None:
        """Set what gunicorn's command line would."""
        chosen = {
            "bind": f"{settings.HOST}:{settings.PORT}",
            "workers": settings.WORKERS,
            "worker_class": "gthread",
            "threads": 4,
            "preload_app": True,
            "proc_name": "digitsite",
            "graceful_timeout": 30,
            # Long enough to take 10 MB over a slow line.
            "timeout": 60,
            "keepalive": 15,
            "max_requests_jitter": 0,
            "control_socket_disable": True,
            "loglevel": "warning",
            "when_ready": announce,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """Return the application; loaded before the workers are forked."""
        return get_wsgi_application()


def announce(server: Any) -> None:
    """Say where the site is, once it listens."""
    host, port = server.LISTENERS[0].sock.getsockname()[:2]
    host = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"Digitsite is at http://{host}:{port}/ (Ctrl+C stops it)\n")
    sys.stdout.flush()


class Command(BaseCommand):
    help = "Prepare database and model, then serve at HOST:PORT with WORKERS processes."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("prepare", stdout=self.stdout)
        connections.close_all()  # no database connection may cross a fork
        Server().run()
