"""What the tests need made: plain functions, everything overridable."""

import functools
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mlcore import paths
from mlcore.judging.benchmark import Benchmark, Drawing, write_benchmark
from mlcore.reading.bundle import KERAS_WEIGHTS, SERVED_WEIGHTS, Bundle, write_bundle
from mlcore.reading.calibrate import Calibration
from mlcore.reading.ink import candidates
from mlcore.reading.pictures import Picture
from mlcore.reading.preprocess import Bitmap, DigitImage, normalize
from mlcore.reading.rasterise import Points, draw_on_canvas, rasterise
from mlcore.reading.specimens import Specimen, specimens
from mlcore.training.collect import write_pen_drawings
from mlcore.training.data import (
    PEN_DIGIT_FILES,
    PenDrawing,
    read_pen_drawings,
    scale_to_canvas,
    split_of,
)
from mlcore.training.snapshot import as_read

SPECIMENS = "specimens"
DRAWING_SOURCES = (SPECIMENS, *(PEN_DIGIT_FILES if paths.pen_folder() else ()))
"""Our own drawings, and other people's where PEN_DIR names them."""

ONE_OF_EACH = tuple(f"{specimen.digit} {specimen.style}" for specimen in specimens())
"""Digit and style of every common specimen."""


KERAS_3_ON_NUMPY_2 = (
    "ignore:__array__ implementation doesn't accept a copy:DeprecationWarning"
)
"""A warning filter: Keras hands its variables to NumPy the old way."""


@dataclass(frozen=True)
class Drawn:
    """A digit somebody drew, as strokes on the page's canvas."""

    digit: int
    strokes: list[Points]


@functools.cache
def drawings_of(source: str) -> list[Drawn]:
    """Return at most 300 drawings of one of DRAWING_SOURCES, evenly picked."""
    if source == SPECIMENS:
        return [Drawn(made.digit, made.strokes) for made in specimens()]
    folder = paths.pen_folder()
    assert folder is not None
    everything = list(read_pen_drawings(folder / source))
    return [
        Drawn(int(drawing.label), scale_to_canvas(drawing.strokes))
        for drawing in everything[:: len(everything) // 300 + 1]
    ]


def specimen(name: str) -> Specimen:
    """Return the specimen of a name such as "7 crossed"."""
    return next(
        made for made in specimens(rare=True) if f"{made.digit} {made.style}" == name
    )


def line(*points: tuple[float, float]) -> Points:
    return np.array(points, np.float32)


def picture_of(
    strokes: list[Points],
    *,
    side: int = 280,
    pen_width: float = 18.0,
    paper: int = 255,
    pen: int = 0,
) -> NDArray[np.uint8]:
    """Draw strokes as a picture: (side, side) uint8 grey levels."""
    drawn = draw_on_canvas(strokes, width=side, height=side, pen_width=pen_width)
    grey = np.rint(paper + (drawn / 255.0) * (pen - paper))
    return np.asarray(grey, np.uint8)


def as_rgb(grey: NDArray[np.uint8]) -> Picture:
    return np.repeat(grey[..., np.newaxis], 3, axis=2)


def ink_in(picture: Picture | NDArray[np.uint8]) -> Bitmap:
    """Return the likeliest ink of a picture; an empty bitmap if there is none."""
    likeliest = next(candidates(picture), None)
    return np.zeros((1, 1), np.uint8) if likeliest is None else likeliest.bitmap


def framed(strokes: list[Points], *, pen_width: float = 18.0) -> DigitImage:
    """Return the digit image of strokes."""
    return normalize(rasterise(strokes, pen_width=pen_width))


def gap(one: NDArray[Any], other: NDArray[Any]) -> float:
    """Return the mean difference of two pictures, in their own units."""
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).mean())


def encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """Encode a Pillow picture as a file of that kind."""
    file = BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def png_claiming(width: int, height: int, *, colour: int = 0) -> bytes:
    """Make a tiny PNG whose header claims a size and whose pixels are missing."""

    def chunk(name: bytes, content: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def make_calibration(**overrides: float) -> Calibration:
    usual = {
        "temperature": 1.3,
        "several_above": 0.6,
        "digitness_below": 0.4,
        "confidence_below": 0.5,
    }
    return Calibration(**{**usual, **overrides})


def make_bundle(
    parent: Path,
    *,
    served: bytes = b"served weights",
    keras: bytes = b"keras weights",
    metrics: Mapping[str, Any] | None = None,
) -> Bundle:
    """Write a bundle whose weights are no network: it opens, it does not read."""
    return write_bundle(
        parent,
        files={SERVED_WEIGHTS: served, KERAS_WEIGHTS: keras},
        calibration=make_calibration(),
        metrics=metrics or {"mnist_test": {"accuracy": 0.5}},
        provenance={"seed": 1},
    )


def write_pen_folder(folder: Path) -> Path:
    """Fill a folder as PEN_DIR names one: two writers and one word of each split."""
    writers = {split: _in_split(split, "writer", 2) for split in SPLITS}
    words = {split: _in_split(split, "word", 1) for split in SPLITS}
    digits = [
        PenDrawing(f"{writer}-{made.digit}-{made.style}", str(made.digit), writer, s)
        for of_split in writers.values()
        for writer in of_split
        for made in specimens()
        for s in [made.strokes]
    ]
    crossed = [line((0, 0), (90, 100)), line((90, 0), (0, 100))]
    house = [line((0, 50), (50, 0), (100, 50), (100, 120), (0, 120), (0, 50))]
    others = [
        PenDrawing(f"X-{writer}", "X", writer, crossed)
        for of_split in writers.values()
        for writer in of_split
    ] + [
        PenDrawing(f"sketch-{word}", word, None, house)
        for of_split in words.values()
        for word in of_split
    ]
    write_pen_drawings(folder / "digits.jsonl.gz", digits)
    write_pen_drawings(folder / "others.jsonl.gz", others)
    return folder


SPLITS = ("train", "calibration", "judged")


def _in_split(split: str, stem: str, count: int) -> list[str]:
    names = (f"{stem}{number}" for number in range(1000))
    return list(islice((name for name in names if split_of(name) == split), count))


STYLES = {made.digit: made.strokes for made in reversed(specimens())}
"""The first specimen of each digit."""


def written(text: str, *, gap: float = 40.0, left: float = 0.0) -> list[Points]:
    """Write a number with the specimens, on one line."""
    strokes = []
    for digit in text:
        drawn = STYLES[int(digit)]
        points = np.concatenate(drawn)
        low, high = points.min(axis=0), points.max(axis=0)
        unit = 100 / (high[1] - low[1])
        move = np.array([left - low[0] * unit, -low[1] * unit])
        strokes += [(stroke * unit + move).astype(np.float32) for stroke in drawn]
        left += float(high[0] - low[0]) * unit + gap
    return strokes


def benchmark_drawings() -> list[Drawing]:
    """Return every specimen, by persons 1 and 2 in training and 3 in the test split.

    Person 3's come from a source of their own, the last without strokes.
    """
    drawings = []
    for number, made in enumerate(specimens()):
        person = 1 + number % 3
        strokes = [[[float(x), float(y)] for x, y in stroke] for stroke in made.strokes]
        drawings.append(
            Drawing(
                digit=made.digit,
                split="test" if person == 3 else "train",
                source="pens" if person == 3 else "site",
                person=person,
                image=as_read(made.strokes),
                strokes=strokes,
                width=280,
                height=280,
                pen_width=18,
            )
        )
    last = next(one for one in reversed(drawings) if one.split == "test")
    drawings.remove(last)
    return [
        *drawings,
        Drawing(last.digit, last.split, last.source, last.person, last.image),
    ]


def make_benchmark(parent: Path, drawings: list[Drawing] | None = None) -> Benchmark:
    """Write a benchmark whose datasheet has room for baselines."""
    made, _ = write_benchmark(
        parent,
        benchmark_drawings() if drawings is None else drawings,
        sources={"site": {"licence": "CC BY 4.0"}, "pens": {"licence": "CC BY 4.0"}},
        datasheet=lambda made: (
            f"# {made.name}\n\n<!-- baselines -->\nNone.\n<!-- end of baselines -->\n"
        ),
    )
    return made
