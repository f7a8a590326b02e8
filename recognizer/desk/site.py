"""The admin as a whole: it asks staff for their password itself, again and again."""

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
    """Open to staff who gave their password at its own door a while ago at most.

    Whoever signed in on the site is asked again: that door lets more guesses through,
    and a browser left open at it shall not be the staff's.
    """

    site_title = "Digitsite"
    site_header = gettext_lazy("Digitsite administration")

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether this browser's user is staff and has just proved it."""
        age_s = time.time() - request.session.get(_GIVEN_AT, 0)
        return age_s < settings.STAFF_PASSWORD_AGE_S and super().has_permission(request)

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for name and password; note when they were right."""
        context = {
            "title": _("Staff sign-in"),
            # Django would tell who is signed in that they may not come in.
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
    """Note in a session that its user has just given the password."""
    session[_GIVEN_AT] = time.time()
