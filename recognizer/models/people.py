"""Users, visitors, and API tokens."""

from datetime import UTC
from typing import ClassVar
from uuid import UUID, uuid5

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.models import Session
from django.db import models
from django.db.models import Q
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from recognizer.models.base import BaseModel

_ACCOUNTS = UUID("4f3f0d0e-53c2-4c8e-9d0f-8f4c1a1c7b51")  # a namespace of our own


class User(AbstractUser):
    """A person with an account. E-mail addresses need not be unique."""

    @property
    def erasure_id(self) -> UUID:
        """The id of this account in the list of deletions.

        It tells nothing about the person and is the same in every backup. The primary
        key is not enough: a restored backup gives the same numbers to new accounts.
        """
        joined = self.date_joined.astimezone(UTC).isoformat(timespec="microseconds")
        return uuid5(_ACCOUNTS, f"{self.pk} {joined}")


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
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="visitors",
        null=True,
        verbose_name=_("user"),
    )
    may_train = models.BooleanField(_("drawings may train models"), default=False)
    may_publish = models.BooleanField(
        _("drawings may be published"), default=False, db_default=False
    )
    # Set by the first snapshot or benchmark that contains a drawing of this visitor.
    split = models.CharField(
        max_length=7, choices=Split, blank=True, default="", verbose_name=_("split")
    )

    class Meta:
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")

    def __str__(self) -> str:
        return str(self.id)

    @property
    def person_key(self) -> str:
        """A key that a person's drawings share and that does not name them."""
        person = str(self.user_id or self.pk)
        return salted_hmac("snapshot", person, algorithm="sha256").hexdigest()[:16]


class InBenchmark(models.Model):
    """How many of a visitor's drawings a frozen benchmark contains.

    It stays when the drawings are deleted, because a benchmark cannot be taken back.
    """

    visitor = models.ForeignKey(Visitor, models.CASCADE, related_name="+")
    benchmark = models.CharField(max_length=40)  # such as digits-v1-3f9c0a7be21d
    drawings = models.PositiveIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["visitor", "benchmark"], name="visitor_once_in_a_benchmark"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.drawings} in {self.benchmark}"


class Scope(models.TextChoices):
    """What a token may do."""

    READ = "read", _("read: drawings, lists, exports")
    WRITE = "write", _("write: store, correct, delete")
    REVIEW = "review", _("review: decide what a drawing shows")


class Token(BaseModel):
    """A user's API token. Only its digest is stored; revoking deletes the row."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="tokens",
        verbose_name=_("user"),
    )
    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(max_length=12, editable=False, verbose_name=_("prefix"))
    digest = models.CharField(max_length=64, unique=True, editable=False)
    may_read = models.BooleanField(default=False, verbose_name=_("may read"))
    may_write = models.BooleanField(default=False, verbose_name=_("may write"))
    may_review = models.BooleanField(default=False, verbose_name=_("may review"))
    expires_at = models.DateTimeField(null=True, blank=True, verbose_name=_("expires"))
    last_used_at = models.DateTimeField(
        null=True, editable=False, verbose_name=_("last used")
    )

    class Meta:
        verbose_name = _("token")
        verbose_name_plural = _("tokens")
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


class BrowserSession(BaseModel):
    """A browser in which a user is signed in, beside Django's row of the session.

    Without a constraint in the database: a release that does not know this table also
    deletes sessions.
    """

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="browser_sessions",
        verbose_name=_("user"),
    )
    session = models.OneToOneField(
        Session, models.CASCADE, related_name="+", db_constraint=False
    )
    browser = models.CharField(max_length=20, blank=True)
    system = models.CharField(max_length=20, blank=True)
    used_at = models.DateTimeField()

    def __str__(self) -> str:
        names = {"browser": self.browser, "system": self.system}
        if all(names.values()):
            return gettext("%(browser)s on %(system)s") % names
        return self.browser or self.system or gettext("Unknown browser")
