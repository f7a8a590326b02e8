"""The geometry of the plots: numbers as SVG writes them, in whatever language.

All are drawn on a width of 100 that the page stretches, each beside its number in a
table, so that nobody needs to see them.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from recognizer.selectors import Share


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


def _written(value: float) -> str:
    return f"{value:.2f}"
