"""What the desk's pages share: permissions, addresses and template context."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from django.contrib import admin
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path

from recognizer.models import User

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def needs(*permissions: str) -> Callable[[View], View]:
    """Answer 403 to anyone who lacks one of these `recognizer` permissions."""
    names = [f"recognizer.{permission}" for permission in permissions]
    return permission_required(names, raise_exception=True)


def page(route: str, view: Callable[..., HttpResponseBase], *, name: str) -> URLPattern:
    """Return the address of a page for staff, below a model's address."""
    return path(route, admin.site.admin_view(view), name=name)


def staff(request: HttpRequest) -> User:
    """Return the signed-in user; the admin has checked that there is one."""
    return cast(User, request.user)


def on_page(request: HttpRequest, *, title: str, **context: Any) -> dict[str, Any]:
    """Return a page's template context, with what all admin pages need."""
    return {**admin.site.each_context(request), "title": title, **context}
