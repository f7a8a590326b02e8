"""The forms of the account pages."""

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import UserCreationForm
from django.contrib.auth.models import User
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from recognizer.models import Scope


class SignUpForm(UserCreationForm):
    """A name and a password, twice."""

    class Meta(UserCreationForm.Meta):
        model = User
        fields = ("username",)


class TokenForm(forms.Form):
    """What a new token is called, may do, and until when."""

    LIFETIMES: ClassVar = [
        ("30", _("30 days")),
        ("90", _("90 days")),
        ("365", _("a year")),
        ("", _("no end")),
    ]

    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("Where it will be used.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"), choices=Scope.choices, widget=forms.CheckboxSelectMultiple
    )
    days = forms.ChoiceField(
        label=_("It works for"), choices=LIFETIMES, initial="90", required=False
    )

    def __init__(self, *args: Any, may_review: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = self.fields["scopes"]
        scopes.initial = [Scope.READ, Scope.WRITE]
        if not may_review:  # such a token would be refused at each call
            scopes.choices = [  # type: ignore[attr-defined]
                choice for choice in Scope.choices if choice[0] != Scope.REVIEW
            ]

    @property
    def expires_at(self) -> datetime | None:
        """When the token ends; None where it does not."""
        days = self.cleaned_data["days"]
        return timezone.now() + timedelta(days=int(days)) if days else None
