"""How the shipped bundle was judged, from the file that `make docs` writes."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_date
from django.utils.translation import gettext, gettext_noop

from recognizer.drawings.statistics import Share, wilson

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JudgedDigits:
    """How a model read digits of one kind that it was not trained on."""

    name: str
    number: int
    accuracy: Share
    refused: float
    accuracy_answered: float
    ece: float


@dataclass(frozen=True)
class JudgedOthers:
    """How a model took drawings that are not one digit."""

    name: str
    number: int
    refused: float
    auroc: float


@dataclass(frozen=True)
class Changed:
    """How a model read digits that were changed before; pen is None where not tried."""

    name: str
    mnist: float
    pen: float | None


@dataclass(frozen=True)
class Evaluation:
    """What was measured of one bundle.

    misread: the share of each digit misread, by kind of digits. confidence: digits by
    the confidence of their reading, in equal bins; empty where nobody counted.
    """

    bundle: str
    date: Any
    digits: list[JudgedDigits]
    others: list[JudgedOthers]
    changed: list[Changed]
    misread: dict[str, list[float]]
    confidence: list[int]


def evaluation_of(digest: str) -> Evaluation | None:
    """Return the evaluation that came with the code, if it is about this bundle."""
    path: Path = settings.MODEL_EVALUATION
    try:
        written = _read(path, path.stat().st_mtime_ns)
        return _parsed(written) if written["bundle"] == digest else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        logger.error("%s cannot be shown: %r", path, error)
        return None


def judged_by_metrics(metrics: Mapping[str, Any]) -> list[JudgedDigits]:
    """Return the figures that a bundle itself brings along."""
    return [
        _digits(_named(name), figures)
        for name, figures in metrics.items()
        if isinstance(figures, dict) and figures.keys() >= _FIGURES
    ]


_FIGURES = {"digits", "accuracy", "refused", "accuracy_answered", "ece"}
# How the page calls what file and bundles name.
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


def _named(name: str) -> str:
    return gettext(NAMES.get(name, name))


@lru_cache(maxsize=2)
def _read(path: Path, changed_ns: int) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(path.read_text())
    return written


def _parsed(written: dict[str, Any]) -> Evaluation:
    return Evaluation(
        bundle=written["bundle"],
        date=parse_date(written["date"]),
        digits=[
            _digits(_named(name), figures)
            for name, figures in written["digits"].items()
        ],
        others=[
            JudgedOthers(
                _named(name), figures["drawings"], figures["refused"], figures["auroc"]
            )
            for name, figures in written.get("non_digits", {}).items()
        ],
        changed=[
            Changed(_named(name), read["MNIST"], read.get("pen"))
            for name, read in written.get("changed", {}).items()
        ],
        misread={
            _named(name): [1 - (1.0 if share is None else share) for share in shares]
            for name, shares in written.get("by_digit", {}).items()
        },
        confidence=written.get("confidence", []),
    )


def _digits(name: str, figures: Mapping[str, Any]) -> JudgedDigits:
    number, accuracy = figures["digits"], figures["accuracy"]
    return JudgedDigits(
        name=name,
        number=number,
        accuracy=wilson(round(accuracy * number), number) or Share(accuracy, 0, 1),
        refused=figures["refused"],
        accuracy_answered=figures["accuracy_answered"],
        ece=figures["ece"],
    )
