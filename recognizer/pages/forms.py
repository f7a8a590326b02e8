"""The forms of the account pages."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

from django import forms
from django.contrib.auth.forms import PasswordResetForm, UserCreationForm
from django.core.mail import EmailMessage
from django.db.models import QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from recognizer.models import BrowserSession, Scope, User
from recognizer.people import mail, second_factor


class _EmailMeta:
    model = User
    fields: ClassVar[tuple[str, ...]] = ("email",)
    labels: ClassVar = {"email": _("Email address")}
    help_texts: ClassVar = {"email": _("Optional. Only used to reset your password.")}
    widgets: ClassVar = {"email": forms.EmailInput(attrs={"autocomplete": "email"})}


class SignUpForm(UserCreationForm):
    """A name, an optional email address, and the password twice."""

    class Meta(_EmailMeta, UserCreationForm.Meta):
        fields: ClassVar = ("username", "email")


class EmailForm(forms.ModelForm):
    """A new email address, which the user confirms with the password."""

    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    class Meta(_EmailMeta):
        pass

    def clean_password(self) -> str:
        """Refuse a wrong password."""
        password: str = self.cleaned_data["password"]
        if not self.instance.check_password(password):
            raise forms.ValidationError(_("This password is not correct."))
        return password


class OwnPasswordForm(forms.Form):
    """The password again, before what a guest at an open browser must not do."""

    password = forms.CharField(
        label=_("Your password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user

    def clean_password(self) -> str:
        """Refuse a wrong password."""
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise forms.ValidationError(_("This password is not correct."))
        return password


class CodeForm(forms.Form):
    """The code of an authenticator app, or a recovery code."""

    code = forms.CharField(
        label=_("Code"),
        max_length=40,
        help_text=_("Six digits from your authenticator app."),
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "autofocus": True,
            }
        ),
    )

    def __init__(self, *args: Any, check: Callable[[str], Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.check = check
        self.checked: Any = None

    def clean_code(self) -> str:
        """Refuse a wrong code, and one that comes too soon after wrong ones."""
        code: str = self.cleaned_data["code"]
        try:
            self.checked = self.check(code)
        except second_factor.TooManyCodesError as error:
            raise forms.ValidationError(
                ngettext(
                    "Too many wrong codes. Wait %(wait_s)d second, then try again.",
                    "Too many wrong codes. Wait %(wait_s)d seconds, then try again.",
                    error.wait_s,
                )
                % {"wait_s": error.wait_s}
            ) from error
        if not self.checked:
            raise forms.ValidationError(
                _("This code is wrong, has expired or was used before.")
            )
        return code


class RecoveryCodeForm(CodeForm):
    """A recovery code, which has letters."""

    code = forms.CharField(
        label=_("Recovery code"),
        max_length=40,
        help_text=_("One of the codes that you saved. Each works once."),
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "autofocus": True}
        ),
    )


class _BrowsersField(forms.ModelMultipleChoiceField):
    def label_from_instance(self, obj: BrowserSession) -> str:
        """Return the browser in words, and its last use."""
        used = date_format(timezone.localtime(obj.used_at), "DATETIME_FORMAT")
        return gettext("%(browser)s, last used %(time)s UTC") % {
            "browser": obj,
            "time": used,
        }


class EndSessionsForm(OwnPasswordForm):
    """Browsers to sign out, and the password."""

    field_order = ("sessions", "password")

    sessions = _BrowsersField(
        BrowserSession.objects.none(),
        label=_("Browsers"),
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(
        self, *args: Any, others: QuerySet[BrowserSession], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        sessions = cast(forms.ModelMultipleChoiceField, self.fields["sessions"])
        sessions.queryset = others
        sessions.initial = others


class ForgottenPasswordForm(PasswordResetForm):
    """An address; neither the answer nor its timing shows if an account has it."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Send a link to set a new password, at most once a minute to one address."""
        if mail.may_send_to(self.cleaned_data["email"]):
            super().save(*args, **kwargs)

    def send_mail(
        self,
        subject_template_name: str,
        email_template_name: str,
        context: dict[str, Any],
        from_email: str | None,
        to_email: str,
        html_email_template_name: str | None = None,
    ) -> None:
        """Send the mail without waiting for the mail server."""
        subject = render_to_string(subject_template_name, context).strip()
        body = render_to_string(email_template_name, context)
        mail.send_later(EmailMessage(subject, body, from_email, [to_email]))


class TokenForm(OwnPasswordForm):
    """A new token's name, scopes and lifetime, and the user's password."""

    LIFETIMES: ClassVar = [
        ("30", _("30 days")),
        ("90", _("90 days")),
        ("365", _("1 year")),
    ]
    field_order = ("name", "scopes", "days", "password")

    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("Where you will use it.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    days = forms.ChoiceField(label=_("Valid for"), choices=LIFETIMES, initial="90")

    def __init__(self, *args: Any, user: User, may_review: bool, **kwargs: Any) -> None:
        super().__init__(*args, user=user, **kwargs)
        scopes = cast(forms.MultipleChoiceField, self.fields["scopes"])
        scopes.initial = [Scope.READ, Scope.WRITE]
        if not may_review:  # such a token would be refused at each call
            scopes.choices = [
                choice for choice in Scope.choices if choice[0] != Scope.REVIEW
            ]

    @property
    def expires_at(self) -> datetime:
        """When the token expires."""
        return timezone.now() + timedelta(days=int(self.cleaned_data["days"]))
