"""Drawings for the tests: our own templates, and people's where PEN_DIR has them."""

from typing import Any

from mlcore import paths
from mlcore.reading.rasterise import Points
from mlcore.training.data import PEN_DIGIT_FILES, read_pen_drawings, scale_to_canvas

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
