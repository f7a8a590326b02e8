"""Synthetic digits in the styles people write, as pen strokes.

In the JSON files a style is a list of strokes, a stroke a list of curves, a curve a few
control points on the page's 280 px canvas. They are rounded to smooth curves, with
points as dense as in a drawing from the page.
Training draws each again in many ways. Tests, benchmarks and pictures in the
documentation use the common ones as well.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcore.reading.rasterise import Points

CANVAS_PX = 280.0
"""Side of the page's canvas."""

_SPACING_PX = 6.0
"""Distance between two points of a stroke: relaxed writing sampled at 60 Hz."""

_TREMOR_PX = 36.0
"""Length along a stroke over which the hand's tremor keeps its direction."""

_COMMON, _RARE = (
    Path(__file__).with_name(name) for name in ("specimens.json", "rare_specimens.json")
)

_Corners = Sequence[tuple[float, float]]
"""Control points (x, y) of one curve."""


@dataclass(frozen=True)
class Specimen:
    """One digit in one style.

    style: how it is written, such as "slashed"; unique within its digit.
    strokes: in the order of a right-handed writer, on a canvas of CANVAS_PX.
    """

    digit: int
    style: str
    strokes: list[Points]


def specimens(*, rare: bool = False) -> list[Specimen]:
    """Return every digit in the styles people write it in, sorted by digit.

    Args:
        rare: with the rare styles too, such as square or barred ones.
    """
    templates = [
        template
        for path in ((_COMMON, _RARE) if rare else (_COMMON,))
        for template in json.loads(path.read_text())
    ]
    made = [
        Specimen(one["digit"], one["style"], [_stroke(*s) for s in one["strokes"]])
        for one in templates
    ]
    return sorted(made, key=lambda specimen: specimen.digit)


def jittered(
    specimen: Specimen,
    rng: np.random.Generator,
    *,
    slant: float = 0.15,
    rotation_deg: float = 7.0,
    scale: float = 0.15,
    shift_px: float = 16.0,
    wobble_px: float = 1.6,
) -> Specimen:
    """Vary a specimen as if another person wrote it in another place.

    The defaults are modest: a person still reads the same digit. With everything at 0
    the strokes are unchanged.

    Args:
        slant: largest slant to either side, as a tangent.
        rotation_deg: largest rotation to either side.
        scale: largest change of size, as a share; the width alone changes by up to
            half as much again.
        shift_px: largest shift along each axis.
        wobble_px: standard deviation of the hand's tremor.
    """
    angle = np.deg2rad(rng.uniform(-rotation_deg, rotation_deg))
    turned = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    leaning = np.array([[1, rng.uniform(-slant, slant)], [0, 1]])
    size = 1 + rng.uniform(-scale, scale)
    widened = np.diag([size * (1 + rng.uniform(-scale, scale) / 2), size])
    change = turned @ leaning @ widened
    middle = CANVAS_PX / 2
    place = middle + rng.uniform(-shift_px, shift_px, size=2)
    strokes = []
    for stroke in specimen.strokes:
        written = stroke + wobble_px * _tremor(len(stroke), rng)
        strokes.append(((written - middle) @ change.T + place).astype(np.float32))
    return replace(specimen, strokes=strokes)


def _tremor(count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Make (count, 2) roughly normal deviates that vary smoothly along a stroke."""
    beats = 2 + round(count * _SPACING_PX / _TREMOR_PX)
    drift = _rounded(rng.normal(size=(beats, 2)))
    return _resampled(drift, np.linspace(0, 1, len(drift)), count)


def _stroke(*curves: _Corners) -> Points:
    """Join curves to one stroke, with a sharp corner between them.

    Points are evenly spaced along the stroke, about _SPACING_PX apart.
    """
    line = np.concatenate([_rounded(np.array(corners)) for corners in curves])
    travelled = np.cumsum(np.hypot(*np.diff(line, axis=0, prepend=line[:1]).T))
    count = 1 + max(1, round(travelled[-1] / _SPACING_PX))
    return _resampled(line, travelled, count).astype(np.float32)


def _resampled(
    line: NDArray[np.float64], at: NDArray[np.float64], count: int
) -> NDArray[np.float64]:
    """Take `count` points of an (N, 2) line, evenly spaced in `at` (N,)."""
    evenly = np.linspace(at[0], at[-1], count)
    return np.stack([np.interp(evenly, at, axis) for axis in line.T], axis=1)


def _rounded(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cut corners until they form a curve; the ends stay, two points stay a line.

    The curve touches the middle of each inner edge and never leaves the polygon's hull.

    Source: Chaikin 1974; its limit is the quadratic B-spline.
    """
    line = corners
    for _ in range(5):  # makes 32 points of a corner: finer than a pen's samples
        start, end = line[:-1], line[1:]
        cut = np.stack([0.75 * start + 0.25 * end, 0.25 * start + 0.75 * end], axis=1)
        line = np.concatenate([line[:1], cut.reshape(-1, 2), line[-1:]])
    return line
