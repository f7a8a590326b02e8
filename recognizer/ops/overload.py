"""Overload: answer 503 at once when more requests arrive than can be served."""

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from digitsite.logs import REFUSED
from recognizer.ops.error_views import busy

logger = logging.getLogger(__name__)

_LOG_EVERY_S = 60
_RECENT_S = 10.0


class Refusals:
    """When this process last refused a request."""

    latest: float = -math.inf

    @classmethod
    def are_recent(cls) -> bool:
        """Return whether one was refused in the last ten seconds."""
        return time.monotonic() - cls.latest < _RECENT_S


class OverloadMiddleware:
    """Limit how many requests run at once and how many wait; refuse the rest.

    It must come after the middleware that reads the body, so that slow senders hold
    neither a turn nor a place in the queue. Probes and static files are answered
    before it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._lock = threading.Lock()
        self._free = settings.REQUESTS_AT_ONCE
        self._waiting: deque[threading.Lock] = deque()
        self._refused = 0
        self._log_after = 0.0

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on when it is its turn, or refuse it."""
        if not self._take_turn():
            return self._refuse(request)
        try:
            return self.get_response(request)
        finally:
            self._pass_turn_on()

    def _take_turn(self) -> bool:
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if len(self._waiting) >= settings.REQUESTS_WAITING:
                return False
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
        if turn.acquire(timeout=settings.LONGEST_WAIT_S):
            return True
        with self._lock:
            if turn in self._waiting:
                self._waiting.remove(turn)
                return False
        return True  # the turn came just after the timeout

    def _pass_turn_on(self) -> None:
        """Give the turn to the oldest request: a semaphore would let new ones pass."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._free += 1

    def _refuse(self, request: HttpRequest) -> HttpResponse:
        """Answer 503, and log the number of refusals once a minute."""
        with self._lock:
            self._refused += 1
            refused, now = self._refused, time.monotonic()
            Refusals.latest = now
            is_logged = now >= self._log_after
            if is_logged:
                self._log_after = now + _LOG_EVERY_S
        if is_logged:
            logger.warning("Overload: %d requests refused since the start.", refused)
        request.META[REFUSED] = True
        response = busy(request)
        response["Content-Length"] = str(len(response.content))
        return response
