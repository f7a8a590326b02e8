"""Answers composed for one page or one call."""

import math
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from recognizer import tallies
from recognizer.models import (
    ModelVersion,
    ModelVersionQuerySet,
    Submission,
    SubmissionQuerySet,
    Tally,
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
    size: int,
    before: UUID | None = None,
    after: UUID | None = None,
) -> SubmissionPage:
    """Return the page next to a known drawing.

    Pages go by key, so none is skipped or shown twice while new ones arrive, and
    nothing is ever counted.

    Args:
        size: drawings a page.
        before: show older ones than this submission.
        after: show newer ones than this submission.
    """
    loaded = submissions.with_shown_prediction()
    newer = loaded.filter(pk__gt=after).order_by("pk") if after else loaded.none()
    found = list(newer[: size + 1])
    if found:
        has_newer, has_older = len(found) > size, True
        shown = found[:size][::-1]
    else:  # from the newest on, also when nothing is newer than `after`
        older = loaded.filter(pk__lt=before) if before else loaded
        found = list(older.order_by("-pk")[: size + 1])
        has_newer, has_older = before is not None, len(found) > size
        shown = found[:size]
    return SubmissionPage(
        submissions=shown,
        older_than=shown[-1].pk if shown and has_older else None,
        newer_than=shown[0].pk if shown and has_newer else None,
    )


@dataclass(frozen=True)
class Neighbours:
    """The drawings beside one in a list; None at its ends."""

    newer: UUID | None
    older: UUID | None


def neighbours(submissions: SubmissionQuerySet, *, of: UUID) -> Neighbours:
    """Return what lies beside a drawing, which need not be in the list itself."""
    keys = submissions.values_list("pk", flat=True)
    return Neighbours(
        newer=keys.filter(pk__gt=of).order_by("pk").first(),
        older=keys.filter(pk__lt=of).order_by("-pk").first(),
    )


def known_models() -> ModelVersionQuerySet:
    """Select all model versions, newest first."""
    return ModelVersion.objects.order_by("-pk")


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
