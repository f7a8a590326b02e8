"""The geometry of the plots, as SVG text: always with a decimal point.

A table beside each plot has its numbers. Bars and intervals are 100 units wide and the
page stretches them; it does not stretch curves.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from recognizer.drawings.statistics import Share


def axis_start(shares: Iterable[Share], *, step: float) -> float:
    """Return where an axis to 1 begins: at the last whole step below all intervals."""
    lowest = min((share.low for share in shares), default=0.0)
    # An axis from 1 would have no width; 1e-9 is for the rounding of floats.
    start = math.floor(min(lowest, 1 - step) / step + 1e-9) * step
    return max(0.0, start)


def whisker(
    share: Share | None,
    *,
    start: float = 0.0,
    band: tuple[float, float] | None = None,
) -> dict[str, str] | None:
    """Place a share in its interval on an axis from `start` to 1.

    Args:
        share: None if there is nothing to place.
        band: the range that the share should be in.
    """
    if share is None:
        return None

    def x(value: float) -> float:
        return 100 * (max(value, start) - start) / (1 - start)

    placed = {
        "x": _written(x(share.value)),
        "low": _written(x(share.low)),
        "width": _written(x(share.high) - x(share.low)),
    }
    if band:
        placed["band_low"] = _written(x(band[0]))
        placed["band_width"] = _written(x(band[1]) - x(band[0]))
    return placed


def bar_width(share: float, *, of: float) -> str:
    """Return the width of a bar; a share of `of` gets the full width."""
    return _written(100 * share / of if of else 0)


def heat(cases: int, *, of: int) -> int:
    """Return the shade of a cell: 0 for no case, up to 5 for all of them."""
    return math.ceil(5 * cases / of) if of else 0


def _written(value: float) -> str:
    return f"{value:.2f}"


# --- curves: errors by epoch, on a logarithmic scale --------------------------------

CURVES_WIDTH, CURVES_HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 390, 10, 226
_MARGIN = 10  # between the axis and the first and last epoch
_Reach = tuple[float, float, float]
"""Least, mean and greatest error."""


def curves(answers: Sequence[Sequence[_Reach]], *, least: float) -> dict[str, Any]:
    """Place the errors of several answers on the same axes.

    Args:
        answers: for each answer, the range of its seeds' errors after each epoch.
        least: drawn for an error of 0, which a logarithmic scale cannot show.

    Returns:
        curves: for each answer, SVG paths: a line through the means, the band of the
        range around it, and a mark on each mean.
        errors, epochs: the ticks of the axes, as pairs of value and position.
    """
    floored = [
        [tuple(max(one, least) for one in reach) for reach in epochs]
        for epochs in answers
    ]
    every = [one for epochs in floored for reach in epochs for one in reach]
    steps = _steps(min(every), max(every))
    low, high = math.log(steps[0]), math.log(steps[-1])
    last = max(len(epochs) for epochs in answers)

    def x(epoch: float) -> float:
        share = (epoch - 1) / (last - 1) if last > 1 else 0.5
        return _LEFT + _MARGIN + share * (_RIGHT - _LEFT - 2 * _MARGIN)

    def y(error: float) -> float:
        return _BOTTOM - (math.log(error) - low) / (high - low) * (_BOTTOM - _TOP)

    def curve(number: int, epochs: Sequence[Sequence[float]]) -> dict[str, str]:
        lows, means, highs = (
            [(x(epoch), y(error)) for epoch, error in enumerate(errors, 1)]
            for errors in zip(*epochs, strict=True)
        )
        return {
            "line": _path(means),
            "band": _path([*highs, *reversed(lows)]),
            "marks": "".join(f"M{point}{mark(number)}" for point in map(_point, means)),
        }

    every_so_many = 1 if last <= 7 else 5
    return {
        "curves": [curve(number, epochs) for number, epochs in enumerate(floored)],
        "errors": [(step, f"{y(step):.1f}") for step in steps],
        "epochs": [
            (epoch, f"{x(epoch):.1f}")
            for epoch in range(1, last + 1)
            if epoch == 1 or epoch % every_so_many == 0
        ],
    }


def mark(number: int) -> str:
    """Return the SVG path of a curve's mark around a point; six shapes repeat."""
    return _MARKS[number % len(_MARKS)]


_MARKS = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",  # a disc
    "m-3.5-3.5h7v7h-7z",  # a square
    "m0-4.7l4.4 7.7h-8.8z",  # a triangle
    "m0-5l5 5l-5 5l-5-5z",  # a square on its corner
    "m0 4.7l4.4-7.7h-8.8z",  # a triangle on its corner
    "m-5-1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z",  # a cross
)
_ROUND = ((1, 2, 3, 5, 7), (1, 2, 5), (1,))  # about evenly spaced in logarithms
_MOST_STEPS = 9


def _steps(lowest: float, highest: float) -> list[float]:
    """Return round numbers that enclose a range, as many as the axis has room for."""
    decades = range(
        math.floor(math.log10(lowest)) - 1, math.ceil(math.log10(highest)) + 2
    )
    for digits in _ROUND:
        steps = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
        first = max(i for i, step in enumerate(steps) if step <= lowest)
        last = min(i for i, step in enumerate(steps) if step >= highest)
        enclosing = steps[first : max(last, first + 1) + 1]
        if len(enclosing) <= _MOST_STEPS:
            break
    return enclosing


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(map(_point, points))


def _point(point: tuple[float, float]) -> str:
    return f"{point[0]:.1f} {point[1]:.1f}"
