"""Register webhooks, rotate their secrets, disable and enable them, send again."""

import base64
import secrets
from collections.abc import Collection
from datetime import timedelta

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from recognizer.drawings.events import test_message
from recognizer.models import Delivery, Event, User, Webhook
from recognizer.people.security_log import note
from recognizer.webhooks import addresses, outbox

MOST = 100
_SECRET_BYTES = 32
_PREFIX = "whsec_"  # Standard Webhooks'


class WebhookError(ValueError):
    """Something cannot be done with a webhook; the message says why and what to do.

    field: the field that is wrong, if it is one.
    """

    def __init__(self, code: str, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.code, self.field = code, field


def register_webhook(
    *, url: str, events: Collection[str], by: User
) -> tuple[Webhook, str]:
    """Register a webhook; its secret is returned only here.

    Raises:
        WebhookError: the address, the events or the number of webhooks is not allowed.
    """
    chosen = [event for event in Event.values if event in events]
    if not chosen or set(events) - set(chosen):
        raise WebhookError(
            "invalid",
            _("The events must be one or more of %(events)s.")
            % {"events": ", ".join(Event.values)},
            field="events",
        )
    try:
        addresses.check(url)
    except addresses.AddressError as error:
        raise WebhookError("invalid", str(error), field="url") from error
    secret = _new_secret()
    # Registrations at the same time may exceed the limit by a few.
    if Webhook.objects.count() >= MOST:
        raise WebhookError(
            "too_many_webhooks",
            _("There are %(most)s webhooks, which is the limit. Delete one first.")
            % {"most": MOST},
        )
    webhook = Webhook.objects.create(url=url, events=chosen, secret=secret)
    note("webhook registered", user=by.pk, webhook=str(webhook.pk))
    return webhook, secret


def rotate_secret(*, webhook: Webhook, by: User) -> str:
    """Give a webhook a new secret and return it; the former one signs for a day yet."""
    webhook.former_secret, webhook.secret = webhook.secret, _new_secret()
    webhook.rotated_at = timezone.now()
    webhook.save(update_fields=["former_secret", "secret", "rotated_at"])
    note("webhook secret changed", user=by.pk, webhook=str(webhook.pk))
    return webhook.secret


def disable_webhook(*, webhook: Webhook, by: User) -> None:
    """Stop telling a webhook of events."""
    webhook.state = Webhook.State.DISABLED
    webhook.save(update_fields=["state"])
    note("webhook disabled", user=by.pk, webhook=str(webhook.pk), state=webhook.state)


@transaction.atomic
def enable_webhook(*, webhook: Webhook, by: User) -> None:
    """Tell a webhook of events again; what still waited gets three more days."""
    webhook.state = Webhook.State.ENABLED
    outbox.recover(webhook)
    webhook.save(update_fields=["state", *outbox.HEALTH])
    now = timezone.now()
    webhook.deliveries.waiting().update(queued_at=now, due_at=now)
    note("webhook enabled", user=by.pk, webhook=str(webhook.pk))


def delete_webhook(*, webhook: Webhook, by: User) -> None:
    """Delete a webhook with all its messages."""
    note("webhook deleted", user=by.pk, webhook=str(webhook.pk))
    webhook.delete()


def send_test(*, webhook: Webhook) -> Delivery:
    """Queue a test event for a webhook."""
    delivery = test_message(webhook)
    delivery.save()
    return delivery


def send_again(*, webhook: Webhook, since: timedelta, only_failed: bool = False) -> int:
    """Queue the messages of the last while again, under their ids; return how many.

    Raises:
        WebhookError: the webhook is disabled.
    """
    if not webhook.is_enabled:
        raise WebhookError(
            "disabled", _("This webhook is disabled. Enable it in the admin first.")
        )
    now = timezone.now()
    ended = webhook.deliveries.filter(created_at__gte=now - since).exclude(
        state=Delivery.State.WAITING
    )
    if only_failed:
        ended = ended.filter(state=Delivery.State.GIVEN_UP)
    return ended.update(
        state=Delivery.State.WAITING, attempts=0, queued_at=now, due_at=now
    )


def _new_secret() -> str:
    key = secrets.token_bytes(_SECRET_BYTES)
    return _PREFIX + base64.b64encode(key).decode()
