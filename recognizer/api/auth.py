"""Who may call what: tokens and their scopes, sessions, reviewers."""

from collections.abc import Mapping
from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from recognizer.api.throttles import TooManyTriesError
from recognizer.models import Scope, Token, User
from recognizer.people import second_factor
from recognizer.people.security_log import note
from recognizer.people.sign_in_limits import OWN_PASSWORD, seconds_to_wait
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
            note("token refused", request=request)
            raise InvalidTokenError(
                "This token is unknown or revoked. Create a new one on the Account "
                "page."
            )
        if token.expires_at is not None and token.expires_at <= timezone.now():
            note("expired token refused", request=request, user=token.user_id)
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
        return _is_staff_with(
            "recognizer.add_label",
            request,
            role="Reviewers",
            otherwise="Only reviewers can label drawings. Ask an administrator to add "
            "you to the Reviewers group.",
        )


class ManagesWebhooks(HasScope):
    """Checks a token's scope, and that an administrator calls."""

    permissions: Mapping[str, str] = {
        "GET": "recognizer.view_webhook",
        "POST": "recognizer.add_webhook",
        "DELETE": "recognizer.delete_webhook",
    }

    def has_permission(self, request: Request, view: Any) -> bool:
        """Return whether the call is allowed; False asks the caller to sign in."""
        if not super().has_permission(request, view):
            return False
        needed = self.permissions.get(request.method or "")
        if needed is None:
            return True
        return _is_staff_with(
            needed,
            request,
            role="Administrators",
            otherwise="Only administrators can manage webhooks.",
        )


def _is_staff_with(
    permission: str, request: Request, *, role: str, otherwise: str
) -> bool:
    """Check a permission, and in a session the second factor; False for visitors."""
    if not isinstance(request.user, User):
        return False
    if not request.user.has_perm(permission):
        raise PermissionDenied(otherwise)
    if request.auth is None and not second_factor.is_proven(request.user):
        raise PermissionDenied(
            f"{role} need a second factor. Set it up on the Account page, or sign in "
            "again with its code."
        )
    return True


def check_own_password(request: Request, password: str) -> None:
    """Count a try of the caller's password; raise unless it is right."""
    if wait_s := seconds_to_wait(request, OWN_PASSWORD):
        raise TooManyTriesError(wait_s=wait_s)
    if not request.user.check_password(password):
        raise PermissionDenied("password must be the password of your account.")
