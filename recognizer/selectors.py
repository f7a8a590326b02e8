"""Answers composed for one page or one call."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from heapq import merge
from itertools import islice
from uuid import UUID

from django.db.models import Count, Min
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from recognizer.drawings import tallies
from recognizer.models import (
    GateReport,
    Label,
    ModelVersion,
    ModelVersionQuerySet,
    Refusal,
    Rejection,
    Snapshot,
    Submission,
    SubmissionQuerySet,
    Tally,
    TrainingRun,
    Verdict,
    Visitor,
)


@dataclass(frozen=True)
class SubmissionPage:
    """One page of a visitor's drawings, newest first.

    older_than, newer_than: keys of the neighbouring pages; None where there is none.
    """

    submissions: list[Submission]
    older_than: UUID | None
    newer_than: UUID | None


def submission_page(
    submissions: SubmissionQuerySet,
    *,
    visitors: Sequence[Visitor],
    size: int,
    before: UUID | None = None,
    after: UUID | None = None,
) -> SubmissionPage:
    """Return the page next to a known drawing.

    Pages go by key, so none is skipped or shown twice while new ones arrive, and
    nothing is ever counted.

    Args:
        visitors: whose drawings; all of one person.
        size: drawings a page.
        before: show older ones than this submission.
        after: show newer ones than this submission.
    """
    loaded = submissions.with_shown_prediction()
    newer = loaded.filter(pk__gt=after) if after else loaded.none()
    found = _first_of_all(newer, visitors, order="pk", count=size + 1)
    if found:
        has_newer, has_older = len(found) > size, True
        shown = found[:size][::-1]
    else:  # from the newest on, also when nothing is newer than `after`
        older = loaded.filter(pk__lt=before) if before else loaded
        found = _first_of_all(older, visitors, order="-pk", count=size + 1)
        has_newer, has_older = before is not None, len(found) > size
        shown = found[:size]
    return SubmissionPage(
        submissions=shown,
        older_than=shown[-1].pk if shown and has_older else None,
        newer_than=shown[0].pk if shown and has_newer else None,
    )


def _first_of_all(
    submissions: SubmissionQuerySet,
    visitors: Sequence[Visitor],
    *,
    order: str,
    count: int,
) -> list[Submission]:
    """Return the first of all that visitors drew, in order.

    The first of each, merged: an index has those in order, whereas asked for all at
    once a database sorts everything they ever drew.
    """
    of_each = [submissions.owned_by(one).order_by(order)[:count] for one in visitors]
    if len(of_each) == 1:  # nearly everybody
        return list(of_each[0])
    keys = (own.values_list("pk", flat=True) for own in of_each)
    first = list(islice(merge(*keys, reverse=order == "-pk"), count))
    return list(submissions.filter(pk__in=first).order_by(order))


@dataclass(frozen=True)
class Neighbours:
    """The drawings beside one in a list; None at its ends."""

    newer: UUID | None
    older: UUID | None


def neighbours(
    submissions: SubmissionQuerySet, *, visitors: Sequence[Visitor], of: UUID
) -> Neighbours:
    """Return what lies beside a drawing, which need not be in the list itself."""
    keys = submissions.only("pk")
    newer = _first_of_all(keys.filter(pk__gt=of), visitors, order="pk", count=1)
    older = _first_of_all(keys.filter(pk__lt=of), visitors, order="-pk", count=1)
    return Neighbours(
        newer=newer[0].pk if newer else None, older=older[0].pk if older else None
    )


What = tuple[int | None, str]
"""What somebody says of a drawing: a digit, or else a rejection."""


def voices(
    submissions: Iterable[Submission],
) -> defaultdict[tuple[UUID, What], set[object]]:
    """Return who says what of these drawings: reviewers, and who drew it.

    People, by user or else browser: nobody counts twice.
    """
    found: defaultdict[tuple[UUID, What], set[object]] = defaultdict(set)
    drawn = list(submissions)
    for submission in drawn:
        owner = submission.visitor.user_id or submission.visitor_id
        if submission.verdict == Verdict.NOT_A_DIGIT:
            for rejection in (Rejection.NOT_A_DIGIT, Rejection.SEVERAL):
                found[submission.pk, (None, rejection.value)].add(owner)
        elif submission.verdict in (Verdict.RIGHT, Verdict.WRONG):
            is_right = submission.verdict == Verdict.RIGHT
            digit = submission.shown_digit if is_right else submission.corrected_digit
            found[submission.pk, (digit, "")].add(owner)
    labels = Label.objects.filter(submission__in=drawn, is_withdrawn=False)
    for pk, digit, rejected, reviewer in labels.values_list(
        "submission", "digit", "rejected", "reviewer"
    ):
        found[pk, (digit, rejected)].add(reviewer)
    return found


def known_models() -> ModelVersionQuerySet:
    """Select all model versions, newest first."""
    return ModelVersion.objects.order_by("-pk")


# --- learning -------------------------------------------------------------------------

DATASHEET = """# Snapshot {digest}

Drawings that people made on this site and gave for training, each labelled by a
reviewer. Made {made}.

- **What a drawing is**: strokes as drawn, or the 28x28 picture of an uploaded one.
- **Who**: {trained} people on the training side, {held} held out; a person is on one
  side for good.
- **Selection**: the newest {most} of each person at most; near-identical drawings once;
  labels "ambiguous", "unreadable" and "offensive" left out. Left out: {left_out}.
- **Pointers**: {pointers}.
- **Use**: to train and judge readers of digits. Owners may delete drawings later;
  readers of this snapshot skip those.

| | training | hold-out |
| --- | --- | --- |
{rows}
"""


def datasheet_text(snapshot: Snapshot) -> str:
    """Write a snapshot's datasheet for people, in Markdown."""
    sheet = snapshot.datasheet
    labels = sorted({*sheet["training"], *sheet["hold-out"]})
    return DATASHEET.format(
        digest=snapshot.digest,
        made=sheet["made"],
        trained=sheet["people"]["training"],
        held=sheet["people"]["hold-out"],
        most=sheet["most of one person"],
        left_out=_listed(sheet["left out"]),
        pointers=_listed(sheet["pointers"]),
        rows="\n".join(
            f"| {label} | {sheet['training'].get(label, 0)} "
            f"| {sheet['hold-out'].get(label, 0)} |"
            for label in labels
        ),
    )


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{n} {name}" for name, n in counts.items()) or "none"


# --- the site's numbers -------------------------------------------------------------


@dataclass(frozen=True)
class Share:
    """A share of a number of cases, with the interval it lies in at 95 %."""

    value: float
    low: float
    high: float


def wilson(successes: int, cases: int) -> Share | None:
    """Return a share with Wilson's score interval; None without any case.

    Source: E. B. Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    if cases <= 0:
        return None
    z = 1.959964  # of the normal distribution, 95 % two-sided
    share = successes / cases
    middle = share + z * z / (2 * cases)
    reach = z * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    scale = 1 + z * z / cases
    low, high = (middle - reach) / scale, (middle + reach) / scale
    # Rounding may carry an end past the share, or past 0 and 1.
    return Share(share, max(0.0, min(low, share)), min(1.0, max(high, share)))


@dataclass(frozen=True)
class Stats:
    """The numbers of the whole site; by_digit as shown, refused ones apart.

    accuracy: of the largest probability, over drawings whose digit a reviewer named.
    """

    submissions: int
    last_24h: int
    by_digit: list[int]
    refused: int
    reviewed: int
    accuracy: Share | None


def stats() -> Stats:
    """Return the site's numbers without counting anything."""
    by_digit_names = [tallies.digit_tally(digit) for digit in range(10)]
    names = [
        *by_digit_names,
        tallies.REFUSED,
        tallies.LABELLED,
        tallies.NAMED,
        tallies.READ_RIGHT,
    ]
    found = dict(Tally.objects.filter(pk__in=names).values_list("name", "count"))
    counts = {name: found.get(name, 0) for name in names}
    by_digit = [counts[name] for name in by_digit_names]
    return Stats(
        submissions=sum(by_digit) + counts[tallies.REFUSED],
        last_24h=sum(tallies.since(timezone.now() - timedelta(days=1))),
        by_digit=by_digit,
        refused=counts[tallies.REFUSED],
        reviewed=counts[tallies.LABELLED],
        accuracy=wilson(counts[tallies.READ_RIGHT], counts[tallies.NAMED]),
    )


# --- how well a model does ---------------------------------------------------------


@dataclass(frozen=True)
class Counted:
    """How many of some drawings were read right."""

    cases: int
    right: int

    @property
    def share(self) -> Share | None:
        """The share read right; None without any case."""
        return wilson(self.right, self.cases)


@dataclass(frozen=True)
class Band:
    """Readings that were so sure of their likeliest digit."""

    low: float
    high: float
    counted: Counted


@dataclass(frozen=True)
class Reviewed:
    """What reviewed drawings say of the model that read them, refused or not.

    confusion: a row for each true digit, how often each digit was the likeliest.
    """

    confusion: list[list[int]]
    bands: list[Band]

    @property
    def by_digit(self) -> list[Counted]:
        """The drawings of each digit."""
        return [
            Counted(sum(row), row[digit]) for digit, row in enumerate(self.confusion)
        ]

    @property
    def all(self) -> Counted:
        """All of them."""
        each = self.by_digit
        return Counted(sum(one.cases for one in each), sum(one.right for one in each))


def reviewed_by_model(version: ModelVersion) -> Reviewed:
    """Return what reviewers' labels say of one model, without counting anything."""
    counts = tallies.of_model(version)
    bands = []
    for number, low in enumerate(tallies.SURE_FROM):
        wrong, right = (counts.get(f"sure:{number}:{is_it}", 0) for is_it in (0, 1))
        high = (*tallies.SURE_FROM, 1.0)[number + 1]
        bands.append(Band(low, high, Counted(wrong + right, right)))
    return Reviewed(
        confusion=[
            [counts.get(f"{digit}:{read}", 0) for read in range(10)]
            for digit in range(10)
        ],
        bands=bands,
    )


@dataclass(frozen=True)
class ModelCard:
    """What the site knows of the model that reads now, and which others it has.

    active, reviewed: None while no model is active.
    """

    active: ModelVersion | None
    reviewed: Reviewed | None
    stats: Stats
    versions: list[ModelVersion]


VERSIONS_SHOWN = 50


def model_card() -> ModelCard:
    """Return the card of the active model; the versions are the newest ones."""
    active = ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).first()
    return ModelCard(
        active=active,
        reviewed=reviewed_by_model(active) if active else None,
        stats=stats(),
        versions=list(known_models()[:VERSIONS_SHOWN]),
    )


# --- the model's figures -----------------------------------------------------------

DAYS_SHOWN = 30
INK_OF_MNIST = (
    *(0, 118, 1667, 4635, 7648, 9728, 9883, 8274, 5758, 3634),
    *(1959, 996, 433, 170, 61, 25, 5, 5, 0, 1),
)
"""Of MNIST's 55,000 training images, how many have so much ink, in tallies.BINS."""


@dataclass(frozen=True)
class Queue:
    """The background work: tasks that wait, for how long, trainings under way."""

    waiting: int
    oldest_s: float
    trainings: int


def queue() -> Queue:
    """Return how the background work stands."""
    found = DBTaskResult.objects.ready().aggregate(
        waiting=Count("pk"), oldest=Min("enqueued_at")
    )
    oldest = found["oldest"]
    running = TrainingRun.objects.filter(state=TrainingRun.State.RUNNING)
    return Queue(
        waiting=found["waiting"],
        oldest_s=(timezone.now() - oldest).total_seconds() if oldest else 0.0,
        trainings=running.count(),
    )


SMALLEST_SHARE = 1e-4  # of a bin, so that an empty one does not make drift infinite


@dataclass(frozen=True)
class PointerFigures:
    """How what was drawn with one pointer is read."""

    code: str
    name: str
    drawings: int
    refused: float
    accuracy: Share | None


@dataclass(frozen=True)
class Figures:
    """What the model's page shows.

    by_day: day and number. refusals: code, name and number. confusion: by true digit,
    then by the likeliest. confidence, ink: numbers in tallies.BINS. confidence_drift,
    ink_drift: PSI; None without anything to compare with.
    """

    drawings: int
    by_day: list[tuple[str, int]]
    accuracy: Share | None
    refused: float
    refusals: list[tuple[str, str, int]]
    confusion: list[list[int]]
    confidence: list[int]
    confidence_drift: float | None
    ink: list[int]
    ink_drift: float | None
    pointers: list[PointerFigures]


def figures(*, shipped_confidence: Sequence[int] = ()) -> Figures:
    """Return the model's figures from numbers kept along: nothing is counted.

    Args:
        shipped_confidence: what is usual where the active version came with the code
            and so had no gate here, in tallies.BINS; empty where unknown.
    """
    kept = dict(
        Tally.objects.exclude(name__startswith="minute:").values_list("name", "count")
    )

    def number(name: str) -> int:
        return kept.get(name, 0)

    today = timezone.now().date()
    days = [str(today - timedelta(days=ago)) for ago in range(DAYS_SHOWN - 1, -1, -1)]
    refused = number(tallies.REFUSED)
    drawings = refused + sum(number(tallies.digit_tally(d)) for d in range(10))
    confidence = [number(f"confidence:{place}") for place in range(tallies.BINS)]
    ink = [number(f"ink:{place}") for place in range(tallies.BINS)]
    reference = _reference()
    usual_confidence = reference["confidence"] if reference else shipped_confidence
    return Figures(
        drawings=drawings,
        by_day=[(day, number(f"day:{day}")) for day in days],
        accuracy=wilson(number(tallies.READ_RIGHT), number(tallies.NAMED)),
        refused=refused / drawings if drawings else 0.0,
        refusals=[
            (code, str(name), number(f"refusal:{code}"))
            for code, name in Refusal.choices
        ],
        confusion=[
            [number(f"read:{truth}:{read}") for read in range(10)]
            for truth in range(10)
        ],
        confidence=confidence,
        confidence_drift=(
            population_stability(confidence, usual_confidence)
            if usual_confidence
            else None
        ),
        ink=ink,
        ink_drift=population_stability(
            ink, reference["ink"] if reference else INK_OF_MNIST
        ),
        pointers=[
            PointerFigures(
                code=code,
                name=str(name),
                drawings=number(f"pointer:{code or 'unknown'}"),
                refused=number(f"pointer_refused:{code or 'unknown'}")
                / (number(f"pointer:{code or 'unknown'}") or 1),
                accuracy=wilson(
                    number(f"pointer_right:{code or 'unknown'}"),
                    number(f"pointer_named:{code or 'unknown'}"),
                ),
            )
            for code, name in Submission.Pointer.choices
        ],
    )


def _reference() -> dict[str, list[int]] | None:
    """Return what was usual at the active version's gate; None where it had none."""
    gate = (
        GateReport.objects.filter(candidate__stage=ModelVersion.Stage.ACTIVE)
        .order_by("-pk")
        .values("report__reference")
        .first()
    )
    return gate["report__reference"] if gate else None


def population_stability(found: Sequence[int], usual: Sequence[int]) -> float | None:
    """Return the population stability index of two histograms; None without drawings.

    Under 0.1 little has changed, over 0.25 a lot has.

    Source: Siddiqi 2006, "Credit Risk Scorecards"; a symmetric Kullback-Leibler
    divergence.
    """
    if not sum(found) or not sum(usual):
        return None

    def shares(counts: Sequence[int]) -> list[float]:
        return [max(count / sum(counts), SMALLEST_SHARE) for count in counts]

    pairs = zip(shares(found), shares(usual), strict=True)
    return sum((new - old) * math.log(new / old) for new, old in pairs)
