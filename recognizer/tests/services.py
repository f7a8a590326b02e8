"""PostgreSQL and Redis for the tests that talk to them: on loopback, for this run only.

python -m recognizer.tests.services [pytest's arguments]

Both come from Debian's packages where they are missing and we may install, run with a
data folder of their own on free ports, and are stopped at the end.
"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import redis

from mlcore import places

_HELP = "{} is missing: install your system's packages postgresql and redis-server."
_LONGEST_START_S = 60
_TESTS = (
    "recognizer",
    "--ignore=recognizer/tests/browser",
    "--ignore=recognizer/tests/test_accuracy.py",
    "--ignore=recognizer/tests/test_javascript.py",
)


def _postgres_program(name: str) -> str | None:
    """Debian keeps them out of PATH, a folder each version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def _redis_program(name: str) -> str | None:
    return shutil.which(name)


def _program(find: Callable[[str], str | None], name: str, *, package: str) -> str:
    path = find(name)
    if path is None and shutil.which("apt-get") and os.geteuid() == 0:
        sys.stdout.write(f"Bringing {package} for the tests ...\n")
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        for command in (["apt-get", "update", "-qq"], [*install, package]):
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        path = find(name)
    if path is None:
        sys.exit(_HELP.format(name))
    return path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _running(command: list[str], ping: Callable[[], object]) -> Iterator[None]:
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
            except (psycopg.OperationalError, redis.ConnectionError):
                if process.poll() is not None or time.monotonic() > stop_at:
                    sys.exit(f"{command[0]} did not start.")
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def postgres(folder: Path) -> Iterator[str]:
    """Run PostgreSQL; yields its DATABASE_URL."""
    initdb = _program(_postgres_program, "initdb", package="postgresql")
    server = _program(_postgres_program, "postgres", package="postgresql")
    as_owner: list[str] = []
    if os.geteuid() == 0:  # it refuses to run as root
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data, port = folder / "postgres", _free_port()
    subprocess.run(
        [
            *(*as_owner, initdb, "-D", str(data), "-U", "digitsite"),
            *("--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync"),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    start = [
        *(*as_owner, server, "-D", str(data), "-p", str(port), "-k", str(folder)),
        *("-c", "listen_addresses=127.0.0.1", "-c", "max_connections=400"),
        *("-c", "fsync=off"),  # nothing here outlives the run
    ]
    url = f"postgres://digitsite@127.0.0.1:{port}"
    with _running(start, lambda: psycopg.connect(f"{url}/postgres").close()):
        with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE digitsite")
        yield f"{url}/digitsite"


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run Redis; yields its REDIS_URL."""
    server = _program(_redis_program, "redis-server", package="redis-server")
    port = _free_port()
    start = [
        *(server, "--port", str(port), "--bind", "127.0.0.1"),
        *("--save", "", "--appendonly", "no", "--dir", str(folder)),
    ]
    client = redis.Redis(port=port)
    with _running(start, client.ping):
        client.close()
        yield f"redis://127.0.0.1:{port}/0"


def main() -> None:
    """Run the tests on both."""
    with ExitStack() as stack:
        folders = [
            Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2)
        ]
        variables = {
            "DATABASE_URL": stack.enter_context(postgres(folders[0])),
            "REDIS_URL": stack.enter_context(redis_server(folders[1])),
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *(sys.argv[1:] or _TESTS)],
            cwd=places.REPOSITORY,
            env={**os.environ, **variables},
            check=False,
        )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
