"""The crossing from collected or made-up drawings to rows, for made-up histories."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mlcore import places
from mlcore.data import DataError as DataError
from mlcore.data import load_pen, scale_to_canvas
from mlcore.ink import DEFAULT_PEN_WIDTH_PX, Points
from mlcore.specimens import jittered, specimens
from recognizer.drawing import Stroke, StrokeDrawing

CANVAS_PX = 280
NON_DIGIT_SHARE = 0.05
_POINT_EVERY_MS = 12  # as a mouse or a pen gives them
_BETWEEN_STROKES_MS = 180
_POINTERS = ("mouse", "touch", "pen")


@dataclass(frozen=True)
class Sample:
    """A drawing as the page sends it; digit: what it shows, None where none."""

    drawing: StrokeDrawing
    digit: int | None


def samples(count: int, *, seed: int = 0) -> Iterator[Sample]:
    """Yield drawings: people's where PEN_DIR has them, else our own templates.

    Raises:
        DataError: PEN_DIR holds no pen drawings, or damaged ones.
    """
    rng = np.random.default_rng(seed)
    for digit, strokes in _people(count, rng) or _templates(count, rng):
        yield Sample(_as_sent(strokes, str(rng.choice(_POINTERS))), digit)


def _people(
    count: int, rng: np.random.Generator
) -> list[tuple[int | None, list[Points]]]:
    folder = places.pen_folder()
    if folder is None:
        return []
    found = load_pen(folder)
    others = (
        rng.random(count) < NON_DIGIT_SHARE if found.non_digits else [False] * count
    )
    drawn: list[tuple[int | None, list[Points]]] = []
    for is_other in others:
        among = found.non_digits if is_other else found.digits
        one = among[int(rng.integers(len(among)))]
        digit = None if is_other else int(one.label)
        drawn.append((digit, scale_to_canvas(one.strokes)))
    return drawn


def _templates(
    count: int, rng: np.random.Generator
) -> Iterator[tuple[int | None, list[Points]]]:
    styles = specimens()
    for _ in range(count):
        one = jittered(styles[int(rng.integers(len(styles)))], rng)
        yield one.digit, one.strokes


def _as_sent(strokes: list[Points], pointer: str) -> StrokeDrawing:
    """Write strokes as the page's `strokes.js` does: tenths of a pixel, and times."""
    time_ms = -_BETWEEN_STROKES_MS
    written: list[Stroke] = []
    for stroke in strokes:
        time_ms += _BETWEEN_STROKES_MS
        points = []
        for x, y in np.clip(stroke, 0, CANVAS_PX).astype(float).round(1).tolist():
            points.append([x, y, time_ms])
            time_ms += _POINT_EVERY_MS
        written.append(points)
    return StrokeDrawing(written, CANVAS_PX, CANVAS_PX, DEFAULT_PEN_WIDTH_PX, pointer)
