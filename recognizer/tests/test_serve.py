"""Starting the site: several at once, and what an operator gets wrong."""

import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from digitsite.server import after_forks
from mlcore import paths
from tools.server import environment, serving


def start(var: Path, **variables: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "manage.py", "serve"],
        cwd=paths.REPOSITORY,
        env={**os.environ, "DIGITSITE_VAR": str(var), "PORT": "0", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def refusal(var: Path, **variables: str) -> str:
    """Return what a start that fails says, in one sentence."""
    process = start(var, **variables)
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in said
    return said


class TestAfterForks:
    def test_acts_once_after_the_last(self) -> None:
        acted: list[int] = []
        forked = after_forks(2, lambda: acted.append(1))

        forked()
        before = list(acted)
        for _ in range(3):  # also the forks of workers that replace dead ones
            forked()

        assert (before, acted) == ([], [1])


class TestServe:
    def test_two_first_starts_share_an_empty_data_folder(self, tmp_path: Path) -> None:
        servers = [start(tmp_path / "var") for _ in range(2)]

        for server in servers:
            assert server.stdout
            assert any("Digitsite is at" in line for line in server.stdout)

        for server in servers:
            server.terminate()
            # A process that misses its signal is killed after 30 s only.
            server.communicate(timeout=20)
            assert server.returncode == 0

    def test_listens_on_ipv6(self, tmp_path: Path) -> None:
        with serving(tmp_path, HOST="::1", WORKERS="1") as site:
            address = urlsplit(site.url)
            with urllib.request.urlopen(f"{site.url}/livez") as answer:
                status = answer.status

        assert address.hostname == "::1"
        assert status == 200

    def test_a_taken_port_is_named_with_a_way_out(self, tmp_path: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]

            said = refusal(tmp_path, PORT=str(port))

        assert f"port {port}" in said
        assert f"PORT={port + 1}" in said

    def test_a_wrong_value_is_one_sentence(self, tmp_path: Path) -> None:
        assert "PORT='x'" in refusal(tmp_path, PORT="x")

    def test_a_data_folder_that_is_a_file_is_named(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        assert "DIGITSITE_VAR" in refusal(tmp_path / "file")

    def test_a_database_that_cannot_be_is_named(self, tmp_path: Path) -> None:
        said = refusal(tmp_path, DATABASE_URL="sqlite:////nowhere/x.sqlite3")

        assert "DATABASE_URL" in said


class TestConnections:
    def test_are_answered_beyond_the_limit_that_the_server_began_with(
        self, tmp_path: Path
    ) -> None:
        with few_files(128), ExitStack() as opened:
            site = opened.enter_context(serving(tmp_path, WORKERS="1"))
            resource.setrlimit(resource.RLIMIT_NOFILE, MY_LIMITS)
            address = urlsplit(site.url)
            callers = [
                opened.enter_context(
                    socket.create_connection((address.hostname, address.port), 20)
                )
                for _ in range(160)
            ]
            for caller in callers:
                caller.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")

            said = {caller.recv(12) for caller in callers}

        assert said == {b"HTTP/1.1 200"}


MY_LIMITS = resource.getrlimit(resource.RLIMIT_NOFILE)


@contextmanager
def few_files(most: int) -> Iterator[None]:
    """Start processes with a low limit of open files that they may raise."""
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, MY_LIMITS[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, MY_LIMITS)


@pytest.mark.long
class TestWorker:
    def test_comes_along_and_goes_with_the_site(self, tmp_path: Path) -> None:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--worker"],
            cwd=paths.REPOSITORY,
            env=environment(tmp_path, {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout
        for line in process.stdout:
            if "Digitsite is at " in line:
                break

        workers = workers_of(process.pid)
        first, *_ = web_processes_of(process.pid)
        os.kill(first, signal.SIGTERM)  # as one ends that is replaced
        deadline = time.monotonic() + 30
        while first in web_processes_of(process.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
        is_left = is_running(workers[0])
        process.terminate()
        process.communicate(timeout=60)

        assert len(workers) == 1
        assert is_left
        assert process.returncode == 0
        assert not is_running(workers[0])


def is_running(pid: str) -> bool:
    return not subprocess.run(
        ["ps", "-p", pid], capture_output=True, check=False
    ).returncode


def workers_of(parent: int) -> list[str]:
    """Return the processes that work for a site."""
    return [line.split()[0] for line in children_of(parent) if " work " in line]


def web_processes_of(parent: int) -> list[int]:
    """Return the processes that answer requests."""
    return [int(line.split()[0]) for line in children_of(parent) if " serve " in line]


def children_of(parent: int) -> list[str]:
    """Return "id command" of each child of a process."""
    listed = subprocess.run(
        ["ps", "--ppid", str(parent), "-o", "pid=,args="],
        capture_output=True,
        text=True,
        check=True,
    )
    return listed.stdout.splitlines()
