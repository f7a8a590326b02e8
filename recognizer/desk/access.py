"""Who may do what on the desk: Django's own permissions, asked for by name."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from recognizer.models import User

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def needs(*permissions: str) -> Callable[[View[P]], View[P]]:
    """Refuse a view to whoever lacks one of the app's permissions."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(
            request: HttpRequest, *args: P.args, **kwargs: P.kwargs
        ) -> HttpResponseBase:
            if not request.user.has_perms([f"recognizer.{p}" for p in permissions]):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        return cast(View[P], guarded)

    return decorate


def staff(request: HttpRequest) -> User:
    """Return who is signed in; the admin has seen to it that somebody is."""
    return cast(User, request.user)


def on_page(request: HttpRequest, *, title: str, **context: Any) -> dict[str, Any]:
    """Return what every page of the admin shows, and what this one does."""
    return {**admin.site.each_context(request), "title": title, **context}
