"""Count calls in Django's cache, which processes can share through Redis."""

import ipaddress
import math
import time

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from rest_framework.request import Request


def process_share(limit: int) -> int:
    """Return this process's share of a limit; all of it if Redis counts."""
    return limit if settings.REDIS_URL else max(1, limit // settings.WORKERS)


def count_one(key: str, *, keep_s: int) -> int:
    """Add one to a counter that expires; return the new number."""
    cache.add(key, 0, timeout=keep_s + 1)
    try:
        return cache.incr(key)
    except ValueError:  # evicted in between: the count starts again
        cache.add(key, 1, timeout=keep_s + 1)
        return 1


def count_in_window(key: str, *, seconds: int) -> tuple[int, int]:
    """Count a call in its time window; return the count and the seconds left.

    Windows begin at multiples of their length.
    """
    now = time.time()
    window = int(now // seconds)
    count = count_one(f"{key}:{window}", keep_s=seconds)
    return count, max(1, math.ceil((window + 1) * seconds - now))


def client_address(request: Request | HttpRequest) -> str:
    """Return the address that called our outermost trusted proxy.

    Each proxy appends the address that called it. Anything left of our own proxies'
    entries was written by the caller and proves nothing.
    """
    forwarded = request.headers.get("X-Forwarded-For", "")
    hops = [hop.strip() for hop in forwarded.split(",")]
    trusted = settings.TRUSTED_PROXIES
    if trusted and hops[0]:
        return hops[-min(trusted, len(hops))]
    return str(request.META.get("REMOTE_ADDR", ""))


def hashed_address(address: str) -> str:
    """Return the keyed hash that calls are counted by; IPv6 counts by /64 network."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        network = address  # a Unix socket's peer, or nonsense
    else:
        bits = 64 if parsed.version == 6 else 32
        network = str(ipaddress.ip_network((parsed, bits), strict=False))
    return salted_hmac(__name__, network, algorithm="sha256").hexdigest()
