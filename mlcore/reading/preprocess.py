"""The framing of digits for training, serving, evaluation and notebook.

MNIST's digits were scaled to fit a 20x20 box with their aspect kept, then centred by
mass in 28x28. A model trained on them reads nothing else well, so every drawing is
framed the same way. With plain resizing to 28x28 only half of real drawings are read
correctly.
"""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Bitmap = NDArray[np.uint8]
"""(H, W) uint8, ink 255 on paper 0."""
DigitImage = NDArray[np.float32]
"""(28, 28, 1) float32 in [0, 1]."""

PREPROCESSING_VERSION = 2
"""Raise it when a change here, in `rasterise` or in `ink` alters a digit image."""

SIDE_PX = 28
BOX_PX = 20


MASK_INK = 1
"""Ink level of a digit image sent as a mask of 0 and 1."""
FAINTEST_INK = 8
"""A digit image whose strongest ink is fainter counts as blank.

Nobody sees less on a screen; scikit-learn's digits reach 16.
"""
FULL_INK = 254
"""Strongest ink of the faintest digit in MNIST."""


class BlankDrawingError(ValueError):
    """The drawing has no ink to read."""


def normalize(bitmap: Bitmap) -> DigitImage:
    """Place a drawing as MNIST places its digits: 20 px box, centred by mass in 28 px.

    An MNIST image passes unchanged: its box is 20 px already and its centre of mass
    rounds to pixel (14, 14).

    Args:
        bitmap: (H, W) uint8, ink 255 on paper 0, any size.

    Returns:
        (28, 28, 1) float32 in [0, 1]; longest side of the ink is 20 px, aspect kept.

    Raises:
        BlankDrawingError: no pixel carries ink.

    Source: LeCun et al. 1998, section III.A.
    """
    left, top, width, height = cv2.boundingRect(bitmap)
    if width == 0:
        raise BlankDrawingError("The drawing has no ink.")
    ink = bitmap[top : top + height, left : left + width]
    scale = BOX_PX / max(width, height)
    if scale != 1:
        size = [max(1, math.floor(length * scale + 0.5)) for length in (width, height)]
        # Averages the area when shrinking, so each pixel is its share of ink.
        smooth = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        ink = np.asarray(cv2.resize(ink, size, interpolation=smooth), np.uint8)
    y, x = _corner(ink)
    image = np.zeros((SIDE_PX, SIDE_PX, 1), np.float32)
    image[y : y + ink.shape[0], x : x + ink.shape[1], 0] = ink
    image /= 255.0
    return image


def at_full_contrast(levels: Bitmap) -> Bitmap:
    """Stretch a faint digit image to the levels from 0 to 255.

    Some programs send 0 and 1, or scikit-learn's 0 to 16, or grey paper. MNIST's digits
    pass unchanged.

    Args:
        levels: (H, W) uint8, ink high.

    Returns:
        Bitmap of the same shape; all zero if the ink is too faint to see.
    """
    paper, strongest = int(levels.min()), int(levels.max())
    if paper == 0 and strongest >= FULL_INK:
        return levels
    contrast = strongest - paper
    is_mask = paper == 0 and strongest == MASK_INK
    if contrast < FAINTEST_INK and not is_mask:
        return np.zeros_like(levels)
    stretched = (levels - np.uint8(paper)) * (255.0 / contrast)
    return np.asarray(np.rint(stretched), np.uint8)


def _corner(ink: Bitmap) -> tuple[int, int]:
    """Return the top-left (y, x) that puts the ink's centre of mass on (14, 14)."""
    moments = cv2.moments(ink)
    total = moments["m00"]
    if total == 0:  # a faint speck that was averaged away
        raise BlankDrawingError("The drawing has no ink.")
    corner = []
    for length, moment in zip(ink.shape, (moments["m01"], moments["m10"]), strict=True):
        centre = moment / total
        # Lopsided ink would leave the picture, so the corner is clamped.
        start = math.floor(SIDE_PX / 2 - centre + 0.5)
        corner.append(min(max(start, 0), SIDE_PX - length))
    return corner[0], corner[1]
