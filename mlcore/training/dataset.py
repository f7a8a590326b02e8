"""Training sets: digits, and synthetic or real non-digits."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.reading.calibrate import DIGITS, KINDS, ONE_DIGIT, SEVERAL, SOMETHING_ELSE
from mlcore.reading.preprocess import SIDE_PX
from mlcore.reading.rasterise import Points
from mlcore.training.augment import (
    doodle,
    glyph,
    lying,
    outline,
    redrawn,
    rendered,
    scribble,
    shuffled_quarters,
    side_by_side,
    written_side_by_side,
)
from mlcore.training.data import Digits, PenDrawing
from mlcore.training.progress import progress
from mlcore.training.snapshot import SnapshotDrawing, as_read

NO_DIGIT = -1


@dataclass(frozen=True)
class Dataset:
    """Drawings and their labels.

    images: (N, 28, 28) uint8, framed by `normalize`.
    digits: (N,) int64, 0 to 9, or NO_DIGIT. kinds: (N,) int64, as in `calibrate`.
    """

    images: NDArray[np.uint8]
    digits: NDArray[np.int64]
    kinds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.digits)

    def only_digits(self) -> "Dataset":
        """Leave out non-digits."""
        return self._at(np.flatnonzero(self.digits != NO_DIGIT))

    def first(self, count: int) -> "Dataset":
        """Return the first `count` drawings, or all if there are fewer."""
        return self._at(np.arange(min(count, len(self))))

    def shuffled(self, rng: np.random.Generator) -> "Dataset":
        """Put the drawings in another order."""
        return self._at(rng.permutation(len(self)))

    def _at(self, places: NDArray[np.int64]) -> "Dataset":
        return Dataset(self.images[places], self.digits[places], self.kinds[places])

    def targets(self, *, label_smoothing: float) -> NDArray[np.float32]:
        """Return (N, 13): ten for the digit, then three for the kind.

        The ten are smoothed. For a non-digit they are zero and cause no loss.
        """
        digit = np.full((len(self), DIGITS), label_smoothing / DIGITS, np.float32)
        digit[np.arange(len(self)), self.digits] += 1 - label_smoothing
        digit[self.digits == NO_DIGIT] = 0
        kind = np.eye(KINDS, dtype=np.float32)[self.kinds]
        return np.concatenate([digit, kind], axis=1)


def joined(datasets: Sequence[Dataset]) -> Dataset:
    """Join datasets into one."""
    return Dataset(
        images=np.concatenate([dataset.images for dataset in datasets]),
        digits=np.concatenate([dataset.digits for dataset in datasets]),
        kinds=np.concatenate([dataset.kinds for dataset in datasets]),
    )


def mnist_dataset(digits: Digits) -> Dataset:
    """Take MNIST's digits as they are."""
    return _of_kind(ONE_DIGIT, digits.images, digits.labels)


MADE_SHARES = {
    "several": 0.35,
    "scribbles": 0.07,
    "shuffled": 0.06,
    "lying": 0.10,
    "glyphs": 0.14,
    "outlines": 0.16,
}
"""Share of each sort of synthetic non-digits; the rest are doodles."""
_STILL_DIGITS_LYING = (0, 1, 7, 8)


def made_non_digits(digits: Digits, count: int, rng: np.random.Generator) -> Dataset:
    """Make non-digits: several digits side by side, scribbles, glyphs and others."""
    several, scribbles, shuffled, lain, glyphs, outlines = (
        round(count * share) for share in MADE_SHARES.values()
    )
    doodles = count - several - scribbles - shuffled - lain - glyphs - outlines
    can_lie = digits.images[~np.isin(digits.labels, _STILL_DIGITS_LYING)]

    def some(images: NDArray[np.uint8], number: int) -> NDArray[np.uint8]:
        return images[rng.integers(len(images), size=number)]

    of_several = (
        side_by_side(some(digits.images, rng.choice([2, 2, 3])), rng)
        for _ in range(several)
    )
    of_nothing = chain(
        (scribble(rng) for _ in range(scribbles)),
        (shuffled_quarters(digit, rng) for digit in some(digits.images, shuffled)),
        (lying(digit, rng) for digit in some(can_lie, lain)),
        (glyph(rng) for _ in range(glyphs)),
        (outline(rng) for _ in range(outlines)),
        (doodle(rng) for _ in range(doodles)),
    )
    return joined([_of_kind(SEVERAL, of_several), _of_kind(SOMETHING_ELSE, of_nothing)])


def pen_digits(
    drawings: Sequence[PenDrawing], *, renderings: int, rng: np.random.Generator
) -> Dataset:
    """Redraw and rasterise each pen digit several times."""
    again = [drawing for drawing in drawings for _ in range(renderings)]
    images = (
        rendered(redrawn(d.strokes, rng), rng)
        for d in progress(again, "rendering digits")
    )
    return _of_kind(ONE_DIGIT, images, [int(drawing.label) for drawing in again])


def pen_non_digits(
    drawings: Sequence[PenDrawing],
    digits: Sequence[PenDrawing],
    *,
    renderings: int,
    several: int,
    rng: np.random.Generator,
) -> Dataset:
    """Redraw letters, symbols and sketches, and write digits side by side."""
    again = [drawing for drawing in drawings for _ in range(renderings)]

    def a_row() -> list[Points]:
        chosen = rng.integers(len(digits), size=int(rng.choice([2, 2, 3])))
        hands = [redrawn(digits[place].strokes, rng) for place in chosen]
        return written_side_by_side(hands, rng)

    others = (
        rendered(redrawn(d.strokes, rng), rng)
        for d in progress(again, "rendering others")
    )
    rows = (rendered(a_row(), rng) for _ in range(several))
    return joined([_of_kind(SOMETHING_ELSE, others), _of_kind(SEVERAL, rows)])


_KIND_OF_REVIEW = {
    "digit": ONE_DIGIT,
    "several": SEVERAL,
    "not_a_digit": SOMETHING_ELSE,
}


def snapshot_dataset(
    drawings: Sequence[SnapshotDrawing], *, renderings: int, rng: np.random.Generator
) -> Dataset:
    """Redraw reviewed drawings several times; repeat pictures unchanged."""
    again = [drawing for drawing in drawings for _ in range(renderings)]
    images = [
        rendered(redrawn(d.strokes, rng), rng) if d.strokes else d.image
        for d in progress(again, "rendering reviewed")
    ]
    return Dataset(
        images=np.stack(images),
        digits=np.array([NO_DIGIT if d.digit is None else d.digit for d in again]),
        kinds=np.array([_KIND_OF_REVIEW[drawing.kind] for drawing in again]),
    )


def as_served(drawings: Sequence[PenDrawing]) -> Digits:
    """Frame pen digits exactly as serving does, for choosing and calibrating."""
    return Digits(
        images=np.stack([as_read(drawing.strokes) for drawing in drawings]),
        labels=np.array([int(drawing.label) for drawing in drawings], np.uint8),
    )


def _of_kind(
    kind: int, images: Iterable[NDArray[np.uint8]], digits: ArrayLike = NO_DIGIT
) -> Dataset:
    """Make a dataset of one kind; there may be no images."""
    stacked = np.array(list(images), np.uint8).reshape(-1, SIDE_PX, SIDE_PX)
    count = len(stacked)
    return Dataset(
        stacked, np.full(count, digits, np.int64), np.full(count, kind, np.int64)
    )
