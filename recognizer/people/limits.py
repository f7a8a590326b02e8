"""Who calls, and how often: counters in Django's cache, shared where Redis is."""

import ipaddress

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from rest_framework.request import Request


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
    return salted_hmac(__name__, network, algorithm="sha256").hexdigest()
