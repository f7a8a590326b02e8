"""The outbox's side of deliveries: what is due, and what became of it.

A webhook is leased to one worker at a time, for a round of at most one message of each
drawing. So a drawing's events arrive in order, and a killed worker's messages are sent
again once its lease has ended.

A message that fails waits longer each time, for three days in all. If a whole round
fails, the webhook rests too, and then one message is tried: when the receiver is back,
all that wait are sent at once.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _

from recognizer.drawings.group_commit import only_writer
from recognizer.models import Delivery, User, Webhook
from recognizer.people import mail
from recognizer.people.security_log import note

AT_ONCE = 32  # messages of a round
LEASE = timedelta(seconds=30)  # a round takes 15 s at most
TRIED_FOR = timedelta(days=3)
KEPT_FOR = timedelta(days=7)
_FIRST_WAIT_S, _LONGEST_WAIT_S = 5, 4 * 3600  # of a message
_LONGEST_REST_S = 600  # of a webhook
_GONE = 410
HEALTH = ("failing_since", "failures", "resume_at")
"""The fields that `recover` sets."""


@dataclass(frozen=True)
class Attempt:
    """One attempt: the answer's status, or what went wrong before there was one."""

    delivery: Delivery
    status: int | None
    trouble: str
    duration_ms: int

    @property
    def has_succeeded(self) -> bool:
        """Whether the receiver has taken the message."""
        return not self.trouble


@dataclass(frozen=True)
class Round:
    """Messages to send now; at most one of each drawing."""

    webhook: Webhook
    deliveries: Sequence[Delivery]


def ready(*, worker: str) -> list[UUID]:
    """Return the webhooks for which this worker may have something to do."""
    now = timezone.now()
    due = Delivery.objects.waiting().filter(webhook=OuterRef("pk"), due_at__lte=now)
    webhooks = Webhook.objects.enabled().free_for(worker, now=now)
    return list(
        webhooks.filter(
            # One that fails is tried before its messages are due, and has recovered
            # if none waits any more.
            Q(failing_since__isnull=False) | Exists(due)
        ).values_list("pk", flat=True)
    )


def next_round(
    webhook_id: UUID,
    *,
    worker: str,
    sent: Sequence[Attempt] = (),
    is_last: bool = False,
) -> Round | None:
    """Store what became of a round, and return the next; None if nothing is due.

    In one transaction, because each one flushes the disk.

    Args:
        is_last: only store, and leave the webhook to other workers.
    """
    now = timezone.now()
    with only_writer(), transaction.atomic():
        locked = Webhook.objects.select_for_update().filter(pk=webhook_id)
        webhook = locked.first()
        if webhook is None:  # deleted meanwhile
            return None
        # Where the lease was lost, another worker sends these messages too, and what
        # it stores counts.
        if sent and webhook.leased_by == worker:
            _store(sent, now=now)
            if webhook.is_enabled:
                _judge(webhook, sent, now=now)
        due: list[Delivery] = []
        if not is_last and locked.enabled().free_for(worker, now=now).exists():
            due = _due(webhook, now=now)
            if not due:  # what failed has been given up or deleted
                recover(webhook)
        if due:
            webhook.leased_by, webhook.leased_until = worker, now + LEASE
        elif webhook.leased_by == worker:
            webhook.leased_by, webhook.leased_until = "", None
        webhook.save(update_fields=["leased_by", "leased_until", *HEALTH])
    return Round(webhook, due) if due else None


def _due(webhook: Webhook, *, now: datetime) -> list[Delivery]:
    waiting = webhook.deliveries.waiting().next_of_each_drawing()
    if webhook.failing_since:
        # The one tried least: a message that always fails must not hide a recovery.
        return list(waiting.order_by("attempts", "pk")[:1])
    return list(waiting.filter(due_at__lte=now).order_by("pk")[:AT_ONCE])


def _store(sent: Sequence[Attempt], *, now: datetime) -> None:
    for one in sent:
        delivery = one.delivery
        delivery.tried_at = now
        delivery.status, delivery.trouble = one.status, one.trouble
        delivery.duration_ms = one.duration_ms
        wait_s = min(
            _FIRST_WAIT_S * 4 ** min(delivery.attempts - 1, 9), _LONGEST_WAIT_S
        )
        delivery.due_at = now + _about(wait_s)
        if one.has_succeeded:
            delivery.state = Delivery.State.DELIVERED
        elif now - delivery.queued_at >= TRIED_FOR:
            delivery.state = Delivery.State.GIVEN_UP
    Delivery.objects.bulk_update(
        [one.delivery for one in sent],
        ["attempts", "tried_at", "status", "trouble", "duration_ms", "due_at", "state"],
    )


def _about(seconds: float) -> timedelta:
    """Return up to a fifth more, so that not all come at once."""
    return timedelta(seconds=seconds * (1 + secrets.randbelow(200) / 1000))


def _judge(webhook: Webhook, sent: Sequence[Attempt], *, now: datetime) -> None:
    """Let a webhook rest if a whole round has failed; disable it in the end."""
    if any(one.has_succeeded for one in sent):
        if webhook.failing_since:
            webhook.deliveries.waiting().update(due_at=now)
        recover(webhook)
    else:
        webhook.failing_since = webhook.failing_since or now
        webhook.failures += 1
        rest_s = min(2 ** min(webhook.failures, 10), _LONGEST_REST_S)
        webhook.resume_at = now + _about(rest_s)
    if any(one.status == _GONE for one in sent):
        webhook.state = Webhook.State.GONE
    elif webhook.failing_since and now - webhook.failing_since >= TRIED_FOR:
        webhook.state = Webhook.State.FAILED
    webhook.save(update_fields=["state", *HEALTH])
    if not webhook.is_enabled:
        transaction.on_commit(lambda: _give_notice(webhook))


def recover(webhook: Webhook) -> None:
    """Take a webhook, not saved yet, for one whose last message was delivered."""
    webhook.failing_since = webhook.resume_at = None
    webhook.failures = 0


def _give_notice(webhook: Webhook) -> None:
    """Tell the log and the administrators that a webhook has been disabled."""
    note("webhook disabled", webhook=str(webhook.pk), state=webhook.state)
    if not settings.SENDS_MAIL:
        return
    administrators = User.objects.with_perm("recognizer.change_webhook")
    addresses = {one.email for one in administrators if one.email}
    subject = _("A webhook has been disabled")
    body = _(
        "%(url)s gets no more events (%(state)s). Repair the receiver, then enable the "
        "webhook in the admin. Earlier events of the last seven days can then be sent "
        "again. Events that happen while it is disabled are not kept."
    ) % {"url": webhook.url, "state": webhook.get_state_display()}
    for address in sorted(addresses):
        mail.send_later(EmailMessage(subject, f"{body}\n", to=[address]))


def clear_away() -> None:
    """Delete the messages that were queued, or queued again, more than a week ago."""
    Delivery.objects.filter(queued_at__lt=timezone.now() - KEPT_FOR).delete()


def numbers() -> dict[str, float]:
    """Count what waits and which webhooks do not get their events."""
    waiting = Delivery.objects.waiting().filter(webhook__state=Webhook.State.ENABLED)
    oldest = waiting.order_by("queued_at").values_list("queued_at", flat=True).first()
    return {
        "waiting": waiting.count(),
        "oldest_s": (timezone.now() - oldest).total_seconds() if oldest else 0.0,
        "failing": Webhook.objects.failing().count(),
        "stopped": Webhook.objects.stopped().count(),
    }
