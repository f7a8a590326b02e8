"""Results of the experiments: curves, and a sentence that compares the answers.

`mlcore.judging.experiments` writes the results. Figures are means over seeds; the
spread of two answers is the larger of their standard deviations.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from mlcore.judging.markdown import spread
from mlcore.judging.report import STYLE, panels
from notebooks.pictures import plain_numbers

Found = Mapping[str, Any]
"""One answer: its `setting`, and its `runs` with a curve each."""

SHOWN_POINTS = 3.0
"""Answers further below the best, in percentage points, are shown as a number."""

_BLUE, _ORANGE, _GREEN, _PURPLE, _GREY = (c["color"] for c in STYLE["axes.prop_cycle"])
_KINDS = [_BLUE, _ORANGE, _GREEN, _PURPLE, "#b8860b", _GREY]
_RISING = LinearSegmentedColormap.from_list(
    "rising", ["#e0a030", _ORANGE, _PURPLE, _BLUE, "#163a73"]
)


def at_the_end(found: Found) -> NDArray[np.float64]:
    """Return (seeds,): the final accuracy on the validation images."""
    return np.array([run["accuracy"][-1] for run in found["runs"]])


def curves(answers: Mapping[str, Found], *, is_ordered: bool) -> Figure:
    """Draw the log-loss by epoch, and the final accuracy of each seed.

    A line is the mean over seeds, its band the range from lowest to highest.

    Args:
        is_ordered: whether the answers are a quantity; colours then form a scale.
    """
    steps = np.linspace(0, 1, len(answers))
    colours = list(_RISING(steps)) if is_ordered else _KINDS
    figure, (left, right) = panels(
        ["Log-loss, validation", "Read right at the end, each seed"],
        width=10,
        height=0.9 + 0.38 * max(5, len(answers)),
    )
    ends = [100 * at_the_end(found) for found in answers.values()]
    best = max(end.mean() for end in ends)
    near = np.concatenate([end for end in ends if end.mean() > best - SHOWN_POINTS])
    start = near.min() - 0.05 * max(float(np.ptp(near)), 0.1)
    for place, (found, end) in enumerate(zip(answers.values(), ends, strict=True)):
        colour = colours[place]
        losses = np.array([run["loss"] for run in found["runs"]])
        epochs = np.arange(1, losses.shape[1] + 1)
        left.plot(epochs, losses.mean(axis=0), ".-", color=colour)
        left.fill_between(
            epochs, losses.min(axis=0), losses.max(axis=0), color=colour, alpha=0.2
        )
        if end.mean() > best - SHOWN_POINTS:
            right.plot(end, np.full(len(end), place), "o", color=colour, alpha=0.6)
            right.plot(end.mean(), place, "|", color=colour, markersize=18)
        else:
            right.text(start, place, f" ◂ {end.mean():.1f} %", va="center")
    left.set_yscale("log")
    plain_numbers(left.yaxis)
    left.set_xlabel("epoch")
    left.xaxis.set_major_locator(MaxNLocator(integer=True))
    right.set_xlim(left=start)
    right.set_ylim(len(answers) - 0.5, -0.5)
    right.set_yticks(range(len(answers)), list(answers))
    for label, colour in zip(right.get_yticklabels(), colours, strict=False):
        label.set(color=colour, fontweight="bold")
    right.grid(axis="x", color="#e4e7eb")
    right.set_axisbelow(True)
    right.set_xlabel("% of the validation images")
    return figure


def verdict(answers: Mapping[str, Found]) -> str:
    """Say which answer is best on average, and which do not clearly differ from it.

    Two answers clearly differ if their means differ by more than the larger of their
    standard deviations.
    """
    ends = {label: at_the_end(found) for label, found in answers.items()}
    ranked = sorted(ends, key=lambda label: -ends[label].mean())
    best, *others = ranked
    seeds = len(ends[best])
    said = f"Best on average: **{best}**, {spread(list(ends[best]))}"
    if seeds < 2:
        return f"{said}. One seed says nothing of the spread."
    deviations = {label: end.std(ddof=1) for label, end in ends.items()}
    behind = {label: ends[best].mean() - ends[label].mean() for label in others}
    near = [
        label
        for label in others
        if behind[label] <= max(deviations[label], deviations[best])
    ]
    far = [label for label in others if label not in near]
    said += f", over {seeds} seeds."
    if near:
        named = "; ".join(f"{label}, {spread(list(ends[label]))}" for label in near)
        said += f" Behind by no more than the spread, so not told apart: {named}."
    if far:
        named = "; ".join(
            f"{label}, by {100 * behind[label]:.2f} points" for label in far
        )
        said += f" Behind by more than the spread: {named}."
    return said
