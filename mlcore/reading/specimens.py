"""Digits of our own making: the styles people write, as strokes of a pen.

Each style is a handful of control points on the page's 280 px canvas, rounded to a
smooth curve, so it has the form and the density of points of a drawing from the page.
Tests, benchmarks and the pictures in the documentation draw with these; no model is
trained on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mlcore.reading.ink import Points

CANVAS_PX = 280.0
"""Side of the page's canvas."""

_SPACING_PX = 6.0
"""Between two points of a stroke: a hand at ease, sampled 60 times a second."""

_TREMOR_PX = 36.0
"""Along a stroke, how far a hand's tremor keeps its direction."""

_Corners = Sequence[tuple[float, float]]
"""Control points (x, y) of one curve."""


@dataclass(frozen=True)
class Specimen:
    """One digit in one style.

    style: how it is written, such as "slashed"; unique among those of its digit.
    strokes: as a right-handed writer would follow them, on a canvas of CANVAS_PX.
    """

    digit: int
    style: str
    strokes: list[Points]


def specimens() -> list[Specimen]:
    """Return every digit in the styles people write it in, sorted by digit."""
    return [
        Specimen(digit, style, [_stroke(*curves) for curves in strokes])
        for digit, styles in enumerate(_TEMPLATES)
        for style, strokes in styles.items()
    ]


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
    """Write a specimen once more, by another hand and in another place.

    By default modest: a person would name the same digit. With everything at 0 the
    strokes come back as they were.

    Args:
        slant: largest lean to either side, as a tangent.
        rotation_deg: largest turn to either side.
        scale: largest change of size, as a share, and half of that of the width alone.
        shift_px: largest move along each axis.
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
    """Make (count, 2) about normal deviates that drift smoothly along a stroke."""
    beats = 2 + round(count * _SPACING_PX / _TREMOR_PX)
    drift = _rounded(rng.normal(size=(beats, 2)))
    return _resampled(drift, np.linspace(0, 1, len(drift)), count)


def _stroke(*curves: _Corners) -> Points:
    """Draw curves end to end without lifting the pen, sharply cornered in between.

    Points lie evenly, _SPACING_PX apart, over the whole stroke.
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
    """Cut corners until they are a curve; the ends stay, two points are a line.

    The curve touches the middle of each inner edge and never leaves the polygon's hull.

    Source: Chaikin 1974; its limit is the quadratic B-spline.
    """
    line = corners
    for _ in range(5):  # a corner is 32 points then: finer than a pen's samples
        start, end = line[:-1], line[1:]
        cut = np.stack([0.75 * start + 0.25 * end, 0.25 * start + 0.75 * end], axis=1)
        line = np.concatenate([line[:1], cut.reshape(-1, 2), line[-1:]])
    return line


# --- the styles -----------------------------------------------------------------
# At each digit's place its styles: strokes of curves of control points.

_Style = Sequence[Sequence[_Corners]]

_OVAL: _Corners = (
    (154, 46),
    (120, 38),
    (92, 66),
    (78, 130),
    (84, 206),
    (124, 250),
    (172, 232),
    (202, 160),
    (194, 84),
    (172, 44),
    (142, 44),
)
_FIVE_BOWL: _Corners = (
    (98, 128),
    (130, 104),
    (198, 108),
    (210, 204),
    (146, 250),
    (82, 222),
)
_NINE_LOOP: _Corners = (
    (186, 78),
    (168, 34),
    (104, 38),
    (76, 98),
    (104, 154),
    (164, 142),
    (188, 72),
)

_TEMPLATES: Sequence[dict[str, _Style]] = (
    {
        "plain": [[_OVAL]],
        "slashed": [[_OVAL], [((204, 52), (80, 232))]],
    },
    {
        "bare": [[((148, 42), (142, 140), (138, 238))]],
        "flag": [[((100, 98), (130, 78), (154, 44)), ((154, 44), (148, 238))]],
        "flag and foot": [
            [((96, 94), (124, 78), (146, 44)), ((146, 44), (144, 232))],
            [((92, 234), (198, 231))],
        ],
    },
    {
        "plain": [
            [
                ((90, 92), (100, 36), (188, 30), (206, 104), (144, 168), (82, 232)),
                ((82, 232), (146, 224), (206, 230)),
            ]
        ],
        "looped": [
            [
                (
                    (92, 84),
                    (110, 32),
                    (196, 34),
                    (198, 108),
                    (150, 190),
                    (96, 248),
                    (66, 222),
                    (96, 186),
                    (144, 238),
                    (208, 214),
                )
            ]
        ],
    },
    {
        "round": [
            [
                ((92, 70), (116, 30), (198, 40), (190, 112), (128, 132)),
                ((128, 132), (208, 126), (220, 216), (144, 254), (80, 216)),
            ]
        ],
        "flat-topped": [
            [
                ((90, 50), (188, 46)),
                ((188, 46), (130, 118)),
                ((130, 118), (204, 112), (218, 214), (142, 254), (80, 214)),
            ]
        ],
    },
    {
        "open": [
            [((108, 48), (98, 106), (80, 152)), ((80, 152), (140, 156), (208, 148))],
            [((176, 78), (168, 150), (164, 238))],
        ],
        "closed": [
            [((162, 44), (120, 112), (74, 172)), ((74, 172), (208, 168))],
            [((162, 44), (160, 140), (156, 238))],
        ],
        "crossed": [
            [((140, 42), (108, 116), (76, 176)), ((76, 176), (140, 180), (212, 172))],
            [((168, 122), (158, 180), (154, 240))],
        ],
    },
    {
        "one stroke": [
            [((190, 50), (146, 54), (106, 50)), ((106, 50), (98, 128)), _FIVE_BOWL]
        ],
        "separate hat": [
            [((108, 56), (98, 128)), _FIVE_BOWL],
            [((106, 56), (150, 56), (198, 48))],
        ],
    },
    {
        "curved": [
            [
                (
                    (180, 48),
                    (128, 52),
                    (80, 132),
                    (80, 222),
                    (136, 254),
                    (202, 226),
                    (190, 150),
                    (126, 142),
                    (90, 192),
                )
            ]
        ],
        "straight": [
            [
                (
                    (158, 40),
                    (108, 122),
                    (74, 200),
                    (112, 250),
                    (178, 242),
                    (198, 184),
                    (152, 146),
                    (104, 166),
                    (90, 204),
                )
            ]
        ],
    },
    {
        "plain": [
            [((82, 56), (140, 58), (198, 50)), ((198, 50), (154, 120), (124, 238))]
        ],
        "crossed": [
            [
                ((84, 84), (82, 44), (132, 66), (202, 48)),
                ((202, 48), (152, 136), (124, 240)),
            ],
            [((104, 150), (146, 146), (192, 138))],
        ],
    },
    {
        "one stroke": [
            [
                (
                    (182, 66),
                    (158, 36),
                    (96, 42),
                    (84, 100),
                    (138, 136),
                    (200, 174),
                    (196, 240),
                    (132, 252),
                    (76, 218),
                    (104, 162),
                    (164, 124),
                    (196, 94),
                    (178, 58),
                )
            ]
        ],
        "two circles": [
            [
                (
                    (148, 46),
                    (104, 42),
                    (92, 88),
                    (116, 134),
                    (166, 130),
                    (184, 84),
                    (168, 46),
                    (140, 45),
                )
            ],
            [
                (
                    (146, 136),
                    (94, 134),
                    (76, 190),
                    (104, 244),
                    (172, 242),
                    (202, 192),
                    (182, 138),
                    (138, 135),
                )
            ],
        ],
    },
    {
        "straight tail": [[_NINE_LOOP, ((188, 72), (182, 150), (170, 238))]],
        "curled tail": [
            [_NINE_LOOP, ((188, 72), (198, 190), (176, 252), (112, 256), (90, 212))]
        ],
    },
)
