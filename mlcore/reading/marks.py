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
    lowest = y[-1]  # `nonzero` goes down row by row
    corner = np.array([x[y == lowest].mean(), lowest])
    if corner[1] - y[0] < TICK_ARM_PX:
        return False
    ends = []
    for arm in (x < corner[0] - 1, x > corner[0] + 1):
        if not arm.any():
            return False
        farthest = np.hypot(x[arm] - corner[0], y[arm] - corner[1]).argmax()
        ends.append(np.array([x[arm][farthest], y[arm][farthest]], float))
    left, right = ends
    reach = corner[0] - left[0], right[0] - corner[0]
    rise = corner[1] - left[1], corner[1] - right[1]
    if min(*reach, *rise) < TICK_ARM_PX:
        return False
    points = np.stack([x, y], axis=1)
    stray = np.minimum(
        _distance(points, corner, left), _distance(points, corner, right)
    )
    return bool(np.mean(stray <= TICK_STRAY_PX) >= TICK_SHARE)


def _distance(
    points: NDArray[np.int64], start: NDArray[np.float64], end: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the distances of (N, 2) points from the line between two points."""
    along = end - start
    share = np.clip((points - start) @ along / (along @ along), 0, 1)
    nearest = start + share[:, np.newaxis] * along
    return np.asarray(np.hypot(*(points - nearest).T), np.float64)
