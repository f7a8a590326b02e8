"""Limits for failed sign-ins, for sign-ups and for tries of one's own password.

Failures count by address alone: if a name could be locked, anybody could lock out its
owner. The site and the admin count separately. If the cache does not respond, callers
get 503, so no try goes uncounted.
"""

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from redis.exceptions import InvalidResponse

from recognizer.people.limits import (
    client_address,
    count_in_window,
    count_one,
    hashed_address,
    process_share,
)
from recognizer.people.security_log import note

SITE, STAFF = "site", "staff"
SIGN_UP, OWN_PASSWORD = "sign-up", "own-password"

logger = logging.getLogger(__name__)


def limit_failures(
    place: str, sign_in: Callable[[HttpRequest], HttpResponse], request: HttpRequest
) -> HttpResponse:
    """Call the sign-in view, unless the caller's address has failed too often.

    Args:
        sign_in: the view; it redirects if the password or the code is right.
    """
    key = failures_key(request, place)
    allowed = process_share(settings.SIGN_IN_FAILURES[place])
    wait_s = settings.SIGN_IN_LOCK_S
    if failures_so_far(key) >= allowed:
        note("sign-in paused", request=request, place=place)
        return _refusal(request, "recognizer/locked_out.html", wait_s)
    response = sign_in(request)
    if response.status_code == 302:
        return response
    note("sign-in failed", request=request, place=place)
    failures = count_one(key, keep_s=wait_s)
    cache.touch(key, wait_s)
    logger.warning("Sign-in failed (%s): %d of %d.", place, failures, allowed)
    if failures >= allowed:
        return _refusal(request, "recognizer/locked_out.html", wait_s)
    return response


def has_failed_as_staff(request: HttpRequest) -> bool:
    """Return whether sign-ins on the site failed as often as the admin allows.

    From then on, the site takes even the right password of staff for a wrong one, so
    that guessing it here gets nobody further than in the admin.
    """
    allowed = process_share(settings.SIGN_IN_FAILURES[STAFF])
    return failures_so_far(failures_key(request, SITE)) >= allowed


def failures_so_far(key: str) -> int:
    """Return the failures counted under a key; raises RedisError for nonsense."""
    failures = cache.get(key, 0)
    if not isinstance(failures, int):
        raise InvalidResponse("Redis holds a count that is not a number.")
    return failures


def failures_key(request: HttpRequest, place: str) -> str:
    """Return the cache key of the failures from the caller's address."""
    return f"sign-in:{place}:{hashed_address(client_address(request))}"


def refuse_too_often(request: HttpRequest, action: str) -> HttpResponse | None:
    """Count a try; return a 429 response if there were too many.

    Sign-ups count by address. Tries of one's own password count by user, because
    somebody else may be using that user's browser.
    """
    wait_s = seconds_to_wait(request, action)
    if not wait_s:
        return None
    return _refusal(request, "recognizer/too_often.html", wait_s)


def seconds_to_wait(request: HttpRequest, action: str) -> int:
    """Count a try; return how long the caller has to wait, or 0."""
    allowed, seconds = settings.TRIES[action]
    if action == OWN_PASSWORD:
        who = str(request.user.pk)
    else:
        who = hashed_address(client_address(request))
    tries, wait_s = count_in_window(f"tries:{action}:{who}", seconds=seconds)
    if tries <= process_share(allowed):
        return 0
    note("tries paused", request=request, user=request.user.pk, action=action)
    return wait_s


def _refusal(request: HttpRequest, template: str, wait_s: int) -> HttpResponse:
    response = render(request, template, {"minutes": -(-wait_s // 60)}, status=429)
    response["Retry-After"] = str(wait_s)
    return response
