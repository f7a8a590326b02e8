"""Judge how numbers are read in pictures: rows drawn on paper, rows of scanned boxes.

    python -m mlcore.judging.picture_numbers          # the judged writers, for figures
    python -m mlcore.judging.picture_numbers --split calibration
    python -m mlcore.judging.picture_numbers --fit    # the confidence, by calibration

Reads the pen drawings that PEN_DIR names, and the boxes that PICTURES_DIR names, with
the starter, or with the bundle that BUNDLE names. `--fit` prints the constants of the
confidence for `reading.numbers`. Takes about five minutes.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mlcore import paths
from mlcore.judging.numbers import (
    Figures,
    figures,
    judge_or_fit,
    logistic_regression,
)
from mlcore.judging.rows import (
    Paper,
    Row,
    letters,
    on_paper,
    row_of_boxes_from,
    rows,
)
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.numbers import Expected
from mlcore.reading.picture_numbers import best_in, read_number_in_picture
from mlcore.reading.pictures import Picture
from mlcore.training.data import PenData

ROWS = 900
BOXED_ROWS = 350
LETTERS = 300


def judge(recogniser: Recogniser, pen: PenData) -> list[str]:
    """Return the lines of the table for pictures, and how long 6 digits take."""
    lines = [f"{'':<42}{'number':>7}{'right':>9}{'refused':>9}{'wrong':>9}"]
    lines += [
        found.line(name) for name, found in figures_by_kind(recogniser, pen).items()
    ]
    lines.append(_single_digits_in_pictures(recogniser, pen))
    rng = np.random.default_rng(0)
    others = letters(pen.non_digits, number=LETTERS) + [
        Row("", drawing.strokes, touches=False) for drawing in pen.non_digits
    ]
    pictures = [on_paper(row.strokes, rng) for row in others]
    read = read_in_pictures(recogniser, pictures, expect="auto")
    numbered = [reading.number is not None and not reading.refusal for reading in read]
    lines.append(f"auto: letters, words, sketches as a number {np.mean(numbered):.2%}")
    rng = np.random.default_rng(0)
    six = rows(pen.digits, number=50, lengths=range(6, 7), touch=0)
    took = []
    for row in six:
        picture = on_paper(row.strokes, rng)
        started = time.process_time()
        read_in_pictures(recogniser, [picture], expect="number")
        took.append(time.process_time() - started)
    lines.append(f"6 digits: {np.median(took) * 1000:.1f} ms each, median")
    return lines


def figures_by_kind(recogniser: Recogniser, pen: PenData) -> dict[str, Figures]:
    """Judge rows on paper by paper, gaps and length, and rows of scanned boxes.

    The boxes are those that PICTURES_DIR names; without it they are left out.
    """
    by_kind = {}
    kinds: Mapping[str, tuple[Paper, int]] = {
        "plain paper": ("plain", ROWS),
        "ruled paper": ("ruled", ROWS // 4),
        "squared paper": ("squared", ROWS // 4),
    }
    for name, (paper, number) in kinds.items():
        rng = np.random.default_rng(0)
        made = rows(pen.digits, number=number)
        pictures = [on_paper(row.strokes, rng, paper=paper) for row in made]
        read = read_in_pictures(recogniser, pictures, expect="number")
        groups = {
            "gaps": [not row.touches for row in made],
            "touching": [row.touches for row in made],
        }
        if paper == "plain":
            for length in range(2, 7):
                groups[f"{length} digits"] = [len(row.text) == length for row in made]
        for group, chosen in groups.items():
            found = figures(
                [reading for reading, here in zip(read, chosen, strict=True) if here],
                [row.text for row, here in zip(made, chosen, strict=True) if here],
            )
            by_kind[f"{name}, {group}"] = found
    folder = paths.pictures_folder()
    return by_kind if folder is None else by_kind | _rows_of_boxes(recogniser, folder)


def _rows_of_boxes(recogniser: Recogniser, folder: Path) -> dict[str, Figures]:
    made = row_of_boxes_from(folder, number=BOXED_ROWS)
    read = read_in_pictures(
        recogniser, [picture for picture, _ in made], expect="number"
    )
    truths = [text for _, text in made]
    by_kind = {"rows of scanned boxes, all": figures(read, truths)}
    for length in range(2, 9):
        chosen = [place for place, text in enumerate(truths) if len(text) == length]
        by_kind[f"rows of {length} scanned boxes"] = figures(
            [read[place] for place in chosen], [truths[place] for place in chosen]
        )
    return by_kind


def read_in_pictures(
    recogniser: Recogniser, pictures: Sequence[Picture], *, expect: Expected
) -> list[Reading]:
    """Read pictures of numbers."""
    return [
        read_number_in_picture(recogniser, picture, expect=expect)
        for picture in pictures
    ]


def _single_digits_in_pictures(recogniser: Recogniser, pen: PenData) -> str:
    same = numbered = 0
    took = dict.fromkeys(("digit", "auto"), 0.0)
    rng = np.random.default_rng(0)
    for drawing in pen.digits:
        picture = on_paper(drawing.strokes, rng)
        started = time.process_time()
        plain = recogniser.read_picture(picture)
        then = time.process_time()
        auto = read_number_in_picture(recogniser, picture, expect="auto")
        took["digit"] += then - started
        took["auto"] += time.process_time() - then
        same += (plain.digit, plain.refusal) == (auto.digit, auto.refusal)
        numbered += auto.number is not None and auto.refusal is None
    count = len(pen.digits)
    return (
        f"auto: single digits as with digit {same / count:.2%}, "
        f"as a number {numbered / count:.2%}, of {count:,}, "
        f"in {took['auto'] / took['digit']:.2f} of the time"
    )


def fit(recogniser: Recogniser, pen: PenData) -> list[float]:
    """Fit the confidence on rows, and on letters as rows that are no numbers.

    Returns:
        OF_PICTURE of `reading.numbers`, by logistic regression.
    """
    made = rows(pen.digits, number=ROWS, seed=1)
    others = letters(pen.non_digits, number=LETTERS)
    rng = np.random.default_rng(1)
    given, right = [], []
    for row in (*made, *others):
        found = best_in(recogniser, on_paper(row.strokes, rng))
        if found is not None:
            number, evidence = found
            given.append(evidence)
            right.append(number.text == row.text)
    return logistic_regression(np.array(given), np.array(right, float))


def main() -> None:
    """Print figures, or the constants of the confidence."""
    judge_or_fit(__doc__, judge, fit, constant="OF_PICTURE", number=ROWS)


if __name__ == "__main__":
    main()
