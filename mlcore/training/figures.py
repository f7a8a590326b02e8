"""Accuracy, refusals and calibration of a set of readings whose digits are known."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from mlcore.reading.calibrate import DIGITS, expected_calibration_error
from mlcore.reading.inference import Reading, Recogniser
from mlcore.training.data import Digits
from mlcore.training.progress import progress


class Figures(TypedDict):
    """Figures of a set of readings; shares in [0, 1].

    accuracy: by the largest probability, refused or not. accuracy_answered: without
    refused drawings; None if all were refused. ece: expected calibration error over
    15 bins.
    """

    digits: int
    accuracy: float
    refused: float
    accuracy_answered: float | None
    ece: float


@dataclass(frozen=True)
class ReadDigits:
    """Readings of digits and their labels."""

    readings: list[Reading]
    labels: NDArray[Any]

    def __len__(self) -> int:
        return len(self.readings)

    def take(self, places: Iterable[int]) -> "ReadDigits":
        """Return the readings at these places."""
        chosen = list(places)
        return ReadDigits([self.readings[i] for i in chosen], self.labels[chosen])

    @staticmethod
    def joined(parts: Sequence["ReadDigits"]) -> "ReadDigits":
        """Join sets of readings into one."""
        readings = [reading for part in parts for reading in part.readings]
        return ReadDigits(readings, np.concatenate([part.labels for part in parts]))

    @cached_property
    def probabilities(self) -> NDArray[np.float64]:
        """(N, 10)."""
        rows = [reading.probabilities for reading in self.readings]
        return np.array(rows).reshape(-1, DIGITS)

    @property
    def refused(self) -> NDArray[np.bool_]:
        """(N,): whether the reading is a refusal."""
        return np.array([reading.refusal is not None for reading in self.readings])

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(N,): whether the largest probability is that of the true digit."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.labels)

    @cached_property
    def brier(self) -> NDArray[np.float64]:
        """(N,): squared distance of the probabilities from the truth, from 0 to 2."""
        truth = np.eye(DIGITS)[self.labels.astype(np.int64)]
        return np.asarray(((self.probabilities - truth) ** 2).sum(axis=1))

    def figures(self) -> Figures:
        """Return accuracy, refusals and calibration error."""
        refused = self.refused
        return {
            "digits": len(self.readings),
            "accuracy": float(self.right.mean()),
            "refused": float(refused.mean()),
            "accuracy_answered": (
                None if refused.all() else float(self.right[~refused].mean())
            ),
            "ece": expected_calibration_error(self.probabilities, self.labels),
        }

    def by_digit(self) -> list[float | None]:
        """Return ten accuracies; None for a digit without drawings."""
        of_digit = [self.right[self.labels == digit] for digit in range(DIGITS)]
        return [float(right.mean()) if len(right) else None for right in of_digit]


def read_mnist(recogniser: Recogniser, digits: Digits) -> ReadDigits:
    """Read MNIST digits as bitmaps."""
    return ReadDigits(
        [recogniser.read(image) for image in progress(digits.images, "reading MNIST")],
        digits.labels,
    )
