"""Webhooks, and the outbox of their deliveries."""

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from recognizer.models.base import BaseModel, new_id
from recognizer.models.drawings import Submission


class Event(models.TextChoices):
    """What receivers can be told of."""

    SUBMISSION_CREATED = "submission.created", _("a drawing was stored")
    FEEDBACK_CREATED = "feedback.created", _("a visitor answered a reading")
    LABEL_CREATED = "label.created", _("a reviewer labelled a drawing")
    MODEL_PROMOTED = "model.promoted", _("another model became active")


TEST_EVENT = "webhook.test"
"""The event that staff send to try a webhook; every webhook gets it."""


class WebhookQuerySet(models.QuerySet["Webhook"]):
    """Filters of webhooks."""

    def enabled(self) -> Self:
        """Keep the webhooks that get events."""
        return self.filter(state=Webhook.State.ENABLED)

    def failing(self) -> Self:
        """Keep the enabled webhooks whose last attempts failed."""
        return self.enabled().filter(failing_since__isnull=False)

    def stopped(self) -> Self:
        """Keep the webhooks that the site itself has disabled."""
        return self.filter(state__in=[Webhook.State.GONE, Webhook.State.FAILED])

    def free_for(self, worker: str, *, now: datetime) -> Self:
        """Drop webhooks that rest, or that another worker delivers to."""
        return self.filter(
            Q(leased_until__isnull=True) | Q(leased_until__lt=now) | Q(leased_by=worker)
        ).exclude(resume_at__gt=now)


class Webhook(BaseModel):
    """An address that gets the site's events, for all visitors and models."""

    class State(models.TextChoices):
        ENABLED = "enabled", _("enabled")
        DISABLED = "disabled", _("disabled by staff")
        GONE = "gone", _("disabled: the receiver answered 410 Gone")
        FAILED = "failed", _("disabled: no success for three days")

    url = models.CharField(max_length=500, verbose_name=_("address"))
    events = models.JSONField(default=list, verbose_name=_("events"))
    # Symmetric, so it is stored as it is: each delivery is signed with it.
    secret = models.CharField(max_length=60, editable=False)
    # Signs as well for a day after a rotation, so that receivers need not stop.
    former_secret = models.CharField(max_length=60, blank=True, editable=False)
    rotated_at = models.DateTimeField(null=True, editable=False)
    state = models.CharField(
        max_length=8, choices=State, default=State.ENABLED, verbose_name=_("state")
    )
    # Since when nothing has succeeded, and how many rounds have failed in a row.
    failing_since = models.DateTimeField(null=True, verbose_name=_("failing since"))
    failures = models.PositiveIntegerField(default=0)
    resume_at = models.DateTimeField(null=True)
    # One worker at a time delivers, which keeps each drawing's events in order.
    leased_by = models.CharField(max_length=36, blank=True, default="")
    leased_until = models.DateTimeField(null=True)

    objects = WebhookQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")

    def __str__(self) -> str:
        return self.url

    @property
    def is_enabled(self) -> bool:
        """Whether it gets events."""
        return self.state == self.State.ENABLED

    def secrets_at(self, moment: datetime) -> list[str]:
        """Return the secrets to sign with, the present one first."""
        if self.rotated_at and moment < self.rotated_at + FORMER_SECRET_SIGNS:
            return [self.secret, self.former_secret]
        return [self.secret]


FORMER_SECRET_SIGNS = timedelta(days=1)


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    """Filters of deliveries."""

    def waiting(self) -> Self:
        """Keep those that have neither succeeded nor been given up."""
        return self.filter(state=Delivery.State.WAITING)

    def next_of_each_drawing(self) -> Self:
        """Drop those that come after another waiting one of the same drawing."""
        earlier = Delivery.objects.waiting().filter(
            webhook=models.OuterRef("webhook"),
            submission=models.OuterRef("submission"),
            pk__lt=models.OuterRef("pk"),
        )
        return self.filter(~models.Exists(earlier))


class Delivery(models.Model):
    """The outbox: an event for a webhook, written in the event's own transaction.

    Keys ascend in the order of a drawing's events: they are given while its row is
    locked. Deleting a drawing deletes its deliveries.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        DELIVERED = "delivered", _("delivered")
        GIVEN_UP = "given_up", _("given up")

    class Trouble(models.TextChoices):
        STATUS = "status", _("refused by the receiver")
        PRIVATE = "private", _("the name leads to a private address")
        NO_NAME = "no_name", _("the name is not known")
        CERTIFICATE = "certificate", _("the certificate is not valid for this name")
        NO_CONNECTION = "no_connection", _("no connection")
        NO_ANSWER = "no_answer", _("no answer in time")
        NO_HTTP = "no_http", _("the answer is not HTTP")

    id = models.BigAutoField(primary_key=True)
    # The same in each attempt, so that receivers can drop repeats.
    message_id = models.UUIDField(default=new_id, editable=False)
    # Without a constraint in the database: a webhook that is deleted meanwhile must not
    # keep a drawing from being stored.
    webhook = models.ForeignKey(
        Webhook,
        models.CASCADE,
        related_name="deliveries",
        db_constraint=False,
        db_index=False,
    )
    submission = models.ForeignKey(
        Submission, models.CASCADE, related_name="deliveries", null=True
    )
    event = models.CharField(max_length=20, verbose_name=_("event"))
    # The body as it is signed and sent.
    payload = models.TextField()
    created_at = models.DateTimeField(default=timezone.now, verbose_name=_("created"))
    # When its three days began: with the event, or when staff sent it again.
    queued_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    state = models.CharField(
        max_length=9, choices=State, default=State.WAITING, verbose_name=_("state")
    )
    attempts = models.PositiveIntegerField(default=0, verbose_name=_("attempts"))
    # Of the latest attempt.
    tried_at = models.DateTimeField(null=True, verbose_name=_("last attempt"))
    status = models.PositiveSmallIntegerField(null=True)
    trouble = models.CharField(max_length=13, choices=Trouble, blank=True, default="")
    duration_ms = models.PositiveIntegerField(null=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes: ClassVar = [
            models.Index(fields=["webhook", "-id"], name="delivery_newest"),
            models.Index(
                fields=["webhook", "id"],
                condition=Q(state="waiting"),
                name="delivery_waiting",
            ),
            models.Index(
                fields=["webhook", "submission", "id"],
                condition=Q(state="waiting"),
                name="delivery_waiting_of_drawing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} {self.message_id}"
