"""Training sets: digits, and synthetic or real non-digits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.reading.calibrate import DIGITS, KINDS, ONE_DIGIT, SEVERAL, SOMETHING_ELSE
from mlcore.reading.preprocess import SIDE_PX
from mlcore.reading.rasterise import Points
from mlcore.reading.specimens import jittered, specimens
from mlcore.training.augment import (
    DECORATIONS,
    decorated,
    doodle,
    glyph,
    lying,
    outline,
    redrawn,
    rendered,
    scribble,
    shuffled_quarters,
    side_by_side,
    soiled_paper,
    tick,
    upside_down,
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
    "several": 0.32,
    "scribbles": 0.06,
    "shuffled": 0.06,
    "lying": 0.10,
    "upside down": 0.03,
    "glyphs": 0.13,
    "outlines": 0.15,
    "doodles": 0.10,
    "ticks": 0.02,
    "soiled paper": 0.03,
}
"""Share of each sort of synthetic non-digits."""
_NO_DIGITS_LYING = (2, 3, 4, 5, 6, 9)
_NO_DIGITS_UPSIDE_DOWN = (3, 4, 7)


def made_non_digits(digits: Digits, count: int, rng: np.random.Generator) -> Dataset:
    """Make non-digits: several digits side by side, scribbles, glyphs and others."""
    lie, stand_on_their_heads = (
        digits.images[np.isin(digits.labels, labels)]
        for labels in (_NO_DIGITS_LYING, _NO_DIGITS_UPSIDE_DOWN)
    )

    def one(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(images[rng.integers(len(images))], np.uint8)

    def some() -> NDArray[np.uint8]:
        number = rng.choice([2, 2, 3])
        return np.asarray(digits.images[rng.integers(len(digits), size=number)])

    makers: Mapping[str, Callable[[], NDArray[np.uint8]]] = {
        "several": lambda: side_by_side(some(), rng),
        "scribbles": lambda: scribble(rng),
        "shuffled": lambda: shuffled_quarters(one(digits.images), rng),
        "lying": lambda: lying(one(lie), rng),
        "upside down": lambda: upside_down(one(stand_on_their_heads)),
        "glyphs": lambda: glyph(rng),
        "outlines": lambda: outline(rng),
        "doodles": lambda: doodle(rng),
        "ticks": lambda: tick(rng),
        "soiled paper": lambda: soiled_paper(rng),
    }
    numbers = rng.multinomial(count, list(MADE_SHARES.values()))
    return joined(
        [
            _of_kind(
                SEVERAL if sort == "several" else SOMETHING_ELSE,
                (makers[sort]() for _ in range(number)),
            )
            for sort, number in zip(MADE_SHARES, numbers, strict=True)
        ]
    )


def styled_digits(*, renderings: int, rng: np.random.Generator) -> Dataset:
    """Draw the specimens of each digit's styles again, several times."""
    again = [specimen for specimen in specimens(rare=True) for _ in range(renderings)]
    images = (
        redrawn_and_rendered(jittered(specimen, rng).strokes, rng)
        for specimen in progress(again, "rendering styles")
    )
    return _of_kind(ONE_DIGIT, images, [specimen.digit for specimen in again])


DECORATED_SHARE = 0.1
"""Share of drawings with an underline, a circle, a full stop or a tap."""


def redrawn_and_rendered(
    strokes: Sequence[Points], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Redraw strokes, sometimes with a decoration, and rasterise them."""
    again = redrawn(strokes, rng)
    if rng.random() < DECORATED_SHARE:
        again = decorated(again, str(rng.choice(list(DECORATIONS))), rng)
    return rendered(again, rng)


def pen_digits(
    drawings: Sequence[PenDrawing], *, renderings: int, rng: np.random.Generator
) -> Dataset:
    """Redraw and rasterise each pen digit several times."""
    again = [drawing for drawing in drawings for _ in range(renderings)]
    images = (
        redrawn_and_rendered(d.strokes, rng)
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
        redrawn_and_rendered(d.strokes, rng)
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
