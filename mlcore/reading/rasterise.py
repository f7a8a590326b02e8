"""Turn strokes into a bitmap."""

import math
from collections.abc import Sequence
from functools import lru_cache

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mlcore.reading.preprocess import Bitmap

Points = NDArray[np.float32]
"""One stroke: (N, 2) float32, x to the right and y down, in CSS pixels."""

DEFAULT_PEN_WIDTH_PX = 18.0
"""Width of the page's only pen, on its 280 px canvas."""
DEFAULT_CANVAS_PX = 280.0

PEN_SHARE = 0.11
"""Width of the reading pen as a share of the drawing's longest side.

Chosen so that drawn digits carry as much ink in 28x28 as MNIST's do (mean pixel
value 0.13). The exact value hardly matters: from 0.07 to 0.16 the shipped model has an
accuracy of 99.1 to 99.4 % on the calibration writers.
"""
RASTER_PX = 160
"""Longest side of a rasterised drawing: 8 px for each of the 20 px it shrinks to."""


def default_pen_width(width: float, height: float) -> float:
    """Return the pen of strokes sent without one: the page's, scaled to the canvas.

    On a canvas of 28 px or of 1, every drawing would be a dot of an 18 px pen. On a
    larger canvas than the page's the pen stays: a wider one would make dots of what
    somebody wrote small on a whole screen.
    """
    return DEFAULT_PEN_WIDTH_PX * min(1.0, max(width, height) / DEFAULT_CANVAS_PX)


def rasterise(
    strokes: Sequence[Points],
    *,
    pen_width: float = DEFAULT_PEN_WIDTH_PX,
    pen_share: float = PEN_SHARE,
) -> Bitmap:
    """Draw strokes with a round pen and crop to the ink.

    Place and size on the canvas say nothing about the digit. So the drawing is scaled
    to RASTER_PX first, and the pen's width depends on the drawing's size, not the
    canvas: a tiny seven gets lines as thick as a large one. A drawing no larger than
    the pen that drew it is a dot, so it keeps that pen's width.

    Lines are drawn one pixel wide between points rounded to pixels (Bresenham), then
    dilated by a disc. So each pixel is ink or paper, and another implementation can
    repeat them exactly. `preprocess.normalize` makes grey levels of them when it
    shrinks them by eight.

    Args:
        strokes: at least one, each (N, 2) with N >= 1; a single point is a dot. Ink
            outside the canvas counts like any other.
        pen_width: width of the pen that drew, in the units of the strokes.
        pen_share: width of the reading pen; only training varies it.

    Returns:
        Bitmap of 0 and 255 whose longest side is about RASTER_PX.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = float((high - low).max())
    reading_pen = extent * pen_share if extent > pen_width else pen_width
    reading_pen = max(reading_pen, 1e-6)  # a dot of a pen without width is still a dot
    scale = RASTER_PX / (extent + reading_pen)
    disc, square, rest = _pen(reading_pen * scale)
    margin = disc.shape[0] // 2
    width, height = np.floor((high - low) * scale + 0.5).astype(int) + 2 * margin + 1
    lines = [
        np.floor((stroke - low) * scale + (margin + 0.5)).astype(np.int32)
        for stroke in strokes
    ]
    # OpenCV draws no line of a lone point, so it is doubled.
    lines = [np.repeat(line, 2, axis=0) if len(line) == 1 else line for line in lines]
    path = cv2.polylines(np.zeros((height, width), np.uint8), lines, False, 255)
    return np.asarray(cv2.dilate(cv2.dilate(path, square), rest), np.uint8)


@lru_cache(maxsize=64)
def _pen(pen_px: float) -> tuple[NDArray[np.uint8], ...]:
    """Return a disc of ones, and a square and the rest that together dilate like it.

    The disc is half a pixel wider on each side than the pen: the pixels at the pen's
    edge are half covered, and half of them count as ink. It is a union of equal
    squares, so dilating by the square and then by the squares' places is the same and
    takes two fifths of the time: OpenCV dilates by a square along each axis.
    """
    radius = (pen_px + 1) / 2
    reach = np.arange(-math.floor(radius), math.floor(radius) + 1)
    disc = (reach**2 + reach[:, None] ** 2 <= radius**2).astype(np.uint8)
    side = int(disc[0].sum())
    square = np.ones((side, side), np.uint8)
    rest = sliding_window_view(disc, (side, side)).all(axis=(2, 3))
    return disc, square, np.asarray(rest, np.uint8)


def draw_on_canvas(
    strokes: Sequence[Points], *, width: int, height: int, pen_width: float
) -> Bitmap:
    """Draw strokes as their author saw them, with the same canvas and pen.

    This is for people to look at. Reading uses `rasterise`.
    """
    bitmap: Bitmap = np.zeros((height, width), np.uint8)
    # OpenCV's thick lines have round ends. Points are exact to 1/16 pixel.
    fraction_bits = 4
    fixed = [np.rint(line * (1 << fraction_bits)).astype(np.int32) for line in strokes]
    # A lone point is doubled: OpenCV draws a line of zero length as a round dot.
    lines = [np.repeat(line, 2, axis=0) if len(line) == 1 else line for line in fixed]
    thickness = max(1, round(pen_width))
    cv2.polylines(
        bitmap, lines, False, 255, thickness, cv2.LINE_AA, shift=fraction_bits
    )
    return bitmap
