"""The model's figures in the admin; each plot links to the drawings behind it."""

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import URLPattern, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from mlcore.reading.histograms import BINS, MOST_INK
from recognizer.desk.access import needs, on_page, page
from recognizer.drawings.statistics import Share
from recognizer.learning.evaluation import evaluation_of
from recognizer.learning.figures import Figures, current_figures
from recognizer.reader.active import active_model
from recognizer.templatetags.figures import share

WIDTH, HEIGHT = 480, 160  # of a plot's bars, in SVG units
CELL = 24


@require_GET
@needs("view_submission", "view_modelversion")
def figures(request: HttpRequest) -> HttpResponseBase:
    """Show how well the active model does."""
    shipped = evaluation_of(active_model().digest)
    found = current_figures(shipped_confidence=shipped["confidence"] if shipped else ())
    read_by = (
        {"predictions__model_version__exact": str(found.model.pk)}
        if found.model
        else {}
    )
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
        confidences=_histogram(found.confidence, "confidence", most=1.0, **read_by),
        ink=_histogram(found.ink, "ink", most=MOST_INK),
        confusion=_confusion(found, read_by),
        digits=[(digit, CELL * digit + CELL // 2) for digit in range(10)],
        pointers=[
            (row, _drawings(pointer__exact=row["code"]), _accuracy(row["accuracy"]))
            for row in found.pointers
        ],
        accuracy=_accuracy(found.accuracy),
        reviewed=_drawings(label_digit__isnull="False"),
        size={"width": WIDTH, "height": HEIGHT + 20, "cells": CELL * 10},
    )
    return render(request, "admin/recognizer/figures.html", context)


def _drawings(**filters: str) -> str:
    """Return the address of the list of drawings with these filters."""
    address = reverse("admin:recognizer_submission_changelist")
    return f"{address}?{urlencode(filters)}"


def _bars(rows: list[tuple[str, int, str, str]]) -> list[dict[str, Any]]:
    """Lay out bars of (label, count, title, link) side by side.

    Positions are whole numbers, because German templates write a decimal comma.
    """
    most = max((count for _, count, *_ in rows), default=0) or 1
    width = WIDTH // max(1, len(rows))
    bars = []
    for number, (label, count, title, link) in enumerate(rows):
        height = round(HEIGHT * count / most)
        bars.append(
            {
                "x": number * width,
                "y": HEIGHT - height,
                "width": round(width * 0.85),
                "height": height,
                "label": label,
                "title": f"{title}: {count}",
                "link": link,
            }
        )
    return bars


def _histogram(
    counts: list[int], column: str, *, most: float, **filters: str
) -> list[dict[str, Any]]:
    """Lay out a histogram of a column of the shown predictions."""
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


def _confusion(found: Figures, read_by: dict[str, str]) -> list[dict[str, Any]]:
    """Lay out the cells of the confusion matrix."""
    return [
        {
            "x": CELL * read,
            "y": CELL * truth,
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
