"""Decode the pictures that callers send; encode pictures for display."""

import base64
import threading
from collections.abc import Callable
from typing import Protocol, TypeAlias, TypeVar

import numpy as np

from mlcore.reading.pictures import (
    Picture,
    PictureError,
    decode_data_url,
    decode_picture,
    encode_png,
)
from mlcore.reading.preprocess import SIDE_PX
from mlcore.reading.rasterise import draw_on_canvas
from recognizer.models import Submission
from recognizer.reader.active import seen_in
from recognizer.reader.drawing import (
    ONE_DIGIT,
    Drawing,
    DrawingError,
    Expected,
    PictureDrawing,
    PixelDrawing,
    StrokeDrawing,
)
from recognizer.reader.engine import drawing_of, points_of

Sent = TypeVar("Sent", bytes, str)
SentIn = TypeVar("SentIn", contravariant=True)
Pay: TypeAlias = Callable[[int], None]

PNG_SIDE_PX = 560  # of pictures for display: twice the page's canvas
_THUMBNAIL_PX = 144  # twice the size on the page


def seen_png(image: np.ndarray | None) -> bytes:
    """Encode the digit image that a model saw; all black if there was no ink."""
    return encode_png(_grey_levels(image))


def _grey_levels(image: np.ndarray | None) -> np.ndarray:
    if image is None:
        return np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    return np.asarray(np.rint(image[..., 0] * 255), np.uint8)


def as_data_url(png: bytes) -> str:
    """Write a PNG as a data URL."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


# Decoding a picture at the pixel limit takes up to 240 MB (measured). So each process
# decodes one picture at a time.
_decoding = threading.Lock()


def picture_from_bytes(
    content: bytes, *, expected: Expected = ONE_DIGIT, pay: Pay | None = None
) -> PictureDrawing:
    """Decode a PNG, JPEG, WebP, GIF or BMP file.

    pay: called before decoding; see `decode_picture`.

    Raises:
        DrawingError: with mlcore's code and message.
    """
    return PictureDrawing(_decoded(decode_picture, content, pay), expected=expected)


def picture_from_data_url(
    url: str,
    *,
    pointer: str = "",
    expected: Expected = ONE_DIGIT,
    pay: Pay | None = None,
) -> PictureDrawing:
    """Decode `data:image/...;base64,...`; raises DrawingError."""
    picture = _decoded(decode_data_url, url, pay)
    return PictureDrawing(picture, pointer=pointer, expected=expected)


def pixels_from_bytes(levels: bytes) -> PixelDrawing:
    """Return 784 grey levels, row by row, as a drawing."""
    return PixelDrawing(np.frombuffer(levels, np.uint8).reshape(SIDE_PX, SIDE_PX))


class _Decode(Protocol[SentIn]):
    def __call__(self, content: SentIn, /, *, pay: Pay | None) -> Picture: ...


def _decoded(decode: _Decode[Sent], content: Sent, pay: Pay | None) -> Picture:
    try:
        with _decoding:
            return decode(content, pay=pay)
    except PictureError as error:
        fields = {"image": error.kind} if error.kind else {}
        raise DrawingError(error.code, str(error), fields) from error


def stored_png(drawing: Drawing) -> bytes | None:
    """Encode a picture or pixels as they are stored; None for strokes."""
    if isinstance(drawing, StrokeDrawing):
        return None
    return encode_png(
        drawing.levels if isinstance(drawing, PixelDrawing) else drawing.rgb
    )


def drawing_png(drawing: Drawing) -> bytes:
    """Encode a drawing for display: dark ink on white, or the picture as stored."""
    if not isinstance(drawing, StrokeDrawing):
        return encode_png(drawing.shown())
    left, top, width, height = drawing.frame()
    scale = PNG_SIDE_PX / max(width, height)
    bitmap = draw_on_canvas(
        [(points - (left, top)) * scale for points in points_of(drawing)],
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        pen_width=drawing.pen_width * scale,
    )
    return encode_png(255 - bitmap)


def thumbnail_url(drawing: PictureDrawing | PixelDrawing) -> str:
    """Return a small picture of a drawing as a data URL: every nth of its pixels."""
    picture = drawing.shown()
    every = -(-max(picture.shape[:2]) // _THUMBNAIL_PX)
    return as_data_url(encode_png(np.ascontiguousarray(picture[::every, ::every])))


def idx_header(*shape: int) -> bytes:
    """Return the header of an IDX file, the format of MNIST's files."""
    # Imported here: it loads the code that downloads MNIST. No other request needs it.
    from mlcore.training import data

    return data.idx_header(*shape)


def idx_image(submission: Submission) -> np.ndarray:
    """Return (28, 28) uint8 as in MNIST: `pixels` as sent, others normalised."""
    drawing = drawing_of(submission)
    if isinstance(drawing, PixelDrawing):
        return drawing.levels
    return _grey_levels(seen_in(drawing))
