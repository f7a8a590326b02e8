"""The second step of signing in: the code of a user who has given the password."""

import time
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import login
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django_otp import login as note_code
from django_otp.models import Device

from recognizer.models import User
from recognizer.people.security_log import note
from recognizer.people.sign_in_limits import STAFF

AWAITS_CODE = "awaits_code"  # the key in the session
STAFF_SINCE = "staff_password_given_at"
_SECONDS = 10 * 60


@dataclass(frozen=True)
class Begun:
    """A sign-in that lacks the code.

    place: where the password was given.
    then: the address to go to afterwards, checked when the password was given.
    """

    user: User
    place: str
    then: str


def await_code(request: HttpRequest, *, user: User, place: str, then: str) -> None:
    """Remember that a user has given the password; this signs nobody in."""
    request.session.cycle_key()
    request.session[AWAITS_CODE] = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "place": place,
        "then": then,
        "at": time.time(),
    }
    note("password accepted", request=request, user=user.pk, place=place)


def begun(request: HttpRequest) -> Begun | None:
    """Return the sign-in that lacks the code, if it is recent and still valid."""
    kept = request.session.get(AWAITS_CODE)
    if kept is None or not 0 <= time.time() - kept["at"] < _SECONDS:
        return None
    user = User.objects.filter(pk=kept["user"], is_active=True).first()
    if user is None or not constant_time_compare(
        user.get_session_auth_hash(), kept["password"]
    ):
        return None
    return Begun(user, kept["place"], kept["then"])


def finish(request: HttpRequest, begun: Begun, *, device: Device) -> None:
    """Sign the user in, who has given a code of this factor."""
    del request.session[AWAITS_CODE]
    login(request, begun.user)
    note_code(request, device)
    if begun.place == STAFF:
        note_password(request.session)
    note("signed in", request=request, user=begun.user.pk, place=begun.place)


def note_password(session: Any) -> None:
    """Record in a session that its user has just given the password to the admin."""
    session[STAFF_SINCE] = time.time()
