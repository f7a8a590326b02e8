"""The admin site: it has its own sign-in and asks for the password regularly."""

import time
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recognizer.people.sign_in_limits import STAFF, limit_failures

_GIVEN_AT = "staff_password_given_at"


class Desk(AdminSite):
    """Admits staff who have recently entered their password on its own sign-in page.

    Signing in on the site is not enough: the site allows more wrong guesses, and a
    browser left signed in there must not open the admin.
    """

    site_title = "Digitsite"
    site_header = gettext_lazy("Digitsite administration")

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the user is staff and has recently entered the password."""
        age_s = time.time() - request.session.get(_GIVEN_AT, 0)
        return age_s < settings.STAFF_PASSWORD_AGE_S and super().has_permission(request)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for name and password; if they are right, record the time."""
        context = {
            "title": _("Staff sign-in"),
            # Otherwise Django tells a signed-in user that they have no access.
            "user": AnonymousUser(),
            **(extra_context or {}),
        }
        sign_in = partial(super().login, extra_context=context)
        if request.method != "POST":
            return sign_in(request)
        response = limit_failures(STAFF, sign_in, request)
        if response.status_code == 302:
            note_password(request.session)
        return response


def note_password(session: Any) -> None:
    """Record in a session that its user has just entered the password."""
    session[_GIVEN_AT] = time.time()
