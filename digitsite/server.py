"""Start granian, the default web server."""

import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from importlib import import_module
from ipaddress import ip_address
from pathlib import Path
from threading import Thread

from django.conf import settings
from django.urls import get_resolver
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels

# More than may run, be sent and be read at once (see settings). The other threads wait
# for their turn, answer probes and refuse requests.
_THREADS = 96
_CONNECTIONS = 1000  # per process; more wait in the kernel's backlog


def serve(address: str, port: int) -> None:
    """Serve the site until told to stop."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_files, most_files))
    # Load the site before forking and exempt it from garbage collection, so that the
    # processes share its memory.
    import_module("digitsite.wsgi")
    _ = get_resolver().url_patterns
    gc.freeze()
    # Only once all workers are forked: a thread that runs meanwhile may have a lock,
    # such as an import's, and the copy of it in a worker is never released.
    announcing = Thread(target=_announce, args=(address, port), daemon=True)
    os.register_at_fork(
        after_in_child=_begin_worker,
        after_in_parent=after_forks(settings.WORKERS, announcing.start),
    )
    server = Granian(
        "digitsite.wsgi:application",
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        websockets=False,
        workers=settings.WORKERS,
        blocking_threads=_THREADS,
        backpressure=_CONNECTIONS,
        backlog=2048,
        respawn_failed_workers=True,
        workers_kill_timeout=30,
        log_level=LogLevels.error,
        log_dictconfig=settings.LOGGING | {"loggers": {}},  # ours instead of its own
    )
    server.on_startup(_drop_silent_peers)
    server.serve()


def after_forks(number: int, act: Callable[[], None]) -> Callable[[], None]:
    """Return a hook that acts once, after so many forks."""
    left = iter(range(number))

    def forked() -> None:
        if next(left, None) == number - 1:
            act()

    return forked


def _begin_worker() -> None:
    """Leave Ctrl+C to the parent, and end when it sends SIGTERM.

    Without this, a worker of granian 2.8 has the parent's signal handlers until it
    installs its own. A SIGTERM before that would not end it, and stopping would take
    30 s, until granian kills it.
    """
    os.setpgid(0, 0)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _drop_silent_peers() -> None:
    """Let the system close connections whose peer takes nothing for a while.

    A connection has this option from the socket that it was accepted on.
    """
    if not hasattr(socket, "TCP_USER_TIMEOUT"):  # only Linux has it
        return
    for entry in Path("/proc/self/fd").iterdir():
        try:
            listener = socket.socket(fileno=os.dup(int(entry.name)))
        except OSError:  # closed meanwhile, or no socket
            continue
        with listener:
            is_tcp = listener.family in (socket.AF_INET, socket.AF_INET6)
            if is_tcp and listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                listener.setsockopt(
                    socket.IPPROTO_TCP,
                    socket.TCP_USER_TIMEOUT,
                    settings.SILENT_PEER_S * 1000,
                )


def free_address(host: str, port: int) -> tuple[str, int]:
    """Return the address and port to listen on; port 0 becomes a free port.

    Raises:
        OSError: another program listens there, or the host is not this machine's.
            Without this check, granian would share the port with another granian.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    )[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
        found: tuple[str, int] = probe.getsockname()[:2]
        return found


def _announce(address: str, port: int) -> None:
    """Print the address of the site once it answers."""
    if ip_address(address).is_unspecified:  # every address: name one that works
        address = "127.0.0.1"
    while not _is_alive(address, port):
        time.sleep(0.01)
    host = f"[{address}]" if ":" in address else address
    sys.stdout.write(f"Digitsite is at http://{host}:{port}/ (Ctrl+C stops it)\n")
    sys.stdout.flush()


def _is_alive(address: str, port: int) -> bool:
    connection = HTTPConnection(address, port)
    try:
        connection.request("GET", "/livez")
        return connection.getresponse().status == HTTPStatus.OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
