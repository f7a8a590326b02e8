"""Group commit: items that arrive during a transaction share the next one.

An acknowledged drawing must be on the disk, and SQLite has one writer. If each drawing
waited for its own flush, 8 connections would store 102 drawings/s instead of 197, and
64 would store 104 instead of 340 (measured when this was introduced).
"""

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

from django.conf import settings
from django.db import close_old_connections, connection

T = TypeVar("T")


class GroupCommit(Generic[T]):
    """Stores items in a thread of its own: all that wait, in one transaction.

    store_all: stores items in one transaction, all of them or none.
    """

    def __init__(self, store_all: Callable[[Sequence[T]], None]) -> None:
        self._store_all = store_all
        self._lock = threading.Lock()
        self._waiting: list[tuple[T, Future[None]]] = []
        self._writer = ThreadPoolExecutor(1, "group-commit")

    def store(self, item: T) -> None:
        """Return once the item is committed; raise the error of this item.

        Within a transaction, store it as a part of that.
        """
        if connection.in_atomic_block:
            self._store_all([item])
            return
        stored: Future[None] = Future()
        with self._lock:
            self._waiting.append((item, stored))
        self._writer.submit(self._store_waiting)
        stored.result()

    def _store_waiting(self) -> None:
        group: list[tuple[T, Future[None]]] = []
        try:
            with only_writer():
                with self._lock:
                    group, self._waiting = self._waiting, []
                if group:
                    close_old_connections()
                    self._store(group)
        except Exception as error:  # the lock or the database failed
            with self._lock:
                group, self._waiting = group + self._waiting, []
            for _, stored in group:
                if not stored.done():
                    stored.set_exception(error)

    def _store(self, group: Sequence[tuple[T, "Future[None]"]]) -> None:
        try:
            self._store_all([item for item, _ in group])
        except Exception as error:
            if len(group) > 1:  # store the others without the one that failed
                for one in group:
                    self._store([one])
            else:
                group[0][1].set_exception(error)
        else:
            for _, stored in group:
                stored.set_result(None)


@contextmanager
def only_writer() -> Iterator[None]:
    """Wait for the other processes that write to SQLite.

    SQLite itself retries after up to 100 ms, which starves some writers and leaves the
    disk idle. The kernel wakes the next one at once, and frees the lock of a killed
    process. This lock only saves time: SQLite itself keeps writers apart.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with (settings.DIGITSITE_VAR / "writing.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
