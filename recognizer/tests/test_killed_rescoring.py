"""Workers that read old drawings again are killed: nothing is missing or double.

On PostgreSQL where DATABASE_URL names it, else one process on SQLite.
"""

import contextlib
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from mlcore import paths
from mlcore.tests.test_workers import WORKER_FLAGS, dask, scheduling
from mlcore.tests.test_workers import free_port as free_port
from recognizer.tests.test_machines import PROMOTE_ANOTHER
from tools.server import Server, data_alone, environment

DRAWINGS, KILLS = 3_000, 3
WITHIN_S = 120
FILL = f"""
from django.core.management import call_command
call_command("prepare")
from bench import history
history.DISTINCT = 20
history.make_history(drawings={DRAWINGS}, visitors=9, most=0)
"""
COUNT = (
    "SELECT count(*), count(DISTINCT submission_id) FROM recognizer_prediction p "
    "JOIN recognizer_modelversion m ON m.id = p.model_version_id WHERE m.digest = '{}'"
)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Server]:
    """A site that is not served."""
    with data_alone(tmp_path) as made:
        yield made


@pytest.fixture
def version(site: Server) -> str:
    """The digest of a version that has read none of the site's many drawings."""
    said = site.manage("shell", "--no-imports", "-c", FILL + PROMOTE_ANOTHER)
    return said.splitlines()[-1].split()[0]


Command = subprocess.Popen[str]


@contextlib.contextmanager
def start(
    site: Server, version: str, *options: str, **variables: str
) -> Iterator[Command]:
    """Run a rescoring with many small transactions; it is killed at the end."""
    with subprocess.Popen(
        [sys.executable, "manage.py", "rescore", version, "--batch", "20", *options],
        cwd=paths.REPOSITORY,
        env=environment(site.var, {**dict(site.variables), **variables}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as command:
        try:
            yield command
        finally:
            command.kill()


def counted(site: Server, version: str) -> tuple[int, int]:
    """Return how many readings of a version there are, and of how many drawings."""
    address = dict(site.variables).get("DATABASE_URL")
    with contextlib.closing(
        psycopg.connect(address)
        if address
        else sqlite3.connect(site.var / "digitsite.sqlite3")
    ) as connected:
        found = connected.execute(COUNT.format(version)).fetchall()
    ((readings, drawings),) = found
    return readings, drawings


def wait_for_more(site: Server, version: str, command: Command) -> None:
    """Wait until a command has stored some readings; it must not have ended."""
    before = counted(site, version)[0]
    give_up_at = time.monotonic() + WITHIN_S
    while counted(site, version)[0] == before:
        assert command.poll() is None, command.communicate()[0]
        assert time.monotonic() < give_up_at
        time.sleep(0.02)


class TestKilled:
    @pytest.mark.database
    def test_command_goes_on_with_what_is_missing(
        self, site: Server, version: str
    ) -> None:
        for _ in range(KILLS):
            with start(site, version) as command:
                wait_for_more(site, version, command)
        assert 0 < counted(site, version)[1] < DRAWINGS

        site.manage("rescore", version)

        assert counted(site, version) == (DRAWINGS, DRAWINGS)

    @pytest.mark.services
    def test_process_ends_the_command_with_a_sentence_and_the_next_goes_on(
        self, site: Server, version: str
    ) -> None:
        for _ in range(KILLS):
            with start(site, version, "--workers", "2") as command:
                wait_for_more(site, version, command)
                worker_of(command).kill()
                said = command.communicate(timeout=WITHIN_S)[0]
            assert command.returncode == 1
            assert said.splitlines()[-1] == (
                "CommandError: A worker process was killed: run the same command "
                "again, and it goes on with what is missing."
            )
        assert 0 < counted(site, version)[1] < DRAWINGS

        site.manage("rescore", version, "--workers", "2")

        assert counted(site, version) == (DRAWINGS, DRAWINGS)

    @pytest.mark.services
    def test_workers_of_a_cluster_are_replaced_while_the_command_runs(
        self, site: Server, version: str, free_port: int
    ) -> None:
        env = environment(site.var, dict(site.variables))
        with contextlib.ExitStack() as running:
            scheduler = running.enter_context(scheduling(free_port))

            def another() -> "subprocess.Popen[bytes]":
                return running.enter_context(
                    dask("worker", scheduler, *WORKER_FLAGS, env=env)
                )

            workers = [another(), another()]
            command = running.enter_context(
                start(site, version, CLUSTER=scheduler, PYTHONUNBUFFERED="1")
            )
            for killed in range(KILLS):
                wait_for_more(site, version, command)
                workers[killed].kill()
                workers.append(another())
            assert counted(site, version)[1] < DRAWINGS
            said = command.communicate(timeout=WITHIN_S)[0]

        assert command.returncode == 0, said
        assert counted(site, version) == (DRAWINGS, DRAWINGS)


def worker_of(command: Command) -> psutil.Process:
    """Return a process that computes for a command."""
    children = psutil.Process(command.pid).children()
    return next(one for one in children if "spawn_main" in " ".join(one.cmdline()))
