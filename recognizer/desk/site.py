"""The admin site: it has its own sign-in and asks for the password regularly."""

import time
from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import LoginView
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recognizer.desk.index import overview
from recognizer.models import User
from recognizer.people import second_factor
from recognizer.people.security_log import note
from recognizer.people.sign_in_limits import STAFF, limit_failures
from recognizer.people.signing_in import (
    STAFF_SINCE,
    await_code,
    note_password,
)

View = Callable[[HttpRequest], HttpResponse]


class StaffSignInView(LoginView):
    """Take the password of staff; ask for a code if this session has given none."""

    template_name = "admin/login.html"
    authentication_form = AdminAuthenticationForm
    next_page = "admin:index"

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Sign in, or go on to the code."""
        user = form.get_user()
        if second_factor.is_set_up(user) and not self._has_given_code(user):
            then = self.get_success_url()
            await_code(self.request, user=user, place=STAFF, then=then)
            return redirect("sign-in-code")
        response = super().form_valid(form)
        note_password(self.request.session)
        note("signed in", request=self.request, user=user.pk, place=STAFF)
        return response

    def _has_given_code(self, user: User) -> bool:
        return self.request.user == user and second_factor.is_proven(self.request.user)


class Desk(AdminSite):
    """Admits staff who have recently entered their password on its own sign-in page.

    Signing in on the site is not enough: the site allows more wrong guesses, and a
    browser left signed in there must not open the admin. Staff with a second factor
    must have given a code.
    """

    site_title = "Digitsite"
    site_header = gettext_lazy("Digitsite administration")

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether the user is staff, with a recent password and a second factor."""
        return _knows_password(request) and second_factor.is_proven(
            cast(User, request.user)
        )

    def index(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> TemplateResponse:
        """Show the numbers of the site above Django's list of models."""
        may_see = ("recognizer.view_submission", "recognizer.view_modelversion")
        numbers = overview() if request.user.has_perms(may_see) else None
        return super().index(request, {"overview": numbers, **(extra_context or {})})

    def get_app_list(
        self, request: HttpRequest, app_label: str | None = None
    ) -> list[Any]:
        """List this site's own models first."""
        apps = super().get_app_list(request, app_label)
        return sorted(apps, key=lambda app: app["app_label"] != "recognizer")

    def login(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask for name and password, then for what is missing."""
        context = {
            "title": _("Staff sign-in"),
            # Otherwise Django tells a signed-in user that they have no access.
            "user": AnonymousUser(),
            **(extra_context or {}),
        }
        if request.method == "POST":
            context = {
                **self.each_context(request),
                "app_path": request.get_full_path(),
                **context,
            }
            sign_in = StaffSignInView.as_view(extra_context=context)
            return limit_failures(STAFF, cast(View, sign_in), request)
        if _lacks_factor(request):
            messages.info(
                request, _("Staff of this site need a second factor. Set it up.")
            )
            return redirect("factor")
        return super().login(request, extra_context=context)

    def password_change(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> Any:
        """Lead to the site's page, which counts tries and tells of the change."""
        return redirect("password-change")


def _lacks_factor(request: HttpRequest) -> bool:
    """Return whether nothing but a second factor, not set up yet, is missing."""
    if not _knows_password(request):
        return False
    user = cast(User, request.user)
    return not second_factor.is_proven(user) and not second_factor.is_set_up(user)


def _knows_password(request: HttpRequest) -> bool:
    """Return whether the user is staff and has recently entered the password here."""
    age_s = time.time() - request.session.get(STAFF_SINCE, 0)
    user = request.user
    is_staff = user.is_active and user.is_staff
    return is_staff and age_s < settings.STAFF_PASSWORD_AGE_S
