"""API tokens."""

import hashlib
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from recognizer.models import Scope, Token, User
from recognizer.people import mail
from recognizer.people.security_log import note

_LAST_USE_PRECISION = timedelta(minutes=1)


_PREFIX = "dgs_"  # lets scanners find leaked tokens


def make_token(
    *,
    user: User,
    name: str,
    scopes: Collection[str],
    expires_at: datetime | None = None,
) -> tuple[Token, str]:
    """Make a token; its text is returned only here."""
    text = _PREFIX + secrets.token_urlsafe(32)
    token = Token.objects.create(
        user=user,
        name=name,
        prefix=text[:12],
        digest=digest_of(text),
        expires_at=expires_at,
        may_read=Scope.READ in scopes,
        may_write=Scope.WRITE in scopes,
        may_review=Scope.REVIEW in scopes,
    )
    note("token made", user=user.pk, token=str(token.pk), scopes=",".join(token.scopes))
    mail.tell_of(_("An API token has been created for your account."), user=user)
    return token, text


def digest_of(token_text: str) -> str:
    """Return the digest that is stored: 256 random bits need no slow hash."""
    return hashlib.sha256(token_text.encode()).hexdigest()


def note_use(*, token: Token) -> None:
    """Store when a token was last used, at most once a minute."""
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > _LAST_USE_PRECISION:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)


def revoke_token(*, token: Token) -> None:
    """Delete a token, so that it no longer works."""
    note("token revoked", user=token.user_id, token=str(token.pk))
    token.delete()


def revoke_all(*, user: User) -> None:
    """Delete all tokens of a user whose password may have been known to others."""
    for token in Token.objects.filter(user=user):
        revoke_token(token=token)
