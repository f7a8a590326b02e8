"""Cut the ink of a picture into the pieces that a number's digits are made of.

Most digits are one connected part, or several. Where a part looks like several digits,
it is cut along cheap seams: paths from top to bottom through little ink. A digit may
have several pieces, so there may be too many seams, but not too few.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.ink import bitmap_of
from mlcore.reading.paper import Page
from mlcore.reading.parts import Labels, Mask, Part, mask_of, parts_of_row
from mlcore.reading.preprocess import Bitmap

# Lengths are in heights of the number, widths of seams in widths of a stroke.
WORKING_HEIGHT_PX = 56
"""Ink is searched for seams at this height of the number."""
NARROWEST = 0.5
"""A narrower part is not cut."""
STEP = 0.05
"""Distance between the seams that are looked for."""
SWAY = 0.15
"""How far a seam may sway to either side."""
WIDEST_SEAM = 3.2
"""A seam through more ink is no seam."""
LEAST_INK = 0.35
"""Ink on either side of a seam, in strokes as long as the number is high."""
APART = 0.1
"""Between two seams."""
SLANT = 0.02
"""Cost of a step to the side, in pixels of ink."""


@dataclass(frozen=True)
class Ink:
    """Pieces of a picture's ink.

    All in pixels of the page. seams: between two pieces of the same part, by their
    indices: how many widths of a stroke it cuts. others: points and underlines.
    """

    labels: Labels
    page: Page
    parts: tuple[Part, ...]
    seams: Mapping[tuple[int, int], float]
    others: tuple[Part, ...]

    @property
    def boxes(self) -> NDArray[np.float64]:
        """The boxes of the pieces, (N, 4): left, top, right, bottom."""
        return np.array([part.box for part in self.parts], np.float64)

    def bitmap_of(self, chosen: Sequence[int]) -> Bitmap:
        """Return some pieces as a bitmap."""
        return bitmap_of([self.parts[at] for at in chosen], self.labels, self.page)


def ink_of(mask: Mask, page: Page, *, is_digit: Callable[[Bitmap], bool]) -> Ink | None:
    """Cut the ink that a mask marks into pieces; None if there is none.

    is_digit: whether a part is clearly one digit, so that it need not be cut.
    """
    labels, parts, others = parts_of_row(mask, page)
    if not parts:
        return None
    heights = np.array([part.height for part in parts])
    height = float(np.median(heights[heights >= heights.max() / 2]))
    pieces: list[Part] = []
    seams: dict[tuple[int, int], float] = {}
    for part in sorted(parts, key=lambda part: part.box[0]):
        if part.width < NARROWEST * height or part.height < NARROWEST * height:
            pieces.append(part)
            continue
        if part.width < 1.5 * height and is_digit(bitmap_of([part], labels, page)):
            pieces.append(part)
            continue
        own, widths = _cut(part, labels, height)
        for place, width in enumerate(widths, len(pieces)):
            seams[place, place + 1] = width
        pieces += own
    return Ink(labels, page, tuple(pieces), seams, tuple(others))


def _cut(part: Part, labels: Labels, height: float) -> tuple[list[Part], list[float]]:
    """Cut a part along its seams; the pieces get labels of their own.

    Returns:
        The pieces from left to right, and the widths of the seams between them.
    """
    left, top, right, bottom = part.box
    mask = mask_of([part], labels, part.box)
    paths, widths = _seams(mask, height)
    if not len(paths):
        return [part], []
    x = np.arange(right - left)
    place = (x >= paths[:, :, np.newaxis]).sum(axis=0)
    first = int(labels.max()) + 1
    view = labels[top:bottom, left:right]
    pieces, kept = [], []
    for number in range(len(paths) + 1):
        own = ((place == number) & (mask > 0)).astype(np.uint8)
        x0, y0, wide, high = cv2.boundingRect(own)
        if wide == 0:
            continue
        view[own > 0] = first + number
        box = left + x0, top + y0, left + x0 + wide, top + y0 + high
        pieces.append(Part(first + number, box, cv2.countNonZero(own), part.strength))
        kept.append(number)
    return pieces, [widths[number - 1] for number in kept[1:]]


def _seams(mask: Mask, height: float) -> tuple[NDArray[np.int64], list[float]]:
    """Find paths from top to bottom through little ink.

    Returns:
        (S, H): x where the right side begins, by row; and the width of each seam.

    Source: seam carving, Avidan and Shamir 2007, in bands side by side.
    """
    scale = min(1.0, WORKING_HEIGHT_PX / height)
    size = [max(2, round(side * scale)) for side in mask.shape[::-1]]
    ink = np.asarray(
        cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA),
        np.float32,
    )
    tall = height * scale
    stroke = _stroke_width(ink)
    band = max(2, round(SWAY * tall))
    centres = np.arange(band, ink.shape[1] - band, max(1, round(STEP * tall)))
    if not len(centres):
        return np.zeros((0, len(mask)), np.int64), []
    columns = centres[:, np.newaxis] + np.arange(-band, band + 1)
    costs = ink[:, columns]  # (H, C, B)
    total = np.zeros_like(costs)
    total[0] = costs[0]
    from_ = np.zeros(costs.shape, np.int8)
    for y in range(1, len(ink)):
        above = total[y - 1]
        ways = np.full((3, *above.shape), np.inf, np.float32)
        ways[1] = above
        ways[0, :, 1:] = above[:, :-1] + SLANT
        ways[2, :, :-1] = above[:, 1:] + SLANT
        from_[y] = ways.argmin(axis=0) - 1
        total[y] = ways.min(axis=0) + costs[y]
    ends = total[-1].argmin(axis=1)
    widths = total[-1].min(axis=1) / stroke
    at = ends
    rows = np.arange(len(centres))
    paths = np.zeros((len(centres), len(ink)), np.int64)
    for y in range(len(ink) - 1, -1, -1):
        paths[:, y] = columns[rows, at]
        at = at + from_[y][rows, at]
    right = np.arange(ink.shape[1]) >= paths[:, :, np.newaxis]
    inks = (right * ink).sum(axis=(1, 2))
    least = LEAST_INK * stroke * tall
    is_fair = (widths <= WIDEST_SEAM) & (inks >= least) & (inks <= ink.sum() - least)
    means = paths.mean(axis=1)
    chosen: list[int] = []
    for place in np.argsort(widths):
        apart = np.abs(means[chosen] - means[place])
        if is_fair[place] and (apart >= APART * tall).all():
            chosen.append(int(place))
    chosen.sort(key=lambda place: means[place])
    if not chosen:
        return np.zeros((0, len(mask)), np.int64), []
    ordered = np.maximum.accumulate(paths[chosen], axis=0)
    rows = np.minimum((np.arange(len(mask)) * scale).astype(int), len(ink) - 1)
    full = ordered[:, rows]
    wide = np.rint(full * (mask.shape[1] / ink.shape[1])).astype(np.int64)
    return wide, [float(widths[place]) for place in chosen]


def _stroke_width(ink: NDArray[np.float32]) -> float:
    framed = cv2.copyMakeBorder(
        (ink > 0.5).astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0
    )
    depth = np.asarray(cv2.distanceTransform(framed, cv2.DIST_L2, 3))
    inside = depth[framed > 0]
    return max(1.0, 4.0 * float(inside.mean()) - 1.0) if inside.size else 1.0
