"""Signing in, and how often it may fail: django-axes counts, in the cache.

By address alone: a name that could be locked would lock out its owner. The admin's
door has a count of its own, so nobody gets more tries at it by the site's.
"""

from typing import Any

from axes.handlers.cache import AxesCacheHandler
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from recognizer.api.throttles import client_address, hashed_address, process_share

SITE, STAFF = "site", "staff"


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
