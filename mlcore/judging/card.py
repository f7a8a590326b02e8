"""The model card: everything in docs/ that is said of the shipped model, generated.

    PEN_DIR=... python -m mlcore.judging.card          # judge the starter, write
    python -m mlcore.judging.card --words-only         # from docs/model/ as it stands

Writes docs/model-card.md, its pictures and evaluation.json into docs/model/, and the
table of results in the README. Quotes docs/model/study.json, which `judging.study`
writes. No figure of these pages is typed by hand; a test compares them with the bundle.
"""

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlcore import paths
from mlcore.judging.judge import Evaluation, judge
from mlcore.judging.report import (
    EVALUATION,
    draw_pictures,
    percent,
    sections,
    spread,
    table,
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
"""Figures over seeds, by recipe and by what they say: what study.json holds."""


def card(bundle: Bundle, evaluation: Evaluation, study: Study) -> str:
    """Write the model card as Markdown."""
    pictures = {path.stem: f"model/{path.name}" for path in PICTURES.glob("*.png")}
    return (
        f"# Model card: bundle {bundle.short_digest}\n\n"
        "What the shipped model is, how it was made and how well it reads. Generated "
        "by `make docs`; a test compares it with the bundle.\n\n"
        + _how_it_was_made(bundle)
        + sections(evaluation, pictures=pictures)
        + "\n"
        + over_seeds(study)
        + _LIMITS
    )


def _how_it_was_made(bundle: Bundle) -> str:
    provenance = bundle.manifest["provenance"]
    calibration = bundle.calibration
    config = table(
        ["setting", "value"],
        [
            [name, "none" if value == "" else f"`{value}`"]
            for name, value in provenance["config"].items()
        ],
    )
    versions = ", ".join(f"{n} {v}" for n, v in provenance["versions"].items())
    return (
        "## What it is\n\n"
        "A small convolutional network that takes one 28x28 digit image and gives "
        "thirteen logits: ten for the digit, three for the kind of drawing (one digit, "
        "several side by side, something else). It reads single handwritten Western "
        "digits for the site and its API. It is not made for numbers of several "
        "digits, for letters, for other scripts, or for decisions about people.\n\n"
        "## How it was made\n\n"
        f"Trained on: {provenance['trained_on']}. Finished "
        f"{provenance['finished'][:10]} after {provenance['minutes']} minutes on "
        f"{provenance['machine']}, by commit `{provenance['commit'][:12]}` with "
        f"{versions}"
        + (f"; {provenance['softened']}" if "softened" in provenance else "")
        + f".\n\n{config}"
        f"Calibrated on held-out digits: temperature {calibration.temperature:.3f}. A "
        "drawing is refused as `several` above a probability of "
        f"{calibration.several_above:.3f}, as `not_a_digit` below a digitness of "
        f"{calibration.digitness_below:.3f}, and as `unsure` below a confidence of "
        f"{calibration.confidence_below:.3f}.\n\n"
    )


_RECIPES = {
    "mnist": "MNIST alone",
    "pen": "MNIST and pen drawings (ships)",
    "pen-without-letters": "the same without letters and symbols",
    "pen-without-sketches": "the same without sketches",
}


def over_seeds(study: Study) -> str:
    """Write the table of means and deviations."""
    names = [name for name in _RECIPES if name in study]
    shown = {
        HELD_OUT_LOSS: "{:.4f}".format,
        "MNIST test, as pixels: accuracy": percent,
        "MNIST test, as pixels: ece": percent,
        "pendigits-train, judged writers: accuracy": percent,
        "unipen-digits, judged writers: accuracy": percent,
        "all pen drawings, judged writers: ece": percent,
        "all pen drawings, judged writers: refused": percent,
        "several strokes: refused as several": percent,
        "letters and symbols: refused": percent,
        "letters and symbols: auroc": "{:.4f}".format,
        "sketches: refused": percent,
        "sketches: auroc": "{:.4f}".format,
        "two or three digits side by side: refused": percent,
    }
    rows = [
        [
            what,
            *(spread(study[recipe][what], show=show) for recipe in names),
        ]
        for what, show in shown.items()
    ]
    seeds = [f"{_RECIPES[name]}: {_networks(study[name])}" for name in names]
    return (
        "## The recipe over seeds\n\n"
        "Mean and standard deviation over seeds (`make study`). The seed that ships "
        "has the lowest log-loss on held-out digits. A recipe trained without letters "
        "or without sketches shows how the model treats kinds of drawings that it has "
        "never seen.\n\n"
        + table(["", *(_RECIPES[name] for name in names)], rows)
        + "Networks:\n\n"
        + "".join(f"- {line}\n" for line in seeds)
        + "\n"
    )


def _networks(recipe: Mapping[str, Sequence[Any]]) -> str:
    """Say how many networks a recipe's figures are of, and how they were made."""
    epochs = " or ".join(str(number) for number in sorted(set(recipe["epochs"])))
    commits = ", ".join(f"`{commit}`" for commit in sorted(set(recipe["commits"])))
    count = len(recipe["bundles"])
    told = f"{count} seed{'s' if count > 1 else ''}, {epochs} epochs, by {commits}"
    if any(recipe["changed after training"]):
        told += (
            "; trained before the model softened what it reads, evaluated before and "
            "after that change, and quoted after it"
        )
    return told


_LIMITS = """## Known limits

- Letters shaped like digits (O, l, S) are read as digits, and so are some sketches.
- The pen drawings come from two collections of the nineties, and only four writers of
  one of them are in the test set. Writers differ more than seeds do.

[decisions.md](decisions.md) has what was tried and rejected.
"""


def readme_results(evaluation: Evaluation) -> str:
    """Write the README's table of results."""
    digits = [
        [name, f"{row['digits']:,}", percent(row["accuracy"]), percent(row["refused"])]
        for name, row in evaluation["digits"].items()
    ]
    others = [
        [name, f"{row['drawings']:,}", "", percent(row["refused"])]
        for name, row in evaluation["non_digits"].items()
    ]
    return table(["test set", "drawings", "accuracy", "refused"], digits + others)


def write_words(bundle: Bundle, evaluation: Evaluation, study: Study) -> None:
    """Write the card and the README's tables from figures that are there."""
    CARD.write_text(card(bundle, evaluation, study))
    README.write_text(with_results(README.read_text(), evaluation))


def with_results(readme: str, evaluation: Evaluation) -> str:
    """Put the tables of results between the README's two marks."""
    if not _README_RESULTS.search(readme):
        raise DataError("The README has no marks between which its results belong.")
    results = readme_results(evaluation)
    return _README_RESULTS.sub(lambda found: found[1] + results + found[2], readme)


def load_study() -> Study:
    """Read the figures over seeds."""
    path = PICTURES / "study.json"
    if not path.exists():
        raise DataError(
            f"{path} is missing: make it by python -m mlcore.judging.study."
        )
    study: Study = json.loads(path.read_text())
    return study


def load_evaluation() -> Evaluation:
    """Read the figures of the shipped bundle."""
    evaluation: Evaluation = json.loads((PICTURES / EVALUATION).read_text())
    return evaluation


def main() -> None:
    """Judge the starter and write what docs/ says of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words-only", action="store_true")
    bundle = open_bundle(paths.STARTER_BUNDLE)
    if not parser.parse_args().words_only:
        folder = paths.pen_folder()
        if folder is None:
            raise DataError("The card needs PEN_DIR, the folder of the pen drawings.")
        judged = judge(bundle, test=load_mnist().test, pen=load_pen(folder))
        PICTURES.mkdir(parents=True, exist_ok=True)
        draw_pictures(judged, PICTURES)
        text = json.dumps(judged.evaluation, indent=1) + "\n"
        (PICTURES / EVALUATION).write_text(text)
    write_words(bundle, load_evaluation(), load_study())
    print(f"Model card: {CARD}")


if __name__ == "__main__":
    main()
