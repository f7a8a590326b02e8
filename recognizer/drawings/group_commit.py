"""Writes that share a transaction, because each commit waits for the disk.

What is acknowledged must be on the disk, and only one process writes to SQLite at a
time: written one by one, drawings would queue up for one flush each. So whoever finds
nobody writing takes all that waits and commits it at once, and the others wait for that
one flush. A single caller waits for nothing: no timer, no thread of its own.
"""

import fcntl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from typing import Generic, TypeVar

from django.conf import settings
from django.db import OperationalError, connection

from recognizer.rush import line

T = TypeVar("T")


class _Waiting(Generic[T]):
    """One thing to be written, and what its caller waits for."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.error: BaseException | None = None
        self.is_done = False
        # Held until it is this caller's turn, or its thing is written.
        self.turn = threading.Lock()
        self.turn.acquire()


class GroupedWrites(Generic[T]):
    """Writes things of one kind, together where several callers come at once.

    write_all: writes some in one transaction, all of them or none.
    """

    def __init__(self, write_all: Callable[[Sequence[T]], None]) -> None:
        self._write_all = write_all
        self._lock = threading.Lock()
        self._waiting: list[_Waiting[T]] = []
        self._is_writing = False

    def write(self, item: T) -> None:
        """Return once it is stored; raises what kept it, and it alone, from that.

        Inside of a transaction it is written as part of that.
        """
        if connection.in_atomic_block:
            self._write_all([item])
            return
        mine = _Waiting(item)
        with self._lock:
            self._waiting.append(mine)
            somebody_writes, self._is_writing = self._is_writing, True
        line.give_turn_back()  # waiting for the disk, or for others, is no computing
        if somebody_writes:
            mine.turn.acquire()  # until it is written, or the first that is not
        if not mine.is_done:
            self._write_what_waits()
        if mine.error is not None:
            raise mine.error

    def _write_what_waits(self) -> None:
        group: list[_Waiting[T]] = []
        try:
            with the_only_writer():
                group = self._take_all()
                self._write(group)
        except BaseException as error:  # no turn could be had, or we are told to go
            group = group or self._take_all()
            for one in group:
                if not one.is_done:
                    one.is_done, one.error = True, error
        finally:
            with self._lock:
                successors = self._waiting[:1]
                self._is_writing = bool(successors)
            for one in [*group, *successors]:
                one.turn.release()

    def _take_all(self) -> list[_Waiting[T]]:
        with self._lock:
            taken, self._waiting = self._waiting, []
        return taken

    def _write(self, group: Sequence[_Waiting[T]]) -> None:
        try:
            self._write_all([one.item for one in group])
        except Exception as error:
            if len(group) > 1:  # one of them cannot be stored; the others can
                for one in group:
                    self._write([one])
                return
            group[0].error = error
        for one in group:
            one.is_done = True


_LOOK_AGAIN_S = 0.0005


@contextmanager
def the_only_writer() -> Iterator[None]:
    """Wait for the other processes' turns at SQLite to be over.

    Its own way of waiting is to look again after up to 100 ms, which starves some and
    leaves the disk idle; so it is looked at a file's lock, every half a millisecond. It
    only spares that: what keeps writers apart is the database itself.

    Raises:
        OperationalError: another did not end within the database's own time limit.
    """
    if connection.vendor != "sqlite":
        yield
        return
    with FileIO(settings.DIGITSITE_VAR / "writing.lock", "a") as lock:
        ends = time.monotonic() + settings.DATABASES["default"]["OPTIONS"]["timeout"]
        # The system would wake who waits, but knows no limit for that: a thread had to
        # wait in one's place, which takes longer than to look.
        while not _has(lock):
            if time.monotonic() > ends:
                raise OperationalError(
                    "database is locked: another process writes for long"
                )
            time.sleep(_LOOK_AGAIN_S)
        yield


def _has(lock: FileIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
