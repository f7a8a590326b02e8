"""Say where the time of the fast recipe's steps goes, and what other ways would take.

make bench-step                         # eight minutes; let nothing else run

Each way is measured in processes of its own, in turn; a step's time is the least of
many, for other programs only ever add to it. Writes its part of docs/training.md.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in mlcore.training.train
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from bench.performance import table
from bench.server import machine
from bench.training import PAGE, page_with
from mlcore.reading.calibrate import DIGITS, KINDS
from mlcore.training.augment import VARIETIES, vary
from mlcore.training.data import load_mnist
from mlcore.training.fit import digit_and_kind_loss, optimizer_of, training_step
from mlcore.training.model import NETWORKS, build_network
from mlcore.training.recipe import PRESETS, TrainConfig
from mlcore.training.train import prepare

FAST = TrainConfig(**PRESETS["fast"])
POOLED_LAST = tuple(
    layer._replace(pooled="last" if layer.pooled else "") for layer in NETWORKS["small"]
)
WAYS: Mapping[str, TrainConfig] = {
    "as it is: two parts, a thread each": FAST,
    "one part, two threads": replace(FAST, parts=1),
    "one part, one thread": replace(FAST, parts=1, threads=1),
    "float32 in place of bfloat16": replace(FAST, precision="float32"),
    "pooled after it is normalised": replace(FAST, network="pooled last"),
    "the shipped network": replace(FAST, network="large"),
}
STEPS, ROUNDS = 100, 5

KINDS_OF_OPERATION: Mapping[str, Sequence[str]] = {
    "convolutions, gradients of their weights": ("Conv2DBackpropFilter",),
    "convolutions, gradients of their inputs": ("Conv2DBackpropInput",),
    "convolutions, forwards": ("Conv2D",),
    "pooling, both ways": ("MaxPool",),
    "normalisation and activation, both ways": ("FusedBatchNorm", "ReluGrad", "Relu"),
    "AdamW": ("adam_w/",),
}
"""By what stands in an operation's name; the first that fits counts."""


def measure(way: str) -> dict[str, Any]:
    """Take many steps of one way in this process: their least time in ms."""
    step, images, targets = prepared(WAYS[way])
    times = []
    for _ in range(STEPS):
        started = time.perf_counter()
        step(images, targets)
        times.append(time.perf_counter() - started)
    return {"step_ms": 1e3 * min(times)}


def prepared(config: TrainConfig) -> tuple[Callable[[Any, Any], Any], Any, Any]:
    """Make a step and a batch, and take some steps: the first ones trace and plan."""
    NETWORKS["pooled last"] = POOLED_LAST
    if config.network != "pooled last":
        prepare(config)
    else:
        prepare(replace(config, network="small"))
    network = build_network(
        dropout=0, precision=config.precision, layers_of=config.network
    )
    step = training_step(
        network,
        optimizer_of(config, steps=[1000]),
        loss=digit_and_kind_loss(config.kind_weight),
        spread=tf.distribute.get_strategy(),
        parts=config.parts,
    )
    rng = np.random.default_rng(1)
    images = rng.random((config.batch_size, 28, 28, 1), np.float32)
    targets = np.eye(DIGITS + KINDS, dtype=np.float32)[
        rng.integers(0, DIGITS, config.batch_size)
    ]
    for _ in range(10):
        step(images, targets)
    return step, images, targets


def measure_operations() -> dict[str, Any]:
    """Return the milliseconds of a step by kind of operation, on one thread."""
    tf.config.threading.set_inter_op_parallelism_threads(1)
    step, images, targets = prepared(WAYS["one part, one thread"])
    with tempfile.TemporaryDirectory() as folder:
        # Level 3 sees each operation; Python itself is not traced, which would cost.
        options = tf.profiler.experimental.ProfilerOptions(3, 0)
        tf.profiler.experimental.start(folder, options)
        started = time.perf_counter()
        for _ in range(STEPS):
            step(images, targets)
        wall_ms = 1e3 * (time.perf_counter() - started) / STEPS
        tf.profiler.experimental.stop()
        (trace,) = Path(folder).rglob("*.xplane.pb")
        by_kind = {k: v / STEPS for k, v in _by_kind(trace.read_bytes()).items()}
    by_kind["all else: Python, feeding, other operations"] = wall_ms - sum(
        by_kind.values()
    )
    return by_kind


def _by_kind(trace: bytes) -> Counter[str]:
    from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

    space = XSpace.FromString(trace)
    spent: Counter[str] = Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if ":" not in name or "::" in name:
                    continue  # of the runtime, around operations
                for kind, marks in KINDS_OF_OPERATION.items():
                    if any(mark in name for mark in marks):
                        spent[kind] += event.duration_ps / 1e9
                        break
    return spent


def measure_varying() -> dict[str, Any]:
    """Return how long it takes to vary 256 digits, in ms, least of many."""
    digits = load_mnist().train.images[:256]
    rng = np.random.default_rng(1)
    least = {}
    for name in ("affine", "hand"):
        times = []
        for _ in range(20):
            started = time.perf_counter()
            vary(digits, VARIETIES[name], rng)
            times.append(time.perf_counter() - started)
        least[name] = 1e3 * min(times)
    return least


def in_processes() -> dict[str, Any]:
    """Measure all of it, each way in turn and in a process of its own."""
    told: dict[str, list[dict[str, float]]] = {}
    asked = [*WAYS, "operations", "varying"] * ROUNDS
    for name in tqdm(asked, desc="measurements"):
        done = subprocess.run(
            [sys.executable, "-m", "bench.step", "--measure", name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=True,
        )
        told.setdefault(name, []).append(json.loads(done.stdout.splitlines()[-1]))
    return {
        name: {key: min(one[key] for one in found) for key in found[0]}
        for name, found in told.items()
    }


def part(found: Mapping[str, Any]) -> str:
    """Write the generated part of docs/training.md."""
    on = machine()
    as_it_is = found[next(iter(WAYS))]["step_ms"]
    ways = [
        [
            way,
            f"{found[way]['step_ms']:.1f} ms",
            f"{found[way]['step_ms'] / as_it_is:.2f}",
        ]
        for way in WAYS
    ]
    operations = found["operations"]
    whole = sum(operations.values())
    shares = [
        [kind, f"{ms:.1f} ms", f"{ms / whole:.0%}"] for kind, ms in operations.items()
    ]
    varying = found["varying"]
    return (
        f"`make bench-step`, {datetime.now(UTC):%Y-%m-%d}, {on['cores']} cores of "
        f"{on['cpu']}, TensorFlow {version('tensorflow')}, Keras {keras.__version__}; "
        f"steps of {FAST.batch_size} digits, least of {ROUNDS} processes with {STEPS} "
        "steps each, in turn.\n\n"
        + table(["a step", "least time", "of today's"], ways)
        + table(["on one thread, by operation (traced)", "time", "share"], shares)
        + f"Varying {FAST.batch_size} digits takes {varying['affine']:.1f} ms by "
        f"slant, size and place alone, {varying['hand']:.0f} ms as the usual recipe "
        "does it; a thread does it while the step before is taken.\n"
    )


def main() -> None:
    """Measure and write the page's part; or one measurement, for the above."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.step",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    name = parser.parse_args().measure
    if name:
        one: Mapping[str, Callable[[], dict[str, Any]]] = {
            "operations": measure_operations,
            "varying": measure_varying,
        }
        print(json.dumps(one[name]() if name in one else measure(name)))
        return
    found = in_processes()
    PAGE.write_text(page_with(part(found), PAGE.read_text(), of="step"))
    print(part(found))


if __name__ == "__main__":
    main()
