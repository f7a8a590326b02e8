"""Change one thing of the fast recipe at a time, and read validation digits with it.

make bench-pilots                       # five seeds of each, 20 minutes
make bench-pilots ARGS="--seeds 2"

What the recipe was chosen by: MNIST's 5,000 validation images, never its test images.
Each training is a process of its own and lies in var/bench-pilots/ once it is done, so
a run that was stopped goes on. Writes docs/training/pilots.json and its part of
docs/training.md.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tqdm import tqdm

from bench.performance import table
from bench.training import FIGURES, PAGE, conditions, in_a_process, kept_or, page_with
from mlcore import paths

PILOTS = FIGURES.with_name("pilots.json")

VARIATIONS: Mapping[str, str] = {
    "as it is": "",
    "a tenth of the digits, 9 epochs": "--hardest 0.1 --epochs 9",
    "a third of the digits, 8 epochs": "--hardest 0.333 --epochs 8",
    "all digits, 3 epochs": "--hardest 1 --epochs 3",
    "all digits, 4 epochs": "--hardest 1 --epochs 4",
    "batches in one part": "--parts 1",
    "not varied": "--variety none",
    "labels not smoothed": "--label-smoothing 0",
    "half the rate": "--learning-rate 0.025",
    "usual memory of squared gradients": "--beta-2 0.999",
}
"""What is changed, and the flags that change it."""

Figures = Mapping[str, Any]


def train(flags: str, seed: int) -> dict[str, float]:
    """Train once; return steps, accuracy and log-loss of validation digits."""
    ended = in_a_process(
        "mlcore.training.train",
        *("--preset", "fast", "--seed", str(seed), *flags.split()),
    )
    return {
        "seed": seed,
        "accuracy": ended.record["metrics"]["mnist_validation"]["accuracy"],
        "cpu_s": round(ended.cpu_s, 1),
    }


def measure(seeds: int) -> dict[str, Any]:
    """Train all of them with each seed in turn, save what is done already."""
    folder = paths.data_folder() / "bench-pilots"
    folder.mkdir(parents=True, exist_ok=True)
    told = conditions()
    held = {key: told[key] for key in ("machine", "versions", "fast")}
    runs: dict[str, list[Any]] = {name: [] for name in VARIATIONS}
    planned = [(seed, name) for seed in range(1, seeds + 1) for name in VARIATIONS]
    for seed, name in tqdm(planned, desc="trainings"):
        flags = VARIATIONS[name]
        path = folder / f"{'_'.join(flags.split()) or 'as-it-is'}-{seed}.json"
        runs[name].append(dict(kept_or(path, held, partial(train, flags, seed))))
    return {
        **held,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": {
            name: {"flags": VARIATIONS[name], "runs": of} for name, of in runs.items()
        },
    }


def part(figures: Figures | None) -> str:
    """Write the generated part of docs/training.md."""
    if figures is None:
        return "`make bench-pilots` has not been run yet.\n"
    rows = []
    for name, of in figures["runs"].items():
        accuracies = [run["accuracy"] for run in of["runs"]]
        spread = statistics.stdev(accuracies) if len(accuracies) > 1 else 0.0
        rows.append(
            [
                name,
                f"`{of['flags']}`" if of["flags"] else "",
                f"{statistics.mean(accuracies):.2%} ± {100 * spread:.2f}",
                f"{statistics.median(run['cpu_s'] for run in of['runs']):.0f} s",
            ]
        )
    seeds = len(accuracies)
    return (
        f"`make bench-pilots`, {figures['finished'][:10]}, {seeds} seeds of each; "
        "mean and standard deviation over the seeds, median of the processor time.\n\n"
        + table(
            ["what is changed", "flags", "validation digits", "whole process"],
            rows,
        ).rstrip("\n")
        + "\n"
    )


def load_pilots() -> Figures | None:
    """Read the figures that are kept; None before the first."""
    if not PILOTS.is_file():
        return None
    figures: Figures = json.loads(PILOTS.read_text())
    return figures


def main() -> None:
    """Train what is missing, keep the figures, write their part of the page."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.pilots",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=5)
    told = parser.parse_args()
    try:
        figures = measure(told.seeds)
    except KeyboardInterrupt:
        sys.exit("Stopped: the same command goes on with what is missing.")
    PILOTS.parent.mkdir(exist_ok=True)
    PILOTS.write_text(json.dumps(figures, indent=1) + "\n")
    PAGE.write_text(page_with(part(figures), PAGE.read_text(), of="pilots"))
    print(part(figures))
    print(f"Figures: {PILOTS}, page: {PAGE}")


if __name__ == "__main__":
    main()
