"""Turn drawings into bitmaps and readings, with mlcore."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from mlcore.reading import numbers
from mlcore.reading.inference import Reading
from mlcore.reading.inference import Recogniser as Recogniser
from mlcore.reading.numbers import with_one_digit
from mlcore.reading.picture_numbers import read_number_in_picture
from mlcore.reading.pictures import decode_stored_png
from mlcore.reading.preprocess import (
    SIDE_PX,
    Bitmap,
    BlankDrawingError,
    at_full_contrast,
    normalize,
)
from mlcore.reading.rasterise import Points, rasterise
from mlcore.reading.rasterise import default_pen_width as default_pen_width
from recognizer.metrics import count_page_reading, count_reading, stage
from recognizer.models import Picture, Submission
from recognizer.models.strokes import Stroke, unpack_points
from recognizer.reader.drawing import (
    ONE_DIGIT,
    Drawing,
    Expected,
    PictureDrawing,
    PixelDrawing,
    StrokeDrawing,
)


def read(drawing: Drawing, *, recogniser: Recogniser) -> Reading:
    """Read one drawing."""
    if isinstance(drawing, PictureDrawing):
        # The network helps to find the ink.
        with stage("ink"):
            reading = _read_picture(drawing, recogniser)
    elif isinstance(drawing, StrokeDrawing) and drawing.expected.kind != "digit":
        # The network helps to tell the digits apart.
        with stage("infer"):
            reading = numbers.read_number(
                recogniser,
                points_of(drawing),
                pen_width=drawing.pen_width,
                expect=drawing.expected.kind,
                allowed=drawing.expected.allowed,
            )
    else:
        with stage("ink"):
            bitmap = bitmap_of(drawing)
        with stage("infer"):
            reading = recogniser.read(bitmap)
        if drawing.expected.kind == "number":
            reading = with_one_digit(reading, box=(0.0, 0.0, SIDE_PX, SIDE_PX))
    count_reading(reading)
    return reading


def read_packed(packed: bytes, *, pen_width: float, recogniser: Recogniser) -> Reading:
    """Read the stored strokes of one digit, uncounted; `read` reads them equally."""
    return recogniser.read(rasterise(unpack_points(packed), pen_width=pen_width))


def _read_picture(drawing: PictureDrawing, recogniser: Recogniser) -> Reading:
    expected = drawing.expected
    if expected.kind == "digit":
        return recogniser.read_picture(drawing.rgb)
    return read_number_in_picture(
        recogniser, drawing.rgb, expect=expected.kind, allowed=expected.allowed
    )


def compare_with_page(drawing: Drawing, reading: Reading, *, model: str) -> None:
    """Count whether the page had read the same in a drawing, if it told."""
    if not isinstance(drawing, StrokeDrawing) or drawing.page_reading is None:
        return
    told = drawing.page_reading
    if told.model != model:
        count_page_reading("other_model")
    elif (told.digit, told.refusal) == (reading.digit, _as_page_reads(reading)):
        count_page_reading("same")
    else:
        count_page_reading("different")


def _as_page_reads(reading: Reading) -> str | None:
    """Return a reading's refusal; the page reads no numbers."""
    is_number = reading.digit is None and reading.refusal is None
    return "several" if is_number else reading.refusal


def bitmap_of(drawing: StrokeDrawing | PixelDrawing) -> Bitmap:
    """Return the bitmap that a model reads."""
    if isinstance(drawing, StrokeDrawing):
        return rasterise(points_of(drawing), pen_width=drawing.pen_width)
    return at_full_contrast(drawing.levels)


def seen_in(
    drawing: Drawing, *, recogniser: Callable[[], Recogniser]
) -> np.ndarray | None:
    """Return the digit image of a drawing; None if it has no ink.

    recogniser: returns the one that helps to find a picture's ink.
    """
    if isinstance(drawing, PictureDrawing):
        return recogniser().read_picture(drawing.rgb).image
    try:
        return normalize(bitmap_of(drawing))
    except BlankDrawingError:
        return None


def digit_image(
    drawing: Drawing, digit: Mapping[str, Any], *, recogniser: Recogniser | None = None
) -> np.ndarray | None:
    """Return the image of one digit of a stored number.

    recogniser: helps to find the digit's ink in a picture; None without it.
    """
    if isinstance(drawing, PictureDrawing) and recogniser is not None:
        left, top, width, height = digit["box"]
        reach = max(width, height) / 10
        rows, columns = (
            slice(max(0, round(start - reach)), round(start + side + reach))
            for start, side in ((top, height), (left, width))
        )
        return recogniser.read_picture(drawing.rgb[rows, columns]).image
    if not isinstance(drawing, StrokeDrawing):
        return None
    strokes = points_of(drawing)
    chosen = [strokes[at] for at in digit["strokes"]]
    return normalize(rasterise(chosen, pen_width=drawing.pen_width))


def points_of(drawing: StrokeDrawing) -> list[Points]:
    """Return the strokes as arrays of x and y, without times."""
    return [_xy_of(stroke) for stroke in drawing.strokes]


def _xy_of(stroke: Stroke) -> Points:
    # From a flat iterator: NumPy takes twice as long for a list of lists.
    numbers = (number for point in stroke for number in point[:2])
    return np.fromiter(numbers, np.float32).reshape(-1, 2)


def drawing_of(submission: Submission) -> Drawing:
    """Rebuild the drawing from its row."""
    if submission.form == Submission.Form.STROKES:
        return strokes_of(submission)
    png = bytes(Picture.objects.get(submission=submission).png)
    picture = decode_stored_png(png)
    if submission.form == Submission.Form.PIXELS:
        return PixelDrawing(picture[..., 0], pointer=submission.pointer)
    return PictureDrawing(
        picture, pointer=submission.pointer, expected=_expected_again(submission)
    )


def strokes_of(submission: Submission) -> StrokeDrawing:
    """Rebuild the drawing of a row that holds strokes."""
    return StrokeDrawing(
        strokes=submission.strokes or [],
        width=submission.width or 0,
        height=submission.height or 0,
        pen_width=submission.pen_width or 0,
        pointer=submission.pointer,
        expected=_expected_again(submission),
    )


def _expected_again(submission: Submission) -> Expected:
    """Return what a stored drawing may be read as by another model."""
    return Expected("auto") if submission.shown_number else ONE_DIGIT
