"""A drawing from a request or from the database: strokes, a picture or pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore.reading.preprocess import at_full_contrast
from recognizer.models.strokes import Stroke


@dataclass(frozen=True)
class PageReading:
    """What the page read in a drawing before it sent it.

    digit: None if it refused. refusal: its code, else None. model: its bundle's digest.
    """

    digit: int | None
    refusal: str | None
    model: str


@dataclass(frozen=True)
class Expected:
    """What a drawing may be read as.

    kind: "auto" is a digit, or else a number that is sure. allowed: the only numbers
    that may be answered; all if it is empty.
    """

    kind: Literal["digit", "number", "auto"] = "digit"
    allowed: tuple[str, ...] = ()


ONE_DIGIT = Expected()


@dataclass(frozen=True)
class StrokeDrawing:
    """Strokes in CSS pixels with the canvas and the pen they were drawn with.

    page_reading: what the page read in them, if it told; it is counted, not stored.
    """

    strokes: Sequence[Stroke]
    width: float
    height: float
    pen_width: float
    pointer: str = ""
    page_reading: PageReading | None = None
    expected: Expected = ONE_DIGIT

    def frame(self) -> tuple[float, float, float, float]:
        """Return x, y, width and height of a frame around the canvas and all ink."""
        xs = [point[0] for stroke in self.strokes for point in stroke]
        ys = [point[1] for stroke in self.strokes for point in stroke]
        nib = self.pen_width / 2
        left, top = min(0.0, min(xs) - nib), min(0.0, min(ys) - nib)
        right = max(self.width, max(xs) + nib)
        bottom = max(self.height, max(ys) + nib)
        return left, top, right - left, bottom - top


@dataclass(frozen=True)
class PictureDrawing:
    """A picture of a drawing; its ink is still to be found.

    rgb: (H, W, 3) uint8.
    """

    rgb: NDArray[np.uint8]
    pointer: str = ""
    expected: Expected = ONE_DIGIT

    def shown(self) -> NDArray[np.uint8]:
        """Return the picture that people see: as it was sent."""
        return self.rgb


@dataclass(frozen=True)
class PixelDrawing:
    """The API's `pixels`: (28, 28) uint8, ink 255 on paper 0. It shows one digit."""

    levels: NDArray[np.uint8]
    pointer: str = ""
    expected: Expected = ONE_DIGIT

    def shown(self) -> NDArray[np.uint8]:
        """Return the picture that people see: dark ink on white, as it is read."""
        return 255 - at_full_contrast(self.levels)


Drawing = StrokeDrawing | PictureDrawing | PixelDrawing


class DrawingError(ValueError):
    """A drawing is refused; the message says why and what to do."""

    def __init__(
        self, code: str, message: str, fields: dict[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.fields = fields or {}
