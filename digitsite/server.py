"""The server that serves the site, and what it is told: gunicorn, from our settings."""

import ctypes
import gc
import logging
import resource
import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from gunicorn.app.base import BaseApplication

from digitsite.balance import BalancedWorker, Board, seat, unseat

logger = logging.getLogger(__name__)

_THREADS = 32  # many, because each slow sender's body is waited for in one
_CONNECTIONS = 1000  # of a process at a time; the others wait to be let in
# Open in a process beside its connections: 83 were seen with SQLite, all threads at
# work; a thread may wait for data and send a file as well.
_FILES_BESIDE = 256
_M_ARENA_MAX = -8  # of malloc.h
_libc = ctypes.CDLL(None)


class Server(BaseApplication):
    """gunicorn, started from here so that Django is loaded once."""

    def __init__(self, load: Callable[[], Any]) -> None:
        """Take what returns the WSGI application; called before workers are forked."""
        self._load = load
        super().__init__()

    def load_config(self) -> None:
        """Set what gunicorn's command line would."""
        chosen = {
            "bind": f"{settings.HOST}:{settings.PORT}",
            "workers": settings.WORKERS,
            "worker_class": "digitsite.worker.Worker",
            "pre_fork": seat,
            "child_exit": unseat,
            "threads": _THREADS,
            "worker_connections": connections_that_fit(),
            "preload_app": True,
            "proc_name": "digitsite",
            "graceful_timeout": 30,
            "timeout": 60,
            "keepalive": 15,
            "control_socket_disable": True,
            "loglevel": "warning",
            "when_ready": announce,
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)
        # Some begin as others end, as many again at a reload.
        BalancedWorker.board = Board(2 * settings.WORKERS + 16)

    def load(self) -> Any:
        """Return the application."""
        share_memory_between_threads()
        application = self._load()
        # What is loaded stays: no collection shall copy it into each worker's memory.
        # Nor is it collected now: that takes 57 ms and finds 2,000 small objects.
        gc.freeze()
        gc.enable()  # manage.py had it wait for this
        give_back_memory()
        return application


def connections_that_fit() -> int:
    """Raise this process's limit of open files; return how many connections it allows.

    Those that are forked later have the same limit. A system's default is often 1024,
    and a process that takes one connection too many ends with all the others.
    """
    needed = _CONNECTIONS + _FILES_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed == needed:
        return _CONNECTIONS
    fit = max(allowed - _FILES_BESIDE, _THREADS + 1)
    logger.warning(
        "A process may open %d files, so it takes %d connections at a time instead of "
        "%d: allow it %d (LimitNOFILE of the unit, ulimit -Hn of a shell).",
        *(allowed, fit, _CONNECTIONS, needed),
    )
    return fit


def share_memory_between_threads() -> None:
    """Have the C library keep two heaps of freed memory instead of one a thread.

    Two workers take 220 MB after reading pictures by 32 threads each instead of 262.
    """
    if hasattr(_libc, "mallopt"):  # glibc's
        _libc.mallopt(_M_ARENA_MAX, 2)


def give_back_memory() -> None:
    """Have the C library return what is free to the system: loading leaves 11 MB."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)


def announce(server: Any) -> None:
    """Say where the site is, once it listens."""
    host, port = server.LISTENERS[0].sock.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # every address: name one that works  # noqa: S104
        host = "127.0.0.1"
    host = f"[{host}]" if ":" in host else host
    sys.stdout.write(f"Digitsite is at http://{host}:{port}/ (Ctrl+C stops it)\n")
    sys.stdout.flush()
