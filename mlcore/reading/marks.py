"""Recognise marks that are no digits, however sure a network is: a dot, a tick.

A network that has learnt digits takes a dot for a 0 and a tick for a 5.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.preprocess import BOX_PX, DigitImage

INK = 0.3
"""Least level of a pixel of ink."""
DOT_DEPTH_PX = 0.3 * BOX_PX
"""Ink that reaches so far from the nearest paper has no strokes.

The boldest strokes in MNIST reach 5 px.
"""
TICK_ARM_PX = 3.5
"""Least width and height of a tick's arms; a bold 1 has none so wide."""
TICK_STRAY_PX = 2.0
"""How far a tick's ink may lie from its two straight arms: a bold pen's half width."""
TICK_SHARE = 0.97
"""Least share of a tick's ink that lies so near."""


def is_mark(image: DigitImage) -> bool:
    """Return whether the ink is a dot or a tick."""
    ink = (image[..., 0] >= INK).astype(np.uint8)
    return _is_dot(ink) or _is_tick(ink)


def _is_dot(ink: NDArray[np.uint8]) -> bool:
    depth = cv2.distanceTransform(ink, cv2.DIST_L2, 3)
    return bool(depth.max() >= DOT_DEPTH_PX)


def _is_tick(ink: NDArray[np.uint8]) -> bool:
    """Return whether it is two straight arms that meet at the lowest point."""
    y, x = np.nonzero(ink)
    if len(y) == 0:
        return False
    points = x + 1j * y
    points -= points[y == y[-1]].mean()  # `nonzero` goes down row by row
    arms = points[points.real < -1], points[points.real > 1]
    if not all(map(len, arms)):
        return False
    left, right = (arm[np.abs(arm).argmax()] for arm in arms)
    if min(-left.real, right.real, -left.imag, -right.imag) < TICK_ARM_PX:
        return False
    stray = np.minimum(_distance(points, left), _distance(points, right))
    return bool(np.mean(stray <= TICK_STRAY_PX) >= TICK_SHARE)


def _distance(points: NDArray[np.complex128], end: complex) -> NDArray[np.float64]:
    """Return the distances of (N,) points x + iy from the line from 0 to `end`."""
    share = np.clip((points / end).real, 0, 1)
    return np.asarray(np.abs(points - share * end), np.float64)
