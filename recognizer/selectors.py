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
    Snapshot,
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
