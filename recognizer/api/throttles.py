"""Rate limits: per token, per user, and per address of anonymous callers.

Django's cache holds one atomic counter per caller and time window. With Redis, all
processes share it and limits are exact; without Redis, each process enforces its share
of the limit. A caller can make two windows' calls in quick succession around a
window's boundary.
"""

from typing import Any

from django.conf import settings
from rest_framework.exceptions import ErrorDetail, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from recognizer.people.limits import Count, count_calls


class ThrottledError(Throttled):
    """Too many calls."""

    def __init__(self, count: Count) -> None:
        super().__init__()
        self.wait_s = count.wait_s
        # Replaces DRF's own message, which it would translate.
        self.detail = ErrorDetail(
            f"{count.limit:,} calls in {count.seconds:,} s are allowed. Try again in "
            f"{count.wait_s:,} s. Reading up to 256 drawings is one call; pictures "
            "count once more for each further megapixel."
        )


class TooManyTriesError(Throttled):
    """Too many tries of a password."""

    def __init__(self, *, wait_s: int) -> None:
        super().__init__()
        self.wait_s = wait_s
        self.detail = ErrorDetail(f"Too many attempts. Try again in {wait_s:,} s.")


class TooManyExportsError(Throttled):
    """The caller's other exports are still being read."""

    default_code = "too_many_exports"
    wait_s = 5

    def __init__(self) -> None:
        super().__init__()
        self.detail = ErrorDetail(
            f"At most {settings.EXPORTS_OF_A_CALLER} exports of yours, and a few in "
            "all, may run at once. Wait until one has ended, and export again."
        )


class CallerThrottle(BaseThrottle):
    """Counts the calls of each caller."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call; raise ThrottledError if it exceeds the limit."""
        count_for(request, view)
        return True


def count_for(request: Request, view: Any, number: int = 1) -> None:
    """Count calls and tell the caller; raise ThrottledError if there are too many."""
    count = count_calls(request, number)
    if count is None:
        return
    view.rate_headers = {
        "RateLimit-Limit": str(count.limit),
        "RateLimit-Remaining": str(max(0, count.limit - count.used)),
        "RateLimit-Reset": str(count.wait_s),
    }
    if count.is_over:
        raise ThrottledError(count)


def pay_for(request: Request, view: Any, pixels: int) -> None:
    """Count a picture's pixels as calls, but for the first megapixel of a request."""
    before = view.pixels_read // settings.PIXELS_PER_CALL
    view.pixels_read += pixels
    if more := view.pixels_read // settings.PIXELS_PER_CALL - before:
        count_for(request, view, more)
