"""Find the ink in a picture that people send: a photo, a scan, a screenshot.

The steps, in their order:

1. Shrink the picture to WORKING_SIDE_PX, and smooth it if its paper has grain.
2. Measure each pixel's distance from the paper, in colour. There are several ways to
   tell where the paper is; each gives its own distances.
3. Cut the picture into connected parts, without printed lines that run across it.
4. Sort the parts: ink, and what mostly is none, such as specks, frames, underlines and
   ink that touches an edge.
5. Offer candidates: the ink alone, and together with what may belong to it.

Rules cannot tell the bar of a 5 from an underline. So the network scores the
candidates (`inference.Recogniser.read_picture`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.pictures import Picture, shrink
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import PEN_SHARE

Distance = NDArray[np.float32]
"""(H, W): how far each pixel's colour is from the paper's, in levels of 0 to 255."""
Mask = NDArray[np.bool_]
"""(H, W)."""

WORKING_SIDE_PX = 512
"""Longest side of the pictures in which ink is searched for.

A digit as high as 1/25 of a photo still has the 20 px that a digit image shows.
"""
GRAIN = 1.5
"""Mean difference of neighbouring pixels of paper, in levels, above which it is
smoothed. Drawings have 0, scans and JPEG files under 1, photos 2 to 10."""
FAINTEST = 24.0
"""Ink that differs less from the paper, in levels, counts as paper."""
PAPER_SHARE = 0.4
"""Paper is taken to be of one colour if so much of the picture has that colour."""
PAPER_SPREAD = 6.0
"""Most levels by which paper of one colour may differ from it."""
WIDEST_STROKE = 0.25
"""Greatest width of a stroke, as a share of the picture's longest side. What is wider
is a shadow, a desk or a bar."""
FAINTEST_SHARE = 0.3
"""Parts are cut where the ink falls under this share of their own strength."""
THICKEST_LINE = 0.05
"""Greatest thickness of a printed line, as a share of the picture's longest side."""
SMALLEST = 0.03
"""Smallest size of a digit, as a share of the picture's longest side."""
SMALLEST_PX = 7
"""Smallest height or width of a digit, in pixels."""
UNLIKELY_POLARITY = 0.65
DARKEST_PAPER = 48
WIDEST_STROKE_PX = 15
RIM = 0.1
STRONG = 0.35
GAP = 0.02
DUST = 0.015
SPECK = 0.12
"""Parts smaller than this share of the largest part are specks."""
THINNEST_LINE_SHARE = 0.06
"""Lines thinner than this share of the ink's longest side are thickened.

They would vanish at 20 px.
"""


@dataclass(frozen=True)
class Candidate:
    """Ink that may be a digit.

    bitmap: (H, W) uint8, ink 255 on paper 0, cropped to the ink.
    trust: in [0, 1]; less than 1 for ink that may be incomplete or no digit at all.
    several: whether there is more ink of the same size, so that this is not all.
    """

    bitmap: Bitmap
    trust: float = 1.0
    several: bool = False


@dataclass(frozen=True)
class Part:
    """A connected part of the ink, with its box and what is known about it."""

    label: int
    left: int
    top: int
    width: int
    height: int
    area: int
    strength: float
    edges: int = 0
    """How many of the picture's four edges it touches."""

    @property
    def size(self) -> int:
        """The longer side of its box."""
        return max(self.width, self.height)

    @property
    def right(self) -> int:
        """The first column behind it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height

    def holds(self, other: "Part") -> bool:
        """Return whether its box holds another part's box."""
        return (
            self.left <= other.left
            and self.top <= other.top
            and self.right >= other.right
            and self.bottom >= other.bottom
        )


def candidates(picture: Picture) -> Iterator[Candidate]:
    """Yield what may be a digit in a picture, the most likely first.

    Args:
        picture: (H, W, 3) RGB, dark on light or light on dark.
    """
    small = _smoothed(shrink(picture, WORKING_SIDE_PX))
    if _is_grey(small):
        small = small[..., :1]
    for page in _pages(small):
        yield from _candidates_on(page)


def find_ink(picture: Picture) -> Bitmap:
    """Return the likeliest ink by rules alone; all zero if there is none."""
    first = next(candidates(picture), None)
    return first.bitmap if first else np.zeros((1, 1), np.uint8)


# --- paper ---------------------------------------------------------------------------


def _smoothed(picture: Picture) -> Picture:
    """Average grain away."""
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.int16)
    if min(grey.shape) < 2:
        return picture
    grain = float(np.median(np.abs(np.diff(grey, axis=0)))) + float(
        np.median(np.abs(np.diff(grey, axis=1)))
    )
    if grain / 2 <= GRAIN:
        return picture
    sigma = max(picture.shape) / WORKING_SIDE_PX
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), max(0.6, sigma)), np.uint8)


@dataclass(frozen=True)
class _Page:
    """A picture, and one way to tell its paper from its ink.

    colours, paper: (H, W, 3) or, if it is grey, (H, W, 1) uint8; `paper` is what would
    be seen without ink. distance: between the two, in levels.
    """

    colours: NDArray[np.uint8]
    paper: NDArray[np.uint8]
    distance: Distance
    trust: float = 1.0


def _pages(colours: NDArray[np.uint8]) -> Iterator[_Page]:
    """Yield the ways to tell paper from ink, the most likely first."""
    common = _colour_of_paper(colours)
    if common is not None:
        paper = np.broadcast_to(common, colours.shape)
        yield _Page(colours, paper, _norm(cv2.absdiff(colours, paper.copy())))
    side = max(WIDEST_STROKE_PX, round(WIDEST_STROKE * max(colours.shape)) | 1)
    grey = colours.mean(axis=2).astype(np.uint8)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_OTSU)
    is_dark_on_light = float((grey > level).mean()) >= 0.5
    for is_likely in (True, False):
        trust = 1.0 if is_likely else UNLIKELY_POLARITY
        # Repeating the edge makes whatever runs along it wider than any stroke.
        for pad in (0, side):
            if is_likely == is_dark_on_light:
                paper = _morphed(colours, cv2.MORPH_CLOSE, side, pad)
                # Ink absorbs a share of the light: it differs less in a shadow.
                light = np.maximum(paper, DARKEST_PAPER).astype(np.float32)
                distance = _norm((paper - colours) * (255.0 / light))
            else:
                paper = _morphed(colours, cv2.MORPH_OPEN, side, pad)
                distance = _norm(colours - paper)
            yield _Page(colours, paper, distance, trust)


def _morphed(
    colours: NDArray[np.uint8], way: int, side: int, pad: int
) -> NDArray[np.uint8]:
    wide = cv2.copyMakeBorder(colours, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    morphed = cv2.morphologyEx(wide, way, np.ones((side, side), np.uint8))
    height, width = colours.shape[:2]
    return morphed.reshape(*wide.shape[:2], -1)[pad : pad + height, pad : pad + width]


def _is_grey(picture: Picture) -> bool:
    red, green, blue = cv2.split(picture)
    return np.array_equal(red, green) and np.array_equal(green, blue)


def _colour_of_paper(colours: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the most common colour; None if no colour is common enough."""
    code = np.zeros(colours.shape[:2], np.int32)
    for band in range(colours.shape[2]):
        code = code * 32 + (colours[..., band] >> 3)
    common = np.bincount(code.ravel()).argmax()
    colour = np.median(colours[code == common], axis=0).astype(np.uint8)
    near = np.abs(colours.astype(np.int16) - colour).max(axis=2) <= PAPER_SPREAD
    return colour if near.mean() >= PAPER_SHARE else None


def _norm(difference: NDArray) -> Distance:
    """Return the length of colour differences; grey ones keep their level."""
    if difference.shape[-1:] == (1,) or difference.ndim == 2:
        return np.asarray(difference.reshape(difference.shape[:2]), np.float32)
    squares = np.square(difference.astype(np.float32)).sum(axis=2)
    return np.asarray(np.sqrt(squares / 1.5), np.float32)


# --- parts ---------------------------------------------------------------------------


def _candidates_on(page: _Page) -> Iterator[Candidate]:
    distance = page.distance
    # At least a quarter of every picture is paper.
    noise = float(np.quantile(distance, 0.25))
    faintest = max(FAINTEST, 8 * noise)
    strongest = float(distance.max())
    if strongest < faintest:
        return
    low = distance >= faintest / 2
    bare = _without_lines(low, strong=distance >= STRONG * strongest)
    for mask in (bare, low) if (bare != low).any() else (low,):
        yield from _arranged(_cut_by_strength(mask, distance, faintest), page)


def _cut_by_strength(mask: Mask, distance: Distance, faintest: float) -> Mask:
    """Cut parts where the ink falls under a share of their own strength."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8))
    strengths = np.zeros(count, np.float32)
    np.maximum.at(strengths, labels.ravel(), distance.ravel())
    strengths[0] = np.inf
    strengths[strengths < faintest] = np.inf
    return np.asarray(distance >= FAINTEST_SHARE * strengths[labels], np.bool_)


def _without_lines(mask: Mask, *, strong: Mask) -> Mask:
    """Remove printed lines: thin, straight, from edge to edge, of any darkness."""
    level = _without_lines_across(mask, strong)
    return _without_lines_across(level.T, strong.T & level.T).T


def _without_lines_across(mask: Mask, strong: Mask) -> Mask:
    band, reach = np.zeros_like(mask), 0
    for ink in (strong, mask):
        lines, thickest = _lines_across(ink)
        band |= lines
        reach = max(reach, thickest)
    if not band.any():
        return mask
    bare = mask & ~band
    # Put back what lies between ink above and below: strokes that cross the line.
    upright = np.ones((reach + 2, 1), np.uint8)
    closed = cv2.morphologyEx(bare.astype(np.uint8), cv2.MORPH_CLOSE, upright)
    return np.asarray(bare | (mask & (closed > 0)), np.bool_)


def _lines_across(mask: Mask) -> tuple[Mask, int]:
    """Return the bands of lines with their soft edges, and the thickest band."""
    height, width = mask.shape
    side = max(height, width)
    thickest = max(2, round(THICKEST_LINE * side))
    margin = max(1, width // 20)
    if not (mask[:, :margin].any() and mask[:, -margin:].any()):
        return np.zeros_like(mask), 0
    ink = mask.astype(np.uint8)
    thick = cv2.morphologyEx(ink, cv2.MORPH_OPEN, np.ones((thickest + 1, 1), np.uint8))
    thin = cv2.subtract(ink, thick)
    runs = cv2.morphologyEx(
        thin, cv2.MORPH_OPEN, np.ones((1, max(8, width // 12)), np.uint8)
    )
    # Close the gaps where strokes cross or cover a line.
    whole = cv2.morphologyEx(
        cv2.copyMakeBorder(runs, 0, 0, width, width, cv2.BORDER_REPLICATE),
        cv2.MORPH_CLOSE,
        np.ones((1, width // 2 + 1), np.uint8),
    )[:, width:-width]
    _, parts, facts, _ = cv2.connectedComponentsWithStats(whole)
    left = facts[:, cv2.CC_STAT_LEFT]
    right = left + facts[:, cv2.CC_STAT_WIDTH]
    is_line = (left <= 0.1 * width) & (right >= 0.9 * width)
    is_line[0] = False  # the paper
    if not is_line.any():
        return np.zeros_like(mask), 0
    skirt = max(1, round(0.01 * side))
    band = cv2.dilate(
        is_line[parts].astype(np.uint8), np.ones((2 * skirt + 1, 1), np.uint8)
    )
    return band > 0, thickest + 2 * skirt


def _arranged(mask: Mask, page: _Page) -> Iterator[Candidate]:
    labels, parts = _parts(mask, page.distance)
    kinds = _sorted(parts, labels)
    tried: set[frozenset[int]] = set()
    for chosen in _choices(kinds):
        key = frozenset(part.label for part in chosen)
        if not chosen or key in tried:
            continue
        tried.add(key)
        yield _candidate(chosen, labels, page)


def _parts(mask: Mask, distance: Distance) -> tuple[NDArray[np.int32], list[Part]]:
    count, labels, facts, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    strengths = np.zeros(count, np.float32)
    np.maximum.at(strengths, labels.ravel(), distance.ravel())
    height, width = mask.shape
    parts = []
    for label in range(1, count):
        left, top, wide, high, area = (int(n) for n in facts[label])
        edges = (
            (left == 0) + (top == 0) + (left + wide == width) + (top + high == height)
        )
        parts.append(
            Part(label, left, top, wide, high, area, float(strengths[label]), edges)
        )
    return labels, parts


@dataclass
class _Sorted:
    ink: list[Part] = field(default_factory=list)
    edge: list[Part] = field(default_factory=list)
    frame: list[Part] = field(default_factory=list)
    extra: list[Part] = field(default_factory=list)  # underlines, full stops


def _sorted(parts: list[Part], labels: NDArray[np.int32]) -> _Sorted:
    """Tell ink from what mostly is none."""
    kinds = _Sorted()
    shape = labels.shape
    dust = DUST * max(shape)
    rest = [part for part in parts if part.size > dust]
    frames = {p.label for p in rest if _is_frame(p, rest)} | _along_edges(rest, labels)
    kinds.frame = [p for p in rest if p.label in frames]
    rest = [p for p in rest if p.label not in frames]
    free = [p for p in rest if not p.edges]
    clusters = _clusters(free or rest, labels)
    if not clusters:
        return kinds
    if free:
        kinds.edge = [p for p in rest if p.edges]
    main = max(clusters, key=_box_area)
    least = max(SMALLEST_PX, SMALLEST * max(shape))
    left, top, right, bottom = _box(main)
    size = max(right - left, bottom - top)
    if size < least:
        return _Sorted(edge=kinds.edge)
    strength = max(part.strength for part in main)
    for cluster in clusters:
        box = _box(cluster)
        if cluster is main:
            small = [p for p in cluster if p.strength < 0.35 * strength]
            kinds.ink += [p for p in cluster if p not in small]
        elif max(box[2] - box[0], box[3] - box[1]) < SPECK * size or (
            max(part.strength for part in cluster) < 0.35 * strength
        ):
            continue
        elif _is_extra(box, _box(main), sum(part.area for part in cluster)):
            kinds.extra += cluster
        else:
            kinds.ink += cluster
    return kinds


def _clusters(parts: list[Part], labels: NDArray[np.int32]) -> list[list[Part]]:
    """Join parts that nearly touch: pieces of broken lines."""
    kept = np.isin(labels, [part.label for part in parts]).astype(np.uint8)
    reach = 2 * max(1, round(GAP * max(labels.shape))) + 1
    joined = cv2.morphologyEx(kept, cv2.MORPH_CLOSE, np.ones((reach, reach), np.uint8))
    _, places = cv2.connectedComponents(joined)
    clusters: dict[int, list[Part]] = {}
    for part in parts:
        row = labels[part.top, part.left : part.right]
        x = part.left + int(np.flatnonzero(row == part.label)[0])
        clusters.setdefault(int(places[part.top, x]), []).append(part)
    return list(clusters.values())


Box = tuple[int, int, int, int]


def _box(parts: Sequence[Part]) -> Box:
    return (
        min(part.left for part in parts),
        min(part.top for part in parts),
        max(part.right for part in parts),
        max(part.bottom for part in parts),
    )


def _box_area(parts: Sequence[Part]) -> int:
    left, top, right, bottom = _box(parts)
    return (right - left) * (bottom - top)


def _is_frame(part: Part, parts: list[Part]) -> bool:
    """Return whether it is hollow and holds a part of some size: a box, a circle."""
    return part.area < 0.5 * part.width * part.height and any(
        other is not part
        and part.holds(other)
        and other.size >= 0.3 * min(part.width, part.height)
        and other.area > 0.01 * part.width * part.height
        for other in parts
    )


def _along_edges(parts: list[Part], labels: NDArray[np.int32]) -> set[int]:
    """Return the labels of parts that lie along the edges: frames, lines, bars."""
    height, width = labels.shape
    count = int(labels.max()) + 1

    def inner_areas(share: float) -> NDArray[np.int64]:
        y, x = (max(1, round(share * side)) for side in (height, width))
        inner = labels[y : height - y, x : width - x]
        return np.bincount(inner.ravel(), minlength=count)

    inside, central = inner_areas(RIM), inner_areas(0.25)
    found = set()
    for part in parts:
        if inside[part.label] < 0.1 * part.area:
            found.add(part.label)
            continue
        spans = part.width >= 0.8 * width or part.height >= 0.8 * height
        if spans and central[part.label] == 0 and _is_angular(part, labels):
            found.add(part.label)
    return found


def _is_angular(part: Part, labels: NDArray[np.int32]) -> bool:
    """Return whether it is a straight line, or has ink in a corner of its box."""
    if part.width >= 5 * part.height or part.height >= 5 * part.width:
        return True
    own = labels[part.top : part.bottom, part.left : part.right] == part.label
    y, x = max(1, part.height // 12), max(1, part.width // 12)
    corners = own[:y, :x], own[:y, -x:], own[-y:, :x], own[-y:, -x:]
    return any(corner.any() for corner in corners)


def _is_extra(box: Box, main: Box, area: int) -> bool:
    width, height = box[2] - box[0], box[3] - box[1]
    main_width, main_height = main[2] - main[0], main[3] - main[1]
    is_below = box[1] >= main[3] - 0.1 * main_height
    is_flat = width >= 3 * height
    is_stop = (
        max(width, height) < 0.25 * max(main_width, main_height)
        and area > 0.5 * width * height
        and box[0] >= main[0] + 0.6 * main_width
        and box[1] >= main[1] + 0.6 * main_height
    )
    return (is_below and is_flat) or is_stop


def _choices(kinds: _Sorted) -> Iterator[list[Part]]:
    yield kinds.ink
    yield kinds.ink + kinds.extra
    yield kinds.ink + kinds.edge
    yield kinds.ink + kinds.extra + kinds.edge


def _candidate(chosen: list[Part], labels: NDArray[np.int32], page: _Page) -> Candidate:
    left, top, right, bottom = _box(chosen)
    # Smooth edges lie outside the mask.
    skirt = 2
    height, width = labels.shape
    cut = np.s_[
        max(0, top - skirt) : min(height, bottom + skirt),
        max(0, left - skirt) : min(width, right + skirt),
    ]
    kept = np.isin(labels[cut], [part.label for part in chosen])
    near = cv2.dilate(kept.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    levels = np.where(near, page.distance[cut], 0)
    strength = float(np.quantile(levels[kept], 0.9))
    levels = np.clip(levels * (255.0 / strength), 0, 255)
    levels[levels < 0.1 * 255] = 0
    bitmap = np.asarray(np.rint(levels), np.uint8)
    trust = page.trust
    trust *= _trust_of_size(max(right - left, bottom - top) / max(height, width))
    trust *= _trust_of_shape(kept)
    trust *= _trust_of_edges(labels, chosen)
    trust *= _trust_of_paper(labels, chosen, page)
    return Candidate(_thicken_thin_lines(bitmap), trust=trust)


def _trust_of_size(share: float) -> float:
    return min(1.0, share / 0.06)


def _trust_of_shape(kept: Mask) -> float:
    """Doubt what has no stroke, like a blot, or is one straight line that lies."""
    height, width = kept.shape
    share = float(kept.mean())
    ink = cv2.copyMakeBorder(kept.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT)
    thick = 2 * float(cv2.distanceTransform(ink, cv2.DIST_L2, 3).max())
    if thick > 0.5 * max(height, width):
        return 0.3
    if share > 0.62 and min(height, width) > 0.35 * max(height, width):
        return 0.3
    if width > 2.5 * height and share > 0.3:
        return 0.3
    return 1.0


def _trust_of_edges(labels: NDArray[np.int32], chosen: list[Part]) -> float:
    """Doubt ink that is cut off at an edge, unless the picture is cut to the ink."""
    height, width = labels.shape
    left, top, right, bottom = _box(chosen)
    sides = []
    if left == 0:
        sides.append(labels[:, 0])
    if top == 0:
        sides.append(labels[0])
    if right == width:
        sides.append(labels[:, -1])
    if bottom == height:
        sides.append(labels[-1])
    if not sides:
        return 1.0
    if (left <= 0.08 * width and right >= 0.92 * width) or (
        top <= 0.08 * height and bottom >= 0.92 * height
    ):
        return 0.9
    names = [part.label for part in chosen]
    if len(sides) > 1:
        return 0.5
    touching = np.isin(sides[0], names)
    pieces = int(
        np.count_nonzero(np.diff(np.concatenate([[False], touching]).astype(int)) == 1)
    )
    size = max(right - left, bottom - top)
    if pieces > 1 or touching.sum() > 0.2 * size:
        return 0.5
    return 0.8


def _trust_of_paper(
    labels: NDArray[np.int32], chosen: list[Part], page: _Page
) -> float:
    """Doubt ink if what lies around it looks like ink rather than like paper."""
    left, top, right, bottom = _box(chosen)
    reach = max(right - left, bottom - top) // 4 + 2
    around = np.s_[
        max(0, top - reach) : bottom + reach, max(0, left - reach) : right + reach
    ]
    kept = np.isin(labels[around], [part.label for part in chosen])
    outside = cv2.dilate(kept.astype(np.uint8), np.ones((5, 5), np.uint8)) == 0
    if not outside.any():
        return 1.0
    colours = page.colours[around].astype(np.float32)
    ink = np.median(colours[kept], axis=0)
    paper = np.median(page.paper[around][kept], axis=0)
    others = colours[outside]
    like_ink = np.abs(others - ink).sum(axis=1) < np.abs(others - paper).sum(axis=1)
    return 0.4 if float(like_ink.mean()) > 0.35 else 1.0


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
