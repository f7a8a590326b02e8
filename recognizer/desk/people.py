"""Users, visitors and tokens in the admin."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import logout
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import DateTimeField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from recognizer.desk.access import staff
from recognizer.desk.readonly import ReadOnlyAdmin
from recognizer.models import Token, User, Visitor
from recognizer.people import erasing, mail
from recognizer.people.security_log import note
from recognizer.people.sessions import end_all_sessions, forget_ended
from recognizer.people.tokens import make_token, revoke_all

# Django's admin has these in English only; listed here, they are in our catalogue.
gettext_noop("After you’ve created a user, you’ll be able to edit more user options.")
gettext_noop("Password-based authentication")
gettext_noop("Enabled")
gettext_noop("Disabled")
gettext_noop(
    "Whether the user will be able to authenticate using a password or not. If "
    "disabled, they may still be able to authenticate using other backends, such as "
    "Single Sign-On or LDAP."
)
gettext_noop(
    "Raw passwords are not stored, so there is no way to see the user’s password."
)

_RIGHTS = {"is_active", "is_staff", "is_superuser", "groups", "user_permissions"}


@admin.register(User)
class AccountAdmin(UserAdmin):
    """The accounts. Deleting one deletes everything that belongs to it, for good."""

    actions = ("sign_out",)
    # The list of deletions tells accounts apart by date_joined.
    readonly_fields: ClassVar = ("date_joined", "last_login")
    # The two lists of this widget have texts that screen readers do not read.
    filter_horizontal: ClassVar = ()

    def save_model(
        self, request: HttpRequest, obj: User, form: Any, change: bool
    ) -> None:
        """Save an account; a change of its rights goes to the security log."""
        super().save_model(request, obj, form, change)
        if changed := sorted(_RIGHTS & {*form.changed_data}):
            by = staff(request).pk
            note("rights changed", user=obj.pk, by=by, changed=",".join(changed))

    def user_change_password(
        self, request: HttpRequest, id: str, form_url: str = ""
    ) -> HttpResponse:
        """Set another user's password; end the user's sessions and tokens."""
        if id == str(staff(request).pk):  # that asks for the present password
            return redirect("password-change")
        response = super().user_change_password(request, id, form_url)
        if request.method == "POST" and response.status_code == 302:
            user = User.objects.get(pk=id)
            note("password set", user=user.pk, by=staff(request).pk)
            revoke_all(user=user)
            forget_ended(user=user)
            mail.tell_of(gettext("Your password has been changed."), user=user)
        return response

    @admin.action(description=_("Sign out everywhere"), permissions=["change"])
    def sign_out(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """End all sessions of users."""
        for user in queryset:
            end_all_sessions(user=user)
        messages.success(request, gettext("The chosen users have been signed out."))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Delete an account."""
        self.delete_queryset(request, User.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        """Delete accounts: all of them, or none if one must stay."""
        actor = staff(request)
        try:
            with transaction.atomic():
                for user in queryset:
                    erasing.delete_account(user=user, by=actor)
        except erasing.LastAdministratorError as error:
            raise PermissionDenied from error
        if not User.objects.filter(pk=actor.pk).exists():
            logout(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes the last administrator."""
        return super().has_delete_permission(request, obj) and not (
            obj is not None and erasing.is_last_administrator(obj)
        )


@admin.register(Visitor)
class VisitorAdmin(ReadOnlyAdmin):
    """The visitors who draw."""

    list_display = ("id", "user", "may_train", "may_publish", "created_at")
    list_select_related = ("user",)

    def delete_model(self, request: HttpRequest, obj: Visitor) -> None:
        """Delete a visitor with all drawings."""
        erasing.delete_visitors(visitors=[obj], by=staff(request))

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[Visitor]
    ) -> None:
        """Delete visitors with all their drawings."""
        erasing.delete_visitors(visitors=list(queryset), by=staff(request))


class ByRightToReview(admin.BooleanFieldListFilter):
    """Tokens that may review, and others; "By may review" would be no title."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = _("right to review")


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
    list_filter = (("may_review", ByRightToReview),)
    search_fields = ("name", "prefix", "user__username")
    fields = ("user", "name", "may_read", "may_write", "may_review", "expires_at")
    # The stock widgets for autocompletion, and for dates in two parts, have no labels.
    raw_id_fields = ("user",)
    formfield_overrides: ClassVar = {
        DateTimeField: {
            "form_class": forms.DateTimeField,
            "widget": forms.DateTimeInput(attrs={"type": "datetime-local"}),
        }
    }

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
