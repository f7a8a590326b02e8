"""Read what lies between two cuts of a picture, and find the likeliest number.

Each region may be a digit. The network reads it; a small second network scores it, by
that reading and by the region's shape and cuts, since the first one has not learnt what
half a digit looks like. A number is a path of regions from the first cut to the last.
Its probability is its share of all paths.

The second network is trained by `mlcore.judging.region_fit` on whole numbers, without
knowing where their digits end.

Source: segmental conditional random fields, Sarawagi and Cohen 2004.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.calibrate import DIGITS, ONE_DIGIT, Logits, kind_probabilities
from mlcore.reading.cuts import LEAST_INK, MOST_LOST, Cuts
from mlcore.reading.inference import Box, Number, NumberDigit, Recogniser
from mlcore.reading.preprocess import BlankDrawingError, DigitImage, normalize

WEIGHTS = Path(__file__).with_name("regions.npz")
CUT = 0.1
"""A cut that crosses less ink, in widths of a stroke, runs through a gap."""
SMALL, SMALL_WIDTH = 0.3, 0.8
"""A smaller region between gaps may be a point, a comma or a minus. In heights."""
FAINTEST = 0.4
"""Least ink of a digit, in strokes as long as the number is high."""
MOST_APART = 1.5
"""Most ink on both sides of a gap within a digit, as FAINTEST."""
LEAST_LIKELY = 1e-5
NEVER = -1e30

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Way:
    """Regions from the first cut to the last. best: its log likelihood.

    regions: indices; of ignored ones -1 - index.
    """

    best: float
    regions: tuple[int, ...]


@dataclass(frozen=True)
class Scorer:
    """The second network: one hidden layer, (F, N), (N, 11); the last is for any digit.

    ignored: log likelihood of a region that is no digit.
    """

    mean: Floats
    spread: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    any: Floats
    bias: Floats
    of_digit: Floats
    ignored: Floats

    def scores(self, features: Floats, log_digits: Floats) -> Floats:
        """Return the log likelihood of each region (R, F) as each digit: (R, 10)."""
        given = (features - self.mean) / self.spread
        out = np.tanh(given @ self.hidden + self.hidden_bias) @ self.out
        of_any = out[:, DIGITS:] + given @ self.any
        return np.asarray(
            of_any + out[:, :DIGITS] + self.bias + self.of_digit * log_digits
        )


@cache
def scorer() -> Scorer:
    """Return the second network as it was trained."""
    with np.load(WEIGHTS) as weights:
        return Scorer(**{name: weights[name].astype(float) for name in weights.files})


@dataclass(frozen=True)
class Paths:
    """Which regions follow each other, from the first cut to the last.

    pairs: (R, 2) the cuts of each region, those that end first come first. is_small:
    (R,) which may be ignored. scores are (R, 10) log likelihoods of regions as digits.
    """

    cuts: int
    pairs: NDArray[np.int64]
    is_small: NDArray[np.bool_]

    def sum_of_all(self, scores: Floats, ignored: float) -> float:
        """Return the log likelihood of all numbers together."""
        any_digit = np.logaddexp.reduce(scores, axis=1)
        of_region = np.where(self.is_small, np.logaddexp(any_digit, ignored), any_digit)
        sums = np.full(self.cuts, NEVER)
        sums[0] = 0.0
        for cut in range(1, len(sums)):
            ends = self._ends_at(cut)
            if ends.start < ends.stop:
                ways = sums[self.pairs[ends, 0]] + of_region[ends]
                sums[cut] = np.logaddexp.reduce(ways)
        return float(sums[-1])

    def sum_of(self, text: str, scores: Floats, ignored: float) -> float:
        """Return the log likelihood of a number, wherever its digits end."""
        chosen = scores[:, [int(digit) for digit in text]]
        sums = np.full((self.cuts, len(text) + 1), NEVER)
        sums[0, 0] = 0.0
        for cut in range(1, len(sums)):
            ends = self._ends_at(cut)
            if ends.start == ends.stop:
                continue
            before = sums[self.pairs[ends, 0]]
            sums[cut, 1:] = np.logaddexp.reduce(before[:, :-1] + chosen[ends], axis=0)
            small = self.is_small[ends]
            if small.any():
                left_out = np.logaddexp.reduce(before[small] + ignored, axis=0)
                sums[cut] = np.logaddexp(sums[cut], left_out)
        return float(sums[-1, -1])

    def _ends_at(self, cut: int) -> slice:
        first, last = np.searchsorted(self.pairs[:, 1], [cut, cut + 1])
        return slice(int(first), int(last))

    def ways(self, scores: Floats, ignored: float) -> dict[int, Way]:
        """Return the best way for each number of digits."""
        best = scores.max(axis=1)
        found: list[dict[int, Way]] = [{} for _ in range(self.cuts)]
        found[0][0] = Way(0.0, ())
        for place, (left, right) in enumerate(self.pairs.tolist()):
            for digits, way in found[left].items():
                _keep(found[right], digits + 1, way, best[place], place)
                if self.is_small[place]:
                    _keep(found[right], digits, way, ignored, -1 - place)
        return {digits: way for digits, way in found[-1].items() if digits}


class Regions:
    """What lies between any two cuts, as the network reads it."""

    def __init__(
        self, recogniser: Recogniser, cuts: Cuts, *, scale: float = 1.0
    ) -> None:
        self._recogniser = recogniser
        self.cuts = cuts
        self._scale = scale  # pixels of the picture for one of the page
        pairs: list[tuple[int, int]] = []
        boxes: list[tuple[int, int, int, int]] = []
        images: list[DigitImage] = []
        shapes: list[tuple[float, float]] = []
        may_be = _may_be_digits(cuts)
        for right in range(1, len(cuts.paths)):
            for left in range(right - 1, -1, -1):
                found = (
                    cuts.bitmap_between(left, right) if may_be[left, right] else None
                )
                if found is None:
                    continue
                bitmap, box = found
                try:
                    images.append(normalize(bitmap))
                except BlankDrawingError:
                    continue
                pairs.append((left, right))
                boxes.append(box)
                _, _, facts, _ = cv2.connectedComponentsWithStats(
                    (bitmap > 127).astype(np.uint8)
                )
                areas = facts[1:, cv2.CC_STAT_AREA]
                many = np.count_nonzero(areas > 0.03 * areas.sum())
                loose = 1.0 - float(areas.max() / areas.sum())
                shapes.append((min(4.0, float(many)), loose))
        self.pairs = np.array(pairs, np.int64).reshape(-1, 2)
        self.images = images
        self.boxes = np.array(boxes, np.float64).reshape(-1, 4)
        logits = [recogniser.network.logits(image) for image in images]
        self._read(np.array(logits).reshape(len(logits), -1), np.array(shapes))

    def _read(self, logits: Logits, shapes: Floats) -> None:
        calibration = self._recogniser.bundle.calibration
        self.probabilities = np.array(
            [calibration.digit_probabilities(one) for one in logits]
        ).reshape(-1, DIGITS)
        kinds = np.array([kind_probabilities(one) for one in logits])
        self.digitness = (
            kinds[:, ONE_DIGIT].astype(float) if len(kinds) else np.zeros(0)
        )
        self.log_digits = np.log(self.probabilities + LEAST_LIKELY)
        height = self.cuts.height
        wide, high = (
            (self.boxes[:, side + 2] - self.boxes[:, side]) / height for side in (0, 1)
        )
        left, right = self.pairs.T
        is_cut = self.cuts.widths > CUT
        is_small = (
            (high < SMALL) & (wide < SMALL_WIDTH) & ~is_cut[left] & ~is_cut[right]
        )
        self.paths = Paths(len(self.cuts.paths), self.pairs, is_small)
        if len(logits):
            self.features = np.column_stack(
                [
                    logits / calibration.temperature,
                    self.log_digits,
                    np.log(self.digitness + 1e-6),
                    np.log(1 - self.digitness + 1e-4),
                    _by_rank(logits) / calibration.temperature,
                    *(wide, high, np.log(high), np.maximum(0, wide - 0.9)),
                    *shapes.T,
                    self.cuts.inks[left, right],
                    self.cuts.lost[left, right],
                    self._inside(),
                    *self._of_cuts(left),
                    *self._of_cuts(right),
                ]
            )

    def _of_cuts(self, which: NDArray[np.int64]) -> Iterable[Floats]:
        cuts = self.cuts
        sway = np.abs(np.diff(cuts.paths, axis=1)).sum(axis=1) / cuts.height
        each = (cuts.widths, cuts.widths > CUT, cuts.runs, cuts.longest, sway)
        return (np.asarray(values, float)[which] for values in each)

    def _inside(self) -> Floats:
        """Return how many gaps are in each region, and if there is a narrow cut."""
        cuts = self.cuts
        left, right = self.pairs.T
        least = np.minimum(cuts.inks[left], cuts.inks[:, right].T)  # (R, S)
        is_gap = (least > 0.1) & (cuts.widths <= CUT)
        is_narrow = (least > 0.4) & (cuts.widths < 1.5) & (cuts.runs <= 1)
        gaps = np.minimum(2, is_gap.sum(axis=1))
        return np.column_stack([gaps, is_narrow.any(axis=1)]).astype(float)

    def digit(
        self, place: int, scores: Floats, weight: float, chosen: int | None
    ) -> NumberDigit:
        """Return a region as a digit.

        weight: of the log probabilities of digits in the scores. Several views make
        them surer. chosen: another digit than the likeliest.
        """
        views = self._recogniser.digit_probabilities(self.images[place])
        surer = np.log(np.array(views) + LEAST_LIKELY) - self.log_digits[place]
        likely = scores[place] + weight * surer
        likely = np.exp(likely - np.logaddexp.reduce(likely))
        first, second = np.argsort(-likely)[:2].tolist()
        digit = first if chosen is None else chosen
        return NumberDigit(
            digit=digit,
            second=second if digit == first else first,
            probabilities=tuple(likely.tolist()),
            digitness=float(self.digitness[place]),
            box=self.box(place),
            pieces=(),
            image=self.images[place],
        )

    def box(self, place: int) -> Box:
        """Return a region's box in pixels of the picture."""
        corner = np.tile(np.array(self.cuts.corner), 2)
        return self._in_picture(self.boxes[place] * self.cuts.scale + corner)

    def boxes_of_others(self) -> list[Box]:
        """Return the boxes of what is certainly no digit, in pixels of the picture."""
        return [
            self._in_picture(np.array(part.box, float)) for part in self.cuts.others
        ]

    def _in_picture(self, box: Floats) -> Box:
        left, top, right, bottom = (box * self._scale).tolist()
        return left, top, right, bottom


def _may_be_digits(cuts: Cuts) -> NDArray[np.bool_]:
    """Return between which cuts a digit, or something small, may be: (S, S)."""
    is_gap = cuts.widths <= CUT
    has_ink = (cuts.inks >= FAINTEST) | (is_gap[:, np.newaxis] & is_gap)
    may_be = has_ink & (cuts.inks >= LEAST_INK / 2) & (cuts.lost <= MOST_LOST)
    for gap in np.flatnonzero(is_gap):
        before = cuts.inks[:, gap, np.newaxis]
        may_be &= np.minimum(before, cuts.inks[gap]) <= MOST_APART
    return may_be


def _by_rank(logits: Logits) -> Floats:
    ranked = np.sort(logits[:, :DIGITS], axis=1).astype(float)
    return np.column_stack([ranked[:, -1], ranked[:, -1] - ranked[:, -2]])


def _keep(
    known: dict[int, Way], digits: int, way: Way, step: float, region: int
) -> None:
    """Keep a way to a cut if it is the best."""
    if digits not in known or known[digits].best < way.best + step:
        known[digits] = Way(way.best + step, (*way.regions, region))


class RegionSearch:
    """The numbers that a picture's regions may be; see `numbers.Search`."""

    def __init__(self, regions: Regions) -> None:
        self.regions = regions
        self._paths = regions.paths
        network = scorer()
        self._ignored = float(network.ignored[0])
        self._weight = float(network.of_digit[0])
        self._scores = (
            network.scores(regions.features, regions.log_digits)
            if len(regions.pairs)
            else np.zeros((0, DIGITS))
        )

    def ways(self) -> dict[int, Way]:
        """Return the best way for each number of digits."""
        return self._paths.ways(self._scores, self._ignored)

    def number(self, way: Way, text: str = "") -> Number:
        """Return what a way reads. text: other digits than the likeliest."""
        read = [place for place in way.regions if place >= 0]
        chosen = [int(digit) for digit in text] if text else [None] * len(read)
        digits = [
            self.regions.digit(place, self._scores, self._weight, digit)
            for place, digit in zip(read, chosen, strict=True)
        ]
        ignored = [self.regions.box(-1 - at) for at in way.regions if at < 0]
        ignored += self.regions.boxes_of_others()
        return Number(tuple(digits), tuple(ignored), confidence=0.0)

    def is_cut(self, way: Way) -> bool:
        """Return whether a way ends a digit within connected ink."""
        regions = [place for place in way.regions if place >= 0]
        ends = self.regions.pairs[regions].ravel()
        return bool((self.regions.cuts.widths[ends] > CUT).any())

    def share(self, text: str) -> float:
        """Return the probability of a number among all that the picture may show."""
        part = self._paths.sum_of(text, self._scores, self._ignored)
        whole = self._paths.sum_of_all(self._scores, self._ignored)
        return math.exp(min(0.0, part - whole))
