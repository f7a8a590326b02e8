"""Who is calling: a program by token, a user by session, a browser by cookie."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request

from recognizer.models import Token, User, Visitor

_SALT = "recognizer.visitor"


@dataclass(frozen=True)
class Caller:
    """Who is calling, and the visitors that own the caller's drawings.

    visitors: the first owns new drawings. Empty before the first drawing.
    """

    user: User | None = None
    token: Token | None = None
    visitors: tuple[Visitor, ...] = ()

    @property
    def username(self) -> str | None:
        """The name of the account; None for an anonymous caller."""
        return self.user.get_username() if self.user else None

    @property
    def visitor(self) -> Visitor | None:
        """The owner of new drawings."""
        return self.visitors[0] if self.visitors else None

    @property
    def key(self) -> str | None:
        """An identifier that stays the same in later calls; None if there is none."""
        if self.token is not None:
            return f"token:{self.token.pk}"
        if self.user is not None:
            return f"user:{self.user.pk}"
        return f"visitor:{self.visitor.pk}" if self.visitor else None

    @property
    def may_train(self) -> bool:
        """Whether all of the caller's drawings may train models."""
        return bool(self.visitors) and all(one.may_train for one in self.visitors)

    @property
    def may_review(self) -> bool:
        """Whether the user is a reviewer, and the token, if any, may review."""
        if self.user is None or not self.user.has_perm("recognizer.add_label"):
            return False
        return self.token is None or self.token.may_review


def caller_of(request: HttpRequest | Request) -> Caller:
    """Return who is calling.

    Signing in assigns the browser's visitor to the user, unless it has a user already.
    The cookie of a user's visitor counts only while that user is signed in: after
    signing out, the browser draws as a new visitor.
    """
    token = getattr(request, "auth", None)
    if token is not None:
        return _user_caller(token.user, token=token)
    from_cookie = _visitor_of_cookie(request)
    if isinstance(request.user, User):
        if from_cookie is not None and from_cookie.user_id is None:
            adopt_visitor(visitor=from_cookie, user=request.user)
        return _user_caller(request.user, first=from_cookie)
    if from_cookie is None or from_cookie.user_id is not None:
        return Caller()
    return Caller(visitors=(from_cookie,))


def _user_caller(
    user: User, *, token: Token | None = None, first: Visitor | None = None
) -> Caller:
    visitors = sorted(
        Visitor.objects.filter(user=user), key=lambda one: (one != first, one.pk)
    )
    return Caller(user, token, tuple(visitors))


def _visitor_of_cookie(request: HttpRequest | Request) -> Visitor | None:
    """Return the cookie's visitor; None if the cookie is missing or invalid."""
    signed = request.COOKIES.get(settings.VISITOR_COOKIE, "")
    try:
        visitor_id = UUID(signing.Signer(salt=_SALT).unsign(signed))
    except (signing.BadSignature, ValueError):
        return None
    return Visitor.objects.filter(pk=visitor_id).first()


def remember_visitor(response: HttpResponseBase, visitor: Visitor) -> None:
    """Set the visitor's cookie in the browser."""
    response.set_cookie(
        settings.VISITOR_COOKIE,
        signing.Signer(salt=_SALT).sign(str(visitor.pk)),
        max_age=settings.VISITOR_COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def adopt_visitor(*, visitor: Visitor, user: User) -> None:
    """Assign a visitor to a user, unless it has a user already."""
    Visitor.objects.filter(pk=visitor.pk, user=None).update(user=user)


def set_consent(
    *, visitors: Sequence[Visitor], user: User | None, may_train: bool
) -> None:
    """Store for all visitors of a person whether their drawings may train models."""
    if not visitors and user is not None:
        Visitor.objects.create(user=user, may_train=may_train)
    Visitor.objects.filter(pk__in=[visitor.pk for visitor in visitors]).update(
        may_train=may_train
    )
