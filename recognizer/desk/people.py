"""Users, visitors and tokens in the admin."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.http import HttpRequest
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from recognizer.desk.readonly import ReadOnlyAdmin
from recognizer.models import Token, User, Visitor
from recognizer.people.tokens import make_token

admin.site.register(User, UserAdmin)


@admin.register(Visitor)
class VisitorAdmin(ReadOnlyAdmin):
    """The visitors who draw."""

    list_display = ("id", "user", "may_train", "created_at")
    list_select_related = ("user",)


@admin.register(Token)
class TokenAdmin(ReadOnlyAdmin):
    """API tokens: staff make one for a user here, and delete it to revoke it."""

    list_display = (
        "name",
        "user",
        "prefix",
        "may",
        "expires_at",
        "last_used_at",
        "created_at",
    )
    list_select_related = ("user",)
    list_filter = ("may_review",)
    search_fields = ("name", "prefix", "user__username")
    fields = ("user", "name", "may_read", "may_write", "may_review", "expires_at")
    autocomplete_fields = ("user",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Require `add_token`; grant it with care: its holders can act as any user."""
        return request.user.has_perm("recognizer.add_token")

    def save_model(
        self, request: HttpRequest, obj: Token, form: Any, change: bool
    ) -> None:
        """Make the token and show its text once."""
        token, text = make_token(
            user=obj.user,
            name=obj.name,
            scopes=obj.scopes,
            expires_at=obj.expires_at,
        )
        obj.pk, obj.prefix = token.pk, token.prefix
        messages.warning(
            request,
            gettext("Copy the token now, it is shown only once: %(token)s")
            % {"token": text},
        )

    @admin.display(description=_("scopes"))
    def may(self, token: Token) -> str:
        """Return the token's scopes."""
        return ", ".join(token.scopes)
