"""How well it does: the card of the model that reads now, as a page."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from recognizer.drawings.statistics import (
    Counted,
    Reviewed,
    Share,
    Stats,
    reviewed_by_model,
    stats,
    wilson,
)
from recognizer.learning import evaluation
from recognizer.learning.evaluation import Changed, Evaluation, JudgedDigits
from recognizer.models import ModelVersion
from recognizer.pages.caching import ones_own
from recognizer.pages.plots import Axis, Whisker, bar_width, heat, whisker

VERSIONS_SHOWN = 50


@require_safe
@ones_own
def model(request: HttpRequest) -> HttpResponse:
    """Show what is known of the active model, and which others there are."""
    active = ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).first()
    numbers = stats()
    shown = ModelView(
        active=active,
        versions=list(ModelVersion.objects.newest_first()[:VERSIONS_SHOWN]),
        stats=numbers,
        refused=wilson(numbers.refused, numbers.submissions),
        site=_site(reviewed_by_model(active)) if active else None,
        judged=_judged(active) if active else None,
        calibration=active.manifest.get("calibration", {}) if active else {},
        provenance=active.manifest.get("provenance", {}) if active else {},
    )
    return render(request, "recognizer/model.html", {"page": shown})


@dataclass(frozen=True)
class CountedRow:
    """A number of reviewed drawings read right, and where that is painted."""

    name: str
    counted: Counted
    whisker: Whisker | None


@dataclass(frozen=True)
class ConfusionCell:
    """How often a digit was read as another; heat of 0 to 5."""

    cases: int
    heat: int
    is_right: bool


@dataclass(frozen=True)
class SiteFigures:
    """What reviewed drawings of this site say of the model."""

    all: Counted
    axis: Axis
    by_digit: list[CountedRow]
    confusion: list[list[ConfusionCell]]
    bands: list[tuple[float, float, CountedRow]]


@dataclass(frozen=True)
class JudgedRow:
    """Digits the model was judged on, and where their accuracy is painted."""

    digits: JudgedDigits
    whisker: Whisker


@dataclass(frozen=True)
class MisreadRow:
    """The shares of one digit that were misread, a bar for each kind of digits."""

    digit: int
    bars: list[tuple[float, str]]


@dataclass(frozen=True)
class ChangedRow:
    """Digits that were changed, with the width of the bar of those misread."""

    changed: Changed
    bar: str


@dataclass(frozen=True)
class Judged:
    """How the model was judged before it read here.

    evaluation: None where the one at hand is about another model.
    """

    axis: Axis
    rows: list[JudgedRow]
    evaluation: Evaluation | None
    misread: list[MisreadRow]
    changed: list[ChangedRow]


@dataclass(frozen=True)
class ModelView:
    """The page's content; `site` and `judged` are None while no model is active."""

    active: ModelVersion | None
    versions: list[ModelVersion]
    stats: Stats
    refused: Share | None
    site: SiteFigures | None
    judged: Judged | None
    calibration: dict[str, Any]
    provenance: dict[str, Any]


def _site(reviewed: Reviewed) -> SiteFigures:
    shares = [one.share for one in reviewed.by_digit if one.share]
    axis = Axis.around(shares, step=0.1)

    def row(name: str, counted: Counted) -> CountedRow:
        share = counted.share
        return CountedRow(name, counted, whisker(share, axis) if share else None)

    whole = Axis(0)
    bands = []
    for band in reviewed.bands:
        share, edges = band.counted.share, (band.low, band.high)
        placed = whisker(share, whole, band=edges) if share else None
        bands.append((*edges, CountedRow("", band.counted, placed)))
    return SiteFigures(
        all=reviewed.all,
        axis=axis,
        by_digit=[row(str(digit), one) for digit, one in enumerate(reviewed.by_digit)],
        confusion=[
            [
                ConfusionCell(cases, heat(cases, of=sum(cells)), digit == read)
                for read, cases in enumerate(cells)
            ]
            for digit, cells in enumerate(reviewed.confusion)
        ],
        bands=bands,
    )


def _judged(active: ModelVersion) -> Judged:
    found = evaluation.evaluation_of(active.digest)
    metrics = active.manifest.get("metrics", {})
    digits = found.digits if found else evaluation.judged_by_metrics(metrics)
    axis = Axis.around([one.accuracy for one in digits], step=0.01)
    return Judged(
        axis=axis,
        rows=[JudgedRow(one, whisker(one.accuracy, axis)) for one in digits],
        evaluation=found,
        misread=_misread(found) if found else [],
        changed=_changed(found) if found else [],
    )


def _misread(found: Evaluation) -> list[MisreadRow]:
    every = [share for shares in found.misread.values() for share in shares]
    most = max(every, default=0.0)
    return [
        MisreadRow(
            digit,
            [
                (shares[digit], bar_width(shares[digit], of=most))
                for shares in found.misread.values()
            ],
        )
        for digit in range(10)
    ]


def _changed(found: Evaluation) -> list[ChangedRow]:
    most = max((1 - one.mnist for one in found.changed), default=0.0)
    return [ChangedRow(one, bar_width(1 - one.mnist, of=most)) for one in found.changed]
