"""Stores reviewers' decisions, with the tallies, priorities and audit entries."""

from recognizer.drawings import tallies
from recognizer.drawings.events import announce, labelled
from recognizer.drawings.idempotency import RequestKey, store_once, stored_under
from recognizer.drawings.priority import review_priority
from recognizer.models import AuditEntry, Event, Label, Submission, User


def label_submission(
    *,
    submission: Submission,
    reviewer: User,
    digit: int | None = None,
    number: str = "",
    rejected: str = "",
    once: RequestKey | None = None,
) -> Submission:
    """Add a reviewer's decision; all are kept, the newest counts.

    Args:
        digit, number, rejected: exactly one of them.
        once: if an earlier request had this key, nothing is added.
    """

    def store() -> Submission:
        # If two reviewers label at once, the second subtracts the first's tallies.
        locked = Submission.objects.filter(pk=submission.pk).locked().get()
        return add_label(
            locked,
            Label(reviewer=reviewer, digit=digit, number=number, rejected=rejected),
        )

    return stored_under(once) or store_once(store, once=once)


def add_label(submission: Submission, label: Label) -> Submission:
    """Add a decision to a locked submission; update priority, tallies and audit."""
    before = tallies.label_tallies_of(submission)
    AuditEntry.objects.create(
        actor=label.reviewer,
        action=(
            AuditEntry.Action.UNDO if label.is_withdrawn else AuditEntry.Action.LABEL
        ),
        subject=str(submission.pk),
        before=_decision(
            submission.label_digit, submission.label_number, submission.rejection
        ),
        after=_decision(label.digit, label.number, label.rejected),
    )
    label.submission = submission
    label.save()
    submission.label_digit, submission.label_number = label.digit, label.number
    submission.rejection = label.rejected
    submission.review_priority = review_priority(submission)
    submission.leased_by = submission.leased_until = None
    submission.save(
        update_fields=[
            "label_digit",
            "label_number",
            "rejection",
            "review_priority",
            "leased_by",
            "leased_until",
        ]
    )
    change = tallies.label_tallies_of(submission)
    change.subtract(before)
    tallies.add(change)
    announce(Event.LABEL_CREATED, lambda: [labelled(label)])
    return submission


def _decision(digit: int | None, number: str, rejected: str) -> dict[str, object]:
    if rejected:
        return {"rejected": rejected}
    if number:
        return {"number": number}
    return {} if digit is None else {"digit": digit}
