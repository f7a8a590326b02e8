"""The model's figures in the admin: kept as things happen, and led back to drawings."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import admin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from mlcore.reading.histograms import BINS, MOST_INK
from recognizer.desk.access import needs, on_page
from recognizer.drawings.statistics import Share
from recognizer.learning.evaluation import evaluation_of
from recognizer.learning.figures import Figures, current_figures
from recognizer.models import ModelVersion
from recognizer.reader.active import active_model

WIDTH, HEIGHT = 480, 160  # of a plot's bars, in its own units
CELL = 24


@dataclass(frozen=True)
class Bar:
    """One bar of a plot, with the list of drawings behind it."""

    x: float
    y: float
    width: float
    height: float
    label: str
    title: str
    link: str = ""


@dataclass(frozen=True)
class Cell:
    """One cell of the confusion: how many of a digit were read as another."""

    x: int
    y: int
    count: int
    share: float
    is_wrong: bool
    link: str
    title: str


@require_GET
@needs("view_submission", "view_modelversion")
def figures(request: HttpRequest) -> HttpResponseBase:
    """Show how the site's model does."""
    shipped = evaluation_of(active_model().digest)
    found = current_figures(shipped_confidence=shipped.confidence if shipped else ())
    context = on_page(
        request,
        title=_("Figures"),
        found=found,
        traffic=_bars([(day[5:], count, day, "") for day, count in found.by_day]),
        refusals=_bars(
            [
                (name, count, name, _drawings(refusal__exact=code))
                for code, name, count in found.refusals
            ]
        ),
        confidences=_histogram(
            found.confidence, "confidence", most=1.0, **_read_by(found.model)
        ),
        ink=_histogram(found.ink, "ink", most=MOST_INK),
        confusion=_confusion(found),
        digits=[(digit, CELL * digit + CELL // 2) for digit in range(10)],
        pointers=[
            (
                row,
                _drawings(pointer__exact=row.code),
                f"{row.refused:.1%}",
                as_text(row.accuracy),
            )
            for row in found.pointers
        ],
        accuracy=as_text(found.accuracy),
        refused=f"{found.refused:.1%}",
        confidence_drift=_drift(found.confidence_drift),
        ink_drift=_drift(found.ink_drift),
        reviewed=_drawings(label_digit__isnull="False"),
        size={"width": WIDTH, "height": HEIGHT + 20, "cells": CELL * 10},
    )
    return render(request, "admin/recognizer/figures.html", context)


def _drift(index: float | None) -> str:
    return "" if index is None else f"{index:.2f}"


def _drawings(**filters: str) -> str:
    address = reverse("admin:recognizer_submission_changelist")
    return f"{address}?{urlencode(filters)}"


def _read_by(version: ModelVersion | None) -> dict[str, str]:
    return {"predictions__model_version__exact": str(version.pk)} if version else {}


def _bars(rows: list[tuple[str, int, str, str]]) -> list[Bar]:
    """Lay out bars of (label, count, title, link) side by side."""
    most = max((count for _, count, *_ in rows), default=0) or 1
    width = WIDTH / max(1, len(rows))
    return [
        Bar(
            x=round(number * width, 1),
            y=round(HEIGHT * (1 - count / most), 1),
            width=round(width * 0.85, 1),
            height=round(HEIGHT * count / most, 1),
            label=label,
            title=f"{title}: {count}",
            link=link,
        )
        for number, (label, count, title, link) in enumerate(rows)
    ]


def _histogram(
    counts: list[int], column: str, *, most: float, **filters: str
) -> list[Bar]:
    """Lay out bins of a column of the shown predictions."""
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
        label = f"{low:.2f}" if number % 4 == 0 else ""
        rows.append(
            (label, count, f"{low:.2f}\N{EN DASH}{high:.2f}", _drawings(**limits))
        )
    return _bars(rows)


def _confusion(found: Figures) -> list[Cell]:
    cells = []
    for truth, row in enumerate(found.confusion):
        for read, count in enumerate(row):
            cells.append(
                Cell(
                    x=CELL * read,
                    y=CELL * truth,
                    count=count,
                    share=round((count / (sum(row) or 1)) ** 0.5, 3),
                    is_wrong=truth != read,
                    link=_drawings(
                        label_digit__exact=str(truth),
                        shown_digit__exact=str(read),
                        predictions__role__exact="shown",
                        **_read_by(found.model),
                    ),
                    title=_(
                        "%(count)s of %(all)s drawings of %(truth)s read as %(read)s"
                    )
                    % {"count": count, "all": sum(row), "truth": truth, "read": read},
                )
            )
    return cells


def as_text(share: Share | None) -> str:
    """Write a share with its interval."""
    if share is None:
        return _("nothing reviewed yet")
    return f"{share.value:.2%} ({share.low:.2%}\N{EN DASH}{share.high:.2%})"


def addresses() -> list[URLPattern]:
    """Return the page's address, below those of the models."""
    return [path("figures/", admin.site.admin_view(figures), name="figures")]
