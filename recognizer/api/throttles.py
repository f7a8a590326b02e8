"""Rate limits: per token, per user, and per address of anonymous callers.

Django's cache holds one atomic counter per caller and time window. With Redis, all
processes share it and limits are exact; without Redis, each process enforces its share
of the limit. A caller can make two windows' calls in quick succession around a
window's boundary.
"""

import logging
import math
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError
from rest_framework.exceptions import ErrorDetail, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from recognizer.people.limits import (
    client_address,
    count_in_window,
    hashed_address,
    process_share,
)

logger = logging.getLogger(__name__)


class ThrottledError(Throttled):
    """Too many calls."""

    def __init__(self, *, limit: int, seconds: int, wait_s: int) -> None:
        super().__init__()
        self.wait_s = wait_s
        # Replaces DRF's own message, which it would translate.
        self.detail = ErrorDetail(
            f"{limit:,} calls in {seconds:,} s are allowed. Try again in {wait_s:,} s. "
            "Reading up to 256 drawings is one call."
        )


class CallerThrottle(BaseThrottle):
    """Counts the calls of each caller."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call; raise ThrottledError if it exceeds the limit."""
        rate = settings.THROTTLE
        if rate is None:
            return True
        kind, name = caller_counted(request)
        limit = process_share(math.ceil(rate.calls * settings.THROTTLE_SHARES[kind]))
        try:
            used, wait_s = count_in_window(f"calls:{kind}:{name}", seconds=rate.seconds)
        except RedisError:
            # Allow the call: otherwise the API would fail whenever the cache does.
            logger.exception("Rate limits are off: the cache does not respond.")
            return True
        view.rate_headers = {
            "RateLimit-Limit": str(limit),
            "RateLimit-Remaining": str(max(0, limit - used)),
            "RateLimit-Reset": str(wait_s),
        }
        if used > limit:
            raise ThrottledError(limit=limit, seconds=rate.seconds, wait_s=wait_s)
        return True


def caller_counted(request: Request) -> tuple[str, str]:
    """Return the kind and name of the caller this call is counted for."""
    if request.auth is not None:
        return "token", str(request.auth.pk)
    if request.user.is_authenticated:
        return "user", str(request.user.pk)
    return "address", hashed_address(client_address(request))
