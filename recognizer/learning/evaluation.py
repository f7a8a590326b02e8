"""How the shipped bundle was evaluated, from the file that `make docs` writes."""

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_date
from django.utils.translation import gettext, gettext_noop

from recognizer.drawings.statistics import Share, wilson

logger = logging.getLogger(__name__)

Figures = dict[str, Any]

_FIGURES = {"digits", "accuracy", "refused", "accuracy_answered", "ece"}
# Names in the file and in bundles, with the names that the page shows.
NAMES = {
    "mnist_validation": gettext_noop("MNIST validation (used for model selection)"),
    "mnist_test": gettext_noop("MNIST test"),
    "MNIST": gettext_noop("MNIST"),
    "pen": gettext_noop("Pen drawings"),
    "MNIST test, as pixels": gettext_noop("MNIST test"),
    "MNIST test, as 280x280 PNG": gettext_noop("MNIST test, as large pictures"),
    "pendigits-train, judged writers": gettext_noop("Pen drawings: pendigits"),
    "unipen-digits, judged writers": gettext_noop("Pen drawings: UNIPEN"),
    "all pen drawings, judged writers": gettext_noop("Pen drawings"),
    "letters and symbols": gettext_noop("letters and symbols"),
    "sketches": gettext_noop("sketches"),
    "two or three digits side by side": gettext_noop(
        "two or three digits side by side"
    ),
    "unchanged": gettext_noop("unchanged"),
    "light on dark": gettext_noop("light on dark"),
    "in a corner": gettext_noop("in a corner"),
    "half the size": gettext_noop("half the size"),
    "tiny, an eighth": gettext_noop("tiny, an eighth of the size"),
    "twice the size": gettext_noop("twice the size"),
    "turned by 10 degrees": gettext_noop("turned by 10 degrees"),
    "turned by 20 degrees": gettext_noop("turned by 20 degrees"),
    "turned by 30 degrees": gettext_noop("turned by 30 degrees"),
    "slanted by 0.2": gettext_noop("slanted a little"),
    "slanted by 0.4": gettext_noop("slanted a lot"),
    "thinner by 8 px": gettext_noop("thinner by 8 px"),
    "thicker by 8 px": gettext_noop("thicker by 8 px"),
    "thicker by 16 px": gettext_noop("thicker by 16 px"),
    "blurred by 4 px": gettext_noop("blurred by 4 px"),
    "blurred by 8 px": gettext_noop("blurred by 8 px"),
    "grain of 10 grey levels": gettext_noop("with some noise"),
    "grain of 25 grey levels": gettext_noop("with a lot of noise"),
    "faint, 60 of 255 levels": gettext_noop("faint"),
    "grey paper, grey ink": gettext_noop("grey ink on grey paper"),
    "lit from a side": gettext_noop("lit from one side"),
    "JPEG of quality 15": gettext_noop("as a low-quality JPEG"),
    "on ruled paper": gettext_noop("on ruled paper"),
    "on squared paper": gettext_noop("on squared paper"),
    "one line through it": gettext_noop("with one line through it"),
    "two lines through it": gettext_noop("with two lines through it"),
}


def figures_in(
    path: Path, parse: Callable[[Figures], Figures | None]
) -> Figures | None:
    """Return what `parse` makes of a JSON file; None if it is missing or malformed."""
    try:
        return parse(json.loads(path.read_text()))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        logger.error("%s cannot be shown: %r", path, error)
        return None


def evaluation_of(digest: str) -> Figures | None:
    """Return the evaluation that comes with the code, if it is of this bundle.

    digits, others, changed: a row for each kind of drawing. misread: for each kind of
    digits, the share of each digit that was misread. confidence: histogram of the
    digits' confidence, in equal bins; empty if it was not counted.
    """

    def parse(written: Figures) -> Figures | None:
        return _evaluation(written) if written["bundle"] == digest else None

    return figures_in(settings.MODEL_EVALUATION, parse)


def judged_by_metrics(metrics: Mapping[str, Any]) -> list[Figures]:
    """Return the figures that a bundle itself contains."""
    return [
        _digits(name, figures)
        for name, figures in metrics.items()
        if isinstance(figures, dict) and figures.keys() >= _FIGURES
    ]


def _evaluation(written: Figures) -> Figures:
    return {
        "date": parse_date(written["date"]),
        "digits": [_digits(name, row) for name, row in written["digits"].items()],
        "others": [
            {
                "name": _named(name),
                "number": row["drawings"],
                "refused": row["refused"],
                "auroc": row["auroc"],
            }
            for name, row in written.get("non_digits", {}).items()
        ],
        "changed": [
            {"name": _named(name), "mnist": row["MNIST"], "pen": row.get("pen")}
            for name, row in written.get("changed", {}).items()
        ],
        "misread": {
            _named(name): [1 - (1.0 if share is None else share) for share in shares]
            for name, shares in written.get("by_digit", {}).items()
        },
        "confidence": written.get("confidence", []),
    }


def _digits(name: str, figures: Mapping[str, Any]) -> Figures:
    number, accuracy = figures["digits"], figures["accuracy"]
    return {
        "name": _named(name),
        "number": number,
        "accuracy": wilson(round(accuracy * number), number) or Share(accuracy, 0, 1),
        "refused": figures["refused"],
        "accuracy_answered": figures["accuracy_answered"],
        "ece": figures["ece"],
    }


def _named(name: str) -> str:
    return gettext(NAMES.get(name, name))
