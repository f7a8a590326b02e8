"""Train each recipe with several seeds and judge every network once.

    PEN_DIR=... python -m mlcore.judging.study             # three seeds of each recipe
    PEN_DIR=... python -m mlcore.judging.study --seeds 1 --epochs 2

Each network is in var/study/<recipe>/seed-<n>/ beside the log of its training. A study
that was stopped continues with what is missing. At the end it writes the figures of all
seeds to docs/model/study.json, which the model card quotes, and names the network that
ships: the one with the lowest log-loss on held-out digits.
"""

import argparse
import functools
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from tqdm import tqdm

from mlcore import paths
from mlcore.commands import command_parser, ends_with_a_sentence
from mlcore.judging.judge import STRENGTHS, Evaluation, judge
from mlcore.reading.bundle import (
    MANIFEST,
    Bundle,
    BundleError,
    open_bundle,
    unpack_bundle,
)
from mlcore.reading.inference import ServedNetwork
from mlcore.training.data import DataError, Digits, load_mnist, load_pen
from mlcore.training.dataset import as_served
from mlcore.workers import WorkersError, check_code, code_version, workers

SHIPS = "pen"
"""The recipe that ships, with the seed that is best on held-out digits."""


def without(kind: str) -> str:
    """Name the recipe of a small network that never saw this corruption."""
    return f"small-without-{kind.replace(' ', '-')}"


LEFT_OUT_IN_TURN = (
    *("raised background", "fog", "salt and pepper", "jumbled pixels"),
    *("zigzag", "outline", "partly inverted"),
)
"""Corruptions that are left out of a training, one at a time."""

MAIN = ("mnist", SHIPS)
"""The recipes that are trained first."""

_SMALL = ("--pen", "--network", "small", "--epochs", "10")

RECIPES: dict[str, tuple[str, ...]] = {
    "mnist": (),
    "pen": ("--pen",),
    "pen-without-letters": ("--pen", "--leave-out", "letters"),
    "pen-without-sketches": ("--pen", "--leave-out", "sketches"),
    "small": _SMALL,
    **{without(kind): (*_SMALL, "--leave-out", kind) for kind in LEFT_OUT_IN_TURN},
}
"""Flags of `mlcore.training.train`.

One recipe ships. The others are ablations: MNIST alone, and without a kind of
non-digits, to see how the network refuses what it has never seen. A small network is
trained without a corruption, to see how well it reads one that it has never seen.
"""


STUDY = paths.REPOSITORY / "docs" / "model" / "study.json"


@dataclass(frozen=True)
class Training:
    """One recipe with one seed."""

    recipe: str
    seed: int
    extra: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """The folder of its bundle and its log."""
        return paths.data_folder() / "study" / self.recipe / f"seed-{self.seed}"

    @property
    def is_done(self) -> bool:
        """Whether it has finished."""
        return any(self.folder.glob(f"*/{MANIFEST}"))

    def bundle(self) -> Bundle:
        """Open the trained bundle.

        Raises:
            DataError: it has not finished.
        """
        if not self.is_done:
            raise DataError(f"{self.folder} holds no bundle: train it first.")
        return open_bundle(max(self.folder.glob(f"*/{MANIFEST}")).parent)

    def run(self) -> None:
        """Train in a child process, which ends with this one.

        The next run continues after the last whole epoch.

        Raises:
            DataError: the training failed; quotes the last line of its log.
        """
        if self.is_done:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / "training.log"
        command = [sys.executable, "-m", "mlcore.training.train", "--watched"]
        flags = ["--seed", str(self.seed), "--out", str(self.folder)]
        flags += [*RECIPES[self.recipe], *self.extra]
        with (
            path.open("w") as log,
            subprocess.Popen(
                [*command, *flags],
                cwd=paths.REPOSITORY,
                stdin=subprocess.PIPE,  # closes when we end, which ends the child
                stdout=log,
                stderr=subprocess.STDOUT,
            ) as child,
        ):
            code = child.wait()
        if code:
            lines = path.read_text(errors="replace").strip().splitlines()
            raise DataError(
                f"Recipe {self.recipe}, seed {self.seed}, ended with {code}: "
                f"{lines[-1] if lines else 'it said nothing'} (all of it: {path})"
            )


def trainings(seeds: int, extra: tuple[str, ...] = ()) -> list[Training]:
    """List all trainings, the main recipes first in case the study is stopped."""
    others = [recipe for recipe in RECIPES if recipe not in MAIN]
    return [
        Training(recipe, seed, extra)
        for recipes in (MAIN, others)
        for seed in range(1, seeds + 1)
        for recipe in recipes
    ]


def trained(asked: tuple[Training, str]) -> tuple[Training, bytes]:
    """Train on a worker; return the packed bundle, as the worker's disk may be its own.

    asked: what to train, and the command's code version.
    """
    training, code = asked
    check_code(code)
    training.run()
    return training, training.bundle().packed()


def judged_once(training: Training) -> Evaluation:
    """Judge a network, or return its stored evaluation."""
    bundle = training.bundle()
    kept = training.folder / f"{bundle.short_digest}.json"
    if not kept.exists():
        judged = judge(bundle, test=load_mnist().test, pen=load_pen(), changed=False)
        kept.write_text(json.dumps(judged.evaluation))
    found: Evaluation = json.loads(kept.read_text())
    return found


HELD_OUT_LOSS = "held-out digits: log-loss"


def held_out_loss(bundle: Bundle) -> float:
    """Return the mean of the log-losses on MNIST's validation set and on pen digits.

    The pen digits are the calibration writers'. The seed is chosen by this, never by a
    test set.
    """
    network = ServedNetwork(bundle.served_weights())
    losses = []
    for digits in held_out_digits().values():
        probabilities = bundle.calibration.digit_probabilities(
            network.logits_of(digits.images)
        )
        of_the_label = probabilities[np.arange(len(digits)), digits.labels]
        losses.append(float(-np.log(of_the_label).mean()))
    return float(np.mean(losses))


@functools.cache
def held_out_digits() -> dict[str, Digits]:
    """Return the digits that are in neither a training set nor a test set."""
    calibration = load_pen().split("calibration")
    return {
        "mnist": load_mnist().validation,
        "pen": as_served(calibration.digits),
    }


def best_seed(losses: Sequence[float]) -> int:
    """Return the index of the network that ships among the seeds of its recipe."""
    return int(np.argmin(losses))


def summary(
    evaluations: Mapping[str, Sequence[Evaluation]],
    bundles: Mapping[str, Sequence[Bundle]],
) -> dict[str, dict[str, list[Any]]]:
    """Return the figures for the model card, by recipe; each is a list by seed."""
    made = {
        recipe: [bundle.manifest["provenance"] for bundle in of_recipe]
        for recipe, of_recipe in bundles.items()
    }
    return {
        recipe: {
            "bundles": [found["bundle"] for found in of_recipe],
            "epochs": [how["config"]["epochs"] for how in made[recipe]],
            "commits": [how["commit"][:12] for how in made[recipe]],
            "changed after training": ["softened" in how for how in made[recipe]],
            HELD_OUT_LOSS: [held_out_loss(bundle) for bundle in bundles[recipe]],
            **_by_seed(of_recipe, "digits", ("accuracy", "refused", "ece")),
            **_by_seed(of_recipe, "non_digits", ("refused", "auroc")),
            **{
                f"{kind}: accuracy": [
                    found["corrupted"][kind][str(STRENGTHS[-1])]["accuracy"]
                    for found in of_recipe
                ]
                for kind in of_recipe[0]["corrupted"]
            },
            "several strokes: refused as several": [
                found["several_refused"] for found in of_recipe
            ],
        }
        for recipe, of_recipe in evaluations.items()
    }


def _by_seed(
    evaluations: Sequence[Evaluation],
    kind: Literal["digits", "non_digits"],
    figures: Sequence[str],
) -> dict[str, list[Any]]:
    sets: list[Mapping[str, Any]] = [found[kind] for found in evaluations]
    return {
        f"{name}: {figure}": [of_seed[name][figure] for of_seed in sets]
        for name in sets[0]
        for figure in figures
    }


def main() -> None:
    """Train, judge, and write the results."""
    parser = command_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of the recipe's own")
    parser.add_argument(
        "--workers", type=int, default=1, help="trainings at once, without CLUSTER"
    )
    parser.add_argument("--out", type=Path, default=STUDY)
    parser.add_argument(
        "--judge-only", action="store_true", help="what has been trained so far"
    )
    told = parser.parse_args()
    stopped = "Stopped: the same command goes on from the last whole epoch."
    with ends_with_a_sentence(
        *(DataError, BundleError, WorkersError, OSError), stopped=stopped
    ):
        train_and_judge(told)


def train_and_judge(told: argparse.Namespace) -> None:
    """Train, judge, write the figures, and name the network that ships."""
    load_pen()  # fail now if it is missing: a training takes long
    extra = ("--epochs", str(told.epochs)) if told.epochs else ()
    planned = trainings(told.seeds, extra)
    if not told.judge_only:
        missing = [training for training in planned if not training.is_done]
        asked = [(training, code_version()) for training in missing]
        with workers(told.workers, cluster=paths.cluster()) as running:
            bundles_made = running.results(trained, asked)
            for training, packed in tqdm(
                bundles_made, desc="trainings", total=len(asked)
            ):
                if not training.is_done:  # a worker on another machine trained it
                    unpack_bundle(packed, parent=training.folder)
    done = [training for training in planned if training.is_done]
    evaluations: dict[str, list[Evaluation]] = {}
    bundles: dict[str, list[Bundle]] = {}
    for training in tqdm(done, desc="judging"):
        evaluations.setdefault(training.recipe, []).append(judged_once(training))
        bundles.setdefault(training.recipe, []).append(training.bundle())
    told.out.parent.mkdir(parents=True, exist_ok=True)
    found = summary(evaluations, bundles)
    told.out.write_text(json.dumps(found, indent=1) + "\n")
    print(f"Means and spreads: {told.out}")
    if SHIPS in found:
        best = found[SHIPS]["bundles"][best_seed(found[SHIPS][HELD_OUT_LOSS])]
        print(
            f"Best on held-out digits, and so what ships: {SHIPS}, bundle {best[:12]}"
        )


if __name__ == "__main__":
    # Workers must find the task by the module's own name.
    from mlcore.judging import study

    study.main()
