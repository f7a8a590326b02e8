"""Who is calling: the signed cookie that names a browser's visitor."""

from uuid import UUID

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase

from recognizer.models import Visitor

_SALT = "recognizer.visitor"


def visitor_of(request: HttpRequest) -> Visitor | None:
    """Return the visitor whose cookie this is; None without or with a forged one."""
    signed = request.COOKIES.get(settings.VISITOR_COOKIE, "")
    try:
        visitor_id = UUID(signing.Signer(salt=_SALT).unsign(signed))
    except (signing.BadSignature, ValueError):
        return None
    return Visitor.objects.filter(pk=visitor_id).first()


def remember_visitor(response: HttpResponseBase, visitor: Visitor) -> None:
    """Give the browser its visitor's cookie."""
    response.set_cookie(
        settings.VISITOR_COOKIE,
        signing.Signer(salt=_SALT).sign(str(visitor.pk)),
        max_age=settings.VISITOR_COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )
