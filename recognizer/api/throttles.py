"""How many calls a minute: per token, per user, and per address of anonymous callers.

One atomic counter per caller and window in Django's cache. With Redis it is shared, so
a limit holds exactly over all processes; without, each process counts for itself and
enforces its share. A window begins at full multiples of its length: who spends two
windows' calls around one boundary gets them.
"""

import hashlib
import ipaddress
import logging
import math
import time
from dataclasses import dataclass
from functools import cache as cache_forever
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import ErrorDetail, Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from recognizer import faults

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
            f"{allowance.limit:,} calls in {seconds:,} s are allowed: go on in "
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
        except faults.of_the_cache():
            # A limit that fails shut would take the whole site down with its cache.
            logger.exception("Calls are not counted: the cache does not answer.")
            return True
        allowance = Allowance(
            limit, used, max(1, math.ceil((window + 1) * rate.seconds - now))
        )
        view.allowance = allowance
        if used > limit:
            raise ThrottledError(allowance, rate.seconds)
        return True


def process_share(limit: int) -> int:
    """Return what this process enforces: all of a limit where Redis counts for all."""
    return limit if settings.REDIS_URL else max(1, limit // settings.WORKERS)


def count_one(key: str, *, keep_s: int) -> int:
    """Add one to a counter that vanishes with its window; return the new number."""
    try:
        return cache.incr(key)
    except ValueError:  # the first of its window
        cache.add(key, 0, timeout=keep_s + 1)  # unless another came in between
    try:
        return cache.incr(key)
    except ValueError:  # evicted in between: the count begins anew
        cache.add(key, 1, timeout=keep_s + 1)
        return 1


def caller_counted(request: Request) -> tuple[str, str]:
    """Return who this call counts for: kind and name."""
    if request.auth is not None:
        return "token", str(request.auth.pk)
    if request.user.is_authenticated:
        return "user", str(request.user.pk)
    return "address", hashed_address(client_address(request))


def client_address(request: Request | HttpRequest) -> str:
    """Return the address of whoever called our outermost trusted proxy.

    Each proxy appends the address it was called from; what stands left of ours was
    written by the caller and proves nothing.
    """
    hops = [
        hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",")
    ]
    trusted = settings.TRUSTED_PROXIES
    if trusted and hops[0]:
        return hops[-min(trusted, len(hops))]
    return str(request.META.get("REMOTE_ADDR", ""))


def hashed_address(address: str) -> str:
    """Return what is kept of an address: a keyed hash; of IPv6 the network's."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        network = address  # a unix socket's peer, or nonsense: counted as it is
    else:
        network = (
            str(ipaddress.ip_network((parsed, 64), strict=False))
            if parsed.version == 6
            else f"{parsed}/32"
        )
    key = _key_of_addresses(settings.SECRET_KEY)
    return hashlib.blake2b(network.encode(), digest_size=16, key=key).hexdigest()


@cache_forever
def _key_of_addresses(secret: str) -> bytes:
    return salted_hmac(__name__, "addresses", secret=secret).digest()
