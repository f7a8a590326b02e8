"""Who may call what: tokens and their scopes, sessions, reviewers."""

from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from recognizer.models import Scope, Token, User
from recognizer.people.tokens import digest_of, note_use

_SAFE = ("GET", "HEAD", "OPTIONS")


class InvalidTokenError(AuthenticationFailed):
    """The token is unknown or expired."""

    default_code = "invalid_token"


class InsufficientScopeError(PermissionDenied):
    """The token is valid, but not for this call."""

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"This token lacks the scope {scope}. Create one that has it on the "
            "Account page."
        )
        self.scope = scope


class TokenAuthentication(BaseAuthentication):
    """Reads `Authorization: Bearer dgs_...`; ignores other schemes."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        """Return the token's user and the token; None if no token was sent."""
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = (
            Token.objects.select_related("user")
            .filter(digest=digest_of(text.strip()))
            .first()
        )
        if token is None or not token.user.is_active:
            raise InvalidTokenError(
                "This token is unknown or revoked. Create a new one on the Account "
                "page."
            )
        if token.expires_at is not None and token.expires_at <= timezone.now():
            raise InvalidTokenError(
                f"This token expired on {token.expires_at:%Y-%m-%d}. Create a new one "
                "on the Account page."
            )
        note_use(token=token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """Return the `WWW-Authenticate` header of a 401."""
        return 'Bearer realm="digitsite"'


class HasScope(BasePermission):
    """Checks a token's scope, and that only reviewers can label.

    Safe methods need the scope read, others need write. A view's `scopes` can override
    this.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the call is allowed; False asks the caller to sign in."""
        method = request.method or ""
        if method == "OPTIONS":
            return True
        usual = Scope.READ if method in _SAFE else Scope.WRITE
        scope = view.scopes.get(method, usual)
        if isinstance(request.auth, Token) and scope not in request.auth.scopes:
            raise InsufficientScopeError(scope)
        if scope != Scope.REVIEW:
            return True
        if not isinstance(request.user, User):
            return False
        if not request.user.has_perm("recognizer.add_label"):
            raise PermissionDenied(
                "Only reviewers can label drawings. Ask an administrator to add you "
                "to the Reviewers group."
            )
        return True
