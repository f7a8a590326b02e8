"""Rebuild derived columns and tallies from predictions, feedback and labels."""

from collections import Counter
from typing import Any

from django.db import transaction
from django.db.models import Prefetch

from recognizer.drawings import tallies
from recognizer.drawings.priority import review_priority
from recognizer.models import Feedback, Label, Submission, Tally, Verdict


def rebuild_derived() -> int:
    """Rebuild all derived columns and tallies; return how many rows were wrong.

    Operators need it after editing rows by hand.
    """
    mended = 0
    counts: Counter[str] = Counter()
    with transaction.atomic():
        everything = (
            Submission.objects.all()
            .locked()
            .prefetch_related(
                Prefetch(
                    "feedback", Feedback.objects.order_by("created_at"), to_attr="said"
                ),
                Prefetch(
                    "labels", Label.objects.order_by("created_at"), to_attr="decided"
                ),
            )
        )
        for submission in everything.iterator(chunk_size=200):
            mended += _rederive(submission)
            counts += tallies.tallies_of(submission)
        Tally.objects.all().delete()
        Tally.objects.bulk_create(
            [Tally(name=name, count=count) for name, count in counts.items()],
            batch_size=500,
        )
    tallies.forget_old_minutes()
    return mended


def _rederive(submission: Any) -> bool:
    """Rebuild a submission's derived columns; return whether one was wrong."""
    shown = submission.shown_prediction
    said = submission.said[-1] if submission.said else None
    decided = submission.decided[-1] if submission.decided else None
    if said is not None and said.verdict == Verdict.WITHDRAWN:
        said = None
    derived: dict[str, Any] = {
        "shown_digit": shown.digit,
        "shown_number": "" if shown.digit is not None else shown.answer,
        "refusal": shown.refusal,
        "verdict": said.verdict if said else "",
        "corrected_digit": said.digit if said else None,
        "corrected_number": said.number if said else "",
        "label_digit": decided.digit if decided else None,
        "label_number": decided.number if decided else "",
        "rejection": decided.rejected if decided else "",
    }
    stored = {name: getattr(submission, name) for name in derived}
    stored["review_priority"] = submission.review_priority
    for name, value in derived.items():
        setattr(submission, name, value)
    derived["review_priority"] = review_priority(submission)
    wrong = {name: value for name, value in derived.items() if stored[name] != value}
    if wrong:
        Submission.objects.filter(pk=submission.pk).update(**wrong)
    return bool(wrong)
