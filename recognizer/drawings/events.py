"""Write events into the webhooks' outbox, in the transaction of what they tell of.

Messages are thin, as Standard Webhooks advises: ids, answers and times. They hold no
drawing, no picture and nothing about an account.
"""

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import orjson
from django.utils import timezone

from recognizer.models import (
    TEST_EVENT,
    Delivery,
    Event,
    Feedback,
    Label,
    ModelVersion,
    Submission,
    Webhook,
)

Data = dict[str, Any]


def announce(event: Event, data: Callable[[], Sequence[Data]]) -> None:
    """Queue messages for all webhooks that want this event; call it in a transaction.

    Args:
        data: makes the content of each message; called only if there is a receiver.
            `submission` names the drawing that a message is about.
    """
    enabled = Webhook.objects.enabled().values_list("pk", "events")
    receivers = [pk for pk, events in enabled if event in events]
    if receivers:
        Delivery.objects.bulk_create(
            message(pk, event, one) for one in data() for pk in receivers
        )


def message(webhook_id: UUID, event: str, data: Data) -> Delivery:
    """Return an unsaved delivery, due at once."""
    now = timezone.now()
    body = {"type": event, "timestamp": now, "data": data}
    return Delivery(
        webhook_id=webhook_id,
        submission_id=data.get("submission"),
        event=event,
        payload=orjson.dumps(body, option=orjson.OPT_UTC_Z).decode(),
        created_at=now,
        queued_at=now,
        due_at=now,
    )


def test_message(webhook: Webhook) -> Delivery:
    """Return the unsaved delivery of a test event."""
    return message(webhook.pk, TEST_EVENT, {"webhook": webhook.pk})


def stored(submission: Submission) -> Data:
    """Tell of a stored drawing; needs its shown prediction."""
    shown = submission.shown_prediction
    return {
        "submission": submission.pk,
        "digit": submission.shown_digit,
        "number": submission.shown_number or None,
        "refusal": submission.refusal or None,
        "confidence": shown.confidence,
        "model": shown.model_version.digest,
    }


def answered(feedback: Feedback) -> Data:
    """Tell of a visitor's answer."""
    return {
        "submission": feedback.submission_id,
        "verdict": feedback.verdict,
        "digit": feedback.digit,
        "number": feedback.number or None,
    }


def labelled(label: Label) -> Data:
    """Tell of a reviewer's decision; all are null if it was withdrawn."""
    return {
        "submission": label.submission_id,
        "digit": label.digit,
        "number": label.number or None,
        "rejected": label.rejected or None,
    }


def promoted(version: ModelVersion, former: ModelVersion) -> Data:
    """Tell of another active model."""
    return {"model": version.digest, "former": former.digest}
