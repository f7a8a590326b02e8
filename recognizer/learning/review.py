"""The review queue: reviewers claim, decide, take back and skip drawings.

A claimed drawing is leased to its reviewer for LEASE. Each further claim renews the
leases of the drawings that the reviewer still has.
"""

import contextlib
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import islice
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext as _

from recognizer.learning.labels import add_label
from recognizer.learning.opinions import voices
from recognizer.models import (
    GateReport,
    Label,
    ReviewSkip,
    Submission,
    SubmissionQuerySet,
    User,
    Verdict,
)

LEASE = timedelta(minutes=5)


class ReviewConflictError(ValueError):
    """The drawing's labels or its lease do not allow this; the message says why."""


@dataclass(frozen=True)
class Decision:
    """A reviewer's decision on a drawing: a digit, a number or a rejection."""

    digit: int | None = None
    number: str = ""
    rejected: str = ""


def claim_next(
    *,
    reviewer: User,
    count: int,
    but: Collection[UUID] = (),
    only_trainable: bool = False,
) -> list[Submission]:
    """Claim the most useful undecided drawings for a reviewer.

    Args:
        but: drawings that the reviewer already has; their leases are renewed.
        only_trainable: leave out drawings whose owners do not allow training.
    """
    queue = Submission.objects.awaiting_review().order_by("-review_priority", "pk")
    if only_trainable:
        queue = queue.filter(visitor__may_train=True)
    return _claim(queue, reviewer=reviewer, count=count, but=but)


def claim_agreed(*, reviewer: User, digit: int, count: int) -> list[Submission]:
    """Claim undecided drawings read as this digit and confirmed by their authors."""
    agreed = Submission.objects.awaiting_review().filter(
        verdict=Verdict.RIGHT, shown_digit=digit
    )
    return _claim(agreed.order_by("pk"), reviewer=reviewer, count=count)


@transaction.atomic
def _claim(
    queue: SubmissionQuerySet,
    *,
    reviewer: User,
    count: int,
    but: Collection[UUID] = (),
) -> list[Submission]:
    now = timezone.now()
    free = queue.free_for(reviewer, now=now).exclude(pk__in=but)
    # Skip the rows that another claim is taking right now.
    found = list(
        free.with_shown_prediction().select_for_update(of=("self",), skip_locked=True)[
            :count
        ]
    )
    held = Submission.objects.filter(pk__in=but, leased_by=reviewer)
    taken = Submission.objects.filter(pk__in=[one.pk for one in found])
    for rows in (held, taken):
        rows.update(leased_by=reviewer, leased_until=now + LEASE)
    return found


@transaction.atomic
def decide(*, submission_id: UUID, reviewer: User, decision: Decision) -> Submission:
    """Label a drawing, unless another reviewer has claimed or labelled it.

    Raises:
        Submission.DoesNotExist: its owner has deleted it.
        ReviewConflictError: it is labelled, or leased to another reviewer.
    """
    locked = Submission.objects.filter(pk=submission_id).locked().get()
    _refuse_if_taken(locked, reviewer)
    return add_label(locked, _label_of(decision, reviewer))


def _label_of(decision: Decision, reviewer: User) -> Label:
    return Label(reviewer=reviewer, **asdict(decision))


def _refuse_if_taken(submission: Submission, reviewer: User) -> None:
    if submission.is_labelled:
        raise ReviewConflictError(
            _("Someone else has labelled this drawing; your label was not saved.")
        )
    others = submission.leased_by_id not in (None, reviewer.pk)
    until = submission.leased_until
    if others and until is not None and until > timezone.now():
        raise ReviewConflictError(
            _(
                "Your reservation of this drawing has expired and another reviewer has "
                "it now; your label was not saved."
            )
        )


def doubted(
    *, report: GateReport, reviewer: User, count: int, but: Collection[UUID] = ()
) -> list[Submission]:
    """Return drawings that need a second opinion and that this reviewer may judge.

    A gate doubts a label that contradicts a confident reading if one person alone gave
    it. Left out: drawings that no longer have such a label, and drawings that this
    reviewer has labelled or skipped.
    """
    doubts = report.report.get("doubted", [])  # older reports have none
    ids = [UUID(drawing["submission"]) for drawing in doubts]
    theirs = Label.objects.filter(submission=OuterRef("pk"), reviewer=reviewer)
    skipped = ReviewSkip.objects.filter(submission=OuterRef("pk"), reviewer=reviewer)
    waiting = (
        Submission.objects.filter(~Exists(theirs), ~Exists(skipped), pk__in=ids)
        .filter(review_priority__isnull=True)
        .exclude(pk__in=but)
        .select_related("visitor")
        .with_shown_prediction()
        .order_by("pk")
    )

    def is_doubted(submission: Submission) -> bool:
        label = submission.label_digit, submission.label_number or submission.rejection
        return len(voices([submission])[submission.pk, label]) < 2

    return list(islice(filter(is_doubted, waiting.iterator(chunk_size=200)), count))


@transaction.atomic
def give_second_opinion(
    *, submission_id: UUID, reviewer: User, decision: Decision
) -> Submission:
    """Give a second opinion on another reviewer's label.

    The same decision confirms the label. A different one withdraws it: both opinions
    stay on record, and the drawing returns to the queue.

    Raises:
        Submission.DoesNotExist: its owner has deleted it.
        ReviewConflictError: it has no label, or this reviewer gave it.
    """
    locked = Submission.objects.filter(pk=submission_id).locked().get()
    if not locked.is_labelled:
        raise ReviewConflictError(
            _("This drawing no longer has a label: it is back in the queue.")
        )
    latest = Label.objects.filter(submission=locked).latest("created_at")
    if latest.reviewer_id == reviewer.pk:
        raise ReviewConflictError(
            _(
                "You labelled this drawing yourself. Someone else must give "
                "the second opinion."
            )
        )
    first = Decision(locked.label_digit, locked.label_number, locked.rejection)
    add_label(locked, _label_of(decision, reviewer))
    if decision != first:
        add_label(locked, Label(reviewer=reviewer, is_withdrawn=True))
    return locked


@transaction.atomic
def take_back(*, submission_id: UUID, reviewer: User) -> Submission:
    """Withdraw a reviewer's own decision and lease the drawing to them again.

    Raises:
        Submission.DoesNotExist: its owner has deleted it.
        ReviewConflictError: the current decision is not theirs.
    """
    locked = Submission.objects.filter(pk=submission_id).locked().get()
    latest = Label.objects.filter(submission=locked).order_by("-created_at").first()
    if latest is None or latest.is_withdrawn or latest.reviewer_id != reviewer.pk:
        raise ReviewConflictError(_("You have no label on this drawing to undo."))
    add_label(locked, Label(reviewer=reviewer, is_withdrawn=True))
    locked.leased_by, locked.leased_until = reviewer, timezone.now() + LEASE
    locked.save(update_fields=["leased_by", "leased_until"])
    return locked


def latest_decisions(*, reviewer: User, count: int) -> list[Label]:
    """Return a reviewer's newest labels that count, with their submissions."""
    # More than asked for, because some are withdrawn or replaced.
    labels = Label.objects.filter(reviewer=reviewer).order_by("-pk")
    found: dict[UUID, Label] = {}
    for label in labels.select_related("submission")[: 4 * count]:
        found.setdefault(label.submission_id, label)
    return [
        label
        for label in found.values()
        if not label.is_withdrawn
        and label.digit == label.submission.label_digit
        and label.number == label.submission.label_number
        and label.rejected == label.submission.rejection
    ][:count]


@transaction.atomic
def skip(*, submission_id: UUID, reviewer: User) -> None:
    """Leave a drawing to others: this reviewer does not get it again.

    Raises:
        Submission.DoesNotExist: its owner has deleted it.
    """
    locked = Submission.objects.filter(pk=submission_id).locked().get()
    ReviewSkip.objects.get_or_create(submission=locked, reviewer=reviewer)
    if locked.leased_by_id == reviewer.pk:
        locked.leased_by = locked.leased_until = None
        locked.save(update_fields=["leased_by", "leased_until"])


def skip_all(*, submission_ids: Collection[UUID], reviewer: User) -> None:
    """Leave several drawings to others; ignore deleted ones."""
    for submission_id in sorted(submission_ids):
        with contextlib.suppress(Submission.DoesNotExist):
            skip(submission_id=submission_id, reviewer=reviewer)


def forget_skips(*, reviewer: User) -> int:
    """Offer a reviewer their skipped drawings again; return how many."""
    return ReviewSkip.objects.filter(reviewer=reviewer).delete()[0]


def approve(*, submission_ids: Sequence[UUID], reviewer: User) -> int:
    """Label drawings with the reading that their authors confirmed; return how many.

    Each drawing has its own transaction, so that nobody waits for all of them. Drawings
    that are labelled, claimed by others or no longer confirmed by now are left alone.
    """
    approved = 0
    for submission_id in submission_ids:
        with transaction.atomic():
            found = Submission.objects.filter(pk=submission_id).locked()
            submission = found.filter(verdict=Verdict.RIGHT).first()
            if submission is None:
                continue
            try:
                _refuse_if_taken(submission, reviewer)
            except ReviewConflictError:
                continue
            decision = Decision(submission.shown_digit, submission.shown_number)
            add_label(submission, _label_of(decision, reviewer))
            approved += 1
    return approved
