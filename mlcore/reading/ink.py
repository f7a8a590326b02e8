"""Find the ink in a picture."""

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.pictures import shrink
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import PEN_SHARE

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


def find_ink(picture: NDArray[np.uint8]) -> Bitmap:
    """Tell ink from paper in a picture of either polarity.

    The median grey of the picture's edge is the paper; ink is what differs from it
    most, dark or light. Contrast is stretched until the strongest ink is 255. Anything
    close to the paper's noise counts as paper. Lines that would vanish at 20 px are
    thickened, and the lines of ruled and squared paper are removed. A photo has noisy
    or unevenly lit paper, so it is smoothed and its paper is estimated locally.

    Args:
        picture: (H, W, 3) RGB from `decode_picture`, or (H, W) grey levels.

    Returns:
        Bitmap of about the same size, smaller for a photo; all zero if the picture is
        blank.
    """
    grey = picture
    if picture.ndim == 3:
        grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
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
    small = shrink(grey, PHOTO_SIDE_PX)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), PHOTO_SIDE_PX / 400), np.uint8)


def _local_paper(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Estimate the paper under the ink: the median of a wide neighbourhood."""
    small = shrink(grey, 64)
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
