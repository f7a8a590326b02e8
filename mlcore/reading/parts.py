"""Cut ink into connected parts, and tell the digit from what mostly is none.

Printed lines, frames, specks, underlines, full stops, and ink that touches an edge.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.paper import Levels, Page, quantile, sample

Mask = NDArray[np.uint8]
"""(H, W) of 0 and 1."""
Labels = NDArray[np.int32]
"""(H, W): the number of the part that a pixel belongs to; 0 is paper."""
Box = tuple[int, int, int, int]
"""Left, top, right and bottom; the last two lie just outside."""

FAINTEST = 24
"""Ink that differs less from the paper, in levels, counts as paper."""
FAINTEST_BY_NOISE = 8
"""The same, in multiples of the paper's noise."""
FAINTEST_SHARE = 0.3
"""A part ends where its ink falls under this share of its strongest ink."""
STRONG = 0.35
"""Ink above this share of the picture's strongest ink may be a dark printed line."""
THICKEST_LINE = 0.05
"""Greatest thickness of a printed line, as a share of the picture's longest side."""
DUST = 0.015
"""Parts up to this share of the picture's longest side are dust."""
GAP = 0.02
"""Pieces of a broken line are at most twice this share of the longest side apart."""
SMALLEST = 0.02
"""Smallest size of a digit, as a share of the picture's longest side."""
SMALLEST_PX = 7
"""Smallest size of a digit, in pixels."""
ALIKE = 0.6
"""Parts of at least this share of another's size may be digits beside it."""
SPECK = 0.12
"""Parts under this share of the main part's size are specks."""
FAINT = 0.35
"""Parts under this share of the main part's strength are stains or ghosts."""
RIM = 0.1
"""Ink that lies within this share of each side from the edge is a frame..."""
CENTRE = 0.25
"""... and so is an angular part that spans the picture within this share."""


@dataclass(frozen=True)
class Part:
    """A connected part of the ink. strength: its greatest distance from the paper."""

    label: int
    box: Box
    area: int
    strength: int

    @property
    def width(self) -> int:
        """The width of its box."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> int:
        """The height of its box."""
        return self.box[3] - self.box[1]

    @property
    def size(self) -> int:
        """The longer side of its box."""
        return max(self.width, self.height)

    def touches_edge(self, labels: Labels) -> bool:
        """Return whether it touches an edge of the picture."""
        height, width = labels.shape
        left, top, right, bottom = self.box
        return left == 0 or top == 0 or right == width or bottom == height


@dataclass
class Kinds:
    """The parts of a picture by what they probably are.

    Dust, specks, and frames around the ink or along an edge are left out. ink: what may
    be the digit. edge: ink that touches an edge. extra: underlines and full stops.
    shapes: how many parts are of about one size.
    """

    labels: Labels
    ink: list[Part] = field(default_factory=list)
    edge: list[Part] = field(default_factory=list)
    extra: list[Part] = field(default_factory=list)
    shapes: int = 0


def masks(page: Page) -> list[Mask]:
    """Return where a page has ink: without printed lines, then with them if any."""
    faintest = _faintest(page)
    strongest = int(page.distance.max())
    if strongest < faintest:
        return []
    ink = _above(page.distance, faintest // 2)
    dark = _above(page.distance, max(faintest // 2, int(STRONG * strongest)))
    bare = _without_lines(ink, dark=dark)
    found = [ink] if bare is ink else [bare, ink]
    return [_cut_by_strength(mask, page.distance, faintest) for mask in found]


def mask_with_lines(page: Page) -> Mask | None:
    """Return where a page has ink, printed lines too; None if it has none."""
    faintest = _faintest(page)
    if int(page.distance.max()) < faintest:
        return None
    return _cut_by_strength(
        _above(page.distance, faintest // 2), page.distance, faintest
    )


def row_mask(page: Page) -> Mask | None:
    """Return where a page has ink that may be digits side by side; None if it has none.

    Bars of digits in one line look like a printed line. So lines are removed only if
    they run from edge to edge: all that is as light as they are, or, if the digits are
    no darker, their pixels.
    """
    ink = _above(page.distance, _faintest(page) // 2)
    if not _spans(ink):
        return mask_with_lines(page)
    level, _ = cv2.threshold(page.distance[ink > 0], 0, 255, cv2.THRESH_OTSU)
    dark = _above(page.distance, int(level))
    return next(iter(masks(page)), None) if _spans(dark) else dark


def _spans(mask: Mask) -> bool:
    """Return whether a part reaches from one edge of the picture to another."""
    height, width = mask.shape
    _, _, facts, _ = cv2.connectedComponentsWithStats(mask)
    sizes = facts[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    return bool((sizes >= (width, height)).any())


def kinds_of_one_part(page: Page) -> Kinds | None:
    """Sort the ink of a page with one part, far from the edges; else return None.

    Most drawings have no more. `masks` and `kinds_of` find the same in three times as
    long.
    """
    faintest = _faintest(page)
    strongest = int(page.distance.max())
    if strongest < faintest:
        return None
    height, width = page.distance.shape
    found: list[tuple[Box, Labels]] = []
    for level in (faintest // 2, math.ceil(FAINTEST_SHARE * strongest) - 1):
        mask = _above(page.distance, max(faintest // 2, level))
        x, y, wide, high = cv2.boundingRect(mask)
        is_inside = (
            RIM * width < x
            and RIM * height < y
            and x + wide < (1 - RIM) * width
            and y + high < (1 - RIM) * height
        )
        if not is_inside or max(wide, high) < _least(page.distance):
            return None
        count, numbers = cv2.connectedComponents(mask[y : y + high, x : x + wide])
        if count > 2:
            return None
        found.append(((x, y, x + wide, y + high), np.asarray(numbers, np.int32)))
    box, numbers = found[-1]
    labels: Labels = np.zeros(page.distance.shape, np.int32)
    labels[box[1] : box[3], box[0] : box[2]] = numbers
    part = Part(1, box, cv2.countNonZero(numbers), strongest)
    return Kinds(labels, ink=[part], shapes=1)


def kinds_of(mask: Mask, page: Page) -> Kinds:
    """Sort the parts of a mask by what they probably are."""
    labels, parts = _parts(mask, page.distance)
    unwanted = _frames(parts, labels) | _along_edges(parts, labels)
    parts = [part for part in parts if part.label not in unwanted]
    free = [part for part in parts if not part.touches_edge(labels)]
    labels, groups = _grouped(free or parts, labels)
    unwanted = _along_edges(groups, labels)
    groups = [group for group in groups if group.label not in unwanted]
    kinds = Kinds(labels)
    if free:
        kinds.edge = [part for part in parts if part.touches_edge(labels)]
    least = _least(labels)
    kinds.shapes = _most_alike([part.size for part in parts if part.size >= least])
    main = max(groups, key=lambda part: part.width * part.height, default=None)
    if main is None or main.size < least:
        return kinds
    for part in groups:
        if part.size < SPECK * main.size or part.strength < FAINT * main.strength:
            continue
        is_extra = part is not main and _is_extra(part, main)
        (kinds.extra if is_extra else kinds.ink).append(part)
    return kinds


def parts_of_row(mask: Mask, page: Page) -> tuple[Labels, list[Part], list[Part]]:
    """Return the parts of a mask that may be pieces of digits side by side.

    Returns:
        Labels; pieces of digits; and what is none, such as points and underlines.
        Dust, frames and stains are left out.
    """
    labels, parts = _parts(mask, page.distance)
    edge = [part for part in parts if part.touches_edge(labels)]
    unwanted = _frames(parts, labels) | _along_edges(edge, labels)
    strongest = max((part.strength for part in parts), default=0)
    parts = [
        part
        for part in parts
        if part.label not in unwanted and part.strength >= FAINT * strongest
    ]
    tallest = max((part.height for part in parts), default=0)
    pieces: list[Part] = []
    others: list[Part] = []
    for part in parts:
        is_speck = part.size < max(SPECK * tallest, SMALLEST_PX / 2)
        is_underline = part.width > tallest and part.width >= 5 * part.height
        (others if is_speck or is_underline else pieces).append(part)
    return labels, pieces, others


def box_of(parts: Iterable[Part]) -> Box:
    """Return the box around several parts."""
    lefts, tops, rights, bottoms = zip(*(part.box for part in parts), strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def mask_of(parts: Sequence[Part], labels: Labels, window: Box) -> Mask:
    """Mark the pixels of some parts within a window."""
    left, top, right, bottom = window
    view = labels[top:bottom, left:right]
    if len(parts) == 1:  # much quicker
        return np.asarray(view == parts[0].label, np.uint8)
    chosen = np.zeros(int(labels.max()) + 1, np.uint8)
    chosen[[part.label for part in parts]] = 1
    return chosen[view]


def _faintest(page: Page) -> int:
    noise = quantile(sample(page.distance), 0.25)  # a quarter of every picture is paper
    return max(FAINTEST, FAINTEST_BY_NOISE * noise)


def _least(picture: Levels | Labels) -> float:
    """Return the smallest size of a digit, in pixels."""
    return max(SMALLEST_PX, SMALLEST * int(max(picture.shape)))


# --- masks ---------------------------------------------------------------------------


def _above(levels: Levels, level: int) -> Mask:
    return np.asarray(cv2.threshold(levels, level, 1, cv2.THRESH_BINARY)[1], np.uint8)


def _cut_by_strength(mask: Mask, distance: Levels, faintest: int) -> Mask:
    """Cut each part where its ink gets faint, and drop faint parts."""
    labels, parts = _parts(mask, distance)
    cut = np.zeros_like(mask)
    for part in parts:
        if part.strength >= faintest:
            left, top, right, bottom = part.box
            window = np.s_[top:bottom, left:right]
            level = math.ceil(FAINTEST_SHARE * part.strength)
            own = mask_of([part], labels, part.box)
            cut[window] |= own & _above(distance[window], level - 1)
    return cut


def _without_lines(mask: Mask, *, dark: Mask) -> Mask:
    """Remove printed lines that run from edge to edge; the same mask if there is none.

    dark: the dark ink alone. Without their soft edges, dark lines are thin.
    """
    level = _without_lines_across(mask, dark)
    turned = level.T
    upright = _without_lines_across(turned, dark.T & turned)
    return level if upright is turned else np.ascontiguousarray(upright.T)


def _without_lines_across(mask: Mask, dark: Mask) -> Mask:
    margin = _margin(mask)
    if not (mask[:, :margin].any() and mask[:, -margin:].any()):
        return mask
    lines = _lines_across(dark) | _lines_across(mask)
    if not lines.any():
        return mask
    bare = mask & ~lines & 1
    # Put back what has ink above and below: strokes that cross the line.
    reach = round((THICKEST_LINE + 0.02) * max(mask.shape)) + 4
    closed = cv2.morphologyEx(bare, cv2.MORPH_CLOSE, np.ones((reach, 1), np.uint8))
    return np.asarray(cv2.max(bare, cv2.min(mask, closed)), np.uint8)


def _margin(mask: Mask) -> int:
    """Return how far from the edges a line may end, in pixels: a tenth of the width."""
    return max(1, int(mask.shape[1]) // 10)


def _lines_across(mask: Mask) -> Mask:
    """Mark thin straight lines from the left margin to the right, with soft edges."""
    mask = np.ascontiguousarray(mask)
    height, width = mask.shape
    margin = _margin(mask)
    longest = max(height, width)
    thickest = max(2, round(THICKEST_LINE * longest))
    upright = np.ones((thickest + 1, 1), np.uint8)
    thin = cv2.subtract(mask, cv2.morphologyEx(mask, cv2.MORPH_OPEN, upright))
    run = np.ones((1, max(6, width // 25)), np.uint8)
    runs = cv2.morphologyEx(thin, cv2.MORPH_OPEN, run)
    # Close the gaps where strokes cross or cover a line.
    whole = cv2.morphologyEx(
        cv2.copyMakeBorder(runs, 0, 0, width, width, cv2.BORDER_REPLICATE),
        cv2.MORPH_CLOSE,
        np.ones((1, width // 2 + 1), np.uint8),
    )[:, width:-width]
    _, labels, facts, _ = cv2.connectedComponentsWithStats(whole)
    left = facts[:, cv2.CC_STAT_LEFT]
    right = left + facts[:, cv2.CC_STAT_WIDTH]
    reaches = (left <= margin) & (right >= width - margin)
    reaches[0] = False  # the paper
    if not reaches.any():
        return np.zeros_like(mask)
    lines = np.zeros(mask.shape, bool)
    usual = 1
    tops, heights = facts[:, cv2.CC_STAT_TOP], facts[:, cv2.CC_STAT_HEIGHT]
    for label in np.flatnonzero(reaches):
        rows = slice(tops[label], tops[label] + heights[label])
        of_it = labels[rows] == label
        thickness = np.count_nonzero(of_it & (runs[rows] > 0), axis=0)
        if np.count_nonzero(thickness) < 0.2 * width:
            continue  # mostly gaps
        usual = max(usual, int(np.median(thickness[thickness > 0])))
        if heights[label] > thickest + 0.05 * width:
            # A line that a stroke runs along, or just a curve: keep its straight rows.
            of_it &= np.count_nonzero(of_it, axis=1, keepdims=True) >= 0.8 * width
        lines[rows] |= of_it
    soft = 2 * max(1, round(0.01 * longest)) + 1
    band = cv2.dilate(lines.astype(np.uint8), np.ones((soft, 1), np.uint8))
    # Where ink is much thicker than the lines are, a stroke runs along a line.
    stroke = np.ones((2 * usual + 1, 1), np.uint8)
    strokes = cv2.morphologyEx(mask, cv2.MORPH_OPEN, stroke)
    return np.asarray(cv2.subtract(band, strokes), np.uint8)


# --- parts ---------------------------------------------------------------------------


def _parts(mask: Mask, distance: Levels) -> tuple[Labels, list[Part]]:
    """Return the connected parts that are larger than dust."""
    x, y, wide, high = cv2.boundingRect(mask)  # the rest is paper
    inner = mask[y : y + high, x : x + wide]
    labels: Labels = np.zeros(mask.shape, np.int32)
    if wide == 0:
        return labels, []
    count, numbers = cv2.connectedComponents(inner)
    facts = [[0, 0, wide, high, cv2.countNonZero(inner)]]
    if count > 2:  # Most drawings have one part, and this takes five times as long.
        _, numbers, stats, _ = cv2.connectedComponentsWithStats(inner)
        facts = stats[1:].tolist()  # the first is the paper
    labels[y : y + high, x : x + wide] = numbers
    parts = []
    for label, (left, top, width, height, area) in enumerate(facts, 1):
        if max(width, height) > DUST * max(mask.shape):
            box = x + left, y + top, x + left + width, y + top + height
            window = np.s_[box[1] : box[3], box[0] : box[2]]
            own = (labels[window] == label).view(np.uint8)
            _, strength, _, _ = cv2.minMaxLoc(distance[window], own)
            parts.append(Part(label, box, area, int(strength)))
    return labels, parts


def _grouped(parts: list[Part], labels: Labels) -> tuple[Labels, list[Part]]:
    """Join parts that nearly touch: pieces of a broken line.

    Returns:
        Labels in which each group has the label of one of its parts, and the groups.
    """
    if len(parts) < 2:
        return labels, parts
    height, width = labels.shape
    reach = 2 * max(1, round(GAP * max(labels.shape))) + 1
    kept = mask_of(parts, labels, (0, 0, width, height))
    joined = cv2.morphologyEx(kept, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    _, places = cv2.connectedComponents(joined)
    members: dict[int, list[Part]] = {}
    for part in parts:
        left, top, right, _ = part.box
        x = left + int((labels[top, left:right] == part.label).argmax())
        members.setdefault(int(places[top, x]), []).append(part)
    renamed = np.arange(int(labels.max()) + 1, dtype=np.int32)
    groups = []
    for group in members.values():
        renamed[[part.label for part in group]] = group[0].label
        area = sum(part.area for part in group)
        strength = max(part.strength for part in group)
        groups.append(Part(group[0].label, box_of(group), area, strength))
    return renamed[labels], groups


def _most_alike(sizes: list[int]) -> int:
    """Return how many sizes at most are about the same."""
    ascending = np.sort(sizes)
    smaller = np.searchsorted(ascending, ALIKE * ascending)
    return int((np.arange(1, len(sizes) + 1) - smaller).max(initial=0))


def _frames(parts: list[Part], labels: Labels) -> set[int]:
    """Return the labels of hollow parts around some other ink: boxes, circles."""
    return {part.label for part in parts if _is_frame(part, parts, labels)}


def _is_frame(part: Part, parts: list[Part], labels: Labels) -> bool:
    if part.area > 0.5 * part.width * part.height:
        return False
    left, top, right, bottom = part.box
    inside = [
        other
        for other in parts
        if other.box != part.box
        and left <= other.box[0]
        and top <= other.box[1]
        and right >= other.box[2]
        and bottom >= other.box[3]
        and other.strength >= 0.2 * part.strength
    ]
    if sum(other.area for other in inside) < 0.1 * part.area:
        return False
    x0, y0, x1, y1 = box_of(inside)
    if max(x1 - x0, y1 - y0) < 0.3 * min(part.width, part.height):
        return False
    rows = mask_of([part], labels, (left, y0, right, y1))
    columns = mask_of([part], labels, (x0, top, x1, bottom))
    return bool(
        rows[:, : x0 - left].any()
        and rows[:, x1 - left :].any()
        and columns[: y0 - top].any()
        and columns[y1 - top :].any()
    )


def _along_edges(parts: list[Part], labels: Labels) -> set[int]:
    """Return the labels of parts that lie along the edges: frames, lines, bars."""
    return {part.label for part in parts if _is_along_edges(part, labels)}


def _is_along_edges(part: Part, labels: Labels) -> bool:
    height, width = labels.shape
    if _area_inside(part, labels, RIM) < 0.1 * part.area:
        return True
    spans = part.width >= 0.8 * width or part.height >= 0.8 * height
    return (
        spans and _area_inside(part, labels, CENTRE) == 0 and _is_angular(part, labels)
    )


def _area_inside(part: Part, labels: Labels, share: float) -> int:
    """Count its pixels that are farther than this share of each side from the edges."""
    height, width = labels.shape
    y, x = (max(1, round(share * side)) for side in (height, width))
    left, top, right, bottom = part.box
    inner = labels[
        max(y, top) : min(height - y, bottom), max(x, left) : min(width - x, right)
    ]
    return int(np.count_nonzero(inner == part.label))


def _is_angular(part: Part, labels: Labels) -> bool:
    """Return whether it is a straight line, or has ink in a corner of its box."""
    if part.size >= 5 * min(part.width, part.height):
        return True
    own = mask_of([part], labels, part.box)
    y, x = max(1, part.height // 12), max(1, part.width // 12)
    corners = own[:y, :x], own[:y, -x:], own[-y:, :x], own[-y:, -x:]
    return any(corner.any() for corner in corners)


def _is_extra(part: Part, main: Part) -> bool:
    """Return whether it looks like an underline or a full stop."""
    left, top, _, bottom = main.box
    is_below = part.box[1] >= bottom - 0.1 * main.height
    is_flat = part.width >= 3 * part.height
    is_stop = (
        part.size < 0.25 * main.size
        and part.area > 0.5 * part.width * part.height
        and part.box[0] >= left + 0.6 * main.width
        and part.box[1] >= top + 0.6 * main.height
    )
    return (is_below and is_flat) or is_stop
