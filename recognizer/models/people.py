"""Users, visitors, and the tokens of their programs."""

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from recognizer.models.base import BaseModel


class User(AbstractUser):
    """Somebody with an account. Two accounts may have the same e-mail address."""


class Split(models.TextChoices):
    """The side of a training that a person is on, for good."""

    TRAIN = "train", _("training")
    HOLDOUT = "holdout", _("held out")


class Visitor(BaseModel):
    """Who owns submissions: an anonymous browser, known by its signed cookie.

    Signing in gives it a user; a user may have several, and none is ever merged.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="visitors", null=True
    )
    may_train = models.BooleanField(_("drawings may train models"), default=False)
    # Frozen at the first snapshot that has a drawing of theirs.
    split = models.CharField(max_length=7, choices=Split, blank=True, default="")

    def __str__(self) -> str:
        return str(self.id)


class Scope(models.TextChoices):
    """What a token may do."""

    READ = "read", _("read: drawings, lists, exports")
    WRITE = "write", _("write: store, correct, delete")
    REVIEW = "review", _("review: decide what a drawing shows")


class Token(BaseModel):
    """A user's key for programs. Only its digest is kept; revoking deletes it."""

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
        """The names of what it may do."""
        return [scope for scope in Scope.values if getattr(self, f"may_{scope}")]
