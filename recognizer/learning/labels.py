"""What reviewers decide, and all that follows from it."""

from recognizer.drawings import tallies
from recognizer.drawings.idempotency import RequestKey, store_once, stored_under
from recognizer.drawings.priority import review_priority
from recognizer.models import AuditEntry, Label, Submission, User


def label_submission(
    *,
    submission: Submission,
    reviewer: User,
    digit: int | None = None,
    rejected: str = "",
    once: RequestKey | None = None,
) -> Submission:
    """Add what a reviewer decided; all are kept, this one counts.

    Args:
        digit, rejected: exactly one of them.
        once: under a key of before nothing is added.
    """

    def store() -> Submission:
        # Two reviewers at once: the second takes away what the first has added.
        locked = Submission.objects.filter(pk=submission.pk).locked().get()
        return add_label(
            locked, Label(reviewer=reviewer, digit=digit, rejected=rejected)
        )

    return stored_under(once) or store_once(store, once=once)


def add_label(submission: Submission, label: Label) -> Submission:
    """Add a decision to a locked submission with all that follows from it."""
    before = tallies.label_tallies_of(submission)
    AuditEntry.objects.create(
        actor=label.reviewer,
        action=(
            AuditEntry.Action.UNDO if label.is_withdrawn else AuditEntry.Action.LABEL
        ),
        subject=str(submission.pk),
        before=_decision(submission.label_digit, submission.rejection),
        after=_decision(label.digit, label.rejected),
    )
    label.submission = submission
    label.save()
    submission.label_digit, submission.rejection = label.digit, label.rejected
    submission.review_priority = review_priority(submission)
    submission.leased_by = submission.leased_until = None
    submission.save(
        update_fields=[
            "label_digit",
            "rejection",
            "review_priority",
            "leased_by",
            "leased_until",
        ]
    )
    change = tallies.label_tallies_of(submission)
    change.subtract(before)
    tallies.add(change)
    return submission


def _decision(digit: int | None, rejected: str) -> dict[str, object]:
    if digit is None and not rejected:
        return {}
    return {"rejected": rejected} if rejected else {"digit": digit}
