"""Tell ink from paper: how far each pixel's colour is from the colour of its paper.

There is no single way for scans, photos in a shadow, blackboards and screenshots. So
`pages` gives several, the most likely first.
"""

import math
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
GRAIN = 1
"""Median difference of neighbouring pixels, in levels, above which grain is smoothed.

Drawings and scans have 0 or 1, photos 2 to 10.
"""
SAMPLE_SIDE_PX = 64
"""Levels are counted in about so many rows and columns."""
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
    the two. is_uniform: whether the paper has one colour. trust: in [0, 1].
    """

    colours: Colours
    paper: Colours
    distance: Levels
    trust: float
    is_uniform: bool = False


def pages(picture: Picture) -> Iterator[Page]:
    """Yield the ways to tell ink from paper, the most likely first.

    First, where most of the picture has one colour, that is the paper. Then paper is
    the picture closed to remove dark ink, or opened to remove light ink; it may have
    shadows with hard edges. Both are tried with the picture's edges repeated
    outwards too: whatever runs along an edge is wider than any stroke then.

    Args:
        picture: (H, W, 3) RGB.

    Source: top-hat transform, Serra 1982, "Image Analysis and Mathematical Morphology".
    """
    colours = _prepared(shrink(picture, WORKING_SIDE_PX))
    common = _common_colour(colours)
    if common is not None:
        paper = np.full_like(colours, common)
        distance = _length(cv2.absdiff(colours, paper).reshape(colours.shape))
        yield Page(colours, paper, distance, 1.0, is_uniform=True)
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


def quantile(levels: NDArray[np.uint8], share: float) -> int:
    """Return the least level that at least this share of the pixels does not exceed."""
    place = max(1, math.ceil(share * levels.size)) - 1
    return int(np.partition(levels.ravel(), place)[place])


def sample(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return about SAMPLE_SIDE_PX rows and columns, enough to count levels in."""
    step_y, step_x = (max(1, side // SAMPLE_SIDE_PX) for side in levels.shape[:2])
    return levels[::step_y, ::step_x]


def _prepared(picture: Picture) -> Colours:
    """Average grain away; give a grey picture one band."""
    grey = cv2.extractChannel(picture, 1)
    if _is_grainy(np.asarray(grey, np.uint8)):
        sigma = max(0.6, max(picture.shape) / WORKING_SIDE_PX)
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
        grey = cv2.extractChannel(picture, 1)
    is_grey = cv2.norm(picture, cv2.cvtColor(grey, cv2.COLOR_GRAY2RGB)) == 0
    return np.asarray(grey, np.uint8)[..., np.newaxis] if is_grey else picture


def _is_grainy(band: Levels) -> bool:
    """Return whether most neighbouring pixels differ, down or across."""
    if min(band.shape) < 2:
        return False
    step = max(1, len(band) // SAMPLE_SIDE_PX)
    down = band[1::step], band[:-1:step]
    across = band[::step, 1:], band[::step, :-1]
    return any(
        np.count_nonzero(cv2.absdiff(one, other) > GRAIN) > 0.5 * one.size
        for one, other in (down, across)
    )


def _common_colour(colours: Colours) -> Colours | None:
    """Return the most common colour; None if no colour is common enough."""
    pixels = alike = sample(colours).reshape(-1, colours.shape[2]).astype(np.int16)
    colour = []
    for band in range(colours.shape[2]):
        colour.append(np.bincount(alike[:, band]).argmax())
        alike = alike[np.abs(alike[:, band] - colour[band]) <= PAPER_SPREAD]
    is_common = len(alike) >= PAPER_SHARE * len(pixels)
    return np.array(colour, np.uint8) if is_common else None


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
    around = (repeated, repeated, repeated, repeated)
    wide = cv2.copyMakeBorder(colours, *around, cv2.BORDER_REPLICATE)
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
    if levels.dtype != np.uint8:
        levels = np.minimum(levels, 255).astype(np.uint8)
    return levels
