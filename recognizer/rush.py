"""The line that requests stand in, so that what is taken in stays quick in a rush.

A process has one core at best. Many requests that compute at once share it, hold each
other up at every turn, and let nobody be turned away either. So a few compute at once
and the others stand in line, first come first served, in two places: unseen, before a
thread of the server is free for them, and in threads, before a turn is free.

Who comes is told at once to come back later where the wait would be long, by how many
stand there and how quickly they were answered of late. A burst is not that: hundreds
may wait where each takes milliseconds. Each process judges for itself.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from django.conf import settings

_REMEMBERED = 32  # answers, by which the pace is judged


class _Waiting:
    """Somebody in line for a turn."""

    def __init__(self, came: float) -> None:
        self.came = came
        self.has_turn = False
        self.turn = threading.Lock()  # held until there is one
        self.turn.acquire()


class Line:
    """Gives out turns to compute, and tells how long the wait for one is.

    at_once: how many turns there are.
    stuck_s: where none was given or given back for so long, those who have them wait
        themselves, as for a lock in the database, and one more is given.
    clock: tells seconds.
    """

    def __init__(
        self,
        at_once: int,
        *,
        stuck_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock, self._stuck_s = clock, stuck_s
        self._lock = threading.Lock()
        self._free = at_once  # below 0 where more were given
        self._moved_s = 0.0  # when a turn was given or given back
        self._unseen: deque[float] = deque()  # when each came
        self._waiting: deque[_Waiting] = deque()
        self._pace_s = 0.0  # from an answer to the next while somebody stands here
        self._last_s = 0.0  # of the answers, or since when somebody stands here
        self._here = threading.local()

    # --- for the server, before a request is read ---------------------------------

    def come(self) -> None:
        """Stand in line for a thread."""
        with self._lock:
            self._begin_to_stand()
            self._unseen.append(self._clock())

    def be_seen(self) -> None:
        """Have got a thread, this one: the first of those who wait for one."""
        with self._lock:
            self._here.came = self._unseen.popleft()

    def turn_away_here(self) -> None:
        """Answer nothing in this thread but that it is too much."""
        self._here.turns_away = True

    def wait_s(self) -> float:
        """Return how long who comes now will wait: by pace, or as the first does."""
        with self._lock:
            return self._wait_s()

    # --- for the site ---------------------------------------------------------------

    def is_too_long(self, bound_s: float) -> bool:
        """Return whether this thread's request has to be turned away."""
        if getattr(self._here, "turns_away", False):
            return True
        # Whom the server has let in is not judged anew.
        return not hasattr(self._here, "came") and self.wait_s() > bound_s

    def get_turn(self, patience_s: float) -> bool:
        """Wait for a turn; return whether there was one before patience ended."""
        with self._lock:
            now = self._clock()
            mine = _Waiting(self._here.__dict__.pop("came", now))
            if self._free > 0:
                self._give(mine)
            else:
                self._begin_to_stand()
                self._waiting.append(mine)
        ends = mine.came + patience_s
        while not mine.has_turn and (left_s := ends - self._clock()) > 0:
            mine.turn.acquire(timeout=min(left_s, self._stuck_s))
            with self._lock:
                if not mine.has_turn and self._is_stuck() and self._waiting[0] is mine:
                    self._give(self._waiting.popleft())
        if not mine.has_turn:
            with self._lock:
                if not mine.has_turn:  # nor at the last moment
                    self._waiting.remove(mine)
        self._here.has_turn = mine.has_turn
        return mine.has_turn

    def give_turn_back(self) -> None:
        """Let the next compute; this thread goes on without, as while it waits."""
        if not getattr(self._here, "has_turn", False):
            return
        self._here.has_turn = False
        with self._lock:
            self._free += 1
            self._moved_s = self._clock()
            if self._waiting and self._free > 0:
                self._give(self._waiting.popleft())

    def answered(self) -> None:
        """Note that one of those who had a turn has its answer."""
        self.give_turn_back()
        with self._lock:
            if self._stands():
                now = self._clock()
                self._pace_s += (now - self._last_s - self._pace_s) / _REMEMBERED
                self._last_s = now

    def _give(self, one: _Waiting) -> None:
        self._free -= 1
        self._moved_s = self._clock()
        one.has_turn = True
        one.turn.release()

    def _is_stuck(self) -> bool:
        return self._clock() - self._moved_s >= self._stuck_s

    def _stands(self) -> bool:
        return bool(self._unseen or self._waiting)

    def _begin_to_stand(self) -> None:
        if not self._stands():
            self._last_s = self._clock()

    def _wait_s(self) -> float:
        if not self._stands():
            return 0.0
        first = min(
            self._unseen[0] if self._unseen else float("inf"),
            self._waiting[0].came if self._waiting else float("inf"),
        )
        by_pace = self._pace_s * (len(self._unseen) + len(self._waiting))
        return max(by_pace, self._clock() - first)


line = Line(settings.REQUESTS_AT_ONCE)
"""This process's."""
