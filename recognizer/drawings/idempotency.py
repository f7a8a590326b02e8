"""A POST that is sent twice under the same key is stored once."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from recognizer.metrics import stage
from recognizer.models import IdempotencyKey, Submission


@dataclass(frozen=True)
class RequestKey:
    """The `Idempotency-Key` of a POST: its owner, and a digest of what was sent."""

    owner: str
    key: str
    digest: str


class KeyReusedError(ValueError):
    """Two different requests used the same key."""


def key_row(once: RequestKey, submission: Submission) -> IdempotencyKey:
    """Return an unsaved row for a key."""
    return IdempotencyKey(
        owner=once.owner, key=once.key, digest=once.digest, submission=submission
    )


def stored_under(once: RequestKey | None) -> Submission | None:
    """Return what this request stored before; None if there is nothing.

    Raises:
        KeyReusedError: a different request used this key.
    """
    if once is None:
        return None
    earlier = IdempotencyKey.objects.filter(owner=once.owner, key=once.key).first()
    if earlier is None:
        return None
    if earlier.digest != once.digest:
        raise KeyReusedError(once.key)
    found = Submission.objects.with_shown_prediction()
    return found.filter(pk=earlier.submission_id).first()


def store_once(
    store: Callable[[], Submission], *, once: RequestKey | None
) -> Submission:
    """Store in one transaction; a request with a key, only once."""
    try:
        with stage("store"), transaction.atomic():
            submission = store()
            if once is not None:
                key_row(once, submission).save(force_insert=True)
            return submission
    except IntegrityError:
        # The same request was stored at the same time.
        if earlier := stored_under(once):
            return earlier
        raise
