"""PostgreSQL and Redis for the tests that talk to them: on loopback, for this run only.

python -m recognizer.tests.services [pytest's arguments]

Both, and nginx, come from Debian's packages where they are missing and we may install,
run with a data folder of their own on free ports, and are stopped at the end.

Every test that touches the database runs here, save those in a browser: they try the
pages' scripts, and ask the database nothing that the others do not.
"""

import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import redis

from mlcore import paths

_HELP = "{} is missing: install your system's package {}."
_LONGEST_START_S = 60
_TESTS = (
    "recognizer",
    "--ignore=recognizer/tests/browser",
    "--ignore=recognizer/tests/test_javascript.py",  # no database there
)
# What outlives no run need not reach the disk.
_FORGETFUL = ("-c", "fsync=off")


def _postgres_program(name: str) -> str | None:
    """Debian keeps them out of PATH, a folder each version."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


def _system_program(name: str) -> str | None:
    """A user's PATH may lack the folder of what administrators run."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


def program(
    name: str, *, package: str, find: Callable[[str], str | None] = _system_program
) -> str:
    """Return where a program lies; brings its Debian package where it is missing."""
    path = find(name)
    if path is None and shutil.which("apt-get") and os.geteuid() == 0:
        sys.stdout.write(f"Bringing {package} for the tests ...\n")
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends"]
        for command in (["apt-get", "update", "-qq"], [*install, package]):
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        path = find(name)
    if path is None:
        sys.exit(_HELP.format(name, package))
    return path


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    command: list[str], ping: Callable[[], object]
) -> Iterator["subprocess.Popen[bytes]"]:
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
            except (psycopg.OperationalError, redis.ConnectionError, OSError):
                if process.poll() is not None or time.monotonic() > stop_at:
                    sys.exit(f"{command[0]} did not start.")
                time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


@contextmanager
def postgres(folder: Path, *, options: Sequence[str] = _FORGETFUL) -> Iterator[str]:
    """Run PostgreSQL in a new folder; yields its DATABASE_URL."""
    initdb = program("initdb", package="postgresql", find=_postgres_program)
    server = program("postgres", package="postgresql", find=_postgres_program)
    as_owner: list[str] = []
    if os.geteuid() == 0:  # it refuses to run as root
        owner = pwd.getpwnam("postgres")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data, port = folder / "postgres", free_port()
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
        *options,
    ]
    url = f"postgres://digitsite@127.0.0.1:{port}"
    with running(start, lambda: psycopg.connect(f"{url}/postgres").close()):
        with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE digitsite")
        yield f"{url}/digitsite"


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Run Redis; yields its REDIS_URL."""
    server = program("redis-server", package="redis-server")
    port = free_port()
    start = [
        *(server, "--port", str(port), "--bind", "127.0.0.1"),
        *("--save", "", "--appendonly", "no", "--dir", str(folder)),
    ]
    client = redis.Redis(port=port)
    with running(start, client.ping):
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
            # Those that need services as well, which `make test` leaves out.
            [
                *(sys.executable, "-m", "pytest", "-m", "not long and not sqlite"),
                *(sys.argv[1:] or _TESTS),
            ],
            cwd=paths.REPOSITORY,
            env={**os.environ, **variables},
            check=False,
        )
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
