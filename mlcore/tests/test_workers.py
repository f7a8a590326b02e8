"""Tasks give the same results everywhere; bad clusters are refused."""

import contextlib
import operator
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mlcore import paths, workers
from mlcore.workers import WorkersError, check_code, code_version

WORKER_FLAGS = ("--nthreads", "1", "--no-nanny", "--death-timeout", "60")
"""As docs/scaling.md has them."""


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
def scheduler(free_port: int) -> Iterator[str]:
    """A scheduler without workers."""
    with scheduling(free_port) as address:
        yield address


@contextmanager
def scheduling(port: int) -> Iterator[str]:
    """Run a scheduler; return its address once it answers."""
    with dask("scheduler", "--host", "127.0.0.1", "--port", str(port)):
        for _ in range(600):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.1)
        yield f"tcp://127.0.0.1:{port}"


@pytest.fixture
def cluster(scheduler: str) -> Iterator[str]:
    """A scheduler with two workers, started as docs/scaling.md says."""
    first, second = (dask("worker", scheduler, *WORKER_FLAGS) for _ in range(2))
    with first, second:
        yield scheduler


@contextmanager
def dask(
    kind: str, *arguments: str, env: dict[str, str] | None = None
) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", f"distributed.cli.dask_{kind}"),
            *(*arguments, "--no-dashboard"),
        ],
        cwd=paths.REPOSITORY,
        env=env,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def kill_this(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class TestResults:
    @pytest.mark.parametrize("count", [1, 2])
    def test_are_those_of_all_items(self, count: int) -> None:
        with workers.workers(count) as running:
            found = sorted(running.results(operator.neg, range(700)))

        assert found == sorted(map(operator.neg, range(700)))

    def test_are_the_same_on_a_cluster(self, cluster: str) -> None:
        with workers.workers(cluster=cluster) as running:
            found = sorted(running.results(operator.neg, range(700)))

        assert found == sorted(map(operator.neg, range(700)))

    @pytest.mark.parametrize("count", [1, 2])
    def test_end_with_the_error_of_a_task(self, count: int) -> None:
        with workers.workers(count) as running, pytest.raises(ValueError, match="'x'"):
            list(running.results(int, ["1", "x"]))

    def test_end_with_a_sentence_if_a_process_is_killed(self) -> None:
        with (
            pytest.raises(WorkersError, match="killed: run the same command again"),
            workers.workers(2) as running,
        ):
            list(running.results(kill_this, [1]))


class TestCluster:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(workers, "ANSWERS_WITHIN_S", 2)

    def test_that_does_not_answer_is_refused(self, free_port: int) -> None:
        with (
            pytest.raises(WorkersError, match="no scheduler answers within 2 s"),
            workers.workers(cluster=f"tcp://127.0.0.1:{free_port}"),
        ):
            pass

    def test_of_a_bad_address_is_refused(self) -> None:
        with (
            pytest.raises(WorkersError, match=r"CLUSTER=nowhere://x: no scheduler"),
            workers.workers(cluster="nowhere://x"),
        ):
            pass

    def test_without_workers_is_refused(self, scheduler: str) -> None:
        with (
            pytest.raises(
                WorkersError, match="the scheduler answers but has no workers"
            ),
            workers.workers(cluster=scheduler),
        ):
            pass

    def test_without_dask_says_what_to_install(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "distributed", None)

        with (
            pytest.raises(WorkersError, match=r"install requirements/cluster\.txt"),
            workers.workers(cluster="tcp://127.0.0.1:1"),
        ):
            pass


class TestCode:
    def test_of_the_same_version_may_compute(self) -> None:
        check_code(code_version())

    def test_of_another_version_is_refused(self) -> None:
        with pytest.raises(WorkersError, match="and this command another: install"):
            check_code("another")
