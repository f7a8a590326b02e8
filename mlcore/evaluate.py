"""Judge a bundle through the serving path.

    python -m mlcore.evaluate                # the starter, or the bundle BUNDLE names

Prints MNIST's test set read as pixels and as enlarged pictures, and where PEN_DIR names
them the pen drawings and how well drawings that are not one digit are refused. Accuracy
is by the largest probability, refused or not; the refusal rate and the accuracy among
what was answered stand beside.
"""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TypedDict

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from mlcore import ink, places
from mlcore.augment import written_side_by_side
from mlcore.bundle import open_bundle
from mlcore.calibrate import expected_calibration_error
from mlcore.data import (
    Digits,
    PenData,
    PenDrawing,
    load_mnist,
    load_pen,
    read_pen_drawings,
    scale_to_canvas,
)
from mlcore.inference import Reading, Recogniser
from mlcore.ink import Points

PEN_DIGIT_FILES = ("pendigits-train.jsonl.gz", "unipen-digits.jsonl.gz")


class Figures(TypedDict):
    """What a set of readings comes to; shares in [0, 1].

    accuracy: by the largest probability, refused or not. accuracy_answered: None where
    everything was refused. ece: expected calibration error over 15 bins.
    """

    digits: int
    accuracy: float
    refused: float
    accuracy_answered: float | None
    ece: float


def figures(readings: Iterable[Reading], labels: Iterable[int]) -> Figures:
    """Sum up readings of digits: accuracy, refusals, calibration."""
    read = list(readings)
    truth = np.fromiter(labels, np.uint8)
    probabilities = np.array([reading.probabilities for reading in read])
    right = probabilities.argmax(axis=1) == truth
    refused = np.array([reading.refusal is not None for reading in read])
    return {
        "digits": len(read),
        "accuracy": float(right.mean()),
        "refused": float(refused.mean()),
        "accuracy_answered": None if refused.all() else float(right[~refused].mean()),
        "ece": expected_calibration_error(probabilities, truth),
    }


def evaluate_mnist(recogniser: Recogniser, digits: Digits) -> Figures:
    """Read MNIST digits as bitmaps."""
    readings = [
        recogniser.read(image)
        for image in tqdm(digits.images, leave=False, disable=None)
    ]
    return figures(readings, digits.labels)


def evaluate_enlarged(recogniser: Recogniser, digits: Digits) -> Figures:
    """Read MNIST digits as 280x280 black-on-white PNG pictures."""
    readings = []
    for image in tqdm(digits.images, leave=False, disable=None):
        large = cv2.resize(255 - image, (280, 280), interpolation=cv2.INTER_LINEAR)
        grey = ink.decode_picture(ink.encode_png(np.asarray(large, np.uint8)))
        readings.append(recogniser.read(ink.find_ink(grey)))
    return figures(readings, digits.labels)


def evaluate_pen(recogniser: Recogniser, drawings: Iterable[PenDrawing]) -> Figures:
    """Read pen drawings of digits as strokes on the page's canvas."""
    digits = list(drawings)
    readings = read_all(recogniser, [drawing.strokes for drawing in digits])
    return figures(readings, [int(drawing.label) for drawing in digits])


def read_all(recogniser: Recogniser, drawings: Iterable[list[Points]]) -> list[Reading]:
    """Read strokes of any unit as on the page's canvas."""
    return [
        recogniser.read(ink.rasterise(scale_to_canvas(strokes)))
        for strokes in tqdm(drawings, leave=False, disable=None)
    ]


class Rejections(TypedDict):
    """How well drawings that are not one digit are told from digits.

    refused: share of them, for whatever reason. auroc: probability that a digit has
    the higher digitness than one of them.
    """

    drawings: int
    refused: float
    auroc: float


def rejections(non_digits: Sequence[Reading], digits: Sequence[Reading]) -> Rejections:
    """Sum up readings of what is not one digit, beside readings of digits."""
    return {
        "drawings": len(non_digits),
        "refused": float(np.mean([r.refusal is not None for r in non_digits])),
        "auroc": area_under_roc(
            np.array([reading.digitness for reading in digits]),
            np.array([reading.digitness for reading in non_digits]),
        ),
    }


def area_under_roc(higher: NDArray[np.float64], lower: NDArray[np.float64]) -> float:
    """Return the share of pairs in which the first is higher; ties count half."""
    ordered = np.sort(lower)
    below = np.searchsorted(ordered, higher, side="left")
    not_above = np.searchsorted(ordered, higher, side="right")
    return float((below + not_above).mean() / 2 / len(lower))


def evaluate_refusal(recogniser: Recogniser, pen: PenData) -> dict[str, Rejections]:
    """Read what is not one digit: letters and symbols, sketches, digits in a row."""
    rng = np.random.default_rng(0)
    digits = [drawing.strokes for drawing in pen.digits]
    rows = [
        written_side_by_side([digits[place] for place in places_in_digits], rng)
        for size in (2, 3)
        for places_in_digits in rng.integers(len(digits), size=(500, size))
    ]
    sets = {
        "letters and symbols": [d.strokes for d in pen.non_digits if d.writer],
        "sketches": [d.strokes for d in pen.non_digits if not d.writer],
        "two or three digits side by side": rows,
    }
    of_digits = read_all(recogniser, digits)
    return {
        name: rejections(read_all(recogniser, drawings), of_digits)
        for name, drawings in sets.items()
    }


def main() -> None:
    """Judge a bundle and print one line per set."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--bundle", type=Path, default=places.bundle_folder(), help="folder to judge"
    )
    bundle = open_bundle(parser.parse_args().bundle)
    recogniser = Recogniser(bundle)
    test = load_mnist().test
    print(f"Bundle {bundle.short_digest}")
    print(f"{'':42}{'digits':>8}{'right':>9}{'refused':>9}{'answered':>10}{'ECE':>8}")
    print_figures("MNIST test, as pixels", evaluate_mnist(recogniser, test))
    print_figures("MNIST test, as 280x280 PNG", evaluate_enlarged(recogniser, test))
    folder = places.pen_folder()
    if folder is None:
        print("PEN_DIR names no folder of pen drawings: those were not judged.")
        return
    for name in PEN_DIGIT_FILES:
        drawings = list(read_pen_drawings(folder / name))
        judged = [drawing for drawing in drawings if drawing.split == "judged"]
        print_figures(f"{name}, all writers", evaluate_pen(recogniser, drawings))
        print_figures(f"{name}, judged writers", evaluate_pen(recogniser, judged))
    print(
        f"\n{'not one digit, judged writers and kinds':42}{'':8}{'':9}"
        f"{'refused':>9}{'AUROC':>10}"
    )
    for name, row in evaluate_refusal(
        recogniser, load_pen(folder).split("judged")
    ).items():
        print(
            f"{name:42}{row['drawings']:8,}{'':9}{row['refused']:9.2%}{row['auroc']:10.4f}"
        )


def print_figures(name: str, row: Figures) -> None:
    """Print one line of the table."""
    answered = row["accuracy_answered"]
    print(
        f"{name:42}{row['digits']:8,}{row['accuracy']:9.2%}{row['refused']:9.2%}"
        f"{'none' if answered is None else f'{answered:.2%}':>10}{row['ece']:8.2%}"
    )


if __name__ == "__main__":
    main()
