"""Train a bundle: load, split, build, fit, calibrate, evaluate, save.

    python -m mlcore.training.train                      # MNIST alone
    PEN_DIR=... python -m mlcore.training.train --pen    # MNIST and pen drawings
    python -m mlcore.training.train --epochs 2 --out /tmp/try

Every field of `TrainConfig` is a flag. At the end it prints the accuracy on MNIST's
test set and the bundle's folder. The default recipe with --pen took 76 minutes with one
thread, on two cores that ran tests beside it; the run is recorded in var/runs/<time>/.
"""

# Set threads before NumPy and TensorFlow are imported.
import os

# NumPy's BLAS threads spin while TensorFlow computes: a step on two cores would take
# 1.2 to 1.6 times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import argparse
import errno
import hashlib
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf

from mlcore import paths
from mlcore.commands import command_parser
from mlcore.reading.bundle import (
    KERAS_WEIGHTS,
    SERVED_WEIGHTS,
    Bundle,
    BundleError,
    open_bundle,
    write_bundle,
)
from mlcore.reading.calibrate import DIGITS, HeldOut, RefusedShares, fit_calibration
from mlcore.reading.inference import Recogniser, ServedNetwork
from mlcore.reading.preprocess import SIDE_PX
from mlcore.training.checkpoint import end_with_starter
from mlcore.training.data import (
    MNIST_SHA256,
    DataError,
    Digits,
    Mnist,
    PenData,
    load_mnist,
    load_pen,
)
from mlcore.training.dataset import (
    NO_DIGIT,
    Dataset,
    as_served,
    joined,
    made_non_digits,
    mnist_dataset,
    pen_digits,
    pen_non_digits,
    snapshot_dataset,
    styled_digits,
)
from mlcore.training.figures import read_mnist
from mlcore.training.fit import (
    Fitted,
    TrainingError,
    batches,
    devices,
    digit_and_kind_loss,
    fit,
    in_float32,
    optimizer_of,
    restate,
    steps_of,
    strategy,
    training_step,
    variety_of,
)
from mlcore.training.model import Soften, build_network, in_stock_layers
from mlcore.training.recipe import PRESETS, TrainConfig, check, recipe_of
from mlcore.training.runs import Run, duration, free_bytes
from mlcore.training.snapshot import Snapshot, load_snapshot


@dataclass(frozen=True)
class Trained:
    """The result of a training, and the folder of its record."""

    bundle: Bundle
    folder: Path
    fitted: Fitted
    seconds: float


def train(config: TrainConfig) -> Trained:
    """Train, calibrate, evaluate and save one model, or continue a stopped training.

    Raises:
        DataError, BundleError, TrainingError, OSError: the training failed; says why.
        KeyboardInterrupt: it was stopped before the first evaluation.
    """
    started = time.monotonic()
    commit = source_commit()  # read now: files may change during training
    prepare(config)
    rng = np.random.default_rng(config.seed)
    given = load(config)
    recipe = recipe_of(config, start=given.start, snapshot=given.snapshot)
    spread = strategy()
    with spread.scope():
        network = new_network(config, given.start)
    run = Run(key=recipe, checkpoint=config.checkpoint, fresh=config.fresh)
    try:
        loaded = time.monotonic() - started
        fitted = fit(
            network,
            lambda: training_set(given, config=config, rng=rng),
            held_out=given.held_out,
            config=config,
            rng=rng,
            run=run,
            spread=spread,
        )
        if fitted.stopped:
            print(
                f"Stopped. Saves the weights of epoch {fitted.stopped}, the best so "
                "far; Ctrl-C again to go without.",
                flush=True,
            )
        network = in_float32(network, config)
        last_set = training_set(replace(given, snapshot=None), config=config, rng=rng)
        plain = last_set.only_digits().shuffled(rng)
        restate(network, plain.first(config.restated_on or len(plain)))
        fitted_after = time.monotonic() - started
        provenance = run_provenance(
            config,
            recipe=recipe,
            commit=commit,
            minutes=fitted_after / 60,
            weights=weights_digest(network),
            stopped=fitted.stopped,
        )
        bundle = finish(network, given, config=config, provenance=provenance)
        seconds = time.monotonic() - started
        times = {"load": loaded, "fit": fitted_after - loaded, "all": seconds}
        told = {
            "bundle": bundle.digest,
            "config": asdict(config),
            "history": fitted.history,
            "seconds": {name: round(value, 1) for name, value in times.items()},
            "metrics": bundle.metrics,
            "provenance": provenance,
        }
        folder = run.record(told, is_done=fitted.stopped is None)
        return Trained(bundle, folder=folder, fitted=fitted, seconds=seconds)
    finally:
        run.end()


def prepare(config: TrainConfig) -> None:
    """Set threads and seeds.

    Raises:
        DataError: a field of the config has an impossible value.
    """
    check(config)
    if config.threads or config.parts > 1:
        cores = config.threads or os.cpu_count() or 1
        of_each_part = max(1, cores // config.parts)
        tf.config.threading.set_intra_op_parallelism_threads(of_each_part)
    if config.parts > 1:
        tf.config.threading.set_inter_op_parallelism_threads(config.parts)
    cv2.setNumThreads(1)  # its threads cost more than they save at 28 px
    keras.utils.set_random_seed(config.seed)


@dataclass(frozen=True)
class Given:
    """The data and the bundle that a training uses."""

    mnist: Mnist
    pen: PenData | None
    snapshot: Snapshot | None
    start: Bundle | None
    held_out: Mapping[str, Digits]


def load(config: TrainConfig) -> Given:
    """Load the data and the bundle that a training uses."""
    mnist = load_mnist().first(config.digits)
    start = open_bundle(Path(config.start_from)) if config.start_from else None
    snapshot = load_snapshot(Path(config.snapshot)) if config.snapshot else None
    if snapshot is not None:
        judge_missing_digits(snapshot, allowed=config.allow_missing_digits)
    pen = load_pen() if config.pen else None
    held_out = {"mnist": mnist.validation}
    if pen is not None:
        held_out["pen"] = as_served(pen.split("calibration").digits)
    return Given(mnist, pen, snapshot, start, held_out)


def judge_missing_digits(snapshot: Snapshot, *, allowed: bool) -> None:
    """Report digits that are missing on a snapshot's training side.

    Raises:
        DataError: digits are missing and `allowed` is false.
    """
    drawn = {drawing.digit for drawing in snapshot.of("train")}
    missing = [str(digit) for digit in range(DIGITS) if digit not in drawn]
    if not missing:
        return
    lacks = f"The snapshot's training side has no drawing of {', '.join(missing)}"
    if not allowed:
        raise DataError(
            f"{lacks}: label some, or learn those from MNIST alone by "
            "--allow-missing-digits."
        )
    print(f"{lacks}: those are learnt from MNIST alone.", flush=True)


def new_network(config: TrainConfig, start: Bundle | None) -> keras.Model:
    """Build the network; set its weights to those of `start`, if given."""
    network = build_network(
        dropout=config.dropout, precision=config.precision, layers_of=config.network
    )
    if start:
        take_weights(network, start)
    return network


def finish(
    network: keras.Model,
    given: Given,
    *,
    config: TrainConfig,
    provenance: Mapping[str, Any],
) -> Bundle:
    """Convert a network, calibrate and evaluate the served form, and save it."""
    files = {
        SERVED_WEIGHTS: served_weights(network),
        KERAS_WEIGHTS: keras_weights(network),
    }
    served = ServedNetwork(files[SERVED_WEIGHTS])
    calibration = fit_calibration(
        [
            HeldOut(served.logits_of(digits.images), digits.labels)
            for digits in given.held_out.values()
        ],
        shares=RefusedShares(
            several=config.several_share,
            not_a_digit=config.not_a_digit_share,
            unsure=config.unsure_share,
        ),
    )
    write = partial(
        write_bundle, files=files, calibration=calibration, provenance=provenance
    )
    with tempfile.TemporaryDirectory() as scratch:
        # The serving path needs a bundle: measure on a draft, then write the final
        # bundle with the figures.
        draft = Recogniser(write(Path(scratch), metrics={}))
        metrics = {
            "mnist_validation": read_mnist(draft, given.mnist.validation).figures(),
            "mnist_test": read_mnist(draft, given.mnist.test).figures(),
        }
    return write(bundles_folder(config), metrics=metrics)


def take_weights(network: keras.Model, bundle: Bundle) -> None:
    """Set a network's weights to those of a bundle.

    Raises:
        DataError: the bundle's network has other layers.
    """
    # safe_mode: never run code in the file, such as a Lambda layer.
    kept = keras.models.load_model(
        bundle.folder / KERAS_WEIGHTS, compile=False, safe_mode=True
    )
    try:
        for ours, theirs in zip(network.layers, kept.layers, strict=True):
            if not isinstance(ours, Soften):
                ours.set_weights(theirs.get_weights())
    except ValueError as error:
        raise DataError(
            f"Bundle {bundle.short_digest} has another network than this code: "
            "train without --start-from."
        ) from error


def training_set(
    given: Given, *, config: TrainConfig, rng: np.random.Generator
) -> Dataset:
    """Join an epoch's drawings: MNIST, made non-digits and redrawn drawings.

    Each call makes non-digits and redraws drawings again, so epochs differ.
    """
    mnist = given.mnist.train
    datasets = [
        mnist_dataset(mnist),
        made_non_digits(mnist, config.non_digits, rng),
        styled_digits(renderings=config.style_renderings, rng=rng),
    ]
    if given.pen is not None:
        pen = without(given.pen.split("train"), config.leave_out)
        datasets += [
            pen_digits(pen.digits, renderings=config.pen_renderings, rng=rng),
            pen_non_digits(
                pen.non_digits,
                pen.digits,
                renderings=config.non_digit_renderings,
                several=config.non_digits // 2,
                rng=rng,
            ),
        ]
    if given.snapshot is not None and (reviewed := given.snapshot.of("train")):
        datasets.append(
            snapshot_dataset(reviewed, renderings=config.snapshot_renderings, rng=rng)
        )
    return joined(datasets)


def without(pen: PenData, left_out: str) -> PenData:
    """Drop non-digits: "letters" (with symbols), "sketches", or else none."""
    kind_left_out = {"letters": False, "sketches": True}.get(left_out)
    return PenData(
        digits=pen.digits,
        non_digits=[d for d in pen.non_digits if d.is_sketch is not kind_left_out],
    )


def served_weights(network: keras.Model) -> bytes:
    """Convert to LiteRT with 8-bit weights and built-in operations only.

    The batch is fixed to one image: LiteRT for browsers takes no other.
    """
    one_image = keras.InputSpec(shape=(1, SIDE_PX, SIDE_PX, 1), dtype="float32")
    with tempfile.TemporaryDirectory() as scratch:
        network.export(scratch, verbose=False, input_signature=[one_image])
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converted: bytes = converter.convert()
    return converted


def keras_weights(network: keras.Model) -> bytes:
    """Return the network as a .keras file that Keras loads without this code."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / KERAS_WEIGHTS
        in_stock_layers(network).save(path)
        return path.read_bytes()


def weights_digest(network: keras.Model) -> str:
    """Return a digest of the weights that does not depend on the file format."""
    values = (weight.tobytes() for weight in network.get_weights())
    return hashlib.sha256(b"".join(values)).hexdigest()


def run_provenance(
    config: TrainConfig,
    *,
    recipe: Mapping[str, Any],
    commit: str,
    minutes: float,
    weights: str,
    stopped: int | None,
) -> dict[str, Any]:
    """Record what made this model: config, data, code, versions, machine."""
    return {
        "trained_on": "MNIST, 55,000 train images; validation chose, test nothing"
        + ("; pen drawings, 70 % of the writers" if config.pen else "")
        + ("; reviewed drawings of a snapshot" if config.snapshot else ""),
        "config": dict(recipe),
        **({"stopped": f"by hand, with epoch {stopped}'s weights"} if stopped else {}),
        "corruptions": list(variety.dirt) if (variety := variety_of(config)) else [],
        "weights_sha256": weights,
        "data_sha256": {**MNIST_SHA256, **(pen_sha256() if config.pen else {})},
        "commit": commit,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("tensorflow", "keras", "numpy")},
            "opencv": cv2.__version__,
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} CPU cores, "
        f"{len(tf.config.list_physical_devices('GPU'))} GPUs",
        "threads": config.threads or os.cpu_count(),
        "minutes": round(minutes, 1),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def pen_sha256() -> dict[str, str]:
    """Return each pen data file's digest."""
    folder = paths.pen_folder() or Path()
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.jsonl.gz"))
    }


def source_commit() -> str:
    """Return the code's commit, with "-dirty" if tracked files differ from it."""
    try:
        named = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty"],
            cwd=paths.REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return named.stdout.strip()


# --- the command ----------------------------------------------------------------------


def dry_run(config: TrainConfig) -> str:
    """Load, build, time a few steps and describe the run. Write nothing."""
    prepare(config)
    rng = np.random.default_rng(config.seed)
    given = load(config)
    spread = strategy()
    with spread.scope():
        network = new_network(config, given.start)
    started = time.monotonic()
    dataset = training_set(given, config=config, rng=rng)
    drawn_in = time.monotonic() - started
    steps = steps_of(dataset, config)
    with spread.scope():
        optimizer = optimizer_of(config, steps=steps)
    loss = digit_and_kind_loss(config.kind_weight)
    step = training_step(
        network, optimizer, loss=loss, spread=spread, parts=config.parts
    )
    taken = []
    order = rng.permutation(len(dataset))
    for _, images, targets in islice(batches(dataset, order, config, rng), 12):
        before = time.monotonic()
        step(images, targets)
        taken.append(time.monotonic() - before)
    a_step = float(np.median(taken))
    whole = sum(steps) * a_step + config.epochs * drawn_in
    out, runs = bundles_folder(config), paths.data_folder() / "runs"
    held = ", ".join(f"{len(d):,} {name}" for name, d in given.held_out.items())
    digits = int((dataset.digits != NO_DIGIT).sum())
    return (
        f"Would learn from {digits:,} digits and {len(dataset) - digits:,} others an "
        f"epoch, hold out {held}.\n"
        f"{sum(steps):,} steps of {config.batch_size} in {config.epochs} epochs, seed "
        f"{config.seed}, {network.count_params():,} weights, on "
        f"{' and '.join(devices())}.\n"
        f"A step takes {a_step * 1e3:.0f} ms now: about {duration(whole)} in all.\n"
        f"Would write a bundle into {out} and the run into {runs}: some "
        f"{ROOM_BYTES / 1e6:.0f} MB of {free_bytes(out) / 1e9:,.1f} GB that are free.\n"
        "Nothing was written."
    )


ROOM_BYTES = 20_000_000
"""Most disk space that the bundle, the run and its state take together."""


def bundles_folder(config: TrainConfig) -> Path:
    """Return the folder for the bundle."""
    return Path(config.out) if config.out else paths.data_folder() / "bundles"


def config_from(arguments: Sequence[str]) -> TrainConfig:
    """Read the flags, one for each field; they override those of `--preset`.

    Raises:
        SystemExit: a flag is wrong; names it in one line.
    """
    parser = command_parser(
        __doc__,
        prog="python -m mlcore.training.train",
        usage="%(prog)s [flags]; --help lists them",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--preset", choices=tuple(PRESETS), default="usual", help="default usual"
    )
    for field in fields(TrainConfig):
        how: dict[str, Any] = (
            {"action": argparse.BooleanOptionalAction}
            if isinstance(field.default, bool)
            else {"type": type(field.default), "help": f"default {field.default!r}"}
        )
        flag = f"--{field.name.replace('_', '-')}"
        parser.add_argument(flag, default=argparse.SUPPRESS, **how)
    told = vars(parser.parse_args(arguments))
    return TrainConfig(**{**PRESETS[told.pop("preset")], **told})


def told_of(trained: Trained) -> str:
    """Summarise a training: its result and the folders of its files."""
    bundle, history = trained.bundle, trained.fitted.history
    test = bundle.metrics["mnist_test"]
    weights = bundle.manifest["provenance"]["weights_sha256"]
    stopped = trained.fitted.stopped
    return (
        f"MNIST test: {test['accuracy']:.2%} right, {test['refused']:.2%} refused; "
        f"{len(history)} epochs, {duration(trained.seconds)}.\n"
        f"Weights {weights[:12]}"
        + ("" if stopped else ": the same command gives the same on this machine")
        + f".\nBundle {bundle.short_digest} in {bundle.folder}\n"
        f"Run in {trained.folder}; curves: tensorboard --logdir {trained.folder}"
        + (
            f"\nStopped by hand, so these are the weights of epoch {stopped}; the same "
            "command goes on from here, with --fresh it begins anew."
            if stopped
            else ""
        )
    )


def main() -> None:
    """Parse the flags, train, and print the result."""
    config = config_from(sys.argv[1:])
    if config.watched:
        end_with_starter()
    try:
        if config.dry_run:
            print(dry_run(config))
            return
        trained = train(config)
    except KeyboardInterrupt:
        print(
            "\nStopped. The same command goes on after the last whole epoch.",
            file=sys.stderr,
        )
        sys.exit(130)
    except (DataError, BundleError, TrainingError) as error:
        sys.exit(str(error))
    except OSError as error:
        is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        sys.exit(
            f"The disk of {error.filename or paths.data_folder()} is full: make "
            f"{ROOM_BYTES / 1e6:.0f} MB free; the same command then goes on after the "
            "last whole epoch."
            if is_full
            else f"{error}: nothing was trained beyond the last whole epoch."
        )
    print(told_of(trained))
    if trained.fitted.stopped:
        sys.exit(130)


if __name__ == "__main__":
    main()
