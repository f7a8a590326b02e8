"""The forms of the account pages."""

from datetime import datetime, timedelta
from typing import Any, ClassVar, cast

from django import forms
from django.contrib.auth.forms import PasswordResetForm, UserCreationForm
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from recognizer.models import Scope, User
from recognizer.people import mail


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


class TokenForm(forms.Form):
    """A new token's name, scopes and lifetime."""

    LIFETIMES: ClassVar = [
        ("30", _("30 days")),
        ("90", _("90 days")),
        ("365", _("1 year")),
        ("", _("no expiry")),
    ]

    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("Where you will use it.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    days = forms.ChoiceField(
        label=_("Valid for"), choices=LIFETIMES, initial="90", required=False
    )

    def __init__(self, *args: Any, may_review: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = cast(forms.MultipleChoiceField, self.fields["scopes"])
        scopes.initial = [Scope.READ, Scope.WRITE]
        if not may_review:  # such a token would be refused at each call
            scopes.choices = [
                choice for choice in Scope.choices if choice[0] != Scope.REVIEW
            ]

    @property
    def expires_at(self) -> datetime | None:
        """When the token expires; None if it does not."""
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=int(days)) if days else None
