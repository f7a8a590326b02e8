"""Connections spread evenly over the server's processes.

All processes listen at one socket, and whoever wakes first takes what is there: of
eight callers that come at once and stay, seven may land in one process and wait for one
core while the other idles. So each writes down how many it has, where the others see
it, and who has more than another lets that one go first.
"""

import mmap
import time
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

_FREE = -1
_COURTESY_S = 0.002  # enough for one that is not busy to wake up and take it


class Board:
    """How many connections each process has, seen by all that are forked later."""

    def __init__(self, most: int) -> None:
        """Take how many processes there may be at a time."""
        self._counts = memoryview(mmap.mmap(-1, 4 * most)).cast("i")
        self._counts[:] = memoryview(b"\xff" * 4 * most).cast("i")  # all of them free

    def take_place(self) -> int:
        """Give a new process its place."""
        place = self._counts.tolist().index(_FREE)
        self._counts[place] = 0
        return place

    def leave(self, place: int) -> None:
        """Forget a process that has ended, however it did."""
        self._counts[place] = _FREE

    def write(self, place: int, connections: int) -> None:
        """Say how many connections a process has now."""
        self._counts[place] = connections

    def has_more_than_another(self, place: int) -> bool:
        """Return whether another process has fewer than this one."""
        mine = self._counts[place]
        return any(_FREE < count < mine for count in self._counts)


class BalancedWorker(ThreadWorker):  # type: ignore[misc]
    """Leaves a new connection to a process that has fewer of them."""

    board: Board
    place: int

    @property
    def nr_conns(self) -> int:
        """How many connections it has: gunicorn counts them here."""
        return self._connections

    @nr_conns.setter
    def nr_conns(self, connections: int) -> None:
        self._connections = connections
        if hasattr(self, "place"):
            self.board.write(self.place, connections)

    def accept(self, listener: Any) -> None:
        """Take a connection that waits, if it still does."""
        if self.board.has_more_than_another(self.place):
            time.sleep(_COURTESY_S)
        super().accept(listener)


def seat(server: Any, worker: BalancedWorker) -> None:
    """Give a worker its place, before it is forked."""
    worker.place = worker.board.take_place()


def unseat(server: Any, worker: BalancedWorker) -> None:
    """Free the place of a worker that has ended."""
    worker.board.leave(worker.place)
