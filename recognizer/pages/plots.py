"""The geometry of the plots: numbers as SVG writes them, in whatever language.

Each stands beside its numbers in a table, so that nobody needs to see them. Bars and
whiskers are drawn on a width of 100 that the page stretches, curves as they are.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from recognizer.drawings.statistics import Share


@dataclass(frozen=True)
class Axis:
    """A scale of shares from `start` to 1."""

    start: float

    @classmethod
    def around(cls, shares: Iterable[Share], *, step: float) -> "Axis":
        """Begin at the last whole step below all intervals, or at 0 without any."""
        lowest = min((share.low for share in shares), default=0.0)
        # Above 1 it would have no width; 1e-9 is for what floats make of a step.
        start = math.floor(min(lowest, 1 - step) / step + 1e-9) * step
        return cls(max(0.0, start))

    def x(self, share: float) -> float:
        """Return where a share lies."""
        return 100 * (max(share, self.start) - self.start) / (1 - self.start)


@dataclass(frozen=True)
class Whisker:
    """A share as a mark within its interval; `band` is where it should lie."""

    x: str
    low: str
    width: str
    band_low: str = ""
    band_width: str = ""


def whisker(
    share: Share, axis: Axis, *, band: tuple[float, float] | None = None
) -> Whisker:
    """Place a share with its interval, and the band it should lie in."""
    low, high = axis.x(share.low), axis.x(share.high)
    placed = (_written(axis.x(share.value)), _written(low), _written(high - low))
    if band is None:
        return Whisker(*placed)
    start, end = (axis.x(edge) for edge in band)
    return Whisker(*placed, _written(start), _written(end - start))


def bar_width(share: float, *, of: float) -> str:
    """Return the width of a bar where `of` is as wide as can be."""
    return _written(100 * share / of if of else 0)


def heat(cases: int, *, of: int) -> int:
    """Return how warm a cell is painted: 0 for none, up to 5 for all of them."""
    return math.ceil(5 * cases / of) if of else 0


# --- curves: errors by epoch, on a logarithmic scale --------------------------------

CURVES_WIDTH, CURVES_HEIGHT = 400, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 390, 10, 226
_Reach = tuple[float, float, float]
"""Least, mean and greatest error."""


@dataclass(frozen=True)
class Tick:
    """A value of an axis, and where it lies along it."""

    value: float
    at: str


@dataclass(frozen=True)
class Curve:
    """An answer's errors: a line through the means, their reach, a mark on each."""

    line: str
    band: str
    marks: str


@dataclass(frozen=True)
class Curves:
    """Several curves on the same axes."""

    curves: list[Curve]
    errors: list[Tick]
    epochs: list[Tick]

    @property
    def lowest(self) -> float:
        """The error at the foot of the axis."""
        return self.errors[0].value

    @property
    def highest(self) -> float:
        """The error at its top."""
        return self.errors[-1].value


def curves(answers: Sequence[Sequence[_Reach]], *, least: float) -> Curves:
    """Place the errors of each answer, epoch by epoch.

    Args:
        answers: of each answer the reach of its seeds' errors after each epoch.
        least: stands for an error of 0, which has no place on a logarithmic scale.
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
        return _LEFT + 10 + share * (_RIGHT - _LEFT - 20)

    def y(error: float) -> float:
        return _BOTTOM - (math.log(error) - low) / (high - low) * (_BOTTOM - _TOP)

    def curve(number: int, epochs: Sequence[Sequence[float]]) -> Curve:
        places = [(x(epoch), *map(y, reach)) for epoch, reach in enumerate(epochs, 1)]
        return Curve(
            line=_path([(across, mean) for across, _, mean, _ in places]),
            band=_path(
                [
                    *[(across, greatest) for across, _, _, greatest in places],
                    *[(across, lowest) for across, lowest, _, _ in reversed(places)],
                ]
            ),
            marks="".join(
                f"M{across:.1f} {mean:.1f}{mark(number)}"
                for across, _, mean, _ in places
            ),
        )

    every_so_many = 1 if last <= 7 else 5
    return Curves(
        curves=[curve(number, epochs) for number, epochs in enumerate(floored)],
        errors=[Tick(step, f"{y(step):.1f}") for step in steps],
        epochs=[
            Tick(epoch, f"{x(epoch):.1f}")
            for epoch in range(1, last + 1)
            if epoch == 1 or epoch % every_so_many == 0
        ],
    )


def mark(number: int) -> str:
    """Return how a curve's mark is drawn around a point: six shapes in turn."""
    return _MARKS[number % len(_MARKS)]


_MARKS = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",  # a disc
    "m-3.5-3.5h7v7h-7z",  # a square
    "m0-4.7l4.4 7.7h-8.8z",  # a triangle
    "m0-5l5 5l-5 5l-5-5z",  # a square on its corner
    "m0 4.7l4.4-7.7h-8.8z",  # a triangle on its corner
    "m-5-1.5h3.5v-3.5h3v3.5h3.5v3h-3.5v3.5h-3v-3.5h-3.5z",  # a cross
)


def _steps(lowest: float, highest: float) -> list[float]:
    """Return round numbers that enclose a range, as many as an axis has room for."""
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


_ROUND = ((1, 2, 3, 5, 7), (1, 2, 5), (1,))  # about evenly apart in logarithms
_MOST_STEPS = 9


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _written(value: float) -> str:
    return f"{value:.2f}"
