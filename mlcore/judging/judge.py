"""Judge a bundle through the serving path: figures, and the readings behind them.

It reads MNIST's test set and, if there are any, the pen drawings of the judged writers,
both also corrupted and in scenes, non-digits, and real pictures. It measures accuracy,
calibration, speed and size. Accuracy is by the largest probability and includes refused
drawings. The refusal rate and the accuracy without refused drawings are given too. Of
scenes and real pictures, what was answered counts.
"""

import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.judging import picture_numbers
from mlcore.judging.changes import CHANGES
from mlcore.judging.numbers import Figures as NumberFigures
from mlcore.judging.numbers import JudgedNumbers, judge_numbers
from mlcore.judging.pictures import (
    LabelledBitmaps,
    Outcomes,
    Sample,
    read_real,
    read_scenes,
    read_without_digit,
)
from mlcore.reading.bundle import Bundle
from mlcore.reading.histograms import BINS
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.pictures import decode_picture, encode_png
from mlcore.reading.preprocess import Bitmap, at_full_contrast, normalize
from mlcore.reading.rasterise import (
    DEFAULT_PEN_WIDTH_PX,
    Points,
    draw_on_canvas,
    rasterise,
)
from mlcore.reading.specimens import jittered, specimens
from mlcore.training.augment import (
    DECORATIONS,
    as_levels,
    decorated,
    written_side_by_side,
)
from mlcore.training.corrupt import CORRUPTIONS, ONLY_JUDGED, corrupted
from mlcore.training.data import Digits, PenData, PenDrawing, scale_to_canvas
from mlcore.training.figures import Figures, ReadDigits, read_mnist
from mlcore.training.progress import progress

T = TypeVar("T")

CANVAS_PX = 280
PEN_WIDTHS_PX = (4, 8, 12, 18, 24, 32)
CHANGED = 500
"""Each change is applied to so many digits of each set."""
CORRUPTED = 1_000
"""Each corruption is applied to so many of MNIST's digits."""
STRENGTHS = (0.5, 1.0)
OF_EACH_STYLE = 100
IN_SCENES = 100
"""Each scene is drawn with so many digits of each set; so are pictures without one."""
USUAL_PEN_PX = (DEFAULT_PEN_WIDTH_PX, DEFAULT_PEN_WIDTH_PX)
"""Thinnest and thickest pen on the canvas of 280 px."""
PENS_IN_SCENES_PX = (5.0, 18.0)


class Rejections(TypedDict):
    """How well non-digits are distinguished from digits.

    refused: share of the non-digits refused for any reason. auroc: probability that a
    digit has a higher digitness than a non-digit.
    """

    drawings: int
    refused: float
    auroc: float


class Speed(TypedDict):
    """Median times with one thread, in microseconds."""

    network_us: float
    strokes_us: float
    machine: str


class Evaluation(TypedDict):
    """All figures of one bundle: the content of evaluation.json.

    digits: by set. corrupted: MNIST's test digits as pixels, by kind, then by strength.
    styles: specimens, by digit and style. decorated: pen drawings, by what was added.
    changed: accuracy by change, then by set. scenes: by scene, then by set.
    without_digit: by kind. real: by source. pen_width: accuracy by width in pixels on
    the 280 px canvas. by_writer: accuracy, number of drawings. confidence: histogram
    over the judged digits, in 20 equal bins. several_refused: share of digits of two or
    more strokes refused as "several". numbers: rows of digits, by kind, read as
    strokes. numbers_in_pictures: rows on paper and in printed boxes, by kind.
    numbers_auto: how what is no number is read where it may be one. Without pen
    drawings or real pictures their entries are missing, empty or None.
    """

    bundle: str
    date: str
    digits: dict[str, Figures]
    non_digits: dict[str, Rejections]
    corrupted: dict[str, dict[str, Figures]]
    styles: dict[str, Figures]
    decorated: dict[str, Outcomes]
    changed: dict[str, dict[str, float]]
    scenes: dict[str, dict[str, Outcomes]]
    without_digit: dict[str, Outcomes]
    real: dict[str, Outcomes]
    pen_width: dict[str, float]
    by_digit: dict[str, list[float | None]]
    by_writer: dict[str, tuple[float, int]]
    confidence: list[int]
    several_refused: float | None
    numbers: dict[str, Outcomes]
    numbers_in_pictures: dict[str, Outcomes]
    numbers_auto: dict[str, float]
    speed: Speed
    served_bytes: int
    bundle_bytes: int


# --- reading sets of drawings -----------------------------------------------------


def enlarged(image: Bitmap) -> Bitmap:
    """Enlarge an MNIST image to the size of the page's canvas."""
    size = (CANVAS_PX, CANVAS_PX)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def all_enlarged(digits: Digits, number: int) -> LabelledBitmaps:
    """Enlarge so many of MNIST's images, evenly spread over them."""
    few = digits.take(np.array(spread_out(range(len(digits)), number)))
    return [enlarged(image) for image in few.images], few.labels


def read_enlarged(recogniser: Recogniser, digits: Digits) -> ReadDigits:
    """Read MNIST digits as 280x280 black-on-white PNG pictures."""
    readings = []
    for image in progress(digits.images, "reading MNIST as PNG"):
        png = encode_png(255 - enlarged(image))
        readings.append(recogniser.read_picture(decode_picture(png)))
    return ReadDigits(readings, digits.labels)


def read_pen(recogniser: Recogniser, drawings: Sequence[PenDrawing]) -> ReadDigits:
    """Read pen drawings of digits as strokes on the page's canvas."""
    return ReadDigits(
        read_all(recogniser, [drawing.strokes for drawing in drawings]),
        np.array([int(drawing.label) for drawing in drawings], np.uint8),
    )


def read_all(recogniser: Recogniser, drawings: Sequence[list[Points]]) -> list[Reading]:
    """Read strokes in any unit, scaled to the page's canvas."""
    return [
        recogniser.read(rasterise(scale_to_canvas(strokes)))
        for strokes in progress(drawings, "reading strokes")
    ]


# --- non-digits -------------------------------------------------------------------


def rejections(non_digits: Sequence[Reading], digits: Sequence[Reading]) -> Rejections:
    """Compare readings of non-digits with readings of digits."""
    return {
        "drawings": len(non_digits),
        "refused": float(np.mean([r.refusal is not None for r in non_digits])),
        "auroc": area_under_roc(
            np.array([reading.digitness for reading in digits]),
            np.array([reading.digitness for reading in non_digits]),
        ),
    }


def area_under_roc(higher: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """Return the share of pairs with `higher` above `lower`; ties count half."""
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, side="left")
    not_above = np.searchsorted(ordered, higher, side="right")
    return float((below + not_above).mean() / 2 / len(lower))


def non_digit_sets(pen: PenData) -> dict[str, list[list[Points]]]:
    """Return letters and symbols, sketches, and rows of digits."""
    rng = np.random.default_rng(0)
    digits = [drawing.strokes for drawing in pen.digits]
    rows = [
        written_side_by_side([digits[place] for place in places_in_digits], rng)
        for size in (2, 3)
        for places_in_digits in rng.integers(len(digits), size=(500, size))
    ]
    strokes = {
        name: [drawing.strokes for drawing in kind]
        for name, kind in kinds_of_non_digits(pen).items()
    }
    return {**strokes, "two or three digits side by side": rows}


def kinds_of_non_digits(pen: PenData) -> dict[str, list[PenDrawing]]:
    """Return letters and symbols, and sketches."""
    return {
        "letters and symbols": [d for d in pen.non_digits if not d.is_sketch],
        "sketches": [d for d in pen.non_digits if d.is_sketch],
    }


# --- corrupted digits, styles and decorations ----------------------------------------


def read_corrupted(
    recogniser: Recogniser, digits: Digits
) -> dict[str, dict[str, ReadDigits]]:
    """Corrupt digits in every way; read them as pixels are served."""
    return {
        kind: {
            str(strength): ReadDigits(
                _all_corrupted(recogniser, digits, kind, strength), digits.labels
            )
            for strength in STRENGTHS
        }
        for kind in progress([*CORRUPTIONS, *ONLY_JUDGED], "corruptions")
    }


def _all_corrupted(
    recogniser: Recogniser, digits: Digits, kind: str, strength: float
) -> list[Reading]:
    rng = np.random.default_rng(0)
    images = (
        corrupted(image / np.float32(255), kind, strength, rng)
        for image in digits.images
    )
    return [recogniser.read(at_full_contrast(as_levels(image))) for image in images]


def read_styles(recogniser: Recogniser) -> dict[str, ReadDigits]:
    """Read each specimen, drawn several times with other slant, size and tremor."""
    rng = np.random.default_rng(0)
    return {
        f"{one.digit} {one.style}": ReadDigits(
            [
                recogniser.read(rasterise(jittered(one, rng).strokes))
                for _ in range(OF_EACH_STYLE)
            ],
            np.full(OF_EACH_STYLE, one.digit),
        )
        for one in specimens(rare=True)
    }


def read_decorated(
    recogniser: Recogniser, drawings: Sequence[PenDrawing]
) -> dict[str, ReadDigits]:
    """Read pen drawings of digits with an underline, a circle, a full stop or a tap."""
    rng = np.random.default_rng(0)
    labels = np.array([int(drawing.label) for drawing in drawings], np.uint8)
    placed = [
        scale_to_canvas(drawing.strokes, side=100, margin=0) for drawing in drawings
    ]
    return {
        kind: ReadDigits(
            read_all(recogniser, [decorated(one, kind, rng) for one in placed]), labels
        )
        for kind in DECORATIONS
    }


def outcomes_of(read: ReadDigits) -> Outcomes:
    """Count what was answered right, refused and answered wrong."""
    return {
        "pictures": len(read),
        "right": float((read.right & ~read.refused).mean()),
        "refused": float(read.refused.mean()),
        "wrong": float((~read.right & ~read.refused).mean()),
    }


# --- changed drawings ---------------------------------------------------------------


def accuracy_of_bitmaps(
    recogniser: Recogniser,
    bitmaps: Sequence[Bitmap],
    labels: NDArray[np.uint8],
    corrupt: Callable[[Bitmap, np.random.Generator], NDArray[np.uint8]],
) -> float:
    """Read corrupted pictures; return the share read right."""
    rng = np.random.default_rng(0)
    read = [
        int(np.argmax(recogniser.read_picture(corrupt(b, rng)).probabilities))
        for b in bitmaps
    ]
    return float((np.array(read) == labels).mean())


def on_canvas(drawing: PenDrawing, pen_width: float = DEFAULT_PEN_WIDTH_PX) -> Bitmap:
    """Draw a pen drawing as its author would see it on the page."""
    return draw_on_canvas(
        scale_to_canvas(drawing.strokes),
        width=CANVAS_PX,
        height=CANVAS_PX,
        pen_width=pen_width,
    )


def changed_drawings(
    recogniser: Recogniser, sets: Mapping[str, LabelledBitmaps]
) -> dict[str, dict[str, float]]:
    """Corrupt each set in every way; return accuracies by corruption and set."""
    return {
        way: {
            name: accuracy_of_bitmaps(recogniser, bitmaps, labels, corrupt)
            for name, (bitmaps, labels) in sets.items()
        }
        for way, corrupt in progress(CHANGES.items(), "changes")
    }


# --- scenes ---------------------------------------------------------------------------


def spread_out(items: Sequence[T], number: int) -> list[T]:
    """Take so many items, evenly spread; all if there are fewer."""
    places = np.linspace(0, len(items), min(number, len(items)), endpoint=False)
    return [items[int(place)] for place in places]


def drawn(
    drawings: Sequence[PenDrawing], pens_px: tuple[float, float] = USUAL_PEN_PX
) -> LabelledBitmaps:
    """Draw digits on the canvas, with pens from the thinnest to the thickest."""
    rng = np.random.default_rng(0)
    return (
        [on_canvas(drawing, rng.uniform(*pens_px)) for drawing in drawings],
        np.array([int(drawing.label) for drawing in drawings], np.uint8),
    )


# --- speed --------------------------------------------------------------------------


def measure_speed(recogniser: Recogniser, drawings: Sequence[list[Points]]) -> Speed:
    """Time the network alone, and the whole reading of strokes: medians."""
    network, whole = [], []
    for strokes in drawings:
        started = time.perf_counter()
        recogniser.read(rasterise(strokes))
        whole.append(time.perf_counter() - started)
        image = normalize(rasterise(strokes))
        started = time.perf_counter()
        recogniser.network.logits(image)
        network.append(time.perf_counter() - started)
    return {
        "network_us": float(np.median(network) * 1e6),
        "strokes_us": float(np.median(whole) * 1e6),
        "machine": f"{platform.machine()}, one thread",
    }


# --- all of it ----------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """An evaluation, and the readings that its pictures show.

    samples: pictures of each scene. by_kind: digits of which some were misread, by what
    was done to them. numbers: None without pen drawings.
    """

    evaluation: Evaluation
    mnist: ReadDigits
    pen: ReadDigits | None
    digitness: Mapping[str, list[float]]
    samples: Mapping[str, Sequence[Sample]]
    by_kind: Mapping[str, ReadDigits]
    numbers: JudgedNumbers | None


def judge(
    bundle: Bundle,
    *,
    test: Digits,
    pen: PenData | None,
    real: Path | None = None,
    changed: bool = True,
) -> Judged:
    """Judge a bundle on MNIST's test set and the judged pen writers.

    Args:
        pen: all pen drawings; only the judged split is read.
        real: folder of real pictures.
        changed: whether to read drawings corrupted, in scenes and with other pens too,
            which takes most of the time.
    """
    recogniser = Recogniser(bundle)
    mnist = read_mnist(recogniser, test)
    digits = {
        "MNIST test, as pixels": mnist.figures(),
        "MNIST test, as 280x280 PNG": read_enlarged(recogniser, test).figures(),
    }
    to_change = {"MNIST": all_enlarged(test, CHANGED)}
    in_scenes = {"MNIST": all_enlarged(test, IN_SCENES)}
    non_digits: dict[str, list[Bitmap]] = {}
    few = test.take(np.array(spread_out(range(len(test)), CORRUPTED)))
    of_corrupted = read_corrupted(recogniser, few)
    of_styles = read_styles(recogniser)
    by_kind = {
        kind: ReadDigits.joined(list(r.values())) for kind, r in of_corrupted.items()
    }
    by_kind["styles"] = ReadDigits.joined(list(of_styles.values()))
    evaluation: Evaluation = {
        "bundle": bundle.digest,
        "date": datetime.now(UTC).date().isoformat(),
        "digits": digits,
        "non_digits": {},
        "corrupted": {
            kind: {strength: read.figures() for strength, read in by_strength.items()}
            for kind, by_strength in of_corrupted.items()
        },
        "styles": {style: read.figures() for style, read in of_styles.items()},
        "decorated": {},
        "changed": {},
        "scenes": {},
        "without_digit": {},
        "real": read_real(recogniser, real) if real else {},
        "pen_width": {},
        "by_digit": {"MNIST": mnist.by_digit()},
        "by_writer": {},
        "confidence": [],
        "several_refused": None,
        "numbers": {},
        "numbers_in_pictures": {},
        "numbers_auto": {},
        "speed": measure_speed(recogniser, [s.strokes for s in specimens()] * 20),
        "served_bytes": len(bundle.served_weights()),
        "bundle_bytes": sum(path.stat().st_size for path in bundle.folder.iterdir()),
    }
    digitness = {"MNIST": [r.digitness for r in mnist.readings]}
    read = None
    of_numbers = None
    if pen is not None:
        judged = pen.split("judged")
        read = read_pen(recogniser, judged.digits)
        for collection, places in _grouped([d.collection for d in judged.digits]):
            figures = read.take(places).figures()
            digits[f"{collection}, judged writers"] = figures
        digits["all pen drawings, judged writers"] = read.figures()
        digitness["pen drawings"] = [r.digitness for r in read.readings]
        for name, drawings in non_digit_sets(judged).items():
            others = read_all(recogniser, drawings)
            evaluation["non_digits"][name] = rejections(others, read.readings)
            digitness[name] = [r.digitness for r in others]
        of_decorated = read_decorated(recogniser, judged.digits)
        by_kind |= {f"with a {kind}": found for kind, found in of_decorated.items()}
        evaluation["decorated"] = {
            kind: outcomes_of(found) for kind, found in of_decorated.items()
        }
        to_change["pen"] = drawn(spread_out(judged.digits, CHANGED))
        few_drawings = spread_out(judged.digits, IN_SCENES)
        in_scenes["pen"] = drawn(few_drawings, PENS_IN_SCENES_PX)
        non_digits = {
            name: [on_canvas(drawing) for drawing in spread_out(kind, IN_SCENES)]
            for name, kind in kinds_of_non_digits(judged).items()
        }
        if changed:
            of_numbers = judge_numbers(recogniser, judged)
            evaluation["numbers"] = outcomes_of_numbers(of_numbers.by_kind)
            evaluation["numbers_in_pictures"] = outcomes_of_numbers(
                picture_numbers.figures_by_kind(recogniser, judged)
            )
            evaluation["numbers_auto"] = of_numbers.auto
            evaluation["pen_width"] = {
                str(width): accuracy_of_bitmaps(
                    recogniser,
                    *drawn(judged.digits, (width, width)),
                    CHANGES["unchanged"],
                )
                for width in PEN_WIDTHS_PX
            }
        evaluation["by_digit"]["pen"] = read.by_digit()
        for writer, places in _grouped([str(d.writer) for d in judged.digits]):
            share_right = float(read.right[places].mean())
            evaluation["by_writer"][writer] = share_right, len(places)
        evaluation["several_refused"] = float(
            np.mean(
                [
                    reading.refusal == "several"
                    for drawing, reading in zip(
                        judged.digits, read.readings, strict=True
                    )
                    if len(drawing.strokes) > 1
                ]
            )
        )
    readings = mnist.readings + (read.readings if read else [])
    confidences = [reading.confidence for reading in readings]
    evaluation["confidence"] = np.histogram(confidences, BINS, (0, 1))[0].tolist()
    samples: dict[str, list[Sample]] = {}
    if changed:
        evaluation["changed"] = changed_drawings(recogniser, to_change)
        evaluation["scenes"], samples = read_scenes(recogniser, in_scenes)
        evaluation["without_digit"] = read_without_digit(
            recogniser,
            number=IN_SCENES,
            others=non_digits,
            digits=in_scenes.get("pen", in_scenes["MNIST"])[0],
        )
    return Judged(evaluation, mnist, read, digitness, samples, by_kind, of_numbers)


def outcomes_of_numbers(by_kind: Mapping[str, NumberFigures]) -> dict[str, Outcomes]:
    """Return how numbers were read, by kind, in the shares of an evaluation."""
    return {
        kind: {
            "pictures": found.drawings,
            "right": found.right,
            "refused": 1 - found.right - found.wrong,
            "wrong": found.wrong,
        }
        for kind, found in by_kind.items()
    }


def _grouped(names: Sequence[str]) -> Iterator[tuple[str, list[int]]]:
    """Yield each name, sorted, with its places in the sequence."""
    for name in sorted(set(names)):
        yield name, [place for place, one in enumerate(names) if one == name]
