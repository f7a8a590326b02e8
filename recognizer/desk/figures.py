"""The model's figures in the admin; each plot links to the drawings behind it."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import URLPattern, reverse
from django.utils.formats import date_format, number_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from mlcore.reading.histograms import BINS, MOST_INK
from recognizer.desk.access import needs, on_page, page
from recognizer.drawings.statistics import Share
from recognizer.learning.evaluation import evaluation_of
from recognizer.learning.figures import Figures, current_figures
from recognizer.models import ModelVersion
from recognizer.reader.active import active_model
from recognizer.templatetags.figures import share

WIDTH, HEIGHT = 480, 160  # of a plot's bars, in SVG units
CELL = 24
PERIODS = (30, 90, 365)  # days
LABELS = 7  # at most, below the bars of a plot
FEW_BARS = 10  # so many show their numbers all the time

Row = tuple[str, int, str, str]
"""Label, number, title and link of a bar."""


@dataclass(frozen=True)
class Bar:
    """A bar in SVG units.

    Positions are whole numbers, because German templates write a decimal comma.
    """

    x: int
    y: int
    width: int
    height: int
    label: str
    title: str
    count: int
    link: str


@dataclass(frozen=True)
class Plot:
    """A bar plot with its axis: the lines' heights and numbers."""

    key: str
    title: str
    bars: Sequence[Bar]
    lines: Sequence[tuple[int, int]]
    note: str = ""

    @property
    def shows_numbers(self) -> bool:
        """Whether there is room for all numbers."""
        return len(self.bars) <= FEW_BARS


@require_GET
@needs("view_submission", "view_modelversion")
def figures(request: HttpRequest) -> HttpResponseBase:
    """Show how well a model does: by default the active one, over 30 days.

    With `csv`, answer the rows behind one plot.
    """
    version = None
    if digest := request.GET.get("model"):
        version = get_object_or_404(ModelVersion, digest__startswith=digest)
    asked = request.GET.get("days", "")
    days = int(asked) if asked in map(str, PERIODS) else PERIODS[0]
    shipped = evaluation_of((version or active_model()).digest)
    found = current_figures(
        version=version,
        days=days,
        shipped_confidence=shipped["confidence"] if shipped else (),
    )
    read_by = (
        {"predictions__model_version__exact": str(found.model.pk)}
        if found.model
        else {}
    )
    rows = _rows(found, read_by)
    if wanted := request.GET.get("csv"):
        if wanted not in rows:
            raise Http404
        return _csv(wanted, rows[wanted])
    context = on_page(
        request,
        title=_("Figures"),
        found=found,
        plots=[
            _plot(key, title, rows[key], note)
            for key, title, note in _titles(found, days)
        ],
        versions=ModelVersion.objects.newest_first().only("digest")[:10],
        periods=PERIODS,
        days=days,
        confusion=_confusion(found, read_by),
        digits=[(digit, CELL * digit + CELL // 2) for digit in range(10)],
        pointers=[
            (row, _drawings(pointer__exact=row["code"]), _accuracy(row["accuracy"]))
            for row in found.pointers
        ],
        accuracy=_accuracy(found.accuracy),
        reviewed=_drawings(label_digit__isnull="False"),
        size={"width": WIDTH, "height": HEIGHT, "cells": CELL * 10},
    )
    return render(request, "admin/recognizer/figures.html", context)


def _rows(found: Figures, read_by: dict[str, str]) -> dict[str, list[Row]]:
    """Return the rows of each plot."""
    return {
        "traffic": [
            (
                date_format(day, "j M"),
                count,
                date_format(day),
                _drawings(since=str(day), until=str(day)),
            )
            for day, count in found.by_day
        ],
        "refusals": [
            (name, count, name, _drawings(refusal__exact=code))
            for code, name, count in found.refusals
        ],
        "confidence": _histogram(found.confidence, "confidence", most=1.0, **read_by),
        "ink": _histogram(found.ink, "ink", most=MOST_INK),
        "confusion": [
            (f"{truth}:{read}", count, f"{truth}:{read}", "")
            for truth, row in enumerate(found.confusion)
            for read, count in enumerate(row)
        ],
        "pointers": [
            (row["name"], row["drawings"], row["name"], "") for row in found.pointers
        ],
    }


def _titles(found: Figures, days: int) -> list[tuple[str, str, str]]:
    """Return key, title and note of each plot."""
    model = {"model": found.model or ""}
    return [
        ("traffic", _("Drawings per day, last %(days)s days") % {"days": days}, ""),
        ("refusals", _("Refusals"), ""),
        (
            "confidence",
            _with_drift(
                _("Confidence of model %(model)s") % model, found.confidence_drift
            ),
            _("PSI against the confidence on the digits of the model's evaluation.")
            if found.confidence_drift is not None
            else _("Drift is unknown: this model has no gate report on this site."),
        ),
        (
            "ink",
            _with_drift(_("Ink"), found.ink_drift),
            _(
                "PSI of the mean of the 28x28 picture against the training data. Below "
                "0.1 little has changed, above 0.25 a lot has changed."
            ),
        ),
    ]


def _with_drift(title: str, drift: float | None) -> str:
    if drift is None:
        return title
    written = number_format(drift, decimal_pos=2)
    return _("%(title)s: drift %(drift)s") % {"title": title, "drift": written}


def _csv(name: str, rows: list[Row]) -> HttpResponse:
    """Answer rows as a file: what, and the number of drawings."""
    answer = HttpResponse(
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )
    writer = csv.writer(answer)
    writer.writerow([name, "drawings"])
    writer.writerows([title, count] for _label, count, title, _link in rows)
    return answer


def _drawings(**filters: str) -> str:
    """Return the address of the list of drawings with these filters."""
    address = reverse("admin:recognizer_submission_changelist")
    return f"{address}?{urlencode(filters)}"


def _plot(key: str, title: str, rows: list[Row], note: str) -> Plot:
    """Lay out bars side by side, below an axis that ends at a round number."""
    most = _round_up(max((count for _label, count, *_rest in rows), default=0))
    width = WIDTH // max(1, len(rows))
    every = -(-len(rows) // LABELS)
    bars = []
    for number, (label, count, what, link) in enumerate(rows):
        height = round(HEIGHT * count / most)
        bars.append(
            Bar(
                x=number * width,
                y=HEIGHT - height,
                width=max(1, round(width * 0.85)),
                height=height,
                label=label if number % every == 0 else "",
                title=f"{what}: {count}",
                count=count,
                link=link,
            )
        )
    lines = [(HEIGHT, 0), (HEIGHT // 2, most // 2), (0, most)]
    return Plot(key, title, bars, lines, note)


def _round_up(count: int) -> int:
    """Return the next number of the form 1, 2 or 5 times a power of ten; at least 2."""
    zeros = "0" * (len(str(count)) - 1)
    rounds = (int(f"{factor}{zeros}") for factor in (1, 2, 5, 10))
    return max(2, next(most for most in rounds if most >= count))


def _histogram(
    counts: list[int], column: str, *, most: float, **filters: str
) -> list[Row]:
    """Return a row for each bin of a column of the shown predictions."""
    step = most / BINS
    rows = []
    for number, count in enumerate(counts):
        low, high = number * step, (number + 1) * step
        limits = {
            "predictions__role__exact": "shown",
            f"predictions__{column}__gte": f"{low:.3f}",
            **filters,
        }
        if number < BINS - 1:
            limits[f"predictions__{column}__lt"] = f"{high:.3f}"
        first, last = (number_format(bound, 2) for bound in (low, high))
        title = f"{first}\N{EN DASH}{last}"
        rows.append((first, count, title, _drawings(**limits)))
    return rows


def _confusion(found: Figures, read_by: dict[str, str]) -> list[dict[str, Any]]:
    """Lay out the cells of the confusion matrix."""
    return [
        {
            "x": CELL * read,
            "y": CELL * truth,
            "count": count,
            "opacity": f"{(count / (sum(row) or 1)) ** 0.5:.3f}",
            "is_wrong": truth != read,
            "link": _drawings(
                label_digit__exact=str(truth),
                shown_digit__exact=str(read),
                predictions__role__exact="shown",
                **read_by,
            ),
            "title": _("%(count)s of %(all)s drawings of %(truth)s read as %(read)s")
            % {"count": count, "all": sum(row), "truth": truth, "read": read},
        }
        for truth, row in enumerate(found.confusion)
        for read, count in enumerate(row)
    ]


def _accuracy(accuracy: Share | None) -> str:
    """Write an accuracy with its interval."""
    if accuracy is None:
        return _("nothing reviewed yet")
    low, high = share(accuracy.low), share(accuracy.high)
    return f"{share(accuracy.value)} ({low}\N{EN DASH}{high})"


def addresses() -> list[URLPattern]:
    """Return the page's address, below the models' address."""
    return [page("figures/", figures, name="figures")]
