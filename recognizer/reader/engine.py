"""Turn drawings into bitmaps and readings, with mlcore."""

from collections.abc import Callable

import numpy as np

from mlcore.reading.inference import Reading
from mlcore.reading.inference import Recogniser as Recogniser
from mlcore.reading.pictures import decode_stored_png
from mlcore.reading.preprocess import (
    Bitmap,
    BlankDrawingError,
    at_full_contrast,
    normalize,
)
from mlcore.reading.rasterise import Points, rasterise
from mlcore.reading.rasterise import default_pen_width as default_pen_width
from recognizer.metrics import count_reading, stage
from recognizer.models import Picture, Submission
from recognizer.models.strokes import Stroke
from recognizer.reader.drawing import (
    Drawing,
    PictureDrawing,
    PixelDrawing,
    StrokeDrawing,
)


def read(drawing: Drawing, *, recogniser: Recogniser) -> Reading:
    """Read one drawing."""
    if isinstance(drawing, PictureDrawing):
        # The network helps to find the ink.
        with stage("ink"):
            reading = recogniser.read_picture(drawing.rgb)
    else:
        with stage("ink"):
            bitmap = bitmap_of(drawing)
        with stage("infer"):
            reading = recogniser.read(bitmap)
    count_reading(reading)
    return reading


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
    return PictureDrawing(picture, pointer=submission.pointer)


def strokes_of(submission: Submission) -> StrokeDrawing:
    """Rebuild the drawing of a row that holds strokes."""
    return StrokeDrawing(
        strokes=submission.strokes or [],
        width=submission.width or 0,
        height=submission.height or 0,
        pen_width=submission.pen_width or 0,
        pointer=submission.pointer,
    )
