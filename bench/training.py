"""Train the fast recipe beside Keras' own example, in turn, and write both up.

make bench-training                     # five seeds, about half an hour on two cores
make bench-training ARGS="--seeds 10"

Each training is a process of its own and lies in var/bench-training/ as a file once it
is done, so a run that was stopped goes on; what was done by another recipe, version or
machine is done again. Writes docs/training/fast.json and its part of docs/training.md.
Whatever else runs on the machine is measured along: let nothing else run.
"""

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench.performance import table
from bench.server import machine
from mlcore import paths
from mlcore.training.data import mnist_folder
from mlcore.training.recipe import PRESETS

FIGURES = paths.REPOSITORY / "docs" / "training" / "fast.json"
PAGE = paths.REPOSITORY / "docs" / "training.md"
EXAMPLE = Path(__file__).parent / "peers" / "mnist_convnet.py"
NAMES = {"example": "Keras' mnist_convnet, 15 epochs", "fast": "`--preset fast`"}
LEAST_TIMES, LEAST_ACCURACY, LEAST_SEEDS = 5, 0.994, 5

Figures = Mapping[str, Any]
"""What a run measured: what fast.json holds."""


def conditions() -> dict[str, Any]:
    """Say what a result holds for."""
    return {
        "machine": machine(),
        "versions": {name: version(name) for name in ("tensorflow", "keras", "numpy")},
        "fast": dict(PRESETS["fast"]),
        "example": hashlib.sha256(EXAMPLE.read_bytes()).hexdigest(),
    }


@dataclass(frozen=True)
class Ended:
    """A training that came to its end in a process of its own.

    record: its run.json; empty for the example, which keeps none.
    """

    said: str
    record: dict[str, Any]
    seconds: float
    cpu_s: float


def in_a_process(module: str, *flags: str) -> Ended:
    """Train in a process and a data folder of its own.

    Raises:
        SystemExit: it failed; says what it said last.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-training-") as var:
        done = subprocess.run(
            [sys.executable, "-m", module, *flags],
            cwd=paths.REPOSITORY,
            env={**os.environ, "DIGITSITE_VAR": var, "MNIST_DIR": str(mnist_folder())},
            capture_output=True,
            text=True,
            check=False,
        )
        seconds = time.monotonic() - started
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
            sys.exit(f"{module} {' '.join(flags)} ended and said at last: {last}")
        records = [json.loads(p.read_text()) for p in Path(var).glob("runs/*/run.json")]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ended(done.stdout, records[0] if records else {}, seconds, cpu)


def train(name: str, seed: int, *, digits: int = 0) -> dict[str, float]:
    """Train once; return what it took and came to."""
    load = os.getloadavg()[0]
    flags = ["--seed", str(seed), "--digits", str(digits)]
    if name == "fast":
        ended = in_a_process("mlcore.training.train", *flags, "--preset", "fast")
        accuracy = ended.record["metrics"]["mnist_test"]["accuracy"]
        seconds = ended.record["seconds"]
        fit_s = seconds["fit"]
        other = {
            "import_s": round(ended.seconds - seconds["all"], 2),
            "load_s": seconds["load"],
            "finish_s": round(seconds["all"] - seconds["load"] - seconds["fit"], 2),
        }
    else:
        ended = in_a_process("bench.peers.mnist_convnet", *flags)
        said = json.loads(ended.said.splitlines()[-1])
        accuracy, fit_s, other = said["accuracy"], said["fit_s"], {}
    return {
        "seed": seed,
        "accuracy": round(accuracy, 5),
        "fit_s": round(fit_s, 2),
        "all_s": round(ended.seconds, 2),
        "cpu_s": round(ended.cpu_s, 1),
        "load_before": round(load, 2),
        **other,
    }


def kept_or(
    path: Path, held: Mapping[str, Any], make: Callable[[], Any]
) -> Mapping[str, Any]:
    """Return what a file keeps of the same conditions, else make it and keep it."""
    kept = json.loads(path.read_text()) if path.is_file() else {}
    if kept.get("held") != held:
        kept = {"held": held, "run": make()}
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(kept, indent=1) + "\n")
        unfinished.replace(path)
    run: Mapping[str, Any] = kept["run"]
    return run


def measure(seeds: int, *, folder: Path, digits: int = 0) -> dict[str, Any]:
    """Train both with each seed in turn, save what is done already."""
    held = {**conditions(), "digits": digits}
    folder.mkdir(parents=True, exist_ok=True)
    planned = [(seed, name) for seed in range(1, seeds + 1) for name in NAMES]
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in NAMES}
    for seed, name in tqdm(planned, desc="trainings"):
        run = kept_or(
            folder / f"{name}-{seed}.json",
            held,
            partial(train, name, seed, digits=digits),
        )
        runs[name].append(dict(run))
    return {
        **held,
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "runs": runs,
    }


# --- what came of it ------------------------------------------------------------------


def bars(figures: Figures) -> list[tuple[str, str, str, bool]]:
    """Return what was promised: what, measured, bar, whether it holds."""
    times = ratio(figures, "all_s")
    fast = statistics.mean(of(figures, "fast", "accuracy"))
    example = statistics.mean(of(figures, "example", "accuracy"))
    seeds = len(of(figures, "fast", "accuracy"))
    return [
        (
            "whole process, example / fast",
            f"{times:.1f}",
            f"at least {LEAST_TIMES}",
            times >= LEAST_TIMES,
        ),
        (
            f"MNIST test, mean of {seeds} seeds",
            f"{fast:.2%}",
            f"at least {LEAST_ACCURACY:.1%} of {LEAST_SEEDS}",
            fast >= LEAST_ACCURACY and seeds >= LEAST_SEEDS,
        ),
        (
            "MNIST test, fast less example",
            f"{100 * (fast - example):+.2f} points",
            "more than 0",
            fast > example,
        ),
    ]


def of(figures: Figures, name: str, what: str) -> list[float]:
    """Return a figure of each seed."""
    return [run[what] for run in figures["runs"][name]]


def ratio(figures: Figures, what: str) -> float:
    """Return the median over the seeds of example / fast: drift falls out."""
    return statistics.median(
        example / fast
        for example, fast in zip(
            of(figures, "example", what), of(figures, "fast", what), strict=True
        )
    )


def part(figures: Figures | None) -> str:
    """Write the generated part of docs/training.md."""
    if figures is None:
        return "`make bench-training` has not been run on a quiet machine yet.\n"
    on, versions = figures["machine"], figures["versions"]
    seeds = len(figures["runs"]["fast"])
    rows = [
        [
            name,
            f"{statistics.median(of(figures, key, 'all_s')):.1f} s",
            f"{statistics.median(of(figures, key, 'fit_s')):.1f} s",
            f"{statistics.median(of(figures, key, 'cpu_s')):.0f} s",
            _spread(of(figures, key, "accuracy")),
        ]
        for key, name in NAMES.items()
    ]
    rows.append(
        [
            "example / fast",
            *(f"{ratio(figures, what):.1f}" for what in ("all_s", "fit_s", "cpu_s")),
            "",
        ]
    )
    promised = [
        [what, found, bar, "yes" if holds else "**no**"]
        for what, found, bar, holds in bars(figures)
    ]

    def at(what: str) -> str:
        return f"{statistics.median(of(figures, 'fast', what)):.1f}"

    loads = [load for name in NAMES for load in of(figures, name, "load_before")]
    told = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"Measured {figures['finished'][:10]} on {on['cores']} cores of {on['cpu']}, "
        f"Python {on['python']}, {told}; {seeds} seeds of each, in turn. Medians, of "
        "ratios the medians of the ratios within a seed; accuracy is mean and standard "
        f"deviation. Load before a training: {min(loads):.1f} to {max(loads):.1f}.\n\n"
        + table(
            ["", "whole process", "training alone", "processor time", "MNIST test"],
            rows,
        )
        + table(["promised", "measured", "bar", "held"], promised)
        + f"Of the fast recipe's time {at('import_s')} s go by until TensorFlow is "
        f"loaded, {at('load_s')} s until the data is, {at('fit_s')} s in fitting, "
        f"{at('finish_s')} s in converting, calibrating and 15,000 readings.\n"
    )


def _spread(values: Sequence[float]) -> str:
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.2%} ± {100 * spread:.2f}"


def load_figures() -> Figures | None:
    """Read the figures that are kept; None before the first."""
    if not FIGURES.is_file():
        return None
    figures: Figures = json.loads(FIGURES.read_text())
    return figures


def page_with(generated: str, page: str, *, of: str = "fast") -> str:
    """Put a generated part where it belongs."""
    begin, end = f"<!-- {of} -->\n", f"<!-- end of {of} -->\n"
    before, rest = page.split(begin)
    _, after = rest.split(end)
    return f"{before}{begin}{generated}{end}{after}"


def main() -> None:
    """Measure, keep the figures, write their part of the page."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.training",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seeds", type=int, default=LEAST_SEEDS)
    parser.add_argument(
        "--digits", type=int, default=0, help="so few, for a trial: prints only"
    )
    told = parser.parse_args()
    folder = paths.data_folder() / "bench-training"
    try:
        figures = measure(told.seeds, folder=folder, digits=told.digits)
    except KeyboardInterrupt:
        sys.exit("Stopped: the same command goes on with what is missing.")
    print(part(figures))
    if told.digits:
        return
    FIGURES.parent.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    PAGE.write_text(page_with(part(figures), PAGE.read_text()))
    print(f"Figures: {FIGURES}, page: {PAGE}")


if __name__ == "__main__":
    main()
