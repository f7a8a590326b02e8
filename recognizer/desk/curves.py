"""Curves of a training: loss and accuracy after each epoch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

WIDTH, HEIGHT = 480, 160  # of a plot's curves, in SVG units
LABELS = 10  # at most, below the curves of a plot

LOSSES = {
    "loss": gettext_noop("training"),
    "mnist_loss": gettext_noop("MNIST validation"),
    "pen_loss": gettext_noop("calibration writers"),
}
ACCURACIES = {
    "mnist": gettext_noop("MNIST validation"),
    "pen": gettext_noop("calibration writers"),
}
"""Columns of a training's history, with what they were measured on."""


@dataclass(frozen=True)
class Point:
    """A point of a curve. Positions are whole numbers: see `figures.Bar`."""

    x: int
    y: int
    title: str


@dataclass(frozen=True)
class Curve:
    """The values of a column."""

    name: str
    points: list[Point]

    @property
    def path(self) -> str:
        """The line, as the points of an SVG polyline."""
        return " ".join(f"{point.x},{point.y}" for point in self.points)


@dataclass(frozen=True)
class CurvePlot:
    """Curves on common axes: the grid's heights with values, and epochs."""

    title: str
    curves: list[Curve]
    lines: list[tuple[int, str]]
    epochs: list[tuple[int, int]]


History = Sequence[Mapping[str, float]]


def curve_plots(history: History) -> list[CurvePlot]:
    """Lay out the plots of a training; none before its first epoch has ended."""
    plots = (
        _plot(history, _("Loss"), LOSSES, decimals=3, percent=False),
        _plot(history, _("Accuracy"), ACCURACIES, decimals=2, percent=True),
    )
    return [plot for plot in plots if plot.curves]


def _plot(
    history: History,
    title: str,
    columns: Mapping[str, str],
    *,
    decimals: int,
    percent: bool,
) -> CurvePlot:
    def written(value: float) -> str:
        if percent:
            return f"{number_format(100 * value, decimal_pos=decimals)} %"
        return number_format(value, decimal_pos=decimals)

    found = {
        name: [(number, row[name]) for number, row in enumerate(history) if name in row]
        for name in columns
    }
    values = [value for rows in found.values() for _number, value in rows]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    height = (high - low) or 1.0
    step = WIDTH / max(1, len(history) - 1)

    def place(name: str, number: int, value: float) -> Point:
        told = _("%(name)s, epoch %(epoch)s: %(value)s")
        what = {"name": name, "epoch": number + 1, "value": written(value)}
        y = HEIGHT - (value - low) / height * HEIGHT
        return Point(round(number * step), round(y), told % what)

    every = -(-len(history) // LABELS)
    return CurvePlot(
        title,
        [
            Curve(_(columns[name]), [place(_(columns[name]), *row) for row in rows])
            for name, rows in found.items()
            if rows
        ],
        [
            (HEIGHT - HEIGHT * share // 2, written(low + height * share / 2))
            for share in range(3)
        ],
        [
            (round(number * step), number + 1)
            for number in range(0, len(history), max(1, every))
        ],
    )
