"""Augmentation: digits as other people would draw them, and synthetic non-digits.

All changes of shape are one warp, so an image is blurred only once.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.preprocess import (
    SIDE_PX,
    Bitmap,
    BlankDrawingError,
    at_full_contrast,
    normalize,
)
from mlcore.reading.rasterise import PEN_SHARE, Points, draw_on_canvas, rasterise
from mlcore.training.corrupt import CORRUPTIONS, WITHOUT_A_DIGIT, corrupted
from mlcore.training.data import scale_to_canvas


@dataclass(frozen=True)
class Variety:
    """How far an augmented digit may differ from the original."""

    rotation_deg: float = 11.0
    shear: float = 0.16  # horizontal slant, as a tangent
    scale: float = 0.11  # of both axes together; half as much of each alone
    shift_px: float = 1.5
    elastic_px: float = 0.65  # standard deviation of the smooth displacement
    pen_share: float = 0.3  # of digits drawn with a thicker or thinner pen
    dirt_share: float = 0.25  # of drawings with fog, lines or other corruptions
    dirt: tuple[str, ...] = tuple(CORRUPTIONS)  # its kinds


AFFINE = Variety(
    rotation_deg=8.0,
    shear=0.1,
    scale=0.08,
    shift_px=1.2,
    elastic_px=0,
    pen_share=0,
    dirt_share=0,
)
"""Only rotation, slant, size and place, and less of each.

It takes a twentieth of the time, and is as much as a few epochs can learn from.
"""

VARIETIES = {"hand": Variety(), "affine": AFFINE, "none": None}
"""By their names in a recipe."""


def vary(
    images: NDArray[np.uint8], variety: Variety | None, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Augment digits: vary each one's slant, size, place, shape and pen.

    Args:
        images: (N, 28, 28) uint8, with the framing of `normalize`.

    Returns:
        (N, 28, 28) float32 in [0, 1].
    """
    if variety is None:
        return images * np.float32(1 / 255)
    if not (variety.elastic_px or variety.pen_share or variety.dirt_share):
        return _moved(images, variety, rng)
    places = _source_places(len(images), variety, rng)
    varied = np.empty(images.shape, np.float32)
    other_pen = rng.random(len(images)) < variety.pen_share
    dirty = rng.random(len(images)) < variety.dirt_share
    for i, image in enumerate(images):
        ink = _other_pen(image, rng) if other_pen[i] else image
        varied[i] = _sampled(ink, places[i])
    varied *= np.float32(1 / 255)
    for i in np.flatnonzero(dirty).tolist():
        varied[i] = _dirty(varied[i], variety.dirt, rng)
    return varied


def _moved(
    images: NDArray[np.uint8], variety: Variety, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Vary rotation, slant, size and place only."""
    source, shift = _source_frames(len(images), variety, rng)
    middle = (SIDE_PX - 1) / 2
    offset = middle + shift[:, 0, 0] - source.sum(axis=-1) * middle
    frames = np.concatenate([source, offset[..., np.newaxis]], axis=-1)
    moved = np.empty_like(images)
    how = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    for image, frame, place in zip(images, frames, moved, strict=True):
        cv2.warpAffine(image, frame, (SIDE_PX, SIDE_PX), dst=place, flags=how)
    return moved * np.float32(1 / 255)


def _source_frames(
    count: int, variety: Variety, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw random maps from the output's coordinates to the original's.

    Returns:
        (N, 2, 2) matrices about the middle, and (N, 1, 1, 2) shifts in pixels.
    """
    angle = np.deg2rad(
        rng.uniform(-variety.rotation_deg, variety.rotation_deg, size=count)
    )
    both = rng.uniform(1 - variety.scale, 1 + variety.scale, size=(count, 1))
    one = rng.uniform(1 - variety.scale / 2, 1 + variety.scale / 2, size=(count, 2))
    shear = rng.uniform(-variety.shear, variety.shear, size=count)
    shift = rng.uniform(-variety.shift_px, variety.shift_px, size=(count, 1, 1, 2))
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.stack([cos, sin, -sin, cos], axis=-1).reshape(-1, 2, 2)
    slant = np.tile(np.eye(2), (count, 1, 1))
    slant[:, 0, 1] = shear
    # The inverse of the visible change: undo scale, rotation and slant.
    return slant @ turn * (1 / (both * one))[:, None, :], shift


def _source_places(
    count: int, variety: Variety, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return, for each output pixel, its position in the original.

    Returns:
        (N, 28, 28, 2) float32, x before y, in pixels.
    """
    source, shift = _source_frames(count, variety, rng)
    middle = (SIDE_PX - 1) / 2
    straight = np.einsum("nij,yxj->nyxi", source, _GRID - middle, optimize=True)
    # Smooth displacement as in Simard et al. 2003, but interpolated from a coarse grid
    # of normal deviates instead of blurred from a fine one.
    coarse = rng.normal(0.0, variety.elastic_px, size=(count, 5, 5, 2))
    wobble = np.einsum("ya,xb,nabi->nyxi", _SMOOTH, _SMOOTH, coarse, optimize=True)
    return np.asarray(straight + shift + middle + wobble, np.float32)


_GRID = np.stack(np.meshgrid(np.arange(SIDE_PX), np.arange(SIDE_PX)), axis=-1)
# (28, 5): cubic interpolation from five knots to 28 pixels.
_SMOOTH = cv2.resize(np.eye(5), (5, SIDE_PX), interpolation=cv2.INTER_CUBIC)


def _sampled(source: NDArray[Any], places: NDArray[np.float32]) -> NDArray[Any]:
    """Interpolate a picture at (H, W, 2) positions, x before y."""
    return cv2.remap(source, places[..., 0], places[..., 1], cv2.INTER_LINEAR)


def _other_pen(image: NDArray[np.uint8], rng: np.random.Generator) -> Bitmap:
    """Thicken or thin the lines by up to half a pixel on each side."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    morph = cv2.dilate if rng.random() < 0.6 else cv2.erode
    share = rng.uniform(0.2, 0.8 if morph is cv2.dilate else 0.5)
    other = morph(image, cross)
    return np.asarray(cv2.addWeighted(other, share, image, 1 - share, 0), np.uint8)


def _dirty(
    image: NDArray[np.float32], kinds: Sequence[str], rng: np.random.Generator
) -> NDArray[np.float32]:
    """Apply one to three corruptions; then mostly frame it as pixels are served.

    Dirt beside a digit makes it smaller, because it counts as ink.
    """
    for kind in rng.choice(kinds, int(rng.choice([1, 1, 1, 2, 2, 3]))):
        image = corrupted(image, kind, rng.uniform(0.1, 1), rng)
    if rng.random() < 0.3:
        return image
    return framed(at_full_contrast(as_levels(image))) * np.float32(1 / 255)


# --- pen drawings -------------------------------------------------------------------


def redrawn(strokes: Sequence[Points], rng: np.random.Generator) -> list[Points]:
    """Draw strokes again as another hand and another device would.

    This varies slant, rotation, proportions, tremor, the places and ends of strokes and
    the density of points. Some drawings are snapped to a coarse grid, like those from
    old tablets, mice and touch screens.

    Args:
        strokes: in any unit.

    Returns:
        The strokes around the origin, about 100 units wide or high.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    unit = 100.0 / max(float((high - low).max()), 1e-6)
    angle = np.deg2rad(rng.uniform(-10, 10))
    cos, sin = np.cos(angle), np.sin(angle)
    change = (
        np.array([[cos, -sin], [sin, cos]])
        @ np.array([[1, rng.uniform(-0.3, 0.3)], [0, 1]])
        @ np.diag(np.exp(rng.uniform(-0.33, 0.33, size=2)))
    )
    # A smooth field moves neighbouring points together, as a hand does.
    field = rng.normal(0, rng.uniform(0, 4.0), size=(5, 5, 2)).astype(np.float32)
    every = int(rng.choice([1, 1, 1, 2, 3]))
    apart = rng.uniform(0, 4.0) if len(strokes) > 1 else 0.0
    grid = rng.uniform(3.0, 9.0) if rng.random() < 0.08 else 0.0
    drawn = []
    for stroke in strokes:
        ends = np.concatenate([stroke[::every], stroke[-1:]])
        placed = _with_other_ends((ends - (low + high) / 2) * unit, rng)
        knots = np.clip(placed / 25.0 + 2.0, 0, 4).astype(np.float32)
        tremor = _sampled(field, knots[np.newaxis])
        again = placed @ change.T + tremor.reshape(-1, 2)
        again += rng.normal(0, apart, size=2)
        if grid:
            again = np.rint(again / grid) * grid
        drawn.append(again.astype(np.float32))
    return drawn


def _with_other_ends(
    stroke: NDArray[np.floating], rng: np.random.Generator
) -> NDArray[np.floating]:
    """Let some strokes end early or late: missing joins, overshoot."""
    if len(stroke) < 4:
        return stroke
    for _ in range(2):  # the end, then the start
        kind = rng.random()
        if kind < 0.12:
            travelled = np.cumsum(np.hypot(*np.diff(stroke, axis=0).T)[::-1])[::-1]
            left = max(2, int((travelled > rng.uniform(0, 9)).sum()))
            stroke = stroke[: left + 1]
        elif kind < 0.24:
            way = stroke[-1] - stroke[-3]
            length = max(float(np.hypot(*way)), 1e-6)
            beyond = stroke[-1] + way * (rng.uniform(2, 12) / length)
            stroke = np.concatenate([stroke, beyond[np.newaxis]])
        stroke = stroke[::-1]
    return stroke


def rendered(strokes: Sequence[Points], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Rasterise strokes with a pen of random width, mostly near the reading pen's.

    Some are drawn with a broad nib, and some in one or two pixels on a small canvas.

    Returns:
        (28, 28) uint8, framed by `normalize`.
    """
    kind = rng.random()
    if kind < 0.12:
        return framed(_in_thin_lines(strokes, rng))
    share = float(PEN_SHARE * np.exp(np.clip(rng.normal(0, 0.25), -0.6, 0.7)))
    if kind < 0.2:
        return framed(_with_a_nib(strokes, share, rng))
    return framed(rasterise(strokes, pen_width=0.0, pen_share=share))


def _in_thin_lines(strokes: Sequence[Points], rng: np.random.Generator) -> Bitmap:
    side = int(rng.integers(24, 120))
    placed = scale_to_canvas(list(strokes), side=side, margin=2)
    pen_width = rng.choice([1, 1, 2])
    return draw_on_canvas(placed, width=side, height=side, pen_width=pen_width)


def _with_a_nib(
    strokes: Sequence[Points], share: float, rng: np.random.Generator
) -> Bitmap:
    """Draw with a flat nib: lines are broad in one direction and thin in the other."""
    thin = rasterise(strokes, pen_width=0.0, pen_share=share / 3)
    length = max(3, round(1.5 * share * max(thin.shape)))
    nib = np.zeros((2 * length + 1, 2 * length + 1), np.uint8)
    angle = rng.uniform(15, 75) * rng.choice([-1, 1])
    middle = (length, length)
    cv2.ellipse(nib, middle, (length // 2 + 1, 1), angle, 0, 360, 1, -1)
    around = np.pad(thin, length)
    return np.asarray(cv2.dilate(around, nib), np.uint8)


def _underline(points: Points, rng: np.random.Generator) -> NDArray[np.float64]:
    low, high = points.min(axis=0), points.max(axis=0)
    left, right = low[0] - rng.uniform(-5, 35), high[0] + rng.uniform(-5, 35)
    y = high[1] + rng.uniform(6, 30)
    bend = y + rng.normal(0, 3, size=3)
    return np.stack([[left, (left + right) / 2, right], bend], axis=1)


def _circle(points: Points, rng: np.random.Generator) -> NDArray[np.float64]:
    low, high = points.min(axis=0), points.max(axis=0)
    size = float((high - low).max())
    # It never touches the digit: a 1 in a circle would look like a slashed 0.
    radius = size * rng.uniform(0.74, 1.0) * rng.uniform(0.95, 1.15, size=2)
    start = rng.uniform(0, 2 * np.pi)
    turn = np.linspace(start, start + 2 * np.pi + rng.uniform(-0.3, 0.5), 40)
    around = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return np.asarray((low + high) / 2 + around * radius + rng.normal(0, 4, 2))


def _full_stop(points: Points, rng: np.random.Generator) -> NDArray[np.float64]:
    return np.asarray(points.max(axis=0) + rng.uniform((4, -12), (30, 6)))[np.newaxis]


def _tap(points: Points, rng: np.random.Generator) -> NDArray[np.float64]:
    low, high = points.min(axis=0), points.max(axis=0)
    tap = (low + high) / 2 + rng.uniform(-1, 1, 2) * float((high - low).max())
    return np.asarray(tap)[np.newaxis]


DECORATIONS: Mapping[
    str, Callable[[Points, np.random.Generator], NDArray[np.float64]]
] = {
    "underline": _underline,
    "circle": _circle,
    "full stop": _full_stop,
    "stray tap": _tap,
}
"""What people add to a digit, by name."""


def decorated(
    strokes: Sequence[Points], kind: str, rng: np.random.Generator
) -> list[Points]:
    """Add one of DECORATIONS to a drawing about 100 units wide or high."""
    added = DECORATIONS[kind](np.concatenate(strokes), rng)
    return [*strokes, np.asarray(added, np.float32)]


def written_side_by_side(
    drawings: Sequence[Sequence[Points]], rng: np.random.Generator
) -> list[Points]:
    """Put pen drawings side by side as one drawing, with varied gaps."""
    row: list[Points] = []
    right = 0.0
    for strokes in drawings:
        points = np.concatenate(list(strokes))
        low, high = points.min(axis=0), points.max(axis=0)
        unit = rng.uniform(70, 110) / max(float((high - low).max()), 1e-6)
        place = np.array([right, rng.uniform(-15, 15)])
        for stroke in strokes:
            moved = (stroke - (low[0], (low[1] + high[1]) / 2)) * unit + place
            row.append(moved.astype(np.float32))
        right += float(high[0] - low[0]) * unit + rng.uniform(4, 60)
    return row


# --- non-digits ----------------------------------------------------------------


def side_by_side(
    digits: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Put two or more digits side by side as one drawing.

    Args:
        digits: (N, 28, 28) uint8.

    Returns:
        (28, 28) uint8, framed by `normalize`.
    """
    cut = []
    for digit in digits:
        left, top, width, height = cv2.boundingRect(digit)
        ink = digit[top : top + height, left : left + width]
        size = max(8, round(20 * rng.uniform(0.75, 1.1)))
        scale = size / max(width, height)
        shape = (max(2, round(width * scale)), max(2, round(height * scale)))
        cut.append(np.asarray(cv2.resize(ink, shape), np.uint8))
    gaps = rng.integers(-1, 9, size=len(cut))
    row = np.zeros((40, sum(ink.shape[1] for ink in cut) + 10 * len(cut)), np.uint8)
    x = 0
    for ink, gap in zip(cut, gaps, strict=True):
        x = max(0, x + int(gap))
        y = int(rng.integers(3, 40 - ink.shape[0] - 2))
        y = int(np.clip(y, 20 - ink.shape[0] // 2 - 5, 20 - ink.shape[0] // 2 + 5))
        part = row[y : y + ink.shape[0], x : x + ink.shape[1]]
        np.maximum(part, ink[: part.shape[0], : part.shape[1]], out=part)
        x += ink.shape[1]
    return framed(row)


def scribble(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw tangles, hatching or scattered strokes.

    They are crowded on purpose: sparse random curves often look like ones, sevens and
    zeros, and training on those as non-digits costs accuracy on digits.

    Returns:
        (28, 28) uint8, framed by `normalize`.
    """
    kind = rng.integers(3)
    strokes: list[Points] = []
    if kind == 0:  # a tangle: one long wandering line
        knots = rng.uniform(0, 100, size=(int(rng.integers(12, 30)), 2))
        strokes = [_smooth_line(knots)]
    elif kind == 1:  # hatching
        angle = rng.uniform(0, np.pi)
        along = np.array([np.cos(angle), np.sin(angle)])
        across = np.array([-along[1], along[0]])
        for offset in np.linspace(-50, 50, int(rng.integers(4, 9))):
            middle = 50 + across * offset + rng.normal(0, 4, 2)
            strokes.append(
                np.stack([middle - along * 50, middle + along * 50]).astype(np.float32)
            )
    else:  # scattered strokes
        for _ in range(int(rng.integers(5, 12))):
            start = rng.uniform(0, 100, 2)
            knots = start + np.cumsum(rng.normal(0, 18, size=(4, 2)), axis=0)
            strokes.append(_smooth_line(knots))
    return framed(rasterise(strokes, pen_width=4.0))


def shuffled_quarters(
    digit: NDArray[np.uint8], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Swap and rotate a digit's quarters: its ink and texture without its shape.

    Returns:
        (28, 28) uint8, framed by `normalize`.
    """
    half = SIDE_PX // 2
    quarters = [
        digit[:half, :half],
        digit[:half, half:],
        digit[half:, :half],
        digit[half:, half:],
    ]
    # Each is rotated and moved to the opposite corner.
    moved = [np.rot90(quarter, int(rng.integers(1, 4))) for quarter in quarters[::-1]]
    return framed(np.block([[moved[0], moved[1]], [moved[2], moved[3]]]))


def lying(digit: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Lay a digit on its side: strokes and joints of a digit, but not a digit.

    For 2 to 6 and 9; the others could still be read as digits.
    """
    return np.rot90(digit, int(rng.choice([1, 3])))


def upside_down(digit: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn a digit upside down. For 3, 4 and 7; the others look like digits again."""
    return np.rot90(digit, 2)


def tick(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a tick: a short arm down, then a longer one up.

    Returns:
        (28, 28) uint8, framed by `normalize`.
    """
    size = np.exp(rng.uniform(-0.3, 0.3, size=2))
    corners = np.array([[0, 55], [30, 100], [110, 0]]) + rng.normal(0, 9, (3, 2))
    arms = [
        _smooth_line(np.stack([start, (start + end) / 2 + rng.normal(0, 4, 2), end]))
        for start, end in pairwise(corners * size)
    ]
    return rendered([np.concatenate(arms)], rng)


def soiled_paper(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Make a picture of dirt alone, framed as pixels are served.

    Returns:
        (28, 28) uint8.
    """
    image = np.zeros((SIDE_PX, SIDE_PX), np.float32)
    for kind in rng.choice(WITHOUT_A_DIGIT, int(rng.choice([1, 1, 2, 3]))):
        image = corrupted(image, kind, rng.uniform(0.1, 1), rng)
    return framed(at_full_contrast(as_levels(image)))


def doodle(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a random thing of rings, boxes, lines, waves and zigzags.

    It has at least four parts, since fewer often look like a digit.

    Returns:
        (28, 28) uint8, framed by `normalize`.
    """
    strokes = [_part_of_a_thing(rng) for _ in range(int(rng.integers(4, 9)))]
    return framed(rasterise(strokes, pen_width=0.0, pen_share=rng.uniform(0.04, 0.1)))


def glyph(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a random letter: four or five straight or bent lines between corners.

    With fewer lines, or all in one row, every fifth would look like a digit.

    Returns:
        (28, 28) uint8, framed by `normalize`.
    """
    corners = np.stack(np.meshgrid([0, 50, 100], [0, 70, 140]), axis=-1).reshape(-1, 2)
    place = int(rng.integers(len(corners)))
    strokes = []
    for _ in range(int(rng.integers(4, 6))):
        end = int(rng.choice(np.delete(np.arange(len(corners)), place)))
        ends = corners[[place, end]] + rng.normal(0, 6, size=(2, 2))
        bend = rng.normal(0, 4 if rng.random() < 0.7 else 25, size=(1, 2))
        strokes.append(
            _smooth_line(np.concatenate([ends[:1], ends.mean(axis=0) + bend, ends[1:]]))
        )
        # the next line starts where this one ends, or at any of the corners
        place = end if rng.random() < 0.5 else int(rng.integers(len(corners)))
    if np.ptp(np.concatenate(strokes), axis=0).min() < 45:
        return glyph(rng)
    share = rng.uniform(0.07, 0.15)
    return framed(rasterise(strokes, pen_width=0.0, pen_share=share))


def outline(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Draw a random outline: box, kite, cloud, pear, flat ring or frame.

    It is a closed line that does not look like a zero, with or without parts on or in
    it.

    Returns:
        (28, 28) uint8, framed by `normalize`.
    """
    make = _OUTLINES[int(rng.integers(len(_OUTLINES)))]
    edge, parts = make(rng)
    tilt = rng.normal(0, 0.15)
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    edge = edge @ turn.T * 45 + rng.normal(0, 0.8, size=edge.shape)
    strokes = [edge, *(_on_or_in(edge, rng) for _ in range(parts))]
    share = rng.uniform(0.05, 0.11)
    return framed(
        rasterise(
            [np.asarray(stroke + 50, np.float32) for stroke in strokes],
            pen_width=0.0,
            pen_share=share,
        )
    )


_AROUND = np.linspace(0, 2 * np.pi, 49)
_RING = np.stack([np.cos(_AROUND), np.sin(_AROUND)], axis=1)


def _polygon(rng: np.random.Generator) -> tuple[NDArray[np.float64], int]:
    corners = int(rng.choice([3, 4, 4, 4, 5]))
    at = rng.uniform(0, np.pi) + np.arange(corners) * 2 * np.pi / corners
    line = np.stack([np.cos(at), np.sin(at)], axis=1)
    line = (line + rng.normal(0, 0.1, line.shape)) * rng.uniform(0.6, 1, size=2)
    closed = np.concatenate([line, line[:1]])
    steps = np.linspace(0, corners, 12 * corners + 1)
    return np.stack(
        [np.interp(steps, np.arange(corners + 1), axis) for axis in closed.T], axis=1
    ), int(rng.choice([0, 0, 0, 1, 2]))


def _cloud(rng: np.random.Generator) -> tuple[NDArray[np.float64], int]:
    bumps = int(rng.integers(5, 12))
    radius = 1 + rng.uniform(0.2, 0.4) * np.abs(np.sin(bumps * _AROUND / 2))
    high = rng.uniform(0.45, 0.9)
    return radius[:, None] * _RING / radius.max() * (1, high), int(rng.choice([0, 1]))


def _pear(rng: np.random.Generator) -> tuple[NDArray[np.float64], int]:
    radius = np.ones_like(_AROUND)
    for waves in (1, 2, 3):  # strong enough that no oval is left
        start = rng.uniform(0, 2 * np.pi)
        radius += rng.uniform(0.1, 0.25) * np.cos(waves * _AROUND + start)
    return radius[:, None] * _RING / radius.max(), int(rng.choice([1, 2, 3]))


def _flat_ring(rng: np.random.Generator) -> tuple[NDArray[np.float64], int]:
    return _RING * (1, rng.uniform(0.25, 0.5)), int(rng.choice([0, 0, 1, 2]))


def _frame(rng: np.random.Generator) -> tuple[NDArray[np.float64], int]:
    squareness = np.maximum(np.abs(_RING[:, 0]), np.abs(_RING[:, 1]))[:, None]
    narrow = rng.uniform(0.3, 0.45)
    size = (1, narrow) if rng.random() < 0.6 else (narrow, 1)
    return _RING / squareness * size, int(rng.choice([0, 1, 2]))


_OUTLINES = (_polygon, _cloud, _pear, _flat_ring, _frame)


def _on_or_in(
    edge: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Add a stem outside or a ring inside; a line across would make a slashed zero."""
    start = edge[int(rng.integers(len(edge)))]
    if rng.random() < 0.5:
        middle, size = start * rng.uniform(0, 0.5), rng.uniform(3, 10, size=2)
        return np.asarray(middle + _RING * size)
    end = start * rng.uniform(1.5, 2.0) + rng.normal(0, 6, 2)
    bend = (start + end) / 2 + rng.normal(0, 5, 2)
    return _smooth_line(np.stack([start, bend, end])).astype(np.float64)


def _part_of_a_thing(rng: np.random.Generator) -> Points:
    middle = rng.uniform(15, 85, size=2)
    size = rng.uniform(6, 40, size=2)
    kind = rng.integers(5)
    if kind == 0:  # a ring, or part of one
        start, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.0) * 2 * np.pi
        turn = np.linspace(start, start + length, 24)
        line = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    elif kind == 1:  # a box or another polygon
        corners = int(rng.integers(3, 6))
        turn = rng.uniform(0, np.pi) + np.arange(corners + 1) * 2 * np.pi / corners
        line = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    elif kind == 2:  # a line
        line = rng.uniform(-1, 1, size=(2, 2))
    elif kind == 3:  # a zigzag
        points = int(rng.integers(4, 9))
        line = np.stack(
            [np.linspace(-1, 1, points), np.resize([-0.5, 0.5], points)], axis=1
        )
    else:  # a wave
        line = _smooth_line(rng.uniform(-1, 1, size=(int(rng.integers(3, 6)), 2)))
    return np.asarray(middle + line * size, np.float32)


def _smooth_line(knots: NDArray[np.float64]) -> Points:
    """Run a Catmull-Rom spline through (N, 2) knots, ten points between two."""
    padded = np.concatenate([knots[:1], knots, knots[-1:]])
    t = np.linspace(0, 1, 10, endpoint=False)[:, None]
    stretches = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        stretches.append(
            0.5
            * (
                2 * b
                + (c - a) * t
                + (2 * a - 5 * b + 4 * c - d) * t**2
                + (3 * b - a - 3 * c + d) * t**3
            )
        )
    return np.concatenate(stretches).astype(np.float32)


def framed(bitmap: Bitmap) -> NDArray[np.uint8]:
    """Frame a drawing as serving does: (28, 28) uint8; all 0 without ink."""
    try:
        image = normalize(np.ascontiguousarray(bitmap))[..., 0]
    except BlankDrawingError:
        return np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    return as_levels(image)


def as_levels(image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the levels from 0 to 255 of an image in [0, 1]."""
    return np.rint(image * 255).astype(np.uint8)
