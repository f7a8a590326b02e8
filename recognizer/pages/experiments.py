"""The experiments' results, from the file that `mlcore.judging.experiments` writes.

The page's conclusions are computed from the figures: which answer is best, whether its
lead is larger than chance explains, and which answers did not learn.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import get_format
from django.utils.translation import gettext, gettext_noop

from recognizer.learning.evaluation import figures_in

LEARNT_FROM = 0.5
"""A training below this accuracy has not learnt; guessing gets 10 %."""

# Names in the file that the page translates or writes differently.
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
    """One way to train, and how well it reads held-out digits.

    accuracies: for each seed, the accuracy after each epoch.
    log_loss: after the last epoch, mean over the seeds; None where one diverged.
    is_base: whether it is the setting that all questions start from.
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
        """The number of trainings, one for each seed."""
        return len(self.accuracies)

    @cached_property
    def accuracy(self) -> float:
        """Mean over the seeds, after the last epoch."""
        return statistics.fmean(self.last)

    @cached_property
    def spread(self) -> float:
        """Standard deviation over the seeds; 0 for a single seed."""
        return _deviation(self.last)

    @property
    def failed(self) -> int:
        """How many of its trainings did not learn."""
        return sum(accuracy < LEARNT_FROM for accuracy in self.last)

    def errors(self) -> list[tuple[float, float, float]]:
        """Return the least, mean and greatest error of the seeds after each epoch."""
        return [
            (1 - max(seeds), 1 - statistics.fmean(seeds), 1 - min(seeds))
            for seeds in zip(*self.accuracies, strict=True)
        ]


@dataclass(frozen=True)
class Question:
    """One setting that was varied, with the answers in the order they were tried."""

    name: str
    answers: list[Answer]

    @property
    def seeds(self) -> int:
        """How often each answer was trained."""
        return min(answer.seeds for answer in self.answers)

    @property
    def failed(self) -> list[Answer]:
        """The answers that failed to learn in at least one training."""
        return [answer for answer in self.answers if answer.failed]

    @cached_property
    def ranked(self) -> list[Answer]:
        """The answers whose networks learnt in every training, most accurate first."""
        learnt = [answer for answer in self.answers if not answer.failed]
        return sorted(learnt, key=lambda answer: answer.accuracy, reverse=True)

    @cached_property
    def as_good(self) -> list[Answer]:
        """The answers that may be as good as the best.

        A lead is clear if it is greater than the standard deviations of both.
        """
        best = self.ranked[0]
        return [
            other
            for other in self.ranked[1:]
            # Rounded as on the page, which must not say that 0.05 exceeds 0.05.
            if round(best.accuracy - other.accuracy, 4)
            <= round(max(best.spread, other.spread), 4)
        ]

    @property
    def lead(self) -> float:
        """The lead of the best answer over the second."""
        return self.ranked[0].accuracy - self.ranked[1].accuracy

    @property
    def spread(self) -> float:
        """The greatest standard deviation that the lead was compared with."""
        compared = self.as_good or self.ranked[1:2]
        return max(answer.spread for answer in (self.ranked[0], *compared))


def experiments_in(path: Path) -> dict[str, Any] | None:
    """Return the experiments' results; None if there are none to show."""
    return figures_in(path, _experiments)


def fast_in(path: Path) -> dict[str, Any] | None:
    """Return the results of `python -m bench.training`; None if there are none.

    recipes: median seconds of the process and of the training alone, and the accuracy
    on MNIST's test images with its standard deviation.
    times: how much longer the example takes, as the median of the seeds' ratios.
    """
    return figures_in(path, _fast)


def _experiments(written: dict[str, Any]) -> dict[str, Any]:
    trained_on, read = written["digits"]
    return {
        "questions": [
            Question(
                name,
                [_answer(label, found, written["base"]) for label, found in told],
            )
            for name, answers in written["questions"].items()
            if (told := [(k, v) for k, v in answers.items() if v["runs"]])
        ],
        "base": written["base"],
        "trained_on": trained_on,
        "read": read,
        "machine": written["machine"],
        "versions": {"python": written["python"], **written["versions"]},
        "date": _day(written["finished"]),
    }


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


def _fast(written: dict[str, Any]) -> dict[str, Any]:
    runs = written["runs"]
    return {
        "recipes": [_timed(name, runs[name]) for name in ("example", "fast")],
        "times": statistics.median(
            example["all_s"] / fast["all_s"]
            for example, fast in zip(runs["example"], runs["fast"], strict=True)
        ),
        "seeds": len(runs["fast"]),
        "cores": written["machine"]["cores"],
        "cpu": written["machine"]["cpu"],
        "date": _day(written["finished"]),
    }


def _timed(name: str, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    accuracies = [run["accuracy"] for run in runs]
    return {
        "name": _named(name),
        "whole_s": statistics.median(run["all_s"] for run in runs),
        "training_s": statistics.median(run["fit_s"] for run in runs),
        "accuracy": statistics.fmean(accuracies),
        "spread": _deviation(accuracies),
    }


def _deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _day(written: str) -> date | None:
    moment = parse_datetime(written)
    return moment.date() if moment else None


def _named(label: str) -> str:
    if label in NAMES:
        return gettext(NAMES[label])
    if label.replace(".", "", 1).isdecimal():  # a number, in the reader's locale
        return label.replace(".", str(get_format("DECIMAL_SEPARATOR")))
    return label
