"""Find the ink of a digit in a picture that people send: photo, scan, screenshot.

1. `paper.pages` shrinks the picture and measures how far each pixel is from the paper,
   in colour. There are several ways to tell where the paper is.
2. `parts.masks` marks the ink, and removes printed lines that run across the picture.
3. `parts.kinds_of` cuts it into connected parts and sorts them: ink, and what mostly is
   none, such as frames, specks, underlines and ink that touches an edge.
4. `candidates` offers the ink alone, and together with what may belong to it.

No rule can tell the bar of a 5 from an underline. So the network scores the
candidates: see `inference.Recogniser.read_picture`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.paper import Levels, Page, pages, quantile
from mlcore.reading.parts import (
    Box,
    Kinds,
    Labels,
    Mask,
    Part,
    box_of,
    kinds_of,
    kinds_of_one_part,
    mask_of,
    masks,
)
from mlcore.reading.pictures import Picture
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import PEN_SHARE

Depth = NDArray[np.float32]
"""(H, W): each pixel's distance from the nearest paper, in pixels."""
Doubt = Literal["", "cut_off", "small", "long"]

THINNEST_LINE_SHARE = 0.06
"""Lines thinner than this share of the ink's longest side are thickened.

They would vanish at 20 px.
"""
SURE_SIZE = 0.065
"""Smaller ink, as a share of the picture's longest side, is doubted."""
SURE_STRENGTH = 45
"""Fainter ink, in levels, is doubted."""
EDGE_SHARE = 1 / 6
"""Ink that lies within this share of a side from an edge is doubted."""


@dataclass(frozen=True)
class Candidate:
    """Ink that may be a digit.

    bitmap: (H, W) uint8, ink 255 on paper 0, cropped to the ink. trust: in [0, 1], less
    than 1 for ink that may be cut off, or that may be something else than ink. doubt:
    the main reason of less trust that a person can remove. shapes: how many parts of
    the picture are of about one size.
    """

    bitmap: Bitmap
    trust: float
    doubt: Doubt
    shapes: int


def candidates(picture: Picture) -> Iterator[Candidate]:
    """Yield what may be a digit in a picture, the most likely first.

    Args:
        picture: (H, W, 3) RGB or (H, W) grey levels, dark on light or light on dark.
    """
    if picture.ndim == 2:
        picture = np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    for page in pages(picture):
        alone = kinds_of_one_part(page)
        if alone is not None:
            yield _candidate(alone.ink, alone, page)
            continue
        for place, mask in enumerate(masks(page)):
            kinds = kinds_of(mask, page)
            for chosen in _choices(kinds):
                # The second mask is for digits that fill their picture, so that their
                # strokes were taken for printed lines.
                if place == 0 or _fills(box_of(chosen), kinds.labels):
                    yield _candidate(chosen, kinds, page)


def _choices(kinds: Kinds) -> Iterator[list[Part]]:
    ink, extra, edge = kinds.ink, kinds.extra, kinds.edge
    if ink:
        yield ink
    if ink and extra:
        yield ink + extra
    if edge:
        yield ink + edge


def bitmap_of(chosen: Sequence[Part], labels: Labels, page: Page) -> Bitmap:
    """Return the ink of some parts, cropped; thin lines are thickened."""
    window = _around(chosen, labels)
    mask = mask_of(chosen, labels, window)
    left, top, right, bottom = window
    others = (labels[top:bottom, left:right] > 0) & (mask == 0)
    return _bitmap(
        mask, page.distance[top:bottom, left:right], others=others.astype(np.uint8)
    )


def _around(chosen: Sequence[Part], labels: Labels) -> Box:
    """Return the box of some parts with their smooth edges, which are not marked."""
    height, width = labels.shape
    left, top, right, bottom = box_of(chosen)
    return (
        *(max(0, left - 2), max(0, top - 2)),
        *(min(width, right + 2), min(height, bottom + 2)),
    )


def _bitmap(mask: Mask, distance: Levels, *, others: Mask | None = None) -> Bitmap:
    """Return ink at full contrast. others: what lies there and is left out."""
    soft = cv2.dilate(mask, np.ones((3, 3), np.uint8))
    if others is not None:
        soft = cv2.subtract(soft, others)
    strength = max(1, quantile(distance[mask > 0], 0.9))
    stretch = np.arange(256, dtype=np.float32) * (255.0 / strength)
    stretch[stretch < 0.1 * 255] = 0
    levels = np.asarray(np.rint(np.minimum(stretch, 255)), np.uint8)
    bitmap = np.asarray(cv2.LUT(distance, levels) * soft, np.uint8)
    return _with_thicker_lines(bitmap, mask, _depth(mask))


def _candidate(chosen: list[Part], kinds: Kinds, page: Page) -> Candidate:
    labels = kinds.labels
    height, width = labels.shape
    left, top, right, bottom = box_of(chosen)
    window = _around(chosen, labels)
    mask = mask_of(chosen, labels, window)
    bitmap = _bitmap(mask, page.distance[window[1] : window[3], window[0] : window[2]])
    size = max(right - left, bottom - top) / max(height, width)
    trust_of_size = min(1.0, size / SURE_SIZE)
    trust_of_edges = _trust_of_edges(chosen, labels)
    trust = (
        page.trust
        * trust_of_size
        * trust_of_edges
        * min(1.0, max(part.strength for part in chosen) / SURE_STRENGTH)
        * _trust_of_shape(mask, window, labels, page)
        * _trust_of_surroundings(chosen, labels, page)
        * _trust_of_what_is_left(chosen, kinds)
    )
    doubt: Doubt = ""
    if min(trust_of_size, trust_of_edges) < 1:
        doubt = "small" if trust_of_size < trust_of_edges else "cut_off"
    return Candidate(bitmap, trust, doubt, kinds.shapes)


# --- trust ---------------------------------------------------------------------------


def _trust_of_shape(mask: Mask, box: Box, labels: Labels, page: Page) -> float:
    """Doubt a sheet of paper, and a line that lies or runs along an edge."""
    height, width = mask.shape
    size = max(height, width)
    share = cv2.countNonZero(mask) / mask.size
    # A sheet of paper on a desk is light "ink" as well.
    is_sheet = not page.is_uniform and share > 0.62 and min(height, width) > 0.35 * size
    lies = width > 2.5 * height and share > 0.3
    is_ruling = _spans(box, labels) and (_is_straight(mask) or _is_open(mask))
    is_doubtful = is_sheet or lies or is_ruling or _lies_at_edge(box, labels)
    return 0.3 if is_doubtful else 1.0


def _is_straight(mask: Mask) -> bool:
    """Return whether it has nothing but long lines along the axes."""
    height, width = mask.shape
    gap = max(height, width) // 20 + 1
    whole = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
    level = np.ones((1, max(3, round(0.8 * width))), np.uint8)
    upright = np.ones((max(3, round(0.8 * height)), 1), np.uint8)
    lines = cv2.max(
        cv2.morphologyEx(whole, cv2.MORPH_OPEN, level),
        cv2.morphologyEx(whole, cv2.MORPH_OPEN, upright),
    )
    return bool(np.count_nonzero(lines) > 0.9 * np.count_nonzero(whole))


def _is_open(mask: Mask) -> bool:
    """Return whether its middle is free, and open to a side: some lines of a cell."""
    y, x = (max(1, side // 4) for side in mask.shape)
    if mask[y:-y, x:-x].any():
        return False
    sides = mask[:y, x:-x], mask[-y:, x:-x], mask[y:-y, :x], mask[y:-y, -x:]
    return not all(side.any() for side in sides)


def _lies_at_edge(box: Box, labels: Labels) -> bool:
    """Return whether a box lies along an edge of the picture, far from the other one.

    A digit in the middle of its picture has about as much paper on either side.
    """
    height, width = labels.shape
    left, top, right, bottom = box
    wide, high = right - left, bottom - top
    for long, thick, margins in (
        (high, wide, (left, width - right)),
        (wide, high, (top, height - bottom)),
    ):
        near, far = sorted(margins)
        is_within = near + thick <= EDGE_SHARE * (near + thick + far)
        is_bar = long > 2.5 * thick and near < 0.2 * long
        if is_within or (is_bar and far > max(4 * near, 3 * thick)):
            return True
    return False


def _spans(box: Box, labels: Labels) -> bool:
    """Return whether a box reaches nearly from one edge to the other, or both ways.

    Where a picture is cut at a one, the one has a third of its width or more.
    """
    height, width = labels.shape
    long, short = sorted(
        ((box[2] - box[0]) / width, (box[3] - box[1]) / height), reverse=True
    )
    return bool(long > 0.88 and not 0.33 <= short <= 0.7)


def _trust_of_edges(chosen: list[Part], labels: Labels) -> float:
    """Doubt ink that is cut off at an edge, unless the picture is cut at the ink."""
    height, width = labels.shape
    box = left, top, right, bottom = box_of(chosen)
    touched = left == 0, top == 0, right == width, bottom == height
    if not any(touched):
        return 1.0
    if _fills(box, labels):
        return 0.9
    lowest = mask_of(chosen, labels, (left, height - 1, right, height))[0] > 0
    pieces = int(lowest[0]) + int(np.count_nonzero(lowest[1:] & ~lowest[:-1]))
    is_narrow = np.count_nonzero(lowest) <= 0.2 * max(right - left, bottom - top)
    # The stem of a 1, 4, 7 or 9 may well end at the lower edge.
    is_stem = touched == (False, False, False, True) and pieces == 1 and is_narrow
    return 0.8 if is_stem else 0.5


def _trust_of_what_is_left(chosen: list[Part], kinds: Kinds) -> float:
    """Doubt ink if a large part was left out that lies within its reach."""
    left, top, right, bottom = box_of(chosen)
    area = sum(part.area for part in chosen)
    is_incomplete = any(
        part not in chosen
        and part.area > 0.25 * area
        and part.box[0] < right
        and part.box[1] < bottom
        and part.box[2] > left
        and part.box[3] > top
        for part in kinds.edge
    )
    return 0.5 if is_incomplete else 1.0


def _fills(box: Box, labels: Labels) -> bool:
    """Return whether the picture is cut at the ink, give or take a seventh."""
    height, width = labels.shape
    left, top, right, bottom = box
    margins = left / width, top / height, 1 - right / width, 1 - bottom / height
    return bool(max(margins) <= 1 / 7)


def _trust_of_surroundings(chosen: list[Part], labels: Labels, page: Page) -> float:
    """Doubt ink if much of what lies around it has its colour, or differs from paper.

    The light between two dark specks looks like light ink on dark paper otherwise, and
    so do the gaps in a dark line on light paper.
    """
    if page.is_uniform:
        return 1.0
    height, width = labels.shape
    left, top, right, bottom = box_of(chosen)
    reach = max(right - left, bottom - top) // 8 + 2
    window = (
        *(max(0, left - reach), max(0, top - reach)),
        *(min(width, right + reach), min(height, bottom + reach)),
    )
    mask = mask_of(chosen, labels, window)
    outside = cv2.dilate(mask, np.ones((5, 5), np.uint8)) == 0
    if not outside.any():
        return 1.0
    view = np.s_[window[1] : window[3], window[0] : window[2]]
    colours = page.colours[view].astype(np.float32)
    paper = np.median(page.paper[view][mask > 0], axis=0)
    ink = np.median(colours[mask > 0], axis=0)
    apart = np.abs(colours[outside] - ink).sum(axis=1)
    is_like_ink = apart < 0.25 * np.abs(ink - paper).sum()
    along = ink - paper
    is_as_far = (colours[outside] - paper) @ along > 0.75 * (along @ along)
    is_doubtful = float(is_like_ink.mean()) > 0.35 or float(is_as_far.mean()) > 0.75
    return 0.4 if is_doubtful else 1.0


# --- thin lines ----------------------------------------------------------------------


def _depth(mask: Mask) -> Depth:
    """Return each pixel's distance from the nearest pixel of paper, in pixels."""
    framed = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    return np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 3), np.float32)


def _with_thicker_lines(bitmap: Bitmap, mask: Mask, depth: Depth) -> Bitmap:
    """Thicken lines that would vanish at 20 px; other ink stays as it is."""
    # The mean depth of a line of width w is about w / 4. The mask has soft edges.
    line_px = 4.0 * cv2.sumElems(depth)[0] / cv2.countNonZero(mask) - 1.5
    size = max(bitmap.shape)
    if line_px >= THINNEST_LINE_SHARE * size:
        return bitmap
    side = 2 * round((PEN_SHARE * size - line_px) / 2) + 1
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    pad = side // 2
    padded = cv2.copyMakeBorder(
        bitmap, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0
    )
    return np.asarray(cv2.dilate(padded, pen), np.uint8)
