"""How many calls a minute: per token, per user, and per address of anonymous callers.

One atomic counter per caller and window in Django's cache. With Redis it is shared, so
a limit holds exactly over all processes; without, each process counts for itself and
enforces its share. A window begins at full multiples of its length: who spends two
windows' calls around one boundary gets them.
"""

import logging
import math
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from redis.exceptions import RedisError
from rest_framework.exceptions import ErrorDetail, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from recognizer.people.limits import (
    client_address,
    count_one,
    hashed_address,
    process_share,
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Allowance:
    """What a caller has left in this window."""

    limit: int
    used: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """Return the headers every answer carries."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "RateLimit-Reset": str(self.reset_s),
        }


class ThrottledError(Throttled):
    """Too many calls."""

    def __init__(self, allowance: Allowance, seconds: int) -> None:
        super().__init__()
        self.wait_s = allowance.reset_s
        # DRF words and translates its own sentence; this is ours.
        self.detail = ErrorDetail(
            f"{allowance.limit:,} calls in {seconds:,} s are allowed. Try again in "
            f"{allowance.reset_s:,} s. Reading up to 256 drawings is one call."
        )


class CallerThrottle(BaseThrottle):
    """Counts each call to its caller."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Count the call; raises ThrottledError when it is one too many."""
        rate = settings.THROTTLE
        if rate is None:
            return True
        kind, name = caller_counted(request)
        limit = process_share(math.ceil(rate.calls * settings.THROTTLE_SHARES[kind]))
        now = time.time()
        window = int(now // rate.seconds)
        try:
            used = count_one(f"calls:{kind}:{name}:{window}", keep_s=rate.seconds)
        except RedisError:
            # A limit that fails shut would take the whole site down with its cache.
            logger.exception("Rate limits are off: the cache does not respond.")
            return True
        allowance = Allowance(
            limit, used, max(1, math.ceil((window + 1) * rate.seconds - now))
        )
        view.allowance = allowance
        if used > limit:
            raise ThrottledError(allowance, rate.seconds)
        return True


def caller_counted(request: Request) -> tuple[str, str]:
    """Return who this call counts for: kind and name."""
    if request.auth is not None:
        return "token", str(request.auth.pk)
    if request.user.is_authenticated:
        return "user", str(request.user.pk)
    return "address", hashed_address(client_address(request))
