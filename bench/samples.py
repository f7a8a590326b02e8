"""Sample drawings in the form that the draw page sends."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlcore import paths
from mlcore.reading.rasterise import DEFAULT_PEN_WIDTH_PX, Points
from mlcore.reading.specimens import CANVAS_PX, jittered, specimens
from mlcore.training.data import load_pen, scale_to_canvas

NON_DIGIT_SHARE = 0.05
POINT_EVERY_MS, BETWEEN_STROKES_MS = 12, 180  # as a mouse or a pen reports them


@dataclass(frozen=True)
class Sample:
    """A drawing, and the digit it shows; None if it shows no digit."""

    strokes: Sequence[Points]
    digit: int | None


def template_samples(count: int, *, seed: int) -> Iterator[Sample]:
    """Yield our templates, varied as if each were written by another person."""
    rng = np.random.default_rng(seed)
    styles = specimens()
    for number in range(count):
        one = jittered(styles[number % len(styles)], rng)
        yield Sample(one.strokes, one.digit)


def samples(count: int, *, seed: int) -> Iterator[Sample]:
    """Yield real drawings if PEN_DIR has them, else our templates."""
    if paths.pen_folder() is None:
        yield from template_samples(count, seed=seed)
        return
    rng = np.random.default_rng(seed)
    pen = load_pen()
    for is_other in rng.random(count) < NON_DIGIT_SHARE:
        is_digit = not (is_other and pen.non_digits)
        among = pen.digits if is_digit else pen.non_digits
        one = among[int(rng.integers(len(among)))]
        yield Sample(scale_to_canvas(one.strokes), int(one.label) if is_digit else None)


def as_body(strokes: Sequence[Points]) -> dict[str, Any]:
    """Write strokes as `strokes.js` sends them: a tenth of a pixel, and ms."""
    sent, time_ms = [], 0
    for stroke in strokes:
        points = []
        for x, y in np.clip(stroke, 0, CANVAS_PX).astype(float).round(1).tolist():
            points.append([x, y, time_ms])
            time_ms += POINT_EVERY_MS
        sent.append(points)
        time_ms += BETWEEN_STROKES_MS
    return {
        "strokes": sent,
        "width": CANVAS_PX,
        "height": CANVAS_PX,
        "pen_width": DEFAULT_PEN_WIDTH_PX,
    }
