"""How often signing in may fail: django-axes counts, in the cache; and other doors.

By address alone: a name that could be locked would lock out its owner. The admin's
door has a count of its own, so nobody gets more tries at it by the site's.
"""

import time
from typing import Any

from axes.handlers.cache import AxesCacheHandler
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from recognizer.people.limits import (
    client_address,
    count_one,
    hashed_address,
    process_share,
)

SITE, STAFF = "site", "staff"
SIGN_UP, OWN_PASSWORD = "sign-up", "own-password"


class Failures(AxesCacheHandler):
    """The counts in Django's cache, as all our limits are.

    A name of our own, because axes warns of its handler with a cache in memory: there
    each process enforces its share, see `failures_allowed`.
    """


def door_of(request: HttpRequest) -> str:
    """Return by which door somebody wants to come in."""
    return STAFF if request.path.startswith(reverse("admin:index")) else SITE


def counted_as(request: HttpRequest) -> str:
    """Return whom a failure counts for: door and keyed hash, never an address."""
    return f"{door_of(request)}:{hashed_address(client_address(request))}"


def failures_allowed(request: HttpRequest, credentials: Any) -> int:
    """Return how many failures close this door to an address."""
    return process_share(settings.SIGN_IN_FAILURES[door_of(request)])


def locked_out(
    request: HttpRequest, response: HttpResponse | None, credentials: Any
) -> HttpResponse:
    """Answer who has failed too often: for how long, and the way out."""
    wait_s = round(settings.AXES_COOLOFF_TIME.total_seconds())
    shown = {"minutes": wait_s // 60}
    answer = render(request, "recognizer/locked_out.html", shown, status=429)
    answer["Retry-After"] = str(wait_s)
    return answer


def refuse_too_often(request: HttpRequest, door: str) -> HttpResponse | None:
    """Count a try at a door other than signing in; answer one too many.

    Signing up counts for an address, asking for one's own password for the user,
    whose browser somebody may have found open. Where the cache that counts is away,
    its error makes a 503: there are no free tries.
    """
    allowed, seconds = settings.TRIES[door]
    if door == OWN_PASSWORD:
        who = str(request.user.pk)
    else:
        who = hashed_address(client_address(request))
    now = time.time()
    window = int(now // seconds)
    tries = count_one(f"tries:{door}:{who}:{window}", keep_s=seconds)
    if tries <= process_share(allowed):
        return None
    wait_s = max(1, round((window + 1) * seconds - now))
    shown = {"minutes": -(-wait_s // 60)}
    answer = render(request, "recognizer/too_often.html", shown, status=429)
    answer["Retry-After"] = str(wait_s)
    return answer
