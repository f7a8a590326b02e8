"""Numbers made by joining single digits of one writer, for judging how they are read.

As strokes, or drawn on paper as a picture.

A row has 2 to 6 digits with the writer's own sizes, on a wavering line. Two thirds have
natural gaps. In the others the digits touch or overlap at one place or more. In every
tenth row the last strokes of digits, such as the bar of a 7, come at the end.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from mlcore.judging.changes import rounded
from mlcore.reading.pictures import (
    MAX_STORED_SIDE_PX,
    Picture,
    decode_picture,
    shrink,
)
from mlcore.reading.rasterise import Points
from mlcore.training.data import PenDrawing

LENGTHS = range(2, 7)
TOUCHING_EVERY = 3
"""One row in so many touches."""
DELAYED_EVERY = 10
"""In one row in so many the last strokes of digits come late."""
DEEPEST = 0.25
"""Digits that overlap share no more of the row, in heights: nobody nests a 1 in a 6."""
HEIGHT_PX = 90.0
"""Typical height of a digit."""
Strokes = list[Points]
Paper = Literal["plain", "ruled", "squared"]


@dataclass(frozen=True)
class Row:
    """A number as strokes in CSS pixels, with what was written.

    collection: where its digits come from.
    """

    text: str
    strokes: Strokes
    touches: bool
    collection: str = ""

    def with_a_scribble(self, rng: np.random.Generator) -> Strokes:
        """Return the strokes with one of them scribbled over and over."""
        place = int(rng.integers(len(self.strokes)))
        low, high = (
            extreme(self.strokes[place], axis=0) for extreme in (np.min, np.max)
        )
        size = np.maximum(high - low, 0.4 * HEIGHT_PX)
        scribble = (low + rng.random((30, 2)) * size).astype(np.float32)
        return [*self.strokes[:place], scribble, *self.strokes[place + 1 :]]


def rows(
    drawings: Sequence[PenDrawing],
    *,
    number: int,
    seed: int = 0,
    lengths: range = LENGTHS,
    touch: int = TOUCHING_EVERY,
) -> list[Row]:
    """Make rows, each of the digits of one writer.

    touch: one row in so many touches; 0 for none.
    """
    rng = np.random.default_rng(seed)
    by_writer: dict[str, list[PenDrawing]] = {}
    for drawing in drawings:
        by_writer.setdefault(str(drawing.writer), []).append(drawing)
    made = []
    for place in range(number):
        own = by_writer[str(drawings[int(rng.integers(len(drawings)))].writer)]
        chosen = [
            own[int(at)] for at in rng.integers(len(own), size=rng.choice(lengths))
        ]
        made.append(
            row_of(
                chosen,
                rng,
                touches=touch > 0 and place % touch == 0,
                delays=place % DELAYED_EVERY == 0,
            )
        )
    return made


def letters(others: Sequence[PenDrawing], *, number: int, seed: int = 0) -> list[Row]:
    """Make words: rows of one writer's letters and signs, which are no numbers."""
    written = [drawing for drawing in others if not drawing.is_sketch]
    made = rows(written, number=number, seed=seed, touch=0)
    return [Row("", row.strokes, touches=False) for row in made]


def row_of(
    drawings: Sequence[PenDrawing],
    rng: np.random.Generator,
    *,
    touches: bool = False,
    delays: bool = False,
) -> Row:
    """Write digits side by side, of 70 to 130 % of the writer's usual height."""
    heights = [float(np.ptp(np.concatenate(d.strokes)[:, 1])) for d in drawings]
    usual = max(float(np.median(heights)), 1e-6)
    joined: Strokes = []
    late: Strokes = []
    right = 0.0
    slope = rng.normal(0, 0.02)
    meets = rng.random(len(drawings)) < 0.5
    if not meets[1:].any():
        meets[int(rng.integers(1, len(drawings)))] = True
    for place, (drawing, height) in enumerate(zip(drawings, heights, strict=True)):
        points = np.concatenate(drawing.strokes)
        low, high = points.min(axis=0), points.max(axis=0)
        unit = HEIGHT_PX / usual
        if height > 0:  # the same writer's digits of different sheets differ in size
            unit *= float(np.clip(height / usual, 0.7, 1.3)) * usual / height
        extent = float((high - low).max()) * unit
        if extent > 2 * HEIGHT_PX:
            unit *= 2 * HEIGHT_PX / extent
        middle = (low + high) / 2
        digit = [(stroke - middle) * unit for stroke in drawing.strokes]
        half = (high[0] - low[0]) * unit / 2
        y = right * slope + rng.normal(0, 0.06 * HEIGHT_PX)
        if touches and meets[place] and joined:
            x = max(
                _where_they_meet(joined + late, digit, y)
                - rng.uniform(0, 0.12) * HEIGHT_PX,
                right + half - DEEPEST * HEIGHT_PX,
            )
        else:
            gap = float(np.clip(rng.normal(0.3, 0.12), 0.12, 0.7)) * HEIGHT_PX
            x = right + gap + half
        placed = [(stroke + np.array([x, y])).astype(np.float32) for stroke in digit]
        first = 1 if delays else len(placed)
        joined += placed[:first]
        late += placed[first:]
        right = max(float(stroke[:, 0].max()) for stroke in joined + late)
    text = "".join(drawing.label for drawing in drawings)
    return Row(text, joined + late, touches, drawings[0].collection)


def _where_they_meet(row: Strokes, digit: Strokes, y: float) -> float:
    """Return the digit's centre where it first touches the row, coming from right."""
    before = np.concatenate([_dense(stroke) for stroke in row])
    coming = np.concatenate([_dense(stroke) for stroke in digit]) + np.array([0, y])
    near = np.abs(before[:, np.newaxis, 1] - coming[np.newaxis, :, 1]) < 4
    if not near.any():
        return float(before[:, 0].max() - coming[:, 0].min())
    apart = before[:, np.newaxis, 0] - coming[np.newaxis, :, 0]
    return float(apart[near].max())


def _dense(stroke: Points) -> Points:
    """Return points at most 3 px apart along a stroke."""
    pieces = [stroke[:1]]
    for start, end in pairwise(stroke):
        steps = int(np.ceil(np.hypot(*(end - start)) / 3)) or 1
        shares = np.arange(1, steps + 1)[:, np.newaxis] / steps
        pieces.append(start + (end - start) * shares)
    return np.asarray(np.concatenate(pieces), np.float32)


def on_paper(
    strokes: Sequence[Points], rng: np.random.Generator, *, paper: Paper = "plain"
) -> Picture:
    """Draw strokes on white paper: black, grey or blue, with a thin or thick pen."""
    margin = float(rng.uniform(0.15, 0.7)) * HEIGHT_PX
    points = np.concatenate(strokes)
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    width, height = np.ceil(high - low).astype(int).tolist()
    page = np.full((height, width, 3), 255.0)
    if paper != "plain":
        distance = int(rng.integers(25, 45))
        level = int(rng.integers(150, 215))
        page[int(rng.integers(distance)) :: distance] = level
        if paper == "squared":
            page[:, int(rng.integers(distance)) :: distance] = level
    # OpenCV takes sixteenths of pixels, and draws no line of a lone point.
    lines = [np.rint((stroke - low) * 16).astype(np.int32) for stroke in strokes]
    lines = [np.repeat(line, 2, axis=0) if len(line) == 1 else line for line in lines]
    ink = np.zeros((height, width), np.uint8)
    pen = int(rng.integers(4, 10))
    cv2.polylines(ink, lines, False, 255, pen, cv2.LINE_AA, 4)
    cover = ink[..., np.newaxis] / 255.0
    colour = np.array(((20, 20, 20), (25, 35, 120), (95, 95, 95))[rng.integers(3)])
    return rounded(page * (1 - cover) + colour * cover)


def row_of_boxes_from(
    folder: Path, *, number: int, seed: int = 0
) -> list[tuple[Picture, str]]:
    """Join 2 to 8 printed boxes of scanned sheets to a row, with what is written.

    folder: what PICTURES_DIR names; its boxes/ are used.
    """
    known = json.loads((folder / "truth.json").read_text())
    names = sorted(name for name in known if name.startswith("boxes/"))
    boxes = [decode_picture((folder / name).read_bytes()) for name in names]
    rng = np.random.default_rng(seed)
    made = []
    for place in range(number):
        lengths = range(2, 9)
        chosen = rng.integers(len(names), size=lengths[place % len(lengths)])
        height = min(len(boxes[at]) for at in chosen)
        row = np.hstack([boxes[at][:height] for at in chosen])
        text = "".join(known[names[at]]["value"] for at in chosen)
        made.append((shrink(row, MAX_STORED_SIDE_PX), text))
    return made
