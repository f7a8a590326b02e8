"""Tell ink from paper: how far each pixel's colour is from the colour of its paper.

There is no single way for scans, photos in a shadow, blackboards and screenshots. So
`pages` gives several, the most likely first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.pictures import Picture, shrink

Levels = NDArray[np.uint8]
"""(H, W) uint8."""
Colours = NDArray[np.uint8]
"""(H, W, 3) uint8 RGB, or (H, W, 1) grey levels."""

WORKING_SIDE_PX = 512
"""Longest side of the pictures in which ink is searched for.

A digit as high as 1/25 of a photo still has the 20 px that a digit image shows.
"""
GRAIN = 1.5
"""Median difference of neighbouring pixels, in levels, above which grain is smoothed.

Drawings and scans have 0 or 1, photos 2 to 10.
"""
PAPER_SHARE = 0.4
"""Paper is taken to be of one colour if so much of the picture has that colour..."""
PAPER_SPREAD = 6
"""... give or take so many levels: a scanner's noise and JPEG's errors."""
WIDEST_STROKE = 0.25
"""Greatest width of a stroke, as a share of the picture's longest side.

What is wider is a shadow, a desk or a bar. The widest pen that people use on the page's
canvas draws a share of 0.12.
"""
WIDEST_STROKE_PX = 15
"""Least such width: in a picture cut at the ink, strokes are wider."""
DARKEST_PAPER = 96
"""Darker paper, in levels, counts as if it had this level: a dark desk's grain would be
multiplied too far."""
UNLIKELY_POLARITY = 0.65
"""Trust in light ink where most of the picture is light, and the other way round."""


@dataclass(frozen=True)
class Page:
    """A picture, and one way to tell its ink from its paper.

    colours: of the picture. paper: what would be seen without ink. distance: between
    the two. trust: in [0, 1].
    """

    colours: Colours
    paper: Colours
    distance: Levels
    trust: float


def pages(picture: Picture) -> Iterator[Page]:
    """Yield the ways to tell ink from paper, the most likely first.

    First, where most of the picture has one colour, that is the paper. Then paper is
    what is left when all dark strokes are closed, or all light ones opened, so that it
    may have shadows with hard edges. Both are tried with the picture's edges repeated
    outwards too: whatever runs along an edge is wider than any stroke then.

    Args:
        picture: (H, W, 3) RGB.

    Source: top-hat transform, Serra 1982, "Image Analysis and Mathematical Morphology".
    """
    colours = _without_grain(shrink(picture, WORKING_SIDE_PX))
    if _is_grey(colours):
        colours = np.ascontiguousarray(colours[..., :1])
    common = _common_colour(colours)
    if common is not None:
        paper = np.full_like(colours, common)
        yield Page(colours, paper, _length(cv2.absdiff(colours, paper)), 1.0)
    side = max(WIDEST_STROKE_PX, round(WIDEST_STROKE * max(colours.shape)) | 1)
    grey = colours.mean(axis=2).astype(np.uint8)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    is_light = float((grey > level).mean()) >= 0.5
    for is_likely in (True, False):
        find = _dark_ink if is_likely == is_light else _light_ink
        for repeated in (0, side):
            paper, distance = find(colours, side, repeated)
            trust = 1.0 if is_likely else UNLIKELY_POLARITY
            yield Page(colours, paper, distance, trust)


def quantile(levels: Levels, share: float) -> int:
    """Return the level that this share of the pixels does not exceed."""
    counts = np.bincount(levels.ravel(), minlength=256)
    return int(np.searchsorted(np.cumsum(counts), share * levels.size))


def _without_grain(picture: Picture) -> Picture:
    """Average grain away, if there is any."""
    height, width = picture.shape[:2]
    if min(height, width) < 2:
        return picture
    green = picture[..., 1]
    grain = max(
        quantile(cv2.absdiff(green[1:], green[:-1]), 0.5),
        quantile(cv2.absdiff(green[:, 1:], green[:, :-1]), 0.5),
    )
    if grain <= GRAIN:
        return picture
    sigma = max(0.6, max(height, width) / WORKING_SIDE_PX)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def _is_grey(picture: Picture) -> bool:
    red, green, blue = cv2.split(picture)
    return np.array_equal(red, green) and np.array_equal(green, blue)


def _common_colour(colours: Colours) -> Colours | None:
    """Return the most common colour; None if no colour is common enough."""
    bands = cv2.split(colours)
    # Eight levels make one of 32 steps of each band.
    code = np.zeros(colours.shape[:2], np.uint16)
    for band in bands:
        code = code * np.uint16(32) + (band >> 3)
    step = int(np.bincount(code.ravel()).argmax())
    within = (code == step).astype(np.uint8)
    colour = []
    for band in bands:
        counts = cv2.calcHist([band], [0], within, [256], [0, 256]).ravel()
        colour.append(int(counts.argmax()))
    low = tuple(max(0, level - PAPER_SPREAD) for level in colour)
    high = tuple(min(255, level + PAPER_SPREAD) for level in colour)
    near = cv2.countNonZero(cv2.inRange(colours, low, high))
    return np.array(colour, np.uint8) if near >= PAPER_SHARE * code.size else None


def _dark_ink(colours: Colours, side: int, repeated: int) -> tuple[Colours, Levels]:
    paper = _morphed(colours, cv2.MORPH_CLOSE, side, repeated)
    # Ink absorbs a share of the light, so it differs less from paper in a shadow.
    light = np.maximum(paper, DARKEST_PAPER).astype(np.float32)
    return paper, _length((paper - colours) * (255.0 / light))


def _light_ink(colours: Colours, side: int, repeated: int) -> tuple[Colours, Levels]:
    paper = _morphed(colours, cv2.MORPH_OPEN, side, repeated)
    return paper, _length(colours - paper)


def _morphed(colours: Colours, way: int, side: int, repeated: int) -> Colours:
    height, width = colours.shape[:2]
    wide = cv2.copyMakeBorder(colours, *(4 * [repeated]), cv2.BORDER_REPLICATE)
    morphed = cv2.morphologyEx(wide, way, np.ones((side, side), np.uint8))
    inner = np.s_[repeated : repeated + height, repeated : repeated + width]
    return np.asarray(morphed[inner].reshape(colours.shape), np.uint8)


def _length(difference: NDArray) -> Levels:
    """Return the length of differences of colours; grey ones keep their level."""
    if difference.ndim == 2 or difference.shape[2] == 1:
        levels = difference.reshape(difference.shape[:2])
    else:
        # The longest difference within one hue is about 255 after this division.
        levels = np.sqrt(np.square(difference, dtype=np.float32).sum(axis=2) / 1.5)
    return np.asarray(np.minimum(levels, 255), np.uint8)
