"""The line that requests stand in, so that what is taken in stays quick in a rush.

A process has one core at best. Many requests that compute at once share it, hold each
other up at every turn, and let nobody be turned away either. So a few compute at once
and the others stand in line, first come first served, in two places: unseen, before a
thread of the server is free for them, and in threads, before a turn is free.

Who comes is told at once to come back later where the wait would be long, by how many
stand there and how quickly they were answered of late. A burst is not that: hundreds
may wait where each takes milliseconds. Each process judges for itself.

Who has hung up leaves the line: nobody is turned away for those, and no turn is spent
on what nobody will read.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from django.conf import settings

_REMEMBERED = 32  # answers, by which the pace is judged
# In line, before somebody is taken to have hung up. Who has only closed the side that
# they send on looks the same; in a line as short as on most days they are answered.
_ASKED_AFTER_S = 0.1


class HungUpError(Exception):
    """Whoever asked waits for no answer any more."""


class Place:
    """Somebody's place in line.

    came: when, in seconds of the line's clock.
    has_hung_up: tells whether nobody waits for the answer any more.
    """

    def __init__(self, came: float, has_hung_up: Callable[[], bool]) -> None:
        self.came, self.has_hung_up = came, has_hung_up
        self.has_turn = self.has_left = False
        self.called = threading.Lock()  # held until either
        self.called.acquire()


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
        self._unseen: deque[Place] = deque()
        self._waiting: deque[Place] = deque()
        self._pace_s = 0.0  # from an answer to the next while somebody stands here
        self._last_s = 0.0  # of the answers, or since when somebody stands here
        self._here = threading.local()

    # --- for the server, before a request is read ---------------------------------

    def come(self, has_hung_up: Callable[[], bool] = lambda: False) -> Place:
        """Stand in line for a thread."""
        with self._lock:
            self._begin_to_stand()
            place = Place(self._clock(), has_hung_up)
            self._unseen.append(place)
            return place

    def be_seen(self, place: Place) -> bool:
        """Have got a thread, this one; return whether there is somebody to answer."""
        with self._lock:
            if place.has_left:
                return False
            self._unseen.remove(place)  # the first, or nearly
            self._here.place = place
            return not self._has_hung_up(place)

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
        return not hasattr(self._here, "place") and self.wait_s() > bound_s

    def get_turn(self, patience_s: float) -> bool:
        """Wait for a turn; return whether there was one before patience ended.

        Raises:
            HungUpError: whoever asked had hung up before there was one.
        """
        with self._lock:
            mine = self._here.__dict__.pop("place", None) or Place(
                self._clock(), lambda: False
            )
            if self._free > 0:
                self._give(mine)
            else:
                self._begin_to_stand()
                self._waiting.append(mine)
        ends = mine.came + patience_s
        while not self._is_called(mine) and (left_s := ends - self._clock()) > 0:
            mine.called.acquire(timeout=min(left_s, self._stuck_s))
            with self._lock:
                if self._is_stuck() and self._waiting and self._waiting[0] is mine:
                    self._give_next()
        if not self._is_called(mine):
            with self._lock:
                if not self._is_called(mine):  # nor at the last moment
                    self._waiting.remove(mine)
        self._here.has_turn = mine.has_turn
        if mine.has_left:
            raise HungUpError
        return mine.has_turn

    def give_turn_back(self) -> None:
        """Let the next compute; this thread goes on without, as while it waits."""
        if not getattr(self._here, "has_turn", False):
            return
        self._here.has_turn = False
        with self._lock:
            self._free += 1
            self._moved_s = self._clock()
            if self._free > 0:
                self._give_next()

    def answered(self) -> None:
        """Note that one of those who had a turn has its answer."""
        self.give_turn_back()
        with self._lock:
            if self._stands():
                now = self._clock()
                self._pace_s += (now - self._last_s - self._pace_s) / _REMEMBERED
                self._last_s = now

    def _give_next(self) -> None:
        self._let_leave()
        if self._waiting:
            self._give(self._waiting.popleft())

    def _give(self, place: Place) -> None:
        self._free -= 1
        self._moved_s = self._clock()
        place.has_turn = True
        place.called.release()

    def _let_leave(self) -> None:
        """Have those leave who have hung up and stand before all others."""
        for standing in (self._unseen, self._waiting):
            while standing and self._has_hung_up(standing[0]):
                place = standing.popleft()
                place.has_left = True
                place.called.release()

    def _has_hung_up(self, place: Place) -> bool:
        return self._clock() - place.came >= _ASKED_AFTER_S and place.has_hung_up()

    @staticmethod
    def _is_called(place: Place) -> bool:
        return place.has_turn or place.has_left

    def _is_stuck(self) -> bool:
        return self._clock() - self._moved_s >= self._stuck_s

    def _stands(self) -> bool:
        return bool(self._unseen or self._waiting)

    def _begin_to_stand(self) -> None:
        if not self._stands():
            self._last_s = self._clock()

    def _wait_s(self) -> float:
        self._let_leave()
        if not self._stands():
            return 0.0
        first = min(
            standing[0].came for standing in (self._unseen, self._waiting) if standing
        )
        by_pace = self._pace_s * (len(self._unseen) + len(self._waiting))
        return max(by_pace, self._clock() - first)


line = Line(settings.REQUESTS_AT_ONCE)
"""This process's."""
