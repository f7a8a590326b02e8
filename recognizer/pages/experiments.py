"""What the experiments came to, from the file that `mlcore.judging.experiments` writes.

Whatever its figures are, what is said of them is computed here: who read best, whether
its lead is greater than chance gives, and who did not learn.
"""

import json
import logging
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

from django.utils.dateparse import parse_datetime
from django.utils.formats import get_format
from django.utils.translation import gettext, gettext_noop

logger = logging.getLogger(__name__)

_Parsed = TypeVar("_Parsed")

LEARNT_FROM = 0.5
"""Accuracy from which a training has learnt; who guesses reads a tenth."""

# How the page calls what the file names, where that is not its name in the trade.
NAMES = {
    "SGD with momentum": gettext_noop("SGD with momentum"),
    "relu": "ReLU",
    "gelu": "GELU",
    "one dense layer": gettext_noop("one dense layer"),
    "two dense layers": gettext_noop("two dense layers"),
    "three dense layers": gettext_noop("three dense layers"),
    "convolutions with pooling": gettext_noop("convolutions with pooling"),
    "the fast network": gettext_noop("the fast network"),
    "the shipped network": gettext_noop("the shipped network"),
    "example": gettext_noop("Keras example"),
    "fast": gettext_noop("the fast recipe"),
}


@dataclass(frozen=True)
class Answer:
    """One way to train, and how it read held-out digits.

    accuracies: of each seed, after each of its epochs.
    log_loss: after the last epoch, mean over the seeds; None where one diverged.
    is_base: whether it is what all questions start from.
    """

    name: str
    accuracies: list[list[float]]
    log_loss: float | None
    weights: int
    is_base: bool

    @property
    def last(self) -> list[float]:
        """Accuracy of each seed after its last epoch."""
        return [epochs[-1] for epochs in self.accuracies]

    @property
    def seeds(self) -> int:
        """How often it was trained."""
        return len(self.accuracies)

    @cached_property
    def accuracy(self) -> float:
        """Mean over the seeds, after the last epoch."""
        return statistics.fmean(self.last)

    @cached_property
    def spread(self) -> float:
        """Standard deviation over the seeds; 0 of a single one."""
        return _deviation(self.last)

    @property
    def failed(self) -> int:
        """How many of its trainings did not learn."""
        return sum(accuracy < LEARNT_FROM for accuracy in self.last)

    def errors(self) -> list[tuple[float, float, float]]:
        """Return least, mean and greatest error of the seeds after each epoch."""
        return [
            (1 - max(seeds), 1 - statistics.fmean(seeds), 1 - min(seeds))
            for seeds in zip(*self.accuracies, strict=True)
        ]


@dataclass(frozen=True)
class Finding:
    """What came of a question.

    best: who read most right of those that always learnt; None where nobody did.
    second: who comes next among them.
    spread: the greatest standard deviation that a lead was held against.
    as_good: who is behind the best by no more than the spread over their seeds.
    failed: who did not learn in all of its trainings.
    """

    best: Answer | None
    second: Answer | None
    spread: float
    as_good: list[Answer]
    failed: list[Answer]

    @property
    def lead(self) -> float:
        """By how much the best is ahead of the second."""
        if self.best is None or self.second is None:
            return 0.0
        return self.best.accuracy - self.second.accuracy


@dataclass(frozen=True)
class Question:
    """One thing that was varied, with the answers in the order they were tried."""

    name: str
    answers: list[Answer]

    @property
    def seeds(self) -> int:
        """How often each answer was trained."""
        return min(answer.seeds for answer in self.answers)

    @cached_property
    def finding(self) -> Finding:
        """Say who read best, and who may be as good.

        A lead is told from chance where it is greater than the standard deviations of
        both over their seeds.
        """
        failed = [answer for answer in self.answers if answer.failed]
        ranked = sorted(
            (answer for answer in self.answers if not answer.failed),
            key=lambda answer: answer.accuracy,
            reverse=True,
        )
        if not ranked:
            return Finding(None, None, 0.0, [], failed)
        best, *others = ranked
        as_good = [
            other
            for other in others
            # As they are told: nobody shall read that 0.05 is greater than 0.05.
            if _told(best.accuracy - other.accuracy)
            <= _told(max(best.spread, other.spread))
        ]
        return Finding(
            best=best,
            second=others[0] if others else None,
            spread=max(one.spread for one in (best, *(as_good or others[:1]))),
            as_good=as_good,
            failed=failed,
        )


@dataclass(frozen=True)
class Experiments:
    """All questions, and under which conditions they were answered."""

    questions: list[Question]
    base: Mapping[str, Any]
    trained_on: int
    read: int
    machine: str
    versions: Mapping[str, str]
    date: date | None


@dataclass(frozen=True)
class Timed:
    """How long a recipe takes, as medians in seconds, and what it comes to.

    whole_s: of the process; training_s: of the training alone.
    accuracy, spread: on MNIST's test images, mean and standard deviation.
    """

    name: str
    whole_s: float
    training_s: float
    accuracy: float
    spread: float


@dataclass(frozen=True)
class Fast:
    """The fast recipe beside Keras' own example.

    times: by how much the example takes longer, as the median of the seeds' ratios.
    """

    recipes: list[Timed]
    times: float
    seeds: int
    cores: int
    cpu: str
    date: date | None


def experiments_in(path: Path) -> Experiments | None:
    """Return what the experiments came to; None where no file says so."""
    return _shown(path, _experiments)


def fast_in(path: Path) -> Fast | None:
    """Return what `python -m bench.training` measured; None where no file says so."""
    return _shown(path, _fast)


def _shown(
    path: Path, parsed: Callable[[Mapping[str, Any]], _Parsed]
) -> _Parsed | None:
    try:
        return parsed(_read(path, path.stat().st_mtime_ns))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        logger.error("%s cannot be shown: %r", path, error)
        return None


@lru_cache(maxsize=2)
def _read(path: Path, changed_ns: int) -> dict[str, Any]:
    written: dict[str, Any] = json.loads(path.read_text())
    return written


def _experiments(written: Mapping[str, Any]) -> Experiments:
    trained_on, read = written["digits"]
    return Experiments(
        questions=[
            Question(
                name,
                [_answer(label, found, written["base"]) for label, found in told],
            )
            for name, answers in written["questions"].items()
            if (told := [(k, v) for k, v in answers.items() if v["runs"]])
        ],
        base=written["base"],
        trained_on=trained_on,
        read=read,
        machine=written["machine"],
        versions={"python": written["python"], **written["versions"]},
        date=_day(written["finished"]),
    )


def _answer(label: str, found: Mapping[str, Any], base: Mapping[str, Any]) -> Answer:
    runs: Sequence[Mapping[str, Any]] = found["runs"]
    epochs = {len(run["accuracy"]) for run in runs}
    if len(epochs) != 1 or 0 in epochs:
        raise ValueError(f"{label} was trained for {sorted(epochs)} epochs")
    log_loss = statistics.fmean(run["loss"][-1] for run in runs)
    return Answer(
        name=_named(label),
        accuracies=[run["accuracy"] for run in runs],
        log_loss=log_loss if math.isfinite(log_loss) else None,
        weights=runs[0]["weights"],
        is_base=found["setting"] == base,
    )


def _fast(written: Mapping[str, Any]) -> Fast:
    runs = written["runs"]
    return Fast(
        recipes=[_timed(_named(name), runs[name]) for name in ("example", "fast")],
        times=statistics.median(
            example["all_s"] / fast["all_s"]
            for example, fast in zip(runs["example"], runs["fast"], strict=True)
        ),
        seeds=len(runs["fast"]),
        cores=written["machine"]["cores"],
        cpu=written["machine"]["cpu"],
        date=_day(written["finished"]),
    )


def _timed(name: str, runs: Sequence[Mapping[str, Any]]) -> Timed:
    accuracies = [run["accuracy"] for run in runs]
    return Timed(
        name=name,
        whole_s=statistics.median(run["all_s"] for run in runs),
        training_s=statistics.median(run["fit_s"] for run in runs),
        accuracy=statistics.fmean(accuracies),
        spread=_deviation(accuracies),
    )


def _told(share: float) -> float:
    """Round as the page does: hundredths of a percent."""
    return round(share, 4)


def _deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _day(written: str) -> date | None:
    moment = parse_datetime(written)
    return moment.date() if moment else None


def _named(label: str) -> str:
    if label in NAMES:
        return gettext(NAMES[label])
    if label.replace(".", "", 1).isdecimal():  # a number, as the reader writes it
        return label.replace(".", str(get_format("DECIMAL_SEPARATOR")))
    return label
