"""Find a row of printed boxes, as on forms, in a picture.

The inside of a box is paper that lines enclose. A row has several insides of one size,
side by side. A digit that crosses a line, or a broken line, may hide one of them: then
the distance between the others tells where it is.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.parts import Box, Mask

LEAST_SHARE = 0.3
"""Of the picture's height that a box takes."""
LEAST_PX = 12
"""Least side of a box, at the size in which ink is searched for."""
ALIKE = 0.2
"""Boxes of a row differ by no more than this share of their sides."""
SLENDEREST = 0.35
"""Width of a box by its height, or the other way round."""
LINE = 0.8
"""Share of a box's side that has a line."""

DUST = 0.12
"""Size of dust in an empty box, as a share of the box's height."""


def row_of_boxes(mask: Mask) -> list[Box]:
    """Return the insides of a row of boxes, from left to right; empty if there is none.

    Of several rows none is returned.

    Args:
        mask: of the ink, with printed lines.
    """
    kernel = np.ones((3, 3), np.uint8)
    closed = np.asarray(cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel), np.uint8)
    _, _, facts, _ = cv2.connectedComponentsWithStats(1 - closed, connectivity=4)
    _, _, wide, high, area = facts[1:].T
    short, long = np.minimum(wide, high), np.maximum(wide, high)
    may_be_box = (
        (short >= LEAST_PX)
        & (high >= LEAST_SHARE * len(mask))
        & (short >= SLENDEREST * long)
        & (area >= 0.4 * wide * high)
    )
    found = [box for box in facts[1:][may_be_box] if _has_lines_around(box, closed)]
    if len(found) < 2:
        return []
    _, y, wide, high, _ = np.array(found).T
    usual_wide, usual_high = np.median(wide), np.median(high)
    is_alike = (np.abs(wide - usual_wide) <= ALIKE * usual_wide) & (
        np.abs(high - usual_high) <= ALIKE * usual_high
    )
    tops = y[is_alike]
    if np.count_nonzero(is_alike) < 2 or np.ptp(tops) > 0.5 * usual_high:
        return []
    alike = [box for box, is_one in zip(found, is_alike, strict=True) if is_one]
    return _filled_up(sorted(alike, key=lambda box: int(box[0])), mask)


def _has_lines_around(box: NDArray[np.int32], mask: Mask) -> bool:
    """Return whether straight lines run along all sides; not so around a loop."""
    left, top, wide, high = (int(side) for side in box[:4])
    right, bottom = left + wide, top + high
    y, x = max(2, high // 16), max(2, wide // 16)
    above, below = mask[max(0, top - y) : top + y], mask[bottom - y : bottom + y]
    before, after = mask[:, max(0, left - x) : left + x], mask[:, right - x : right + x]
    return all(
        float(line.mean()) >= LINE
        for line in (
            *(band[:, left:right].any(axis=0) for band in (above, below)),
            *(band[top:bottom].any(axis=1) for band in (before, after)),
        )
    )


def _filled_up(row: list[NDArray[np.int32]], mask: Mask) -> list[Box]:
    """Add boxes between others, and at the ends where the row's lines run on."""
    lefts = np.array([box[0] for box in row])
    top, wide, high = (int(np.median([box[at] for box in row])) for at in (1, 2, 3))
    apart = np.diff(lefts)
    if not len(apart):
        return []
    pitch = float(np.median(apart[apart < 1.5 * apart.min()]))
    places = np.rint((lefts - lefts[0]) / pitch).astype(int)
    first, last = 0, int(places[-1])
    while _runs_on(mask, lefts[0] + (first - 1) * pitch, top, wide, high):
        first -= 1
    while _runs_on(mask, lefts[0] + (last + 1) * pitch, top, wide, high):
        last += 1
    known = dict(zip(places.tolist(), row, strict=True))
    boxes: list[Box] = []
    for place in range(first, last + 1):
        if place in known:
            x, y, w, h = (int(side) for side in known[place][:4])
        else:
            near = min(known, key=lambda at: abs(at - place))
            x = round(int(known[near][0]) + (place - near) * pitch)
            y, w, h = int(known[near][1]), wide, high
        boxes.append((max(0, x), y, min(mask.shape[1], x + w), y + h))
    return boxes


def _runs_on(mask: Mask, left: float, top: int, wide: int, high: int) -> bool:
    """Return whether there are lines above and below where a box may be."""
    first, last = max(0, round(left)), min(mask.shape[1], round(left) + wide)
    if last - first < 0.6 * wide:
        return False
    reach = max(3, high // 8)
    bands = (mask[max(0, y - reach) : y + reach, first:last] for y in (top, top + high))
    return all(float(band.any(axis=0).mean()) >= LINE for band in bands)


def is_empty(box: Box, mask: Mask) -> bool:
    """Return whether the middle of a box has no ink but dust."""
    left, top, right, bottom = box
    y, x = ((side // 8) for side in (bottom - top, right - left))
    middle = np.ascontiguousarray(mask[top + y : bottom - y, left + x : right - x])
    _, _, facts, _ = cv2.connectedComponentsWithStats(middle)
    sizes = facts[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]].max(axis=1, initial=0)
    return bool((sizes < DUST * (bottom - top)).all())
