"""Users, visitors, and API tokens."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from recognizer.models.base import BaseModel


class User(AbstractUser):
    """A person with an account. E-mail addresses need not be unique."""


class Split(models.TextChoices):
    """Whether a person's drawings train models or test them; never changes."""

    TRAIN = "train", _("training")
    HOLDOUT = "holdout", _("held out")


class Visitor(BaseModel):
    """The owner of submissions: a browser, recognised by its signed cookie.

    Signing in links it to the user. A user may have several visitors; they are never
    merged.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="visitors", null=True
    )
    may_train = models.BooleanField(_("drawings may train models"), default=False)
    # Set by the first snapshot that contains a drawing of this visitor.
    split = models.CharField(max_length=7, choices=Split, blank=True, default="")

    def __str__(self) -> str:
        return str(self.id)


class Scope(models.TextChoices):
    """What a token may do."""

    READ = "read", _("read: drawings, lists, exports")
    WRITE = "write", _("write: store, correct, delete")
    REVIEW = "review", _("review: decide what a drawing shows")


class Token(BaseModel):
    """A user's API token. Only its digest is stored; revoking deletes the row."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="tokens"
    )
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    may_read = models.BooleanField(default=False)
    may_write = models.BooleanField(default=False)
    may_review = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, editable=False)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(may_read=True) | Q(may_write=True) | Q(may_review=True),
                name="token_may_do_something",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}...)"

    @property
    def scopes(self) -> list[str]:
        """The names of the token's scopes."""
        return [scope for scope in Scope.values if getattr(self, f"may_{scope}")]
