"""Judge a bundle through the serving path.

    python -m mlcore.evaluate                # the starter, or the bundle BUNDLE names

Prints MNIST's test set read as pixels and as enlarged pictures, and the judged writers
of the pen drawings where PEN_DIR names them. Accuracy is by the largest probability,
refused or not; the refusal rate and the accuracy among what was answered stand beside.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import TypedDict

import cv2
import numpy as np
from tqdm import tqdm

from mlcore import ink, places
from mlcore.bundle import open_bundle
from mlcore.calibrate import expected_calibration_error
from mlcore.data import (
    Digits,
    PenDrawing,
    load_mnist,
    read_pen_drawings,
    scale_to_canvas,
)
from mlcore.inference import Reading, Recogniser

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
    readings, labels = [], []
    for drawing in tqdm(drawings, leave=False, disable=None):
        strokes = scale_to_canvas(drawing.strokes)
        readings.append(recogniser.read(ink.rasterise(strokes)))
        labels.append(int(drawing.label))
    return figures(readings, labels)


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
    rows = {
        "MNIST test, as pixels": evaluate_mnist(recogniser, test),
        "MNIST test, as 280x280 PNG": evaluate_enlarged(recogniser, test),
    }
    pen = places.pen_folder()
    for name in PEN_DIGIT_FILES if pen else ():
        drawings = list(read_pen_drawings(Path(pen or "") / name))
        judged = [drawing for drawing in drawings if drawing.split == "judged"]
        rows[f"{name}, all writers"] = evaluate_pen(recogniser, drawings)
        rows[f"{name}, judged writers"] = evaluate_pen(recogniser, judged)
    print(f"Bundle {bundle.short_digest}")
    print(f"{'':42}{'digits':>8}{'right':>9}{'refused':>9}{'answered':>10}{'ECE':>8}")
    for name, row in rows.items():
        print(
            f"{name:42}{row['digits']:8,}{row['accuracy']:9.2%}{row['refused']:9.2%}"
            f"{row['accuracy_answered'] or 0:10.2%}{row['ece']:8.2%}"
        )
    if pen is None:
        print("PEN_DIR names no folder of pen drawings: those were not judged.")


if __name__ == "__main__":
    main()
