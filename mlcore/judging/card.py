"""The model card: everything in docs/ that is said of the shipped model, generated.

    PEN_DIR=... PICTURES_DIR=... python -m mlcore.judging.card    # judge the starter
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
from mlcore.judging.judge import Evaluation, judge
from mlcore.judging.markdown import percent, render, table
from mlcore.judging.pictures import Outcomes, together
from mlcore.judging.report import (
    EVALUATION,
    TEMPLATES,
    all_scenes,
    draw_pictures,
    sections,
)
from mlcore.judging.study import HELD_OUT_LOSS
from mlcore.reading.bundle import Bundle, open_bundle
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
    pictures = {path.stem: f"model/{path.name}" for path in PICTURES.glob("*.png")}
    return render(
        TEMPLATES / "card.md",
        bundle=bundle,
        made=bundle.manifest["provenance"],
        calibration=bundle.calibration,
        sections=sections(evaluation, pictures=pictures),
        study={name: study[name] for name in RECIPES if name in study},
        names=RECIPES,
        quoted=QUOTED,
    )


RECIPES = {
    "mnist": "MNIST alone",
    "pen": "MNIST and pen drawings (ships)",
    "pen-without-letters": "the same without letters and symbols",
    "pen-without-sketches": "the same without sketches",
}
"""The recipes of a study, in the card's order and with its names."""

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


def main() -> None:
    """Judge the starter; write the model card, its pictures and figures."""
    parser = command_parser(__doc__)
    parser.add_argument("--words-only", action="store_true")
    bundle = open_bundle(paths.STARTER_BUNDLE)
    if not parser.parse_args().words_only:
        judged = judge(
            bundle,
            test=load_mnist().test,
            pen=load_pen(),
            real=paths.pictures_folder(),
        )
        PICTURES.mkdir(parents=True, exist_ok=True)
        draw_pictures(judged, PICTURES)
        text = json.dumps(judged.evaluation, indent=1) + "\n"
        (PICTURES / EVALUATION).write_text(text)
    write_words(bundle, load_evaluation(), load_study())
    print(f"Model card: {CARD}")


if __name__ == "__main__":
    main()
