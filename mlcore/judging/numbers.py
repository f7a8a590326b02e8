"""Judge how numbers are read: rows of one writer's digits, and other drawings.

    python -m mlcore.judging.numbers                  # the judged writers, for figures
    python -m mlcore.judging.numbers --split calibration
    python -m mlcore.judging.numbers --fit            # the confidence, by calibration

Reads the pen drawings that PEN_DIR names with the starter, or with the bundle that
BUNDLE names. `--fit` prints the constants of the confidence for `reading.numbers`.
Takes about two minutes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcore import paths
from mlcore.commands import command_parser, ends_with_a_sentence
from mlcore.judging.rows import LENGTHS, Row, letters, rows
from mlcore.reading import numbers
from mlcore.reading.bundle import open_bundle
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.rasterise import DEFAULT_PEN_WIDTH_PX, rasterise
from mlcore.training.data import DataError, PenData, load_pen

ROWS = 1_500
PEN_PX = DEFAULT_PEN_WIDTH_PX / 2
LIST_SIZE = 1_000
IDENTIFIERS = 200


@dataclass(frozen=True)
class Figures:
    """Shares of some drawings: answered right, answered wrong, and refused."""

    drawings: int
    right: float
    wrong: float

    def line(self, name: str) -> str:
        """Return a line of the printed table."""
        refused = 1 - self.right - self.wrong
        return (
            f"{name:<42}{self.drawings:>7,}{self.right:>9.2%}{refused:>9.2%}"
            f"{self.wrong:>9.2%}"
        )


def figures(read: Sequence[Reading], truths: Sequence[str | None]) -> Figures:
    """Count right and wrong answers. truths: None where nothing should be answered."""
    answers = [answer_of(reading) for reading in read]
    pairs = list(zip(answers, truths, strict=True))
    wrong = sum(answer is not None and answer != truth for answer, truth in pairs)
    right = sum(answer == truth for answer, truth in pairs)
    return Figures(len(pairs), right / len(pairs), wrong / len(pairs))


def answer_of(reading: Reading) -> str | None:
    """Return the digit or number that a reading answers; None if it refuses."""
    if reading.refusal is not None:
        return None
    return str(reading.digit) if reading.number is None else reading.number.text


def read_rows(
    recogniser: Recogniser, made: Sequence[Row], *, expect: numbers.Expected
) -> list[Reading]:
    """Read rows as strokes."""
    return [
        numbers.read_number(recogniser, row.strokes, pen_width=PEN_PX, expect=expect)
        for row in made
    ]


def judge(recogniser: Recogniser, pen: PenData) -> list[str]:
    """Return the lines of the table."""
    made = rows(pen.digits, number=ROWS)
    lines = [f"{'':<42}{'number':>7}{'right':>9}{'refused':>9}{'wrong':>9}"]
    for expect in ("number", "auto"):
        read = read_rows(recogniser, made, expect=expect)
        groups = {
            "all": [True] * len(made),
            "natural gaps": [not row.touches for row in made],
            "touching": [row.touches for row in made],
        }
        for length in range(2, 7):
            groups[f"of {length} digits"] = [len(row.text) == length for row in made]
        for name, chosen in groups.items():
            found = figures(
                [reading for reading, here in zip(read, chosen, strict=True) if here],
                [row.text for row, here in zip(made, chosen, strict=True) if here],
            )
            lines.append(found.line(f"{expect}: numbers, {name}"))
    lines.append(_single_digits(recogniser, pen))
    others = others_as_numbers(recogniser, pen)
    lines.append(f"auto: letters, words, sketches as a number {others:.2%}")
    lines.append(identifiers(recogniser, pen).line("8 digits, one unreadable, by list"))
    return lines


@dataclass(frozen=True)
class JudgedNumbers:
    """How numbers are read, for the model card.

    by_kind: figures by length, source and gap, then of all. mistakes: rows and wrong
    answers, surest first. auto: shares of single digits and of other drawings.
    """

    by_kind: dict[str, Figures]
    mistakes: list[tuple[Row, Reading]]
    auto: dict[str, float]


def judge_numbers(
    recogniser: Recogniser, pen: PenData, *, number: int = ROWS
) -> JudgedNumbers:
    """Judge rows of the given writers' digits, where a number is expected."""
    made = rows(pen.digits, number=number)
    read = read_rows(recogniser, made, expect="number")
    kinds: dict[str, list[bool]] = {
        f"{length} digits": [len(row.text) == length for row in made]
        for length in LENGTHS
    }
    for collection in sorted({row.collection for row in made}):
        kinds[f"digits of {collection}"] = [r.collection == collection for r in made]
    kinds["natural gaps"] = [not row.touches for row in made]
    kinds["touching or overlapping"] = [row.touches for row in made]
    kinds["all"] = [True] * len(made)
    wrong = [
        (row, reading)
        for row, reading in zip(made, read, strict=True)
        if answer_of(reading) not in (None, row.text)
    ]
    return JudgedNumbers(
        by_kind={
            kind: figures(
                [reading for reading, here in zip(read, chosen, strict=True) if here],
                [row.text for row, here in zip(made, chosen, strict=True) if here],
            )
            for kind, chosen in kinds.items()
            if any(chosen)
        },
        mistakes=sorted(wrong, key=lambda pair: -pair[1].confidence),
        auto=read_by_auto(recogniser, pen),
    )


def read_by_auto(recogniser: Recogniser, pen: PenData) -> dict[str, float]:
    """Return how what is no number is read if it may be anything, in shares."""
    same, numbered = single_digits(recogniser, pen)
    return {
        "digits as with digit": same,
        "digits as a number": numbered,
        "others as a number": others_as_numbers(recogniser, pen),
    }


def _single_digits(recogniser: Recogniser, pen: PenData) -> str:
    same, numbered = single_digits(recogniser, pen)
    return (
        f"auto: single digits as with digit {same:.2%}, "
        f"as a number {numbered:.2%}, of {len(pen.digits):,}"
    )


def others_as_numbers(recogniser: Recogniser, pen: PenData) -> float:
    """Return the share of letters, words and sketches that is read as a number."""
    others = letters(pen.non_digits, number=300) + [
        Row("", drawing.strokes, touches=False) for drawing in pen.non_digits
    ]
    read = read_rows(recogniser, others, expect="auto")
    numbered = [one.number is not None and one.refusal is None for one in read]
    return float(np.mean(numbered))


def single_digits(recogniser: Recogniser, pen: PenData) -> tuple[float, float]:
    """Return the shares of digits read as with "digit", and as a number."""
    same = numbered = 0
    for drawing in pen.digits:
        plain = recogniser.read(rasterise(drawing.strokes, pen_width=PEN_PX))
        auto = numbers.read_number(
            recogniser, drawing.strokes, pen_width=PEN_PX, expect="auto"
        )
        is_number = auto.number is not None and auto.refusal is None
        same += (plain.digit, plain.refusal) == (auto.digit, auto.refusal)
        numbered += is_number
    return same / len(pen.digits), numbered / len(pen.digits)


def identifiers(recogniser: Recogniser, pen: PenData) -> Figures:
    """Read numbers of 8 digits, one of them a scribble, against a list of 1,000."""
    rng = np.random.default_rng(8)
    made = rows(pen.digits, number=IDENTIFIERS, seed=8, lengths=range(8, 9), touch=0)
    read, truths = [], []
    for row in made:
        others = rng.integers(10**7, 10**8, size=LIST_SIZE - 1)
        allowed = [row.text, *(str(other) for other in others)]
        read.append(
            numbers.read_number(
                recogniser,
                row.with_a_scribble(rng),
                pen_width=PEN_PX,
                expect="number",
                allowed=allowed,
            )
        )
        truths.append(row.text)
    return figures(read, truths)


# --- fitting -------------------------------------------------------------------------


def fit(recogniser: Recogniser, pen: PenData) -> list[float]:
    """Fit the confidence on rows, and on letters as rows that are no numbers.

    Returns:
        OF_STROKES of `reading.numbers`, by logistic regression.
    """
    made = rows(pen.digits, number=2 * ROWS, seed=1)
    others = letters(pen.non_digits, number=300)
    given, right = [], []
    for row in (*made, *others):
        found = numbers.best_of_strokes(recogniser, row.strokes, pen_width=PEN_PX)
        if found is None:
            continue
        number, evidence = found
        given.append(evidence)
        right.append(number.text == row.text)
    return logistic_regression(np.array(given), np.array(right, float))


def logistic_regression(
    given: NDArray[np.float64], right: NDArray[np.float64]
) -> list[float]:
    """Return offset and weights with the largest likelihood, by Newton's method."""
    columns = np.column_stack([np.ones(len(given)), given])
    weights = np.zeros(columns.shape[1])
    for _ in range(50):
        likely = 1 / (1 + np.exp(-columns @ weights))
        gradient = columns.T @ (right - likely) - 0.1 * weights
        curvature = (columns.T * (likely * (1 - likely))) @ columns
        step = np.linalg.solve(curvature + 0.1 * np.eye(len(weights)), gradient)
        weights = weights + step * min(1.0, 3.0 / np.abs(step).max())
    return [float(weight) for weight in weights]


def judge_or_fit(
    description: str,
    judge: Callable[[Recogniser, PenData], list[str]],
    fit: Callable[[Recogniser, PenData], list[float]],
    *,
    constant: str,
    number: int,
) -> None:
    """Run a command that judges or, with --fit, fits a confidence on so many rows."""
    parser = command_parser(description)
    parser.add_argument(
        "--bundle", type=Path, default=paths.bundle_folder(), help="folder to judge"
    )
    parser.add_argument("--split", default="judged", choices=["calibration", "judged"])
    parser.add_argument("--fit", action="store_true", help="fit the confidence")
    told = parser.parse_args()
    with ends_with_a_sentence(DataError):
        bundle = open_bundle(told.bundle)
        pen = load_pen().split("calibration" if told.fit else told.split)
        recogniser = Recogniser(bundle)
        if told.fit:
            fitted = ", ".join(f"{weight:.2f}" for weight in fit(recogniser, pen))
            print(f"Bundle {bundle.short_digest}, {number:,} rows")
            print(f"{constant} = {fitted}")
            return
        print(f"Bundle {bundle.short_digest}, {told.split} writers\n")
        print("\n".join(judge(recogniser, pen)))


def main() -> None:
    """Print figures, or the constants of the confidence."""
    judge_or_fit(__doc__, judge, fit, constant="OF_STROKES", number=ROWS * 2)


if __name__ == "__main__":
    main()
