"""The model card: everything in docs/ that is said of the shipped model, generated.

    PEN_DIR=... PICTURES_DIR=... python -m mlcore.judging.card    # judge the starter
    PEN_DIR=... PICTURES_DIR=... python -m mlcore.judging.card --numbers-only
    python -m mlcore.judging.card --words-only         # from docs/model/ as it stands

Writes docs/model-card.md, its pictures and evaluation.json into docs/model/, and the
table of results in the README. Quotes docs/model/study.json, which `judging.study`
writes. No figure of these pages is typed by hand; a test compares them with the bundle.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlcore import paths
from mlcore.commands import command_parser
from mlcore.judging import picture_numbers
from mlcore.judging.judge import Evaluation, judge, outcomes_of_numbers
from mlcore.judging.markdown import percent, render, table
from mlcore.judging.numbers import judge_numbers
from mlcore.judging.pictures import Outcomes, together
from mlcore.judging.report import (
    EVALUATION,
    TEMPLATES,
    all_scenes,
    draw_pictures,
    numbers,
    save_picture,
    sections,
)
from mlcore.judging.study import HELD_OUT_LOSS, LEFT_OUT_IN_TURN, without
from mlcore.reading.bundle import Bundle, open_bundle
from mlcore.reading.inference import Recogniser
from mlcore.training.corrupt import CORRUPTIONS
from mlcore.training.data import DataError, load_mnist, load_pen

DOCS = paths.REPOSITORY / "docs"
CARD = DOCS / "model-card.md"
PICTURES = DOCS / "model"
README = paths.REPOSITORY / "README.md"
_README_RESULTS = re.compile(r"(<!-- results -->\n).*?(<!-- end of results -->)", re.S)

Study = Mapping[str, Mapping[str, Sequence[Any]]]
"""The content of study.json: figures of each seed, by recipe, then by name."""


def card(bundle: Bundle, evaluation: Evaluation, study: Study) -> str:
    """Write the model card as Markdown."""
    shown = {name: study[name] for name in RECIPES if name in study}
    pictures = {path.stem: f"model/{path.name}" for path in PICTURES.glob("*.png")}
    return render(
        TEMPLATES / "card.md",
        bundle=bundle,
        made=bundle.manifest["provenance"],
        calibration=bundle.calibration,
        sections=sections(evaluation, bundle=bundle, pictures=pictures),
        study=shown,
        names=RECIPES,
        quoted={
            what: show
            for what, show in QUOTED.items()
            if all(what in figures for figures in shown.values())
        },
        left_out=LEFT_OUT_IN_TURN,
        without=without,
        left_out_of=_errors_by_corruption(study),
    )


RECIPES = {
    "mnist": "MNIST alone",
    "pen": "MNIST and pen drawings (ships)",
    "pen-without-letters": "the same without letters and symbols",
    "pen-without-sketches": "the same without sketches",
}
"""The recipes of a study, in the card's order and with its names."""


def _errors_by_corruption(study: Study) -> dict[str, dict[str, list[float]]]:
    """Return each recipe's errors of all seeds, by corruption."""
    return {
        recipe: {
            kind: [1 - share for share in figures[f"{kind}: accuracy"]]
            for kind in LEFT_OUT_IN_TURN
        }
        for recipe, figures in study.items()
        if recipe.startswith("small")
    }


_four_decimals = "{:.4f}".format
QUOTED: Mapping[str, Callable[[float], str]] = {
    HELD_OUT_LOSS: _four_decimals,
    "MNIST test, as pixels: accuracy": percent,
    "MNIST test, as pixels: ece": percent,
    "pendigits-train, judged writers: accuracy": percent,
    "unipen-digits, judged writers: accuracy": percent,
    "all pen drawings, judged writers: ece": percent,
    "all pen drawings, judged writers: refused": percent,
    "several strokes: refused as several": percent,
    "letters and symbols: refused": percent,
    "letters and symbols: auroc": _four_decimals,
    "sketches: refused": percent,
    "sketches: auroc": _four_decimals,
    "two or three digits side by side: refused": percent,
    **{f"{kind}: accuracy": percent for kind in CORRUPTIONS},
}
"""What the card quotes of a study, and how it writes each figure."""


REAL = {
    "own": "single digits by several people, real",
    "boxes": "cells of scanned sheets, real",
    "pages": "photos of sudokus, to be refused, real",
}
"""What the README calls the folders of real pictures."""


IN_README = ("MNIST test, as pixels", "all pen drawings, judged writers")
"""The sets of digits that the README quotes; the card quotes all."""


def readme_results(evaluation: Evaluation) -> str:
    """Write the README's tables of results."""
    digits = [
        [name, f"{row['digits']:,}", percent(row["accuracy"]), percent(row["refused"])]
        for name, row in evaluation["digits"].items()
        if name in IN_README
    ]
    others = [
        [name, f"{row['drawings']:,}", "", percent(row["refused"])]
        for name, row in evaluation["non_digits"].items()
    ]
    by_folder: dict[str, list[Outcomes]] = {}
    for source, found in evaluation["real"].items():
        by_folder.setdefault(source.split(",")[0], []).append(found)
    scenes = together(list(all_scenes(evaluation).values()))
    pictures = {f"digits in {len(evaluation['scenes'])} drawn scenes": scenes}
    pictures["drawn pictures to be refused"] = together(
        list(evaluation["without_digit"].values())
    )
    pictures |= {
        words: together(by_folder[name])
        for name, words in REAL.items()
        if name in by_folder
    }
    shares = [
        [name, f"{row['pictures']:,}"]
        + [percent(row[what], 1) for what in ("right", "refused", "wrong")]
        for name, row in pictures.items()
    ]
    return table(
        ["test set", "drawings", "accuracy", "refused"], digits + others
    ) + table(["pictures", "number", "right", "refused", "wrong"], shares)


def write_words(bundle: Bundle, evaluation: Evaluation, study: Study) -> None:
    """Write the card and the README's table from existing figures."""
    CARD.write_text(card(bundle, evaluation, study))
    README.write_text(with_results(README.read_text(), evaluation))


def with_results(readme: str, evaluation: Evaluation) -> str:
    """Put the table of results between the README's two marks."""
    if not _README_RESULTS.search(readme):
        raise DataError("The README has no marks between which its results belong.")
    results = readme_results(evaluation)
    return _README_RESULTS.sub(lambda found: found[1] + results + found[2], readme)


def load_study() -> Study:
    """Load the figures of all seeds."""
    path = PICTURES / "study.json"
    if not path.exists():
        raise DataError(
            f"{path} is missing: make it by python -m mlcore.judging.study."
        )
    study: Study = json.loads(path.read_text())
    return study


def load_evaluation() -> Evaluation:
    """Load the figures of the shipped bundle."""
    evaluation: Evaluation = json.loads((PICTURES / EVALUATION).read_text())
    return evaluation


def with_numbers(bundle: Bundle, evaluation: Evaluation) -> Evaluation:
    """Judge numbers alone; return the evaluation with them, and draw their picture.

    Takes about five minutes.
    """
    recogniser, pen = Recogniser(bundle), load_pen().split("judged")
    judged = judge_numbers(recogniser, pen)
    pictured = picture_numbers.figures_by_kind(recogniser, pen)
    save_picture(numbers(judged.mistakes), PICTURES / "numbers.png")
    return {
        **evaluation,
        "numbers": outcomes_of_numbers(judged.by_kind),
        "numbers_in_pictures": outcomes_of_numbers(pictured),
        "numbers_auto": judged.auto,
    }


def _write_evaluation(evaluation: Evaluation) -> None:
    text = json.dumps(evaluation, indent=1) + "\n"
    (PICTURES / EVALUATION).write_text(text)


def main() -> None:
    """Judge the starter; write the model card, its pictures and figures."""
    parser = command_parser(__doc__)
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--words-only", action="store_true")
    which.add_argument("--numbers-only", action="store_true")
    told = parser.parse_args()
    bundle = open_bundle(paths.STARTER_BUNDLE)
    if told.numbers_only:
        _write_evaluation(with_numbers(bundle, load_evaluation()))
    elif not told.words_only:
        judged = judge(
            bundle,
            test=load_mnist().test,
            pen=load_pen(),
            real=paths.pictures_folder(),
        )
        PICTURES.mkdir(parents=True, exist_ok=True)
        draw_pictures(judged, PICTURES)
        _write_evaluation(judged.evaluation)
    write_words(bundle, load_evaluation(), load_study())
    print(f"Model card: {CARD}")


if __name__ == "__main__":
    main()
