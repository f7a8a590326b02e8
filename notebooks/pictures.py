"""Functions that show the notebook's text and pictures, in the report's style."""

from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

import matplotlib as mpl
import numpy as np
from IPython.display import Image, Markdown, display
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from numpy.typing import NDArray
from PIL import Image as Pillow

from mlcore.judging.report import INK, STYLE

_DPI = 80


def say(text: str) -> None:
    """Show computed results as Markdown."""
    display(Markdown(text))


def show(figure: Figure, says: str) -> None:
    """Show a figure as a small PNG; `says` is its alternative text."""
    drawn, small = BytesIO(), BytesIO()
    figure.savefig(drawn, dpi=_DPI, format="png")
    # A palette takes 2/5 of the bytes and changes colours by less than 10 %.
    palette = (
        Pillow.open(drawn)
        .convert("RGB")
        .quantize(256, method=Pillow.Quantize.MAXCOVERAGE, dither=Pillow.Dither.NONE)
    )
    palette.save(small, "PNG", optimize=True)
    display(Image(data=small.getvalue(), format="png", alt=says))


def plain_numbers(axis: Axis) -> None:
    """Write 0.2 on a logarithmic axis, not 2 x 10^-1."""
    axis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def sheet(
    rows: Sequence[Sequence[NDArray[Any]]],
    *,
    titles: Sequence[Sequence[str]] = (),
    names: Iterable[str] = (),
    width: float = 0.8,
) -> Figure:
    """Show pictures in rows, ink dark on paper, each scaled to its own range.

    Args:
        rows: (H, W) each, 0 for paper.
        titles: above each picture. names: before each row.
        width: of a picture, inches.
    """
    height = width * (1.28 if titles else 1.04)
    columns = max(len(row) for row in rows)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(columns * width, len(rows) * height))
        grid = figure.subplots(len(rows), columns, squeeze=False)
        for axes in grid.ravel():
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_visible(False)
        for place, row in enumerate(rows):
            for axes, picture in zip(grid[place], row, strict=False):
                axes.imshow(-np.asarray(picture, float), cmap="gray")
                axes.spines[:].set(visible=True, linewidth=0.5)
        for row_of_axes, row_of_titles in zip(grid, titles, strict=False):
            for axes, title in zip(row_of_axes, row_of_titles, strict=False):
                axes.set_title(title, fontsize=8, fontweight="normal", loc="center")
        for axes, name in zip(grid[:, 0], names, strict=False):
            axes.set_ylabel(name, fontsize=8, color=INK)
    return figure
