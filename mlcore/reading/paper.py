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
    colours, bands = _prepared(shrink(picture, WORKING_SIDE_PX))
    common = _common_colour(bands)
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
    counts = np.cumsum(np.bincount(levels.ravel(), minlength=256))
    return int(np.searchsorted(counts, share * levels.size))


def sample(levels: Levels) -> Levels:
    """Return about SAMPLE_SIDE_PX rows and columns, enough to count levels in."""
    step_y, step_x = (max(1, side // SAMPLE_SIDE_PX) for side in levels.shape)
    return levels[::step_y, ::step_x]


def _prepared(picture: Picture) -> tuple[Colours, list[Levels]]:
    """Average grain away; return the colours, and each band. Grey has one band."""
    bands = _bands(picture)
    if _grain(bands[1]) > GRAIN:
        sigma = max(0.6, max(picture.shape) / WORKING_SIDE_PX)
        picture = np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)
        bands = _bands(picture)
    if all(np.array_equal(bands[0], band) for band in bands[1:]):
        return bands[0][..., np.newaxis], bands[:1]
    return picture, bands


def _bands(colours: Colours) -> list[Levels]:
    return [np.asarray(band, np.uint8) for band in cv2.split(colours)]


def _grain(band: Levels) -> int:
    """Return the median difference of neighbouring pixels, down or across."""
    if min(band.shape) < 2:
        return 0
    down = np.asarray(cv2.absdiff(band[1:], band[:-1]), np.uint8)
    across = np.asarray(cv2.absdiff(band[:, 1:], band[:, :-1]), np.uint8)
    return max(quantile(sample(down), 0.5), quantile(sample(across), 0.5))


def _common_colour(bands: list[Levels]) -> Colours | None:
    """Return the most common colour; None if no colour is common enough."""
    near = np.full(bands[0].shape, 255, np.uint8)
    colour = []
    for band in bands:
        likely = sample(band)[sample(near) > 0]  # alike in the bands before
        level = int(np.bincount(likely, minlength=256).argmax())
        near &= _within(band, level - PAPER_SPREAD, level + PAPER_SPREAD)
        colour.append(level)
    is_common = cv2.countNonZero(near) >= PAPER_SHARE * near.size
    return np.array(colour, np.uint8) if is_common else None


def _within(band: Levels, low: int, high: int) -> Levels:
    """Mark levels from `low` to `high` with 255."""
    return np.asarray(cv2.inRange(band, np.array(low), np.array(high)), np.uint8)


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
    return np.asarray(np.minimum(levels, 255), np.uint8)
