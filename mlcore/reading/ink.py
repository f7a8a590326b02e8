"""Turn what people send into a bitmap: rasterise strokes, decode pictures.

A bitmap is (H, W) uint8, ink 255 on paper 0. All functions are pure; those that read
bytes from outside raise only `PictureError`.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Bitmap = NDArray[np.uint8]
"""(H, W) uint8, ink 255 on paper 0."""
Points = NDArray[np.float32]
"""One stroke: (N, 2) float32, x to the right and y down, in CSS pixels."""

DEFAULT_PEN_WIDTH_PX = 18.0
"""Width of the page's only pen, on its 280 px canvas."""

PEN_SHARE = 0.11
"""Width of the reading pen as a share of the drawing's longest side.

Chosen so that drawn digits carry as much ink in 28x28 as MNIST's do (mean pixel
value 0.13). The exact value hardly matters: from 0.07 to 0.16 the shipped model has an
accuracy of 99.1 to 99.4 % on the calibration writers.
"""
RASTER_PX = 160
"""Longest side of a rasterised drawing: 8 px for each of the 20 px it shrinks to."""

MAX_PIXELS = 50_000_000
"""Pictures with more pixels are refused before they are decoded."""
MAX_DECODED_SIDE_PX = 2_048
MAX_STORED_SIDE_PX = 1_024
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP")
# Off: MAX_PIXELS is checked instead. Pillow refuses only above twice its own limit.
Image.MAX_IMAGE_PIXELS = None

CLEAN_PAPER_NOISE = 1.5
"""Median deviation of the edge's grey levels above which a picture is a photo.

For a drawing it is 0, even after saving as JPEG at quality 50.
"""
PHOTO_SIDE_PX = 400
"""A photo is shrunk to this longest side, which averages its grain away."""
FAINTEST_CONTRAST = 24
"""A picture with fewer grey levels between paper and ink counts as blank."""
RULING_SHARE = 0.015
"""Greatest thickness of a printed line, as a share of the picture's longest side."""
FAINT_RULING = 0.8
"""Greatest ink level of a printed line, as a share of the strokes' ink level.

Darker lines count as strokes.
"""
THINNEST_LINE_SHARE = 0.06
"""Lines thinner than this share of the ink's longest side are thickened.

They would vanish at 20 px.
"""


class PictureError(ValueError):
    """The bytes are not a picture that can be read; `code` names why."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


# --- strokes ---------------------------------------------------------------


def rasterise(
    strokes: Sequence[Points],
    *,
    pen_width: float = DEFAULT_PEN_WIDTH_PX,
    pen_share: float = PEN_SHARE,
) -> Bitmap:
    """Draw strokes with a round, anti-aliased pen and crop to the ink.

    Place and size on the canvas say nothing about the digit. So the drawing is scaled
    to RASTER_PX first, and the pen's width depends on the drawing's size, not the
    canvas: a tiny seven gets lines as thick as a large one. A drawing no larger than
    the pen that drew it is a dot, so it keeps that pen's width.

    Args:
        strokes: at least one, each (N, 2) with N >= 1; a single point is a dot. Ink
            outside the canvas counts like any other.
        pen_width: width of the pen that drew, in the units of the strokes.
        pen_share: width of the reading pen; only training varies it.

    Returns:
        Bitmap whose longest side is RASTER_PX plus one pixel on each edge.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    reading_pen = extent * pen_share if extent > pen_width else pen_width
    reading_pen = max(reading_pen, 1e-6)  # a dot of a pen without width is still a dot
    scale = RASTER_PX / (extent + reading_pen)
    pen_px = reading_pen * scale
    margin = pen_px / 2 + 1
    shape = np.ceil((high - low) * scale + 2 * margin).astype(int)
    bitmap: Bitmap = np.zeros((shape[1], shape[0]), np.uint8)
    _trace(bitmap, [(stroke - low) * scale + margin for stroke in strokes], pen_px)
    return bitmap


def draw_on_canvas(
    strokes: Sequence[Points], *, width: int, height: int, pen_width: float
) -> Bitmap:
    """Draw strokes as their author saw them, with the same canvas and pen.

    This is for people to look at. Reading uses `rasterise`.
    """
    bitmap: Bitmap = np.zeros((height, width), np.uint8)
    _trace(bitmap, strokes, pen_width)
    return bitmap


def _trace(bitmap: Bitmap, strokes: Sequence[Points], pen_px: float) -> None:
    # OpenCV's thick lines have round ends. Points are exact to 1/16 pixel, but the
    # width is rounded to whole pixels: at most 3 % off for a rasterised 16 px pen.
    fraction_bits = 4
    thickness = max(1, round(pen_px))
    fixed = [np.rint(line * (1 << fraction_bits)).astype(np.int32) for line in strokes]
    # A lone point is doubled: OpenCV draws a line of zero length as a round dot.
    lines = [np.repeat(line, 2, axis=0) if len(line) == 1 else line for line in fixed]
    cv2.polylines(
        bitmap, lines, False, 255, thickness, cv2.LINE_AA, shift=fraction_bits
    )


# --- pictures --------------------------------------------------------------

_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]+(;[\w=.-]+)*;base64,", re.IGNORECASE)


def decode_data_url(url: str) -> NDArray[np.uint8]:
    """Decode `data:image/...;base64,...`; see `decode_picture`."""
    head = _DATA_URL.match(url)
    if head is None:
        raise PictureError(
            "not_a_data_url",
            "The image must be a data URL such as data:image/png;base64,iVBORw0...",
        )
    try:
        # Many programs break base64 into lines.
        content = base64.b64decode("".join(url[head.end() :].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise PictureError(
            "not_a_data_url", f"The image's base64 text is damaged: {error}."
        ) from error
    return decode_picture(content)


def decode_picture(content: bytes) -> NDArray[np.uint8]:
    """Decode PNG, JPEG or WebP to grey levels as a person would see them.

    Format and size are checked before decoding. Transparent parts become white, or
    black if the picture is mostly transparent and its opaque part is light. EXIF
    orientation is applied. Only the first frame of an animation is decoded.

    Returns:
        (H, W) uint8, dark on light or light on dark as sent; longest side at most
        MAX_STORED_SIDE_PX. This is the form in which a picture is stored.

    Raises:
        PictureError: not in one of these formats, damaged, or too many pixels.
    """
    try:
        picture = Image.open(BytesIO(content), formats=PICTURE_FORMATS)
    except Exception as error:  # Pillow's openers raise nearly anything on bad bytes
        raise PictureError(
            "not_an_image",
            "These bytes are not a PNG, JPEG or WebP picture: send one of these.",
        ) from error
    if picture.width * picture.height > MAX_PIXELS:
        raise PictureError(
            "too_many_pixels",
            f"The picture has {picture.width * picture.height:,} pixels and at most "
            f"{MAX_PIXELS:,} are read: make it smaller.",
        )
    try:
        picture.draft("RGB", (MAX_DECODED_SIDE_PX, MAX_DECODED_SIDE_PX))
        picture.load()
        upright = _reduced(picture)
        ImageOps.exif_transpose(upright, in_place=True)
        grey = _grey_levels(upright)
    except Exception as error:  # decoders raise nearly anything too
        raise PictureError(
            "damaged_image",
            "The picture is damaged or cut off: save it again and send the new file.",
        ) from error
    return np.asarray(_shrink(grey, MAX_STORED_SIDE_PX), np.uint8)


def _reduced(picture: Image.Image) -> Image.Image:
    """Shrink before copying: at the pixel limit every copy takes 200 MB."""
    shrink_by = max(picture.size) // MAX_DECODED_SIDE_PX
    if shrink_by > 1 and picture.mode in ("L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"):
        return picture.reduce(shrink_by)
    return picture


def _grey_levels(picture: Image.Image) -> NDArray[np.uint8]:
    if picture.mode.startswith("I") or picture.mode == "F":
        # Pillow would clip 16-bit and 32-bit values to 255 instead of scaling them.
        deep = _shrink(np.asarray(picture), MAX_STORED_SIDE_PX).astype(np.float32)
        top = 65535.0 if deep.max(initial=0) > 255 else 255.0
        scaled = np.clip(np.rint(deep * (255.0 / top)), 0, 255)
        return np.asarray(scaled, np.uint8)
    if not picture.has_transparency_data or _is_opaque(picture):
        return np.asarray(picture.convert("L"), np.uint8)
    grey, alpha = (
        _shrink(np.asarray(band), MAX_STORED_SIDE_PX).astype(np.float32)
        for band in picture.convert("LA").split()
    )
    opacity = alpha / 255.0
    ink_is_light = float((grey * opacity).sum()) > 127.0 * float(opacity.sum())
    is_drawn_on_nothing = float(opacity.mean()) < 0.5
    backdrop = 0.0 if ink_is_light and is_drawn_on_nothing else 255.0
    composed = np.rint(grey * opacity + backdrop * (1 - opacity))
    return np.asarray(composed, np.uint8)


def _is_opaque(picture: Image.Image) -> bool:
    """Return whether the alpha channel is opaque throughout, as in canvas exports."""
    if picture.mode not in ("RGBA", "LA"):
        return False
    lowest, _ = picture.getchannel("A").getextrema()
    return lowest == 255


def _shrink(grey: NDArray[Any], longest_side: int) -> NDArray[Any]:
    height, width = grey.shape
    scale = longest_side / max(height, width)
    if scale >= 1:
        return grey
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    if grey.dtype not in (np.uint8, np.uint16):  # OpenCV cannot resize 32-bit integers
        grey = grey.astype(np.float32)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA))


def find_ink(grey: NDArray[np.uint8]) -> Bitmap:
    """Tell ink from paper in a picture of either polarity.

    The median grey of the picture's edge is the paper; ink is what differs from it
    most, dark or light. Contrast is stretched until the strongest ink is 255. Anything
    close to the paper's noise counts as paper. Lines that would vanish at 20 px are
    thickened, and the lines of ruled and squared paper are removed. A photo has noisy
    or unevenly lit paper, so it is smoothed and its paper is estimated locally.

    Args:
        grey: (H, W) uint8, from `decode_picture`.

    Returns:
        Bitmap of about the same size, smaller for a photo; all zero if the picture is
        blank.
    """
    edge = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(edge))
    noise = float(np.median(np.abs(edge - np.float32(paper))))
    is_photo = noise > CLEAN_PAPER_NOISE
    if is_photo:
        grey = _smoothed(grey)
        difference = grey.astype(np.float32) - _local_paper(grey)
        noise = float(np.median(np.abs(difference)))
        darkest, lightest = -float(difference.min()), float(difference.max())
    else:
        # The paper is uniform, so 256 grey levels are mapped instead of all pixels.
        difference = np.arange(256, dtype=np.float32) - paper
        darkest, lightest = paper - float(grey.min()), float(grey.max()) - paper
    ink = -difference if darkest >= lightest else difference
    contrast = max(darkest, lightest)
    if contrast < max(FAINTEST_CONTRAST, 8 * noise):
        return np.zeros_like(grey)
    ink *= 255.0 / contrast
    # 6 % of the contrast: JPEG and smooth enlargement leave ringing up to that.
    faintest = 0.25 if is_photo else 0.06
    ink[ink < max(faintest * 255.0, 6 * noise * 255.0 / contrast)] = 0
    bitmap = np.asarray(np.rint(np.clip(ink, 0, 255)), np.uint8)
    if not is_photo:
        bitmap = np.asarray(cv2.LUT(grey, bitmap), np.uint8)
    bare = _without_ruling(bitmap)
    if is_photo or bare is not bitmap:
        bare = _without_specks(bare)
    if bare is not bitmap and not is_photo and bare.max() < bitmap.max():
        bare = bitmap  # undo: the darkest ink was removed, so it is no line or dust
    return _thicken_thin_lines(bare)


def _smoothed(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    small = _shrink(grey, PHOTO_SIDE_PX)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), PHOTO_SIDE_PX / 400), np.uint8)


def _local_paper(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Estimate the paper under the ink: the median of a wide neighbourhood."""
    small = _shrink(grey, 64)
    medians = cv2.medianBlur(small, 31)
    smooth = cv2.GaussianBlur(medians.astype(np.float32), (0, 0), 4)
    size = (grey.shape[1], grey.shape[0])
    return np.asarray(cv2.resize(smooth, size, interpolation=cv2.INTER_LINEAR))


def _without_ruling(bitmap: Bitmap) -> Bitmap:
    """Remove printed lines: thin, from edge to edge, fainter than the strokes.

    Where a stroke crosses a line the ink is thick, so it is kept.

    Returns:
        The same bitmap object if it has no such lines.
    """
    level = _without_lines_across(bitmap)
    # Where vertical lines crossed horizontal ones, they are thin by now.
    turned = level.T
    upright = _without_lines_across(turned)
    return level if upright is turned else np.ascontiguousarray(upright.T)


def _without_lines_across(bitmap: Bitmap) -> Bitmap:
    ruling = _lines_across(bitmap)
    if not ruling.any():
        return bitmap
    drawn = bitmap[(bitmap > 0) & ~ruling]
    if drawn.size == 0 or (
        np.median(bitmap[ruling]) > FAINT_RULING * np.quantile(drawn, 0.9)
    ):
        return bitmap
    return np.where(ruling, 0, bitmap).astype(np.uint8)


def _lines_across(bitmap: Bitmap) -> NDArray[np.bool_]:
    """Mark thin lines that span at least 90 % of the width, from edge to edge."""
    height, width = bitmap.shape
    margin = max(1, width // 20)
    if not (bitmap[:, :margin].any() and bitmap[:, -margin:].any()):
        return np.zeros(bitmap.shape, bool)
    mask = (bitmap > 0).astype(np.uint8)
    thickest = max(3, round(RULING_SHARE * max(height, width)))
    thick = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((thickest + 1, 1), np.uint8))
    thin = cv2.subtract(mask, thick)
    runs = cv2.morphologyEx(
        thin, cv2.MORPH_OPEN, np.ones((1, max(8, width // 20)), np.uint8)
    )
    # Close the gaps where strokes cross or cover a line.
    whole = cv2.morphologyEx(
        cv2.copyMakeBorder(runs, 0, 0, width, width, cv2.BORDER_REPLICATE),
        cv2.MORPH_CLOSE,
        np.ones((1, width // 2 + 1), np.uint8),
    )[:, width:-width]
    _, parts, facts, _ = cv2.connectedComponentsWithStats(whole)
    is_line = facts[:, cv2.CC_STAT_WIDTH] >= 0.9 * width
    is_line[0] = False  # the paper
    # include the anti-aliased pixels above and below
    band = cv2.dilate(is_line[parts].astype(np.uint8), np.ones((3, 1), np.uint8))
    return np.asarray(cv2.bitwise_and(band, thin) > 0, np.bool_)


def _without_specks(bitmap: Bitmap) -> Bitmap:
    """Drop connected components under 1/50 of the largest one's area: dust, grain."""
    _, parts, facts, _ = cv2.connectedComponentsWithStats((bitmap > 0).astype(np.uint8))
    areas = facts[1:, cv2.CC_STAT_AREA]
    if len(areas) == 0:
        return bitmap
    dust = np.flatnonzero(areas < areas.max() / 50) + 1
    return np.where(np.isin(parts, dust), 0, bitmap).astype(np.uint8)


def _thicken_thin_lines(bitmap: Bitmap) -> Bitmap:
    _, mask = cv2.threshold(bitmap, 127, 1, cv2.THRESH_BINARY)
    left, top, width, height = cv2.boundingRect(mask)
    if width == 0:
        return bitmap
    mask = mask[top : top + height, left : left + width]
    # The mean distance to paper inside a line of width w is about w / 4.
    to_paper = cv2.distanceTransform(
        cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0),
        cv2.DIST_L2,
        3,
    )
    line_px = 4.0 * float(to_paper.sum()) / float(mask.sum()) - 1.0
    wanted_px = THINNEST_LINE_SHARE * max(width, height)
    if line_px >= wanted_px:
        return bitmap
    side = 2 * round((PEN_SHARE * max(width, height) - line_px) / 2) + 1
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    pad = side // 2
    padded = cv2.copyMakeBorder(
        bitmap, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0
    )
    return np.asarray(cv2.dilate(padded, pen), np.uint8)


def encode_png(grey: NDArray[np.uint8]) -> bytes:
    """Encode (H, W) uint8 as a greyscale PNG, or (H, W, 4) BGRA as a colour PNG."""
    done, png = cv2.imencode(".png", grey)
    if not done:
        raise PictureError("not_encodable", f"No PNG can be made of {grey.shape}.")
    return png.tobytes()


def decode_stored_png(png: bytes) -> NDArray[np.uint8]:
    """Decode a PNG that `encode_png` made: (H, W) uint8."""
    grey: Any = None
    if png:  # OpenCV raises its own error on empty input
        grey = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise PictureError("damaged_image", "The stored picture is damaged.")
    return np.asarray(grey, np.uint8)
