"""The model page: the model card of the active model."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from recognizer.drawings.statistics import Reviewed, reviewed_by_model, stats, wilson
from recognizer.learning import evaluation
from recognizer.learning.model_files import files_offered
from recognizer.models import ModelVersion
from recognizer.pages.caching import ones_own
from recognizer.pages.plots import axis_start, bar_width, heat, whisker

VERSIONS_SHOWN = 50


@require_safe
@ones_own
def model(request: HttpRequest) -> HttpResponse:
    """Show what is known about the active model, and list the versions."""
    active = ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).first()
    numbers = stats()
    page: dict[str, Any] = {
        "active": active,
        "versions": ModelVersion.objects.newest_first()[:VERSIONS_SHOWN],
        "stats": numbers,
        "refused": wilson(numbers.refused, numbers.submissions),
    }
    if active:
        page |= {
            "site": _site(reviewed_by_model(active)),
            "judged": _judged(active),
            "calibration": active.manifest.get("calibration", {}),
            "provenance": active.manifest.get("provenance", {}),
            "files": files_offered(active),
        }
    return render(request, "recognizer/model.html", {"page": page})


def _site(reviewed: Reviewed) -> dict[str, Any]:
    """Return the model's results on this site's reviewed drawings."""
    shares = [one.share for one in reviewed.by_digit if one.share]
    start = axis_start(shares, step=0.1)
    return {
        "all": reviewed.all,
        "axis": {"start": start},
        "by_digit": [
            {
                "name": str(digit),
                "counted": counted,
                "whisker": whisker(counted.share, start=start),
            }
            for digit, counted in enumerate(reviewed.by_digit)
        ],
        "confusion": [
            [
                {
                    "cases": cases,
                    "heat": heat(cases, of=sum(row)),
                    "is_right": digit == read,
                }
                for read, cases in enumerate(row)
            ]
            for digit, row in enumerate(reviewed.confusion)
        ],
        "bands": [
            (
                band.low,
                band.high,
                {
                    "counted": band.counted,
                    "whisker": whisker(band.counted.share, band=(band.low, band.high)),
                },
            )
            for band in reviewed.bands
        ],
    }


def _judged(active: ModelVersion) -> dict[str, Any]:
    """Return how the model was evaluated before it was promoted."""
    found = evaluation.evaluation_of(active.digest)
    metrics = active.manifest.get("metrics", {})
    digits = found["digits"] if found else evaluation.judged_by_metrics(metrics)
    start = axis_start([one["accuracy"] for one in digits], step=0.01)
    judged = {
        "axis": {"start": start},
        "rows": [
            {"digits": one, "whisker": whisker(one["accuracy"], start=start)}
            for one in digits
        ],
        "evaluation": found,
    }
    if found:
        kinds = list(found["misread"].values())
        most = max((share for shares in kinds for share in shares), default=0)
        most_changed = max((1 - one["mnist"] for one in found["changed"]), default=0)
        judged["misread"] = [
            {
                "digit": digit,
                "bars": [
                    (kind[digit], bar_width(kind[digit], of=most)) for kind in kinds
                ],
            }
            for digit in range(10)
            if kinds
        ]
        judged["changed"] = [
            {"changed": one, "bar": bar_width(1 - one["mnist"], of=most_changed)}
            for one in found["changed"]
        ]
    return judged
