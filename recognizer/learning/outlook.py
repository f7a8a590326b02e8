"""What a training on a snapshot can hope for, before anybody queues it."""

from dataclasses import dataclass
from datetime import timedelta
from statistics import median

from django.db.models import F, Q

from mlcore.reading.calibrate import DIGITS
from recognizer.models import Snapshot, Split, Submission, TrainingRun

FEWEST = 6
"""Drawings fixed, or people whose drawings are better read, in a gate's smallest win.

With none broken, and nobody's read worse: the chance is 2 of 2 to the power of 6.
"""
ENOUGH_MISREAD = 50
"""Misread drawings to learn from.

The two simulations of docs/learning.md had 60 to 70 and halved the errors. A round of
`bench.rounds` with about 40 fixed 9 of 82 mistakes.
"""
LAST_RUNS = 5


@dataclass(frozen=True)
class Side:
    """One side of a snapshot.

    misread: drawings that the shown reading got wrong. missing: digits without a
        drawing.
    """

    drawings: int
    people: int
    misread: int
    missing: list[int]


@dataclass(frozen=True)
class Outlook:
    """What is at hand, and how long a training took lately, if one has ended here."""

    training: Side
    hold_out: Side
    usual_time: timedelta | None

    @property
    def has_much_to_learn(self) -> bool:
        """Whether as many drawings were misread as a better model usually needs."""
        return self.training.misread >= ENOUGH_MISREAD

    @property
    def can_win_alone(self) -> bool:
        """Whether the hold-out has people or mistakes enough to prove a win alone."""
        return max(self.hold_out.people, self.hold_out.misread) >= FEWEST


def outlook_of(snapshot: Snapshot) -> Outlook:
    """Return what a training on a snapshot can hope for."""
    return Outlook(
        training=_side(snapshot, Split.TRAIN, "training"),
        hold_out=_side(snapshot, Split.HOLDOUT, "hold-out"),
        usual_time=usual_time(),
    )


def _side(snapshot: Snapshot, split: Split, name: str) -> Side:
    counts = snapshot.datasheet[name]
    digits = snapshot.items.filter(split=split, digit__isnull=False)
    misread = Submission.objects.filter(
        Q(shown_digit__isnull=True) | ~Q(shown_digit=F("label_digit")),
        pk__in=digits.values("submission_id"),
        label_digit__isnull=False,
    )
    return Side(
        drawings=sum(counts.values()),
        people=snapshot.datasheet["people"][name],
        misread=misread.count(),
        missing=[digit for digit in range(DIGITS) if not counts.get(str(digit))],
    )


def usual_time() -> timedelta | None:
    """Return how long the last trainings took, without waiting; None without any."""
    ended = TrainingRun.objects.filter(
        state=TrainingRun.State.DONE, started_at__isnull=False
    ).order_by("-finished_at")[:LAST_RUNS]
    seconds = [
        (run.finished_at - run.started_at).total_seconds()
        for run in ended
        if run.finished_at and run.started_at
    ]
    return timedelta(seconds=median(seconds)) if seconds else None
