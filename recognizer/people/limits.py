"""Count calls in Django's cache, which processes can share through Redis."""

import ipaddress
import logging
import math
import time
from dataclasses import dataclass

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from redis.exceptions import RedisError
from rest_framework.request import Request

logger = logging.getLogger(__name__)

_DAY_S = 86_400


@dataclass(frozen=True)
class Count:
    """What a caller has used of a limit, and when it begins again."""

    limit: int
    used: int
    seconds: int
    wait_s: int

    @property
    def is_over(self) -> bool:
        """Whether the caller has used more than the limit."""
        return self.used > self.limit


class QuotaError(Exception):
    """The caller has stored as much as one caller may store in a day."""

    def __init__(self, count: Count) -> None:
        super().__init__(
            f"{count.limit // 1_000_000:,} MB may be stored in a day, and you have "
            f"stored that. Store more in {count.wait_s:,} s; until then, "
            "POST /api/v1/readings/ reads drawings without storing them."
        )
        self.wait_s = count.wait_s


def count_calls(request: Request | HttpRequest, number: int = 1) -> Count | None:
    """Count calls of a caller; None if calls are not limited now."""
    rate = settings.THROTTLE
    if rate is None:
        return None
    return _counted(request, "calls", rate.calls, seconds=rate.seconds, number=number)


def charge_storage(request: Request | HttpRequest, size_bytes: int) -> None:
    """Count what a caller stores; nothing is limited where calls are not.

    Raises:
        QuotaError: it is more than the caller may store in a day.
    """
    if settings.THROTTLE is None:
        return
    count = _counted(
        request,
        "stored",
        settings.STORED_BYTES_PER_DAY,
        seconds=_DAY_S,
        number=size_bytes,
    )
    if count is not None and count.is_over:
        raise QuotaError(count)


def _counted(
    request: Request | HttpRequest, what: str, limit: int, *, seconds: int, number: int
) -> Count | None:
    kind, name = caller_counted(request)
    allowed = process_share(math.ceil(limit * settings.THROTTLE_SHARES[kind]))
    try:
        used, wait_s = count_in_window(
            f"{what}:{kind}:{name}", seconds=seconds, number=number
        )
    except RedisError:
        # Allow the call: otherwise the API would fail whenever the cache does.
        logger.exception("Rate limits are off: the cache does not respond.")
        return None
    return Count(allowed, used, seconds, wait_s)


def caller_counted(request: Request | HttpRequest) -> tuple[str, str]:
    """Return the kind and name of the caller this call is counted for."""
    token = getattr(request, "auth", None)
    if token is not None:
        return "token", str(token.pk)
    if request.user.is_authenticated:
        return "user", str(request.user.pk)
    return "address", hashed_address(client_address(request))


def process_share(limit: int) -> int:
    """Return this process's share of a limit; all of it if Redis counts."""
    return limit if settings.REDIS_URL else max(1, limit // settings.WORKERS)


def count_one(key: str, *, keep_s: int, number: int = 1) -> int:
    """Add to a counter that expires; return the new number."""
    cache.add(key, 0, timeout=keep_s + 1)
    try:
        return cache.incr(key, number)
    except ValueError:  # evicted in between: the count starts again
        cache.add(key, number, timeout=keep_s + 1)
        return number


def count_in_window(key: str, *, seconds: int, number: int = 1) -> tuple[int, int]:
    """Count calls in their time window; return the count and the seconds left.

    Windows begin at multiples of their length.
    """
    now = time.time()
    window = int(now // seconds)
    count = count_one(f"{key}:{window}", keep_s=seconds, number=number)
    return count, max(1, math.ceil((window + 1) * seconds - now))


def client_address(request: Request | HttpRequest) -> str:
    """Return the address that called our outermost trusted proxy.

    Each proxy appends the address that called it. Anything left of our own proxies'
    entries was written by the caller and proves nothing.
    """
    forwarded = request.headers.get("X-Forwarded-For", "")
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    trusted = settings.TRUSTED_PROXIES
    if trusted and hops:
        return _without_port(hops[-min(trusted, len(hops))])
    return str(request.META.get("REMOTE_ADDR", ""))


def _without_port(hop: str) -> str:
    """Return the address of 198.51.100.1:4711 or [2001:db8::1]:4711."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


def hashed_address(address: str) -> str:
    """Return the keyed hash that calls are counted by; IPv6 counts by /64 network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        network = address  # a Unix socket's peer, or nonsense
    else:
        parsed = getattr(parsed, "ipv4_mapped", None) or parsed
        bits = 64 if parsed.version == 6 else 32
        network = str(ipaddress.ip_network((parsed, bits), strict=False))
    return salted_hmac(__name__, network, algorithm="sha256").hexdigest()
