"""Run many independent tasks: here, on processes of this machine, or on a cluster.

The rest of the code does not know where its tasks run. A task is a function of a module
with one argument; both must be picklable, so an argument holds no secret: a worker has
its own environment. A cluster is `dask.distributed`, of requirements/cluster.txt; see
docs/scaling.md.
"""

import functools
import hashlib
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from mlcore import paths

Item = TypeVar("Item")
Result = TypeVar("Result")

ANSWERS_WITHIN_S = 10
"""A scheduler without an answer or without workers is refused after this time."""
SUBMITTED_AT_ONCE = 500
"""Tasks that a cluster or the processes know of; the rest waits here."""


class WorkersError(RuntimeError):
    """The workers cannot be used; the message is one sentence with the way out."""


@dataclass(frozen=True)
class Workers:
    """Runs tasks. executor: None runs them in this process, one after another."""

    executor: Executor | None

    def results(
        self, task: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Result]:
        """Run a task for each item; yield the results as they come.

        An error of a task is raised, and tasks that have not begun are cancelled.
        """
        if self.executor is None:
            yield from map(task, items)
            return
        rest = iter(items)
        pending = {
            self.executor.submit(task, item) for item in islice(rest, SUBMITTED_AT_ONCE)
        }
        try:
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                pending |= {
                    self.executor.submit(task, item) for item in islice(rest, len(done))
                }
                for future in done:
                    yield future.result()
        finally:
            for future in pending:
                future.cancel()


HERE = Workers(None)


@contextmanager
def workers(count: int = 1, *, cluster: str = "") -> Iterator[Workers]:
    """Provide workers while the block runs.

    Args:
        count: processes of this machine; 1 means this very process.
        cluster: address of a Dask scheduler. If it is given, `count` does not matter.

    Raises:
        WorkersError: the cluster cannot be used, or workers were lost.
    """
    try:
        if cluster:
            with _on_cluster(cluster) as executor:
                yield Workers(executor)
        elif count == 1:
            yield HERE
        else:
            # Forked processes would share database connections and network threads.
            context = multiprocessing.get_context("spawn")
            with ProcessPoolExecutor(count, mp_context=context) as executor:
                yield Workers(executor)
    except BrokenExecutor as error:
        raise WorkersError(
            "A worker process was killed: run the same command again, and it goes on "
            "with what is missing."
        ) from error
    except CancelledError as error:
        raise WorkersError(
            f"The scheduler {cluster} was lost: start it, then run the same command "
            "again, and it goes on with what is missing."
        ) from error


@contextmanager
def _on_cluster(address: str) -> Iterator[Executor]:
    try:
        from distributed import Client, KilledWorker
    except ImportError as error:
        raise WorkersError(
            f"CLUSTER={address} needs dask.distributed: install "
            "requirements/cluster.txt, or unset CLUSTER to compute on this machine."
        ) from error
    try:
        client = Client(address, timeout=ANSWERS_WITHIN_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise WorkersError(
            f"CLUSTER={address}: no scheduler answers within {ANSWERS_WITHIN_S} s. "
            "Start one (docs/scaling.md says how), correct the address, or unset "
            "CLUSTER to compute on this machine."
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=ANSWERS_WITHIN_S)
        except TimeoutError as error:
            raise WorkersError(
                f"CLUSTER={address}: the scheduler answers but has no workers. Start "
                "at least one; docs/scaling.md says how."
            ) from error
        executor = client.get_executor(pure=False)
        try:
            yield executor
        except KilledWorker as error:
            raise WorkersError(
                "The same task has killed several workers: look at their logs, then "
                "run the same command again, and it goes on with what is missing."
            ) from error
        finally:
            executor.shutdown(wait=False)


@functools.cache
def code_version() -> str:
    """Return a digest of the code that computes; workers must have the same."""
    digest = hashlib.sha256()
    for package in ("digitsite", "mlcore", "recognizer"):
        for path in sorted((paths.REPOSITORY / package).rglob("*.py")):
            name = path.relative_to(paths.REPOSITORY)
            if "tests" not in name.parts:
                digest.update(f"{name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def check_code(expected: str) -> None:
    """Refuse to compute with other code than the command's.

    Raises:
        WorkersError: this process runs other code.
    """
    if code_version() != expected:
        raise WorkersError(
            f"{this_worker()} runs code {code_version()}, and this command {expected}: "
            "install the same version on both and restart the worker."
        )


def this_worker() -> str:
    """Return a name of this process for messages."""
    return f"Worker {os.getpid()} on {socket.gethostname()}"
