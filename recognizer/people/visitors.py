"""Who is calling: a program by token, a user by session, a browser by cookie."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.db.models import Sum
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request

from recognizer.models import InBenchmark, Token, User, Visitor
from recognizer.people import second_factor

Consent = Literal["may_train", "may_publish"]
CONSENTS: tuple[Consent, ...] = ("may_train", "may_publish")
"""What a person's drawings may be used for, each with a consent of its own."""

_SALT = "recognizer.visitor"
_FORMER_COOKIE = "visitor"  # its name under https until 0.2; to be dropped with 0.3


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
    def visitor_id(self) -> UUID | None:
        """The id of the owner of new drawings."""
        return self.visitor.pk if self.visitor else None

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
    def may_publish(self) -> bool:
        """Whether all of the caller's drawings may be published in a benchmark."""
        return bool(self.visitors) and all(one.may_publish for one in self.visitors)

    @property
    def may_review(self) -> bool:
        """Whether the user is a reviewer, and this token or session may review."""
        if self.user is None or not self.user.has_perm("recognizer.add_label"):
            return False
        if self.token is not None:
            return self.token.may_review
        return second_factor.is_proven(self.user)


class OtherVisitorError(ValueError):
    """A call is meant for a visitor that is not the caller's.

    is_lost: it is nobody's either: an anonymous browser that has lost its cookie.
    """

    def __init__(self, visitor_id: UUID, *, is_lost: bool) -> None:
        super().__init__(str(visitor_id))
        self.is_lost = is_lost


def caller_as(caller: Caller, visitor_id: UUID) -> Caller:
    """Return the caller as one of their visitors alone.

    Raises:
        OtherVisitorError: this visitor is not the caller's.
    """
    for visitor in caller.visitors:
        if visitor.pk == visitor_id:
            return Caller(visitors=(visitor,))
    is_lost = Visitor.objects.filter(pk=visitor_id, user=None).exists()
    raise OtherVisitorError(visitor_id, is_lost=is_lost)


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
    signed = request.COOKIES.get(settings.VISITOR_COOKIE) or request.COOKIES.get(
        _FORMER_COOKIE, ""
    )
    try:
        visitor_id = UUID(signing.Signer(salt=_SALT).unsign(signed))
    except (signing.BadSignature, ValueError):
        return None
    return Visitor.objects.filter(pk=visitor_id).first()


def remember_visitor(response: HttpResponseBase, visitor: Visitor) -> None:
    """Set the visitor's cookie in the browser."""
    _set_cookie(response, signing.Signer(salt=_SALT).sign(str(visitor.pk)))


def rename_cookie(request: HttpRequest, response: HttpResponseBase) -> None:
    """Give a visitor's cookie with its former name the present one."""
    former = request.COOKIES.get(_FORMER_COOKIE)
    if former and settings.VISITOR_COOKIE not in {_FORMER_COOKIE, *request.COOKIES}:
        _set_cookie(response, former)
        response.delete_cookie(_FORMER_COOKIE, samesite="Lax")


def _set_cookie(response: HttpResponseBase, signed: str) -> None:
    response.set_cookie(
        settings.VISITOR_COOKIE,
        signed,
        max_age=settings.VISITOR_COOKIE_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=settings.SESSION_COOKIE_SECURE,
    )


def introduce(caller: Caller) -> Caller:
    """Return the caller with a visitor, which is made if there is none."""
    if caller.visitor is not None:
        return caller
    visitor = Visitor.objects.create(user=caller.user)
    return replace(caller, visitors=(visitor,))


def forget_visitor(response: HttpResponseBase) -> None:
    """Remove the visitor's cookie from the browser."""
    for name in {settings.VISITOR_COOKIE, _FORMER_COOKIE}:
        # Django adds Secure to the names that need it.
        response.delete_cookie(name, samesite="Lax")


def adopt_visitor(*, visitor: Visitor, user: User) -> None:
    """Assign a visitor to a user, unless it has a user already."""
    Visitor.objects.filter(pk=visitor.pk, user=None).update(user=user)


def set_consent(
    *, visitors: Sequence[Visitor], user: User | None, given: Mapping[str, bool]
) -> None:
    """Store for all visitors of a person what their drawings may be used for.

    given: by a name of CONSENTS; those that are missing stay as they are.
    """
    if not given:
        return
    if not visitors and user is not None:
        Visitor.objects.create(user=user, **given)
    Visitor.objects.filter(pk__in=[visitor.pk for visitor in visitors]).update(**given)


def benchmarks_with(visitors: Sequence[Visitor]) -> dict[str, int]:
    """Return how many drawings of visitors each frozen benchmark contains."""
    found = InBenchmark.objects.filter(visitor__in=visitors).values_list("benchmark")
    return dict(found.annotate(Sum("drawings")).order_by("benchmark"))


def consents_in(form: Mapping[str, str]) -> dict[str, bool]:
    """Return the consents that a page's form gives or withdraws: "on" or "off"."""
    return {name: form[name] == "on" for name in CONSENTS if name in form}
