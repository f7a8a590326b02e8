"""Turn logits into calibrated probabilities and refusals.

Softmax and temperature are applied here only. A network gives thirteen logits: ten for
the digit, three for the kind of drawing. Temperature and thresholds are fitted on
held-out data and stored in the bundle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

DIGITS = 10
KINDS = 3
ONE_DIGIT, SEVERAL, SOMETHING_ELSE = range(KINDS)

Logits = NDArray[np.float32]
"""(N, 13) float32: ten for the digit, then three for the kind."""
Probabilities = NDArray[np.float64]

RefusalCode = Literal["blank", "several", "not_a_digit", "unsure"]


def softmax(logits: NDArray[Any]) -> Probabilities:
    """Turn (..., C) logits into probabilities that sum to 1 along the last axis."""
    wide = logits.astype(np.float64)
    exponentials = np.exp(wide - wide.max(axis=-1, keepdims=True))
    total = exponentials.sum(axis=-1, keepdims=True)
    return np.asarray(exponentials / total, np.float64)


@dataclass(frozen=True)
class Calibration:
    """The temperature and thresholds that turn one network's logits into a reading.

    temperature: divides the digit logits; above 1 it lowers the confidence.
    several_above: refuse as "several" if that kind is likelier than this.
    digitness_below: refuse as "not_a_digit" if one digit is less likely than this.
    confidence_below: refuse as "unsure" if no digit is as likely as this.
    """

    temperature: float
    several_above: float
    digitness_below: float
    confidence_below: float

    def digit_probabilities(self, logits: Logits) -> Probabilities:
        """Return (N, 10) digit probabilities, given that the drawing is one digit."""
        return softmax(logits[..., :DIGITS] / self.temperature)

    def refusal(
        self, probabilities: Probabilities, kinds: Probabilities
    ) -> RefusalCode | None:
        """Return why to refuse a drawing, by (10,) digit, (3,) kind probabilities."""
        if kinds[SEVERAL] > self.several_above:
            return "several"
        if kinds[ONE_DIGIT] < self.digitness_below:
            return "not_a_digit"
        if probabilities.max() < self.confidence_below:
            return "unsure"
        return None


def kind_probabilities(logits: Logits) -> Probabilities:
    """Return (N, 3) probabilities: one digit, several, something else."""
    return softmax(logits[..., DIGITS:])


@dataclass(frozen=True)
class HeldOut:
    """Logits and labels of digits that were not trained on.

    logits: (N, 13). labels: (N,) the true digits.
    """

    logits: Logits
    labels: NDArray[np.uint8]


@dataclass(frozen=True)
class RefusedShares:
    """Largest share of the digits in any held-out set that each refusal may reject."""

    several: float
    not_a_digit: float
    unsure: float


SUREST_THRESHOLD = 0.9
"""Upper limit of `digitness_below`, whatever the held-out sets ask for."""


def fit_temperature(held_out: Sequence[HeldOut]) -> float:
    """Find the temperature with the least negative log-likelihood on held-out digits.

    Every set has the same weight, so that MNIST's many validation images do not
    outweigh the pen writers.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks".
    """
    # The loss has a single minimum, which a fine logarithmic grid finds.
    candidates = np.geomspace(0.2, 5.0, 400)

    def loss(given: HeldOut, temperature: float) -> float:
        likely = softmax(given.logits[:, :DIGITS] / temperature)
        of_truth = likely[np.arange(len(given.labels)), given.labels]
        return float(-np.log(of_truth + 1e-300).mean())

    losses = [
        sum(loss(given, temperature) for given in held_out)
        for temperature in candidates
    ]
    return float(candidates[int(np.argmin(losses))])


def fit_calibration(
    held_out: Sequence[HeldOut], *, shares: RefusedShares
) -> Calibration:
    """Fit temperature and thresholds on sets of held-out digits.

    Each threshold is the mildest that any set asks for, so no set has more than its
    share refused.
    """
    temperature = fit_temperature(held_out)
    kinds = [kind_probabilities(given.logits) for given in held_out]
    confidences = [
        softmax(given.logits[:, :DIGITS] / temperature).max(axis=1)
        for given in held_out
    ]
    several = [np.quantile(kind[:, SEVERAL], 1 - shares.several) for kind in kinds]
    digitness = [np.quantile(kind[:, ONE_DIGIT], shares.not_a_digit) for kind in kinds]
    unsure = [np.quantile(confidence, shares.unsure) for confidence in confidences]
    return Calibration(
        temperature=temperature,
        # refuse as "several" only if that is the likeliest kind
        several_above=max(0.5, float(max(several))),
        digitness_below=min(SUREST_THRESHOLD, float(min(digitness))),
        confidence_below=float(min(unsure)),
    )


def expected_calibration_error(
    probabilities: Probabilities, labels: NDArray[np.uint8], *, bins: int = 15
) -> float:
    """Return the mean gap between confidence and accuracy over equal-width bins.

    Args:
        probabilities: (N, 10). labels: (N,).

    Returns:
        In [0, 1]; each bin is weighted by its number of readings.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        abs(confidence[place == b].mean() - right[place == b].mean())
        * (place == b).sum()
        for b in np.unique(place)
    ]
    return float(sum(gaps) / len(labels))
