"""The figures of a model, and how far they drift."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.utils import timezone

from mlcore.reading.histograms import BINS
from recognizer.drawings import tallies
from recognizer.drawings.statistics import Share, reviewed_by_model
from recognizer.models import GateReport, ModelVersion, Refusal, Submission

DAYS_SHOWN = 30
INK_OF_MNIST = (
    *(0, 118, 1667, 4635, 7648, 9728, 9883, 8274, 5758, 3634),
    *(1959, 996, 433, 170, 61, 25, 5, 5, 0, 1),
)
"""Histogram of the ink in MNIST's 55,000 training images, in BINS."""
SMALLEST_SHARE = 1e-4  # of a bin, so that an empty one does not make drift infinite


@dataclass(frozen=True)
class Figures:
    """The figures of the site and of one model.

    model: the version, None if there is none. accuracy, confusion, confidence and the
    pointers' accuracies cover this version only.
    by_day: day and number. refusals: code, name and number. confusion: by true digit,
    then by likeliest digit. confidence, ink: histograms in BINS. confidence_drift,
    ink_drift: PSI; None if there is nothing to compare with.
    """

    model: ModelVersion | None
    drawings: int
    by_day: list[tuple[date, int]]
    accuracy: Share | None
    refused: float
    refusals: list[tuple[str, str, int]]
    confusion: list[list[int]]
    confidence: list[int]
    confidence_drift: float | None
    ink: list[int]
    ink_drift: float | None
    pointers: list[dict[str, Any]]


def current_figures(
    *,
    version: ModelVersion | None = None,
    days: int = DAYS_SHOWN,
    shipped_confidence: Sequence[int] = (),
) -> Figures:
    """Return the figures from the tallies, without counting rows.

    Args:
        version: by default the active one.
        shipped_confidence: the reference histogram, in BINS, for a version without a
            gate report, because it came with the code; empty if unknown.
    """
    kept = tallies.of_site()

    def number(name: str) -> int:
        return kept[name]

    today = timezone.now().date()
    dates = [today - timedelta(days=ago) for ago in range(days - 1, -1, -1)]
    refused = number(tallies.REFUSED)
    answered = [tallies.NUMBER, *map(tallies.digit_tally, range(10))]
    drawings = refused + sum(map(number, answered))
    if version is None:
        version = ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).first()
    reviewed = reviewed_by_model(version) if version else None
    by_version = tallies.of_model(version) if version else {}
    bins = range(BINS)
    confidence = [by_version.get(f"confidence:{place}", 0) for place in bins]
    ink = [number(f"ink:{place}") for place in bins]
    reference = _reference(version)
    usual_confidence = reference["confidence"] if reference else shipped_confidence
    return Figures(
        model=version,
        drawings=drawings,
        by_day=[(day, number(f"day:{day}")) for day in dates],
        accuracy=reviewed.all.share if reviewed else None,
        refused=refused / drawings if drawings else 0.0,
        refusals=[
            (code, str(name), number(f"refusal:{code}"))
            for code, name in Refusal.choices
        ],
        confusion=reviewed.confusion if reviewed else [],
        confidence=confidence,
        confidence_drift=population_stability(confidence, usual_confidence),
        ink=ink,
        ink_drift=population_stability(
            ink, reference["ink"] if reference else INK_OF_MNIST
        ),
        pointers=[
            {
                "code": code,
                "name": name,
                "drawings": (drawn := number(f"pointer:{code or 'unknown'}")),
                "refused": number(f"pointer_refused:{code or 'unknown'}")
                / (drawn or 1),
                "accuracy": reviewed.by_pointer[code].share if reviewed else None,
            }
            for code, name in Submission.Pointer.choices
        ],
    )


def _reference(version: ModelVersion | None) -> dict[str, list[int]] | None:
    """Return the reference of a version's gate report, if it has one."""
    gate = (
        GateReport.objects.filter(candidate=version)
        .order_by("-pk")
        .values("report__reference")
        .first()
    )
    return gate["report__reference"] if gate else None


def population_stability(found: Sequence[int], usual: Sequence[int]) -> float | None:
    """Return the population stability index of two histograms; None if one is empty.

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
