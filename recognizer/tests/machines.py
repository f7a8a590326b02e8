"""Web processes on machines of their own, and nginx before them, for tests.

Each "machine" is a `manage.py serve` of its own with a data folder of its own, so they
share nothing but PostgreSQL and Redis, as compose.yaml has it.
"""

import json
import os
import pwd
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlcore import paths
from tools.server import Server, one_of_many, own_database

API = "/api/v1/"
IN_PRODUCTION = {
    "PRODUCTION": "1",
    "SECRET_KEY": "".join(map(chr, range(48, 110))),
    "ALLOWED_HOSTS": "127.0.0.1",
    "TRUSTED_PROXIES": "1",
    "DIGITSITE_THROTTLE": "off",
}
"""Variables of a site behind nginx."""
_LONGEST_START_S = 60


def program(name: str, *, package: str) -> str:
    """Return the path of a program; install its Debian package where it is missing."""
    # A user's PATH may lack the folders of what administrators run.
    everywhere = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if shutil.which(name, path=everywhere) is None and os.geteuid() == 0:
        install = f"apt-get update -qq && apt-get install -y -qq {package} >/dev/null"
        subprocess.run(["sh", "-c", install], check=True)
    path = shutil.which(name, path=everywhere)
    assert path, f"{name} is missing: install your system's package {package}."
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], ping: Callable[[], object]) -> Iterator[None]:
    """Run a server until the block ends; enter the block once it answers."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        stop_at = time.monotonic() + _LONGEST_START_S
        while True:
            try:
                ping()
                break
            except OSError:
                assert process.poll() is None, f"{command[0]} stopped."
                assert time.monotonic() < stop_at, f"{command[0]} did not start."
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


def at_once(number: int, one: Callable[[int], Any]) -> list[Any]:
    """Do something so many times, all begun at the same moment."""
    ready = threading.Barrier(number)

    def wait_and_do(index: int) -> Any:
        ready.wait()
        return one(index)

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(wait_and_do, range(number)))


@dataclass(frozen=True)
class Answer:
    """What a call came to."""

    status: int
    body: Any
    cookie: str
    headers: Any


@dataclass(frozen=True)
class Machine:
    """One web process and how to call it, past nginx or through it."""

    url: str
    trust: ssl.SSLContext | None = None

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Call the API; an answer that never came has status 0."""
        request = urllib.request.Request(
            f"{self.url}{API}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                # As nginx says it; the site is in production and takes no plain http.
                "X-Forwarded-Proto": "https",
                **headers,
            },
        )
        try:
            answer = urllib.request.urlopen(request, timeout=60, context=self.trust)
        except urllib.error.HTTPError as error:
            answer = error
        except OSError:
            return Answer(0, None, "", {})
        with answer:
            content = answer.read()
            cookie = answer.headers.get("Set-Cookie", "").partition(";")[0]
            is_json = "json" in answer.headers.get("Content-Type", "")
            parsed = json.loads(content) if is_json else None
            return Answer(answer.status, parsed, cookie, answer.headers)


@contextmanager
def machines(folder: Path, **variables: str) -> Iterator[tuple[Server, Server]]:
    """Start two web processes on one new database, at the same moment."""
    shared = {
        **IN_PRODUCTION,
        "REDIS_URL": os.environ["REDIS_URL"],
        "WORKERS": "1",
        **variables,
    }
    with own_database() as database, ExitStack() as stack:
        one, other = (
            one_of_many(folder / name, **shared, **database) for name in ("one", "two")
        )
        # Side by side, so that both find an empty database and want to prepare it.
        started = at_once(2, lambda index: stack.enter_context((one, other)[index]))
        yield started[0], started[1]


def certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1, with its key beside it."""
    subprocess.run(
        [
            *(program("openssl", package="openssl"), "req", "-x509", "-nodes"),
            *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / "privkey.pem")),
            *("-out", str(folder / "fullchain.pem")),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "fullchain.pem"


@contextmanager
def nginx_before(servers: Sequence[Server], folder: Path) -> Iterator[Machine]:
    """Run nginx as it is shipped, save for names, ports and places."""
    port = free_port()
    trusted = certificate(folder)
    shipped = (paths.REPOSITORY / "deploy" / "nginx.conf").read_text()
    web = "".join(
        f"server {one.url.removeprefix('http://')} max_fails=1 fail_timeout=5s;"
        for one in servers
    )
    changed = [
        (r"server web:8000 .*;", web),
        (r"listen 80;", f"listen 127.0.0.1:{free_port()};"),
        (r"listen 443 ssl http2;", f"listen 127.0.0.1:{port} ssl http2;"),
        (r"server_name .*;", "server_name 127.0.0.1;"),
        (r"/etc/nginx/tls", str(folder)),
        (r"/tmp/nginx", f"{folder}/nginx"),  # noqa: S108
        (r"/dev/std\w+", f"{folder}/log"),
    ]
    for pattern, replacement in changed:
        shipped, number = re.subn(pattern, replacement, shipped)
        assert number, pattern
    # Run by us: its workers have to reach a folder that only its owner may enter.
    us = pwd.getpwuid(os.geteuid()).pw_name
    (folder / "nginx.conf").write_text(f"user {us};\n{shipped}")
    command = [
        *(program("nginx", package="nginx-light"), "-c", str(folder / "nginx.conf")),
        *("-g", "daemon off;"),
    ]
    subprocess.run([*command[:3], "-t"], check=True, capture_output=True)
    nginx = Machine(
        f"https://127.0.0.1:{port}", ssl.create_default_context(cafile=str(trusted))
    )

    def ping() -> None:
        if nginx.call("GET", "models/active/").status != 200:
            raise ConnectionError

    with running(command, ping):
        yield nginx
