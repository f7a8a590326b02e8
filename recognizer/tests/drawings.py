"""Drawings for the tests: our own templates, and people's where PEN_DIR has them."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from mlcore import paths
from mlcore.reading.rasterise import DEFAULT_PEN_WIDTH_PX, Points
from mlcore.reading.specimens import jittered, specimens
from mlcore.training.data import (
    PEN_DIGIT_FILES,
    PEN_FILE_ENDING,
    read_pen_drawings,
    scale_to_canvas,
)

SEVEN: dict[str, Any] = {
    "strokes": [[[70, 70], [130, 68], [205, 66], [170, 140], [125, 225]]],
    "width": 280,
    "height": 280,
}


def real_pen_drawings(*, each: int) -> list[tuple[int, list[Points]]]:
    """Return real digits on the 280 px canvas: `each` of every digit, many writers.

    Empty where PEN_DIR names no folder.
    """
    folder = paths.pen_folder()
    if folder is None:
        return []
    drawings = [
        drawing
        for drawing in read_pen_drawings(folder / PEN_DIGIT_FILES[0])
        if drawing.split == "judged"
    ]
    chosen = []
    for digit in range(10):
        of_digit = [drawing for drawing in drawings if drawing.label == str(digit)]
        for drawing in of_digit[:: max(1, len(of_digit) // each)][:each]:
            chosen.append((digit, scale_to_canvas(drawing.strokes)))
    return chosen


def every_pen_drawing() -> Iterator[list[Points]]:
    """Yield all people's drawings in PEN_DIR, on the 280 px canvas."""
    folder = paths.pen_folder()
    for path in sorted(folder.glob(f"*{PEN_FILE_ENDING}")) if folder else ():
        for drawing in read_pen_drawings(path):
            yield scale_to_canvas(drawing.strokes)


def template_drawings() -> list[dict[str, Any]]:
    """Return our own templates, each as it is and in five other hands."""
    rng = np.random.default_rng(0)
    return [
        as_sent(variant.strokes)
        for specimen in specimens()
        for variant in (specimen, *(jittered(specimen, rng) for _ in range(5)))
    ]


def as_sent(strokes: Sequence[Points]) -> dict[str, Any]:
    """Return a drawing as the page sends it: to a tenth of a pixel."""
    rounded = [np.round(stroke.astype(float), 1).tolist() for stroke in strokes]
    return {"strokes": rounded, "pen_width": DEFAULT_PEN_WIDTH_PX}
