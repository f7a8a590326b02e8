"""Cut the ink of a picture where one digit may end and the next begin.

Cuts are seams: paths from top to bottom that cross little ink. They run through gaps,
and through touching digits at several places; there may be too many, but not too few.
What lies between two cuts may be a digit: a region. The network looks at each.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.ink import soft_ink, thickened
from mlcore.reading.paper import Page
from mlcore.reading.parts import Box, Mask, Part, box_of, mask_of, parts_of_row
from mlcore.reading.preprocess import Bitmap

# Lengths are in heights of the number, widths of cuts in widths of a stroke.
WORKING_HEIGHT_PX = 60
"""Ink is cut at this height of the number, if it is not lower."""
STEP = 0.08
"""Distance between the seams that are looked for."""
SWAYS = 0.03, 0.1, 0.3
"""How far a seam may sway to either side. The straightest ones are cuts where they run
through one stroke lengthwise: there two round digits touch.
"""
SLANT = 0.05
"""Cost of a step to the side, in pixels of ink."""
WIDEST_CUT = 3.5
"""A seam through more ink is no cut."""
MOST_RUNS = 3
"""A seam through more strokes is no cut."""
LENGTHWISE = 1.5
"""A straight seam runs lengthwise from this width on."""
LEAST_INK = 0.15
"""Between two cuts, in strokes as long as the number is high."""
WIDEST = 1.7
"""Of a region."""
MOST_LOST = 0.15
"""Ink that is on the wrong side of two cuts that cross each other, as LEAST_INK."""
MOST_CUTS = 120

Paths = NDArray[np.int64]
"""(S, H): x where the right side of a cut begins, by row."""


@dataclass(frozen=True)
class Cuts:
    """Where the ink of a number may be cut; all in pixels of the working size.

    levels: (H, W) uint8, ink at full contrast. paths: (S, H), from left to right; the
    first lies before all ink, the last behind it. widths, runs: of the ink that each
    crosses, and how many strokes that is. longest: the longest of these, in widths of a
    stroke. inks: (S, S), between two cuts; lost: on the wrong sides of both. scale:
    pixels of the page for one pixel. corner: of the levels, in pixels of the page.
    """

    levels: Bitmap
    paths: Paths
    widths: NDArray[np.float64]
    runs: NDArray[np.float64]
    longest: NDArray[np.float64]
    inks: NDArray[np.float64]
    lost: NDArray[np.float64]
    height: float
    stroke: float
    scale: float
    corner: tuple[int, int]
    others: tuple[Part, ...]

    def bitmap_between(self, left: int, right: int) -> tuple[Bitmap, Box] | None:
        """Return a region and its box in pixels of the levels; None if it is wide."""
        starts, ends = self.paths[left], self.paths[right]
        first, last = max(0, int(starts.min())), int(ends.max())
        x = np.arange(first, min(last, self.levels.shape[1]))
        inside = (x >= starts[:, np.newaxis]) & (x < ends[:, np.newaxis])
        view = self.levels[:, first:last] * inside
        x0, y0, wide, high = cv2.boundingRect(
            cv2.threshold(view, 127, 255, cv2.THRESH_BINARY)[1]
        )
        if wide == 0 or wide > WIDEST * self.height:
            return None
        box = first + x0, y0, first + x0 + wide, y0 + high
        bitmap = np.ascontiguousarray(view[y0 : y0 + high, x0 : x0 + wide])
        return thickened(bitmap, self.stroke, round(self.height)), box


def cuts_of(mask: Mask, page: Page) -> Cuts | None:
    """Find cuts through the ink that a mask marks; None if there is none."""
    labels, parts, others = parts_of_row(mask, page)
    if not parts:
        return None
    heights = np.array([part.height for part in parts])
    height = float(np.median(heights[heights >= heights.max() / 2]))
    left, top, right, bottom = box_of(parts)
    chosen = mask_of(parts, labels, (left, top, right, bottom))
    levels = soft_ink(chosen, page.distance[top:bottom, left:right])
    scale = min(1.0, WORKING_HEIGHT_PX / height)
    size = [max(2, round(side * scale)) for side in chosen.shape[::-1]]
    smooth = cv2.INTER_AREA
    ink = np.asarray(
        cv2.resize(chosen.astype(np.float32), size, interpolation=smooth), np.float32
    )
    levels = np.asarray(cv2.resize(levels, size, interpolation=smooth), np.uint8)
    height *= scale
    stroke = _stroke_width(ink)
    seams = [_seams(ink, height, sway) for sway in SWAYS]
    found = np.concatenate(seams)
    summed = np.pad(np.cumsum(ink, axis=1), ((0, 0), (1, 0)))
    rows = np.arange(len(ink))
    before = summed[rows, found]  # (S, H): ink left of each path
    crossed = np.pad(ink, ((0, 0), (0, 1)))[rows, found]
    widths = crossed.sum(axis=1) / stroke
    runs, longest = _runs(crossed > 0.5)
    is_straight = np.arange(len(found)) < len(seams[0])
    is_lengthwise = (runs == 1) & (longest >= LENGTHWISE * stroke)
    is_fair = (widths <= WIDEST_CUT) & (runs <= MOST_RUNS)
    is_fair &= is_lengthwise | ~is_straight
    unit = stroke * height
    kept: list[int] = []
    least = LEAST_INK * unit
    total = summed[:, -1]
    for at in np.argsort(widths, kind="stable"):
        if not is_fair[at] or len(kept) == MOST_CUTS:
            continue
        known = np.vstack([before[kept], np.zeros_like(total), total])
        if np.abs(known - before[at]).sum(axis=1).min() >= least:
            kept.append(int(at))
    kept.sort(key=lambda at: float(before[at].sum()))
    ends = np.zeros(len(ink), np.int64), np.full(len(ink), ink.shape[1], np.int64)
    before = np.vstack([ends[0], before[kept], total])
    between = before[np.newaxis] - before[:, np.newaxis]
    return Cuts(
        levels=levels,
        paths=np.vstack([ends[0], found[kept], ends[1]]),
        widths=np.pad(widths[kept], 1),
        runs=np.pad(runs[kept], 1),
        longest=np.pad(longest[kept] / stroke, 1),
        inks=np.maximum(between, 0).sum(axis=2) / unit,
        lost=np.maximum(-between, 0).sum(axis=2) / unit,
        height=height,
        stroke=stroke,
        scale=1 / scale,
        corner=(left, top),
        others=tuple(others),
    )


def _runs(
    crossed: NDArray[np.bool_],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how many strokes each path crosses, and the longest way through one."""
    runs = np.zeros(len(crossed))
    longest = np.zeros(len(crossed))
    now = np.zeros(len(crossed))
    for row in crossed.T:
        runs += row & (now == 0)
        now = (now + 1) * row
        longest = np.maximum(longest, now)
    return runs, longest


def _seams(ink: NDArray[np.float32], height: float, sway: float) -> Paths:
    """Find the path from top to bottom through the least ink, in bands side by side.

    Source: seam carving, Avidan and Shamir 2007.
    """
    band = max(1, round(sway * height))
    centres = np.arange(0, ink.shape[1], max(1, round(STEP * height)))
    columns = centres[:, np.newaxis] + np.arange(2 * band + 1)
    costs = np.pad(ink, ((0, 0), (band, band)))[:, columns]  # (H, C, B)
    total = costs[0]
    steps = np.zeros(costs.shape, np.int8)
    for y in range(1, len(ink)):
        ways = np.full((3, *total.shape), np.inf, np.float32)
        ways[1] = total
        ways[0, :, 1:] = total[:, :-1] + SLANT
        ways[2, :, :-1] = total[:, 1:] + SLANT
        steps[y] = ways.argmin(axis=0) - 1
        total = ways.min(axis=0) + costs[y]
    at = total.argmin(axis=1)
    rows = np.arange(len(centres))
    paths = np.zeros((len(centres), len(ink)), np.int64)
    for y in range(len(ink) - 1, -1, -1):
        paths[:, y] = columns[rows, at] - band
        at = at + steps[y][rows, at]
    return np.clip(paths, 0, ink.shape[1])


def _stroke_width(ink: NDArray[np.float32]) -> float:
    framed = np.pad((ink > 0.5).astype(np.uint8), 1)
    depth = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 3))
    inside = depth[framed > 0]
    return max(1.0, 4.0 * float(inside.mean()) - 1.0) if inside.size else 1.0
