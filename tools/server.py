"""Run the site in its own processes, as `make run` does, for tests and bench."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from mlcore import paths

_MAKE_USER = """
from django.contrib.auth.models import Group
from recognizer.models import User
user, _ = User.objects.get_or_create(username={name!r})
user.groups.set(Group.objects.filter(name="Reviewers") if {is_reviewer} else [])
"""

_SIGN_IN = """
from django.conf import settings
from django.contrib.auth.models import Group
from django.test import Client
from recognizer.models import User
from recognizer.people.signing_in import note_password
user, _ = User.objects.get_or_create(username={name!r})
user.is_staff = True
user.save()
user.groups.add(Group.objects.get(name={group!r}))
client = Client()
client.force_login(user)
session = client.session
note_password(session)
session.save()
print(settings.SESSION_COOKIE_NAME, session.session_key, settings.CSRF_COOKIE_NAME)
"""
_CSRF = "c" * 32


@dataclass(frozen=True)
class Server:
    """A running site: its URL, data folder and environment variables.

    process: the server; None if the site is not served.
    """

    url: str
    var: Path
    variables: tuple[tuple[str, str], ...] = ()
    process: "subprocess.Popen[str] | None" = None

    def manage(self, *arguments: str) -> str:
        """Run a manage.py command on the site's data; return its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=paths.REPOSITORY,
            env=environment(self.var, dict(self.variables)),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def workers(self) -> list[int]:
        """Return the ids of the processes that answer requests."""
        return self.processes()[1:]

    def processes(self) -> list[int]:
        """Return the ids of all processes, the parent's first."""
        if self.process is None:
            return []
        pid = self.process.pid
        children = psutil.Process(pid).children() if psutil.pid_exists(pid) else []
        return [pid, *(child.pid for child in children)]

    def kill(self) -> None:
        """Kill all processes at once, as a power failure does.

        The parent goes first, because it would replace its workers.
        """
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def make_user(self, name: str, *, is_reviewer: bool = False) -> None:
        """Create a user of this name if there is none."""
        code = _MAKE_USER.format(name=name, is_reviewer=is_reviewer)
        self.manage("shell", "--no-imports", "-c", code)

    def sign_in(self, name: str, *, group: str = "Reviewers") -> dict[str, str]:
        """Create a staff user in this group; return the cookies of a session."""
        code = _SIGN_IN.format(name=name, group=group)
        told = self.manage("shell", "--no-imports", "-c", code)
        session_cookie, session, csrf_cookie = told.split()
        return {session_cookie: session, csrf_cookie: _CSRF}

    def make_token(self, name: str, scopes: str) -> str:
        """Create a token for this user."""
        return self.manage("token", name, "--scopes", scopes)


def environment(var: Path, variables: dict[str, str]) -> dict[str, str]:
    """Return the environment of a process of the site."""
    return {
        **os.environ,
        "DIGITSITE_VAR": str(var),
        "PORT": "0",
        "WORKERS": "2",
        **variables,
    }


def start_site(
    var: Path,
    variables: dict[str, str] | None = None,
    *,
    checkout: Path = paths.REPOSITORY,
) -> tuple[subprocess.Popen[str], str]:
    """Start `manage.py serve` on a free port; return the process and its address."""
    with (var / "log").open("w") as log:  # tests cause 404s, one line each
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=checkout,
            env=environment(var, variables or {}),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    said = []
    for line in process.stdout or ():
        said.append(line)
        if "Digitsite is at " in line:
            return process, line.split("Digitsite is at ")[1].split("/ ")[0]
    said.append((var / "log").read_text())
    raise RuntimeError("The site did not start: " + "".join(said))


@contextmanager
def serving(
    var: Path, checkout: Path = paths.REPOSITORY, /, **variables: str
) -> Iterator[Server]:
    """Serve a data folder with its own database while the block runs."""
    with (
        own_database() as database,
        one_of_many(var, checkout, **variables, **database) as site,
    ):
        yield site


@contextmanager
def one_of_many(
    var: Path, checkout: Path = paths.REPOSITORY, /, **variables: str
) -> Iterator[Server]:
    """Serve beside other servers while the block runs; it may be killed."""
    var.mkdir(exist_ok=True)
    process, url = start_site(var, variables, checkout=checkout)
    try:
        yield Server(url, var, tuple(variables.items()), process)
    finally:
        process.terminate()
        process.communicate(timeout=40)
    if process.returncode not in (0, -signal.SIGKILL):
        raise RuntimeError(f"The site ended with {process.returncode}.")


@contextmanager
def data_alone(var: Path, **variables: str) -> Iterator[Server]:
    """Provide a data folder and a database without serving them."""
    with own_database() as database:
        yield Server("", var, tuple({**variables, **database}.items()))


@contextmanager
def own_database() -> Iterator[dict[str, str]]:
    """Create a PostgreSQL database if DATABASE_URL names PostgreSQL; else do nothing.

    SQLite's database is in the data folder.
    """
    url = os.environ.get("DATABASE_URL", "")
    if not url.startswith("postgres"):
        yield {}
        return
    name = sql.Identifier(f"live_{os.urandom(6).hex()}")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield {"DATABASE_URL": f"{url.rpartition('/')[0]}/{name.as_string()[1:-1]}"}
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)")
            connection.execute(drop.format(name))
