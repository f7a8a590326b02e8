"""The pictures and the text of an evaluation.

Everything comes from a `Judged`; nothing is measured here. Needs matplotlib, which is
in the training requirements.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mlcore.judging.judge import STRENGTHS, Evaluation, Judged
from mlcore.judging.markdown import render
from mlcore.judging.pictures import THUMBNAIL_PX, Outcomes, Sample, together
from mlcore.judging.rows import Row
from mlcore.reading.bundle import Bundle
from mlcore.reading.calibrate import DIGITS
from mlcore.reading.inference import Reading
from mlcore.training.figures import ReadDigits

EVALUATION = "evaluation.json"
TEMPLATES = Path(__file__).with_name("templates")
INK, PAPER, ACCENT, SECOND, QUIET = (
    "#1f2933",
    "#ffffff",
    "#2f6fd0",
    "#d0582f",
    "#9aa5b1",
)
WORST = 40
"""Number of mistakes on the sheet, by falling confidence in each set."""

STYLE: Any = {
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.prop_cycle": cycler(color=[ACCENT, SECOND, "#4c9f70", "#8a5fb4", QUIET]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "figure.constrained_layout.use": True,
    "figure.facecolor": PAPER,
    "font.size": 10,
    "legend.frameon": False,
    "savefig.dpi": 110,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
}


def write_report(judged: Judged, *, bundle: Bundle, folder: Path) -> Path:
    """Write report.md, its pictures and evaluation.json; return the report's path."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / EVALUATION).write_text(json.dumps(judged.evaluation, indent=1) + "\n")
    pictures = draw_pictures(judged, folder)
    report = folder / "report.md"
    report.write_text(
        f"# Bundle {bundle.short_digest}\n\n"
        + sections(judged.evaluation, bundle=bundle, pictures=pictures)
    )
    return report


# --- pictures -----------------------------------------------------------------------


def draw_pictures(judged: Judged, folder: Path) -> dict[str, str]:
    """Draw all pictures as PNG; return their file names by what they show."""
    read = {"MNIST test": judged.mnist}
    if judged.pen is not None:
        read["judged pen writers"] = judged.pen
    figures = {
        "confusion": confusion(read),
        "reliability": reliability(read),
        "mistakes": mistakes(read),
        "by-digit": _by_digit(read),
        "refusal": _refusal(judged, read),
        "changed": _changed(judged.evaluation["changed"]),
    }
    if kinds := {kind: r for kind, r in judged.by_kind.items() if not r.right.all()}:
        figures["mistakes-by-kind"] = mistakes_by_kind(kinds)
    if judged.numbers is not None:
        figures["numbers"] = numbers(judged.numbers.mistakes)
    if judged.samples:
        figures["scenes"] = scenes(judged.samples)
    if judged.evaluation["by_writer"]:
        figures["by-writer"] = _by_writer(judged.evaluation["by_writer"])
        figures["pen-width"] = _by_pen_width(judged.evaluation["pen_width"])
    names = {}
    for what, figure in figures.items():
        names[what] = f"{what}.png"
        save_picture(figure, folder / names[what])
    return names


def save_picture(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the date and versions that would change it."""
    figure.savefig(path, metadata={"Software": None})


def panels(
    titles: Sequence[str], *, width: float, height: float
) -> tuple[Figure, list[Axes]]:
    """Make a figure with a panel for each title, side by side; sizes in inches."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(width, height))
        grid = figure.subplots(1, len(titles), squeeze=False)[0]
        for axes, title in zip(grid, titles, strict=True):
            axes.set_title(title)
    return figure, list(grid)


def confusion(read: Mapping[str, ReadDigits]) -> Figure:
    """Draw a confusion matrix for each set, mistakes in orange."""
    figure, grid = panels(list(read), width=5.2 * len(read), height=4.8)
    for axes, digits in zip(grid, read.values(), strict=True):
        counts = np.zeros((DIGITS, DIGITS), int)
        np.add.at(counts, (digits.labels, digits.probabilities.argmax(axis=1)), 1)
        wrong = counts * (1 - np.eye(DIGITS, dtype=int))
        worst = max(1, wrong.max())
        axes.imshow(wrong, cmap="Oranges", vmin=0, vmax=worst)
        for true, read_as in np.argwhere(counts):
            axes.text(
                *(read_as, true, f"{counts[true, read_as]}"),
                ha="center",
                va="center",
                fontsize=7 if true == read_as else 9,
                color=QUIET
                if true == read_as
                else _readable_on(wrong[true, read_as] / worst),
            )
        axes.set(
            xlabel="read as", ylabel="true digit", xticks=range(10), yticks=range(10)
        )
    return figure


def _readable_on(darkness: float) -> str:
    return PAPER if darkness > 0.6 else INK


def reliability(read: Mapping[str, ReadDigits], bins: int = 15) -> Figure:
    """Plot the share read right against the confidence, a line for each set."""
    figure, (axes,) = panels(["Confidence against accuracy"], width=5.6, height=4.8)
    axes.plot([0, 1], [0, 1], color=QUIET, linewidth=1, linestyle=":")
    for name, digits in read.items():
        confidence = digits.probabilities.max(axis=1)
        place = np.minimum((confidence * bins).astype(int), bins - 1)
        filled = [b for b in range(bins) if (place == b).any()]
        sizes = np.array([(place == b).sum() for b in filled])
        x = [confidence[place == b].mean() for b in filled]
        y = [digits.right[place == b].mean() for b in filled]
        (line,) = axes.plot(x, y, label=name)
        axes.scatter(x, y, s=12 + 40 * np.log10(sizes), color=line.get_color())
    axes.set(xlabel="confidence", ylabel="share read right", xlim=(0, 1.02))
    axes.set_ylim(0, 1.02)
    axes.legend(loc="upper left", title="dots grow with the number")
    return figure


def mistakes(read: Mapping[str, ReadDigits]) -> Figure:
    """Show the surest mistakes as the model saw them.

    Each is labelled with the second-last word of its set's name.
    """
    columns = 10
    shown = []
    for name, digits in read.items():
        surest = _surest_mistakes(digits)[: WORST // len(read)]
        shown += [(name, digits, int(place)) for place in surest]
    rows = max(1, -(-len(shown) // columns))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(columns * 1.05, rows * 1.4 + 0.5))
        figure.suptitle("The surest mistakes: true digit, then what was read", x=0.5)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, (name, digits, place) in zip(grid, shown, strict=False):
        _show_mistake(axes, digits, place, name.split()[-2])
    return figure


def _surest_mistakes(digits: ReadDigits) -> NDArray[np.int64]:
    """Return the places of the mistakes, by falling confidence."""
    wrong = np.flatnonzero(~digits.right)
    return wrong[np.argsort(-digits.probabilities[wrong].max(axis=1))]


def _show_mistake(axes: Axes, digits: ReadDigits, place: int, words: str) -> None:
    """Show what the model saw: the true digit, what was read and how surely."""
    image = digits.readings[place].image
    axes.imshow(np.zeros((28, 28)) if image is None else 1 - image[..., 0], cmap="gray")
    probabilities = digits.probabilities[place]
    axes.set_title(
        f"{digits.labels[place]} as {probabilities.argmax()}, "
        f"{probabilities.max():.0%}\n{words}",
        fontsize=7,
        loc="center",
        fontweight="normal",
    )


def mistakes_by_kind(read: Mapping[str, ReadDigits]) -> Figure:
    """Show the surest mistakes of each kind, a kind in each row."""
    columns = 10
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(columns * 1.05, len(read) * 1.3))
        grid = figure.subplots(len(read), columns, squeeze=False)
    for row, (kind, digits) in zip(grid, read.items(), strict=True):
        for axes in row:
            axes.axis("off")
        for axes, place in zip(row, _surest_mistakes(digits), strict=False):
            _show_mistake(axes, digits, int(place), "")
        row[0].text(-0.1, 1.45, kind, transform=row[0].transAxes, fontsize=8)
    return figure


def numbers(wrong: Sequence[tuple[Row, Reading]]) -> Figure:
    """Show the surest mistakes among numbers: the true number, then what was read."""
    columns = 5
    shown = wrong[:WORST]
    rows = max(1, -(-len(shown) // columns))
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(columns * 2.1, rows * 0.95 + 0.4))
        figure.suptitle("The surest mistakes among numbers", x=0.5)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, (row, reading) in zip(grid, shown, strict=False):
        for stroke in row.strokes:
            axes.plot(stroke[:, 0], -stroke[:, 1], color=INK, linewidth=1.5)
        axes.set_aspect("equal")
        axes.set_title(
            f"{row.text} as {reading.number_text or reading.digit}, "
            f"{reading.confidence:.0%}",
            fontsize=7,
            loc="center",
            fontweight="normal",
        )
    return figure


def scenes(samples: Mapping[str, Sequence[Sample]]) -> Figure:
    """Show pictures of each scene and the images that were read, mistakes in orange."""
    columns = 6
    shown = [(scene, sample) for scene, some in samples.items() for sample in some]
    rows = -(-len(shown) // columns)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(columns * 1.8, rows * 1.25))
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for axes, (scene, sample) in zip(grid, shown, strict=False):
        axes.imshow(_beside_what_was_read(sample))
        reading = sample.reading
        said = (
            f"refused as {reading.refusal}"
            if reading.refusal
            else f"read as {reading.digit}"
        )
        axes.set_title(
            f"{scene}\n{sample.truth} {said}",
            color=INK if sample.is_right else SECOND,
            fontsize=7,
            loc="center",
            fontweight="normal",
        )
    return figure


def _beside_what_was_read(sample: Sample) -> NDArray[np.uint8]:
    """Return the picture and, at its right, the image that the network saw."""
    height, width = sample.picture.shape[:2]
    side = THUMBNAIL_PX
    sheet = np.full((side, 2 * side, 3), 255, np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    sheet[top : top + height, left : left + width] = sample.picture
    if sample.reading.image is not None:
        levels = np.rint(255 * (1 - sample.reading.image[..., 0])).astype(np.uint8)
        enlarged = levels.repeat(4, axis=0).repeat(4, axis=1)
        top = (side - len(enlarged)) // 2
        sheet[top : side - top, side + top : 2 * side - top] = enlarged[..., None]
    return sheet


def _by_digit(read: Mapping[str, ReadDigits]) -> Figure:
    figure, (axes,) = panels(["Misread, by digit"], width=6.4, height=3.4)
    width = 0.8 / len(read)
    for place, (name, digits) in enumerate(read.items()):
        wrong = [
            0 if share is None else 100 * (1 - share) for share in digits.by_digit()
        ]
        axes.bar(np.arange(DIGITS) + place * width, wrong, width=width, label=name)
    axes.set_xticks(
        np.arange(DIGITS) + width * (len(read) - 1) / 2, map(str, range(DIGITS))
    )
    axes.set(xlabel="true digit", ylabel="% misread")
    axes.legend()
    return figure


def _refusal(judged: Judged, read: Mapping[str, ReadDigits]) -> Figure:
    titles = ["Answering only the surest", "Digitness of digits and others"]
    figure, (left, right) = panels(titles, width=11, height=4.2)
    for name, digits in read.items():
        order = np.argsort(-digits.probabilities.max(axis=1))
        wrong = 1 - np.cumsum(digits.right[order]) / np.arange(1, len(order) + 1)
        share = np.arange(1, len(order) + 1) / len(order)
        left.plot(100 * (1 - share), 100 * wrong, label=name)
    left.set(xlabel="% not answered", ylabel="% misread of the rest", xlim=(0, 5))
    left.legend()
    for name, values in judged.digitness.items():
        ordered = np.sort(values)
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        right.plot(ordered, 100 * share, label=name)
    right.set(xlabel="digitness", ylabel="% at most as digit-like", xlim=(0, 1))
    right.legend(loc="center", fontsize=8)
    return figure


def _changed(changed: Mapping[str, Mapping[str, float]]) -> Figure:
    figure, (axes,) = panels(["Read right when changed"], width=7.6, height=6.4)
    ways = list(changed)
    for place, name in enumerate(next(iter(changed.values()))):
        shares = [100 * changed[way][name] for way in ways]
        axes.plot(shares, range(len(ways)), "os"[place % 2], label=name)
    axes.set_yticks(range(len(ways)), ways)
    axes.invert_yaxis()
    axes.grid(axis="x", color="#e4e7eb")
    axes.set_xlabel("% read right")
    axes.legend(loc="upper left")
    return figure


def _by_writer(by_writer: Mapping[str, tuple[float, int]]) -> Figure:
    ordered = sorted(by_writer.items(), key=lambda item: item[1])
    title = ["Misread, by judged writer"]
    figure, (axes,) = panels(title, width=7.6, height=0.2 * len(ordered) + 1)
    places = range(len(ordered))
    axes.barh(places, [100 * (1 - share) for _, (share, _) in ordered])
    axes.set_yticks(places, [f"{name} ({n})" for name, (_, n) in ordered], fontsize=7)
    axes.set_xlabel("% misread (in brackets: drawings)")
    return figure


def _by_pen_width(pen_width: Mapping[str, float]) -> Figure:
    title = ["Pen width on a canvas of 280 px"]
    figure, (axes,) = panels(title, width=5.6, height=3.4)
    axes.plot(
        [int(w) for w in pen_width], [100 * (1 - s) for s in pen_width.values()], "o-"
    )
    axes.set(xlabel="pen width, px", ylabel="% misread as picture")
    axes.set_ylim(bottom=0)
    return figure


# --- words --------------------------------------------------------------------------


def sections(
    evaluation: Evaluation, *, bundle: Bundle, pictures: Mapping[str, str]
) -> str:
    """Write all tables and pictures of an evaluation of this bundle as Markdown."""
    return render(
        TEMPLATES / "sections.md",
        pictures=pictures,
        all_scenes=all_scenes(evaluation),
        made=bundle.manifest["provenance"],
        strengths=STRENGTHS,
        **evaluation,
    )


def all_scenes(evaluation: Evaluation) -> dict[str, Outcomes]:
    """Return the outcomes of all scenes together, by set."""
    by_set: dict[str, list[Outcomes]] = {}
    for sets in evaluation["scenes"].values():
        for name, found in sets.items():
            by_set.setdefault(name, []).append(found)
    return {name: together(parts) for name, parts in by_set.items()}
