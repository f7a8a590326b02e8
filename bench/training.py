"""Compare the fast recipe with Keras' beginners' example, trained in turn.

    python -m bench.training                # five seeds, half an hour on two cores
    python -m bench.training --seeds 10

Each training runs in its own process. Its result is saved in var/bench-training/, so an
interrupted run can continue. Results of another recipe, version or machine are not
reused. Writes docs/training/fast.json and its part of docs/training.md.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from bench.machine import machine, today
from bench.report import TEMPLATES, write_part
from mlcore import paths
from mlcore.commands import command_parser
from mlcore.judging.markdown import render
from mlcore.training.data import mnist_folder
from mlcore.training.recipe import PRESETS

FIGURES = paths.REPOSITORY / "docs" / "training" / "fast.json"
PAGE = paths.REPOSITORY / "docs" / "training.md"
NAMES = {"example": "Keras' mnist_convnet, 15 epochs", "fast": "`--preset fast`"}
COMMANDS = {
    "example": ["bench.peers.mnist_convnet"],
    "fast": ["mlcore.training.train", "--preset", "fast"],
}

Figures = Mapping[str, Any]


def conditions() -> dict[str, Any]:
    """Return the conditions under which a result can be reused."""
    return {
        "machine": machine(),
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "fast": dict(PRESETS["fast"]),
    }


def train(name: str, seed: int) -> dict[str, float]:
    """Train once, in its own process and data folder; return its figures.

    Raises:
        SystemExit: it failed; the message is the end of its output.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-training-") as var:
        done = subprocess.run(
            [sys.executable, "-m", *COMMANDS[name], "--seed", str(seed)],
            cwd=paths.REPOSITORY,
            env={**os.environ, "DIGITSITE_VAR": var, "MNIST_DIR": str(mnist_folder())},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        if done.returncode:
            sys.exit(f"The training {name} failed: {done.stderr[-500:]}")
        if name == "fast":
            (path,) = Path(var).glob("runs/*/run.json")
            record = json.loads(path.read_text())
            accuracy = record["metrics"]["mnist_test"]["accuracy"]
            fit_s = record["seconds"]["fit"]
        else:
            said = json.loads(done.stdout.splitlines()[-1])
            accuracy, fit_s = said["accuracy"], said["fit_s"]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seed": seed,
        "accuracy": round(accuracy, 5),
        "fit_s": round(fit_s, 2),
        "all_s": round(seconds, 2),
        "cpu_s": round(
            after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 1
        ),
    }


def measure(seeds: int, *, folder: Path) -> dict[str, Any]:
    """Train both with each seed in turn; reuse saved results."""
    held = conditions()
    folder.mkdir(parents=True, exist_ok=True)
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in NAMES}
    planned = [(seed, name) for seed in range(1, seeds + 1) for name in NAMES]
    for seed, name in tqdm(planned, desc="trainings"):
        path = folder / f"{name}-{seed}.json"
        kept = json.loads(path.read_text()) if path.is_file() else {}
        if kept.get("held") != held:
            kept = {"held": held, "run": train(name, seed)}
            path.write_text(json.dumps(kept, indent=1) + "\n")
        runs[name].append(kept["run"])
    return {**held, "finished": today(), "runs": runs}


def of(figures: Figures, name: str, what: str) -> list[float]:
    """Return one figure for each seed."""
    return [run[what] for run in figures["runs"][name]]


def part(figures: Figures) -> str:
    """Write the generated part of docs/training.md."""
    times = ("all_s", "fit_s", "cpu_s")
    rows = []
    for key, name in NAMES.items():
        accuracy = of(figures, key, "accuracy")
        rows.append(
            {
                "name": name,
                "accuracy": statistics.mean(accuracy),
                "deviation": statistics.stdev(accuracy),
                **{what: statistics.median(of(figures, key, what)) for what in times},
            }
        )
    ratios = {
        what: statistics.median(
            np.divide(of(figures, "example", what), of(figures, "fast", what)).tolist()
        )
        for what in times
    }
    return render(TEMPLATES / "training.md", **figures, rows=rows, ratios=ratios)


def main() -> None:
    """Measure, save the figures, and write their part of the page."""
    parser = command_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="at least 2")
    given = parser.parse_args()
    figures = measure(given.seeds, folder=paths.data_folder() / "bench-training")
    print(part(figures))
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    write_part(PAGE, "fast", part(figures))


if __name__ == "__main__":
    main()
