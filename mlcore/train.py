"""Train a bundle: load, split, build, fit, calibrate, evaluate, save.

    python -m mlcore.train                      # MNIST alone
    PEN_DIR=... python -m mlcore.train --pen    # MNIST and pen drawings
    python -m mlcore.train --epochs 2 --out /tmp/try

Every field of `TrainConfig` is a flag. At the end it prints the accuracy on MNIST's
test set and the bundle's folder. The default recipe takes 15 to 25 minutes with
one thread, 42 to 48 with --pen, as measured on two AMD cores of 2024 that trained
another network and ran tests beside it; the run is recorded in var/runs/<time>/.
"""

# threads are set before NumPy and TensorFlow are loaded
import os

# NumPy's BLAS threads spin while TensorFlow computes: with them a step on two cores
# takes 1.2 to 1.6 times as long.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import argparse
import hashlib
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from mlcore import places
from mlcore.augment import Variety, vary
from mlcore.bundle import (
    KERAS_WEIGHTS,
    SERVED_WEIGHTS,
    Bundle,
    open_bundle,
    write_bundle,
)
from mlcore.calibrate import (
    DIGITS,
    HeldOut,
    Logits,
    RefusedShares,
    fit_calibration,
)
from mlcore.checkpoint import Checkpoint, end_with_starter
from mlcore.data import (
    MNIST_SHA256,
    DataError,
    Digits,
    Mnist,
    PenData,
    load_mnist,
    load_pen,
)
from mlcore.inference import Recogniser, ServedNetwork
from mlcore.judge import read_mnist
from mlcore.model import FusedBatchNormalization, Soften, build_network
from mlcore.pool import (
    Pool,
    as_served,
    joined,
    made_non_digits,
    mnist_pool,
    pen_digits,
    pen_non_digits,
    snapshot_pool,
)
from mlcore.snapshot import Snapshot, load_snapshot


@dataclass(frozen=True)
class TrainConfig:
    """What a run can be told; each field is a flag of the command."""

    seed: int = 1  # of weights, order and augmentation
    epochs: int = 30  # passes over the training digits
    batch_size: int = 128
    precision: str = "mixed_bfloat16"  # of the convolutions; "float32" on old CPUs
    learning_rate: float = 0.006  # the peak; rises for two epochs, then falls to 0
    weight_decay: float = 0.02  # AdamW's, decoupled
    label_smoothing: float = 0.05  # of the digit; the kind is not smoothed
    dropout: float = 0.3  # before the last layer
    ema_momentum: float = 0.998  # of the weights' moving average, which is what ships
    non_digits: int = 8_000  # made anew each epoch: several digits in one, or none
    kind_weight: float = 0.3  # of the kind's loss beside the digit's
    several_share: float = 0.001  # of held-out digits that may be refused as several,
    not_a_digit_share: float = 0.003  # as not a digit,
    unsure_share: float = 0.002  # and as unsure
    pen: bool = False  # learn from the pen drawings in PEN_DIR as well
    pen_renderings: int = 2  # of each training writer's digit, redrawn each epoch
    non_digit_renderings: int = 1  # of each letter, symbol and sketch
    leave_out: str = ""  # "letters" or "sketches": not trained on, to judge on them
    start_from: str = ""  # a bundle's folder: its weights instead of random ones
    snapshot: str = ""  # a snapshot's folder: learn from its training side as well
    snapshot_renderings: int = 4  # of each of its drawings, redrawn each epoch
    digits: int = 0  # so many of MNIST's only, for trials; 0 takes all
    checkpoint: str = ""  # folder that keeps each epoch's state, and to go on from
    watched: bool = False  # end when standard input does: whoever started it is gone
    threads: int = 0  # of TensorFlow; 0 takes a thread for each core
    out: str = ""  # folder to write the bundle into; default var/bundles


def train(config: TrainConfig) -> Bundle:
    """Train, calibrate, evaluate and save one model."""
    started = time.monotonic()
    commit = source_commit()  # now: files may change while it trains
    if config.threads:
        tf.config.threading.set_intra_op_parallelism_threads(config.threads)
    cv2.setNumThreads(1)  # its threads cost more than they save at 28 px
    keras.utils.set_random_seed(config.seed)
    rng = np.random.default_rng(config.seed)
    mnist = few_of(load_mnist(), config.digits)
    snapshot = load_snapshot(Path(config.snapshot)) if config.snapshot else None
    pen = pen_data() if config.pen else None
    held_out = {"mnist": mnist.validation}
    if pen is not None:
        held_out["pen"] = as_served(pen.split("calibration").digits)
    network = build_network(dropout=config.dropout, precision=config.precision)
    if config.start_from:
        take_weights(network, open_bundle(Path(config.start_from)))
    history = fit(
        network,
        lambda: training_pool(mnist, pen, snapshot, config=config, rng=rng),
        held_out=held_out,
        config=config,
        rng=rng,
    )
    network = in_float32(network, dropout=config.dropout)
    last_pool = training_pool(mnist, pen, config=config, rng=rng)
    restate(network, last_pool.only_digits().shuffled(rng))
    minutes = (time.monotonic() - started) / 60
    bundle = finish(
        network,
        mnist=mnist,
        held_out=held_out,
        config=config,
        provenance=run_provenance(config, commit=commit, minutes=minutes),
    )
    record_run(config, bundle=bundle, history=history)
    return bundle


def finish(
    network: keras.Model,
    *,
    mnist: Mnist,
    held_out: Mapping[str, Digits],
    config: TrainConfig,
    provenance: Mapping[str, Any],
) -> Bundle:
    """Convert a trained network, calibrate it as it serves, judge it and save it."""
    files = {
        SERVED_WEIGHTS: served_weights(network),
        KERAS_WEIGHTS: keras_weights(network),
    }
    served = ServedNetwork(files[SERVED_WEIGHTS])
    calibration = fit_calibration(
        [HeldOut(served.logits_of(d.images), d.labels) for d in held_out.values()],
        shares=RefusedShares(
            several=config.several_share,
            not_a_digit=config.not_a_digit_share,
            unsure=config.unsure_share,
        ),
    )

    def write(parent: Path, metrics: Mapping[str, Any]) -> Bundle:
        return write_bundle(
            parent,
            files=files,
            calibration=calibration,
            metrics=metrics,
            provenance=provenance,
        )

    with tempfile.TemporaryDirectory() as scratch:
        # Measured through the serving path, so on a bundle; the one that is kept
        # carries the figures.
        draft = Recogniser(write(Path(scratch), {}))
        metrics = {
            "mnist_validation": read_mnist(draft, mnist.validation).figures(),
            "mnist_test": read_mnist(draft, mnist.test).figures(),
        }
    folder = Path(config.out) if config.out else places.data_folder() / "bundles"
    return write(folder, metrics)


def few_of(mnist: Mnist, count: int) -> Mnist:
    """Take the first so many digits of each part, all where it is 0."""

    def few(digits: Digits) -> Digits:
        return digits.take(np.arange(min(count or len(digits), len(digits))))

    return Mnist(few(mnist.train), few(mnist.validation), few(mnist.test))


def take_weights(network: keras.Model, bundle: Bundle) -> None:
    """Set a network's weights to those of a bundle.

    Raises:
        DataError: the bundle's network is built otherwise.
    """
    # safe_mode: no code of the file's own, such as a Lambda layer, is ever run.
    kept = keras.models.load_model(
        bundle.folder / KERAS_WEIGHTS, compile=False, safe_mode=True
    )
    try:
        network.set_weights(kept.get_weights())
    except ValueError as error:
        raise DataError(
            f"Bundle {bundle.short_digest} has another network than this code: "
            "train without --start-from."
        ) from error


def training_pool(
    mnist: Mnist,
    pen: PenData | None,
    snapshot: Snapshot | None = None,
    *,
    config: TrainConfig,
    rng: np.random.Generator,
) -> Pool:
    """Join what an epoch trains on: MNIST, made non-digits, and drawings redrawn.

    Each call draws anew what is made or redrawn, so no epoch sees the same.
    """
    pools = [
        mnist_pool(mnist.train),
        made_non_digits(mnist.train, config.non_digits, rng),
    ]
    if pen is not None:
        ours = without(pen.split("train"), config.leave_out)
        pools += [
            pen_digits(ours.digits, renderings=config.pen_renderings, rng=rng),
            pen_non_digits(
                ours.non_digits,
                ours.digits,
                renderings=config.non_digit_renderings,
                several=config.non_digits // 2,
                rng=rng,
            ),
        ]
    if snapshot is not None and (ours_too := snapshot.of("train")):
        pools.append(
            snapshot_pool(ours_too, renderings=config.snapshot_renderings, rng=rng)
        )
    return joined(pools)


def without(pen: PenData, left_out: str) -> PenData:
    """Drop one kind of non-digits: "letters" (and symbols), "sketches", or neither."""
    if left_out not in ("", "letters", "sketches"):
        raise DataError(f"--leave-out takes letters or sketches, not {left_out!r}.")
    kind_left_out = {"letters": False, "sketches": True, "": None}[left_out]
    return PenData(
        digits=pen.digits,
        non_digits=[d for d in pen.non_digits if d.is_sketch is not kind_left_out],
    )


def fit(
    network: keras.Model,
    draw_pool: Callable[[], Pool],
    *,
    held_out: Mapping[str, Digits],
    config: TrainConfig,
    rng: np.random.Generator,
) -> list[dict[str, float]]:
    """Train the network in place; return loss and held-out accuracies per epoch.

    Args:
        draw_pool: gives the next epoch's drawings, always the same number.

    A plain loop over `train_on_batch`: with `fit` and a generator the same steps take
    1.5 times as long on two cores, because its feeding threads fight for them.
    """
    pool = draw_pool()
    steps = len(pool) // config.batch_size
    warmup = min(2 * steps, config.epochs * steps // 3)
    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate / 50,
        decay_steps=config.epochs * steps - warmup,
        warmup_target=config.learning_rate,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        weight_decay=config.weight_decay,
        use_ema=True,
        ema_momentum=config.ema_momentum,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    network.compile(optimizer, loss=digit_and_kind_loss(config.kind_weight))
    kept = checkpoint_of(config)
    history = kept.resume(network, optimizer, rng) if kept else []
    for epoch in range(len(history) + 1, config.epochs + 1):
        pool = pool if epoch == 1 else draw_pool()
        targets = pool.targets(label_smoothing=config.label_smoothing)
        order = rng.permutation(len(pool))
        losses = []
        progress = tqdm(
            range(steps),
            desc=f"epoch {epoch}/{config.epochs}",
            leave=False,
            disable=None,
        )
        for step in progress:
            if kept and step % 10 == 0:
                share = (epoch - 1 + step / steps) / config.epochs
                kept.say(share, f"epoch {epoch} of {config.epochs}")
            batch = order[step * config.batch_size :][: config.batch_size]
            images = vary(pool.images[batch], Variety(), rng)[..., np.newaxis]
            losses.append(float(network.train_on_batch(images, targets[batch])))
        if epoch == config.epochs:
            optimizer.finalize_variable_values(network.trainable_variables)
        row = {"loss": float(np.mean(losses))}
        for name, digits in held_out.items():
            read = network_logits(network, digits)[:, :DIGITS].argmax(axis=1)
            row[name] = float((read == digits.labels).mean())
        history.append(row)
        accuracies = "  ".join(f"{name} {row[name]:.2%}" for name in held_out)
        print(
            f"epoch {epoch:3d}/{config.epochs}  loss {row['loss']:.4f}  {accuracies}",
            flush=True,
        )
        if kept and epoch < config.epochs:
            kept.keep(network, optimizer, rng, history)
    return history


def checkpoint_of(config: TrainConfig) -> Checkpoint | None:
    """Return where a run keeps its state, if it was told to keep one."""
    if not config.checkpoint:
        return None
    return Checkpoint(Path(config.checkpoint), key=asdict(config))


def digit_and_kind_loss(kind_weight: float) -> Any:
    """Make the loss: cross-entropy of the digit, plus that of the kind."""

    def loss(targets: Any, logits: Any) -> Any:
        digit = -tf.reduce_sum(
            targets[:, :DIGITS] * tf.nn.log_softmax(logits[:, :DIGITS]), axis=-1
        )
        kind = -tf.reduce_sum(
            targets[:, DIGITS:] * tf.nn.log_softmax(logits[:, DIGITS:]), axis=-1
        )
        return digit + kind_weight * kind

    return loss


def network_logits(network: keras.Model, digits: Digits) -> Logits:
    """Run the Keras network over framed digits: (N, 13) float32."""
    images = digits.images[..., np.newaxis].astype(np.float32) / 255
    logits: Logits = network.predict(images, batch_size=500, verbose=0)
    return logits


def in_float32(network: keras.Model, *, dropout: float) -> keras.Model:
    """Return the same network without bfloat16, as it is converted and kept."""
    plain = build_network(dropout=dropout)
    plain.set_weights(network.get_weights())
    return plain


def restate(network: keras.Model, digits: Pool, *, batch_size: int = 500) -> None:
    """Estimate each normalisation's statistics again, on digits as they are served.

    What training leaves there is a mean over its last twenty batches, a quarter of them
    non-digits, all of them varied; here it is the mean over all plain, softened digits.
    Source: Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima", section
    3.2, of averaged weights; Touvron et al. 2019, as for `Soften`, of plain pictures.
    """
    soften = next(layer for layer in network.layers if isinstance(layer, Soften))
    normalisations = [
        layer for layer in network.layers if isinstance(layer, FusedBatchNormalization)
    ]
    momenta = [layer.momentum for layer in normalisations]
    for batch in range(max(1, len(digits) // batch_size)):
        images = digits.images[batch * batch_size :][:batch_size, ..., np.newaxis]
        for layer in normalisations:
            layer.momentum = batch / (batch + 1)  # the mean over all batches so far
        network(soften(images.astype(np.float32) / 255), training=True)
    for layer, momentum in zip(normalisations, momenta, strict=True):
        layer.momentum = momentum


def served_weights(network: keras.Model) -> bytes:
    """Convert to LiteRT with 8-bit weights and built-in operations only."""
    with tempfile.TemporaryDirectory() as scratch:
        network.export(scratch, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(scratch)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        converted: bytes = converter.convert()
    return converted


def keras_weights(network: keras.Model) -> bytes:
    """Return the network as a .keras file, without the optimizer's state."""
    bare = keras.Model.from_config(network.get_config())
    bare.set_weights(network.get_weights())
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / KERAS_WEIGHTS
        bare.save(path)
        return path.read_bytes()


def run_provenance(
    config: TrainConfig, *, commit: str, minutes: float
) -> dict[str, Any]:
    """Say what made this model: config, data, code, versions, machine."""
    told = {
        key: value
        for key, value in asdict(config).items()
        if key not in ("out", "threads", "checkpoint", "watched")
    }
    if config.start_from:  # by what they are: folders come and go
        told["start_from"] = open_bundle(Path(config.start_from)).digest
    if config.snapshot:
        told["snapshot"] = load_snapshot(Path(config.snapshot)).digest
    return {
        "trained_on": "MNIST, 55,000 train images; validation chose, test nothing"
        + ("; pen drawings, 70 % of the writers" if config.pen else "")
        + ("; reviewed drawings of a snapshot" if config.snapshot else ""),
        "config": told,
        "data_sha256": {**MNIST_SHA256, **(pen_sha256() if config.pen else {})},
        "commit": commit,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("tensorflow", "keras", "numpy")},
            "opencv": cv2.__version__,
        },
        "machine": f"{platform.machine()}, {os.cpu_count()} CPU cores, "
        f"{len(tf.config.list_physical_devices('GPU'))} GPUs",
        "minutes": round(minutes, 1),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def pen_data() -> PenData:
    """Load the pen drawings that PEN_DIR names."""
    folder = places.pen_folder()
    if folder is None:
        raise DataError("--pen needs PEN_DIR, the folder of the pen drawings.")
    return load_pen(folder)


def pen_sha256() -> dict[str, str]:
    """Return each pen data file's digest."""
    folder = places.pen_folder() or Path()
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*.jsonl.gz"))
    }


def source_commit() -> str:
    """Name the code's commit, "-dirty" appended where files were changed since."""
    try:
        named = subprocess.run(
            ["git", "describe", "--always", "--abbrev=40", "--dirty"],
            cwd=places.REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return named.stdout.strip()


def record_run(
    config: TrainConfig, *, bundle: Bundle, history: list[dict[str, float]]
) -> None:
    """Keep config, curves and result of a run in var/runs/<time>/."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    folder = places.data_folder() / "runs" / stamp
    folder.mkdir(parents=True, exist_ok=True)
    run = {
        "bundle": bundle.digest,
        "config": asdict(config),
        "history": history,
        "metrics": bundle.metrics,
        "provenance": bundle.manifest["provenance"],
    }
    (folder / "run.json").write_text(json.dumps(run, indent=2) + "\n")


def main() -> None:
    """Parse the flags, train, and say what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for field in fields(TrainConfig):
        flag = f"--{field.name.replace('_', '-')}"
        if isinstance(field.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction)
        else:
            parser.add_argument(
                flag, type=type(field.default), help=f"default {field.default!r}"
            )
    parser.set_defaults(**asdict(TrainConfig()))
    config = TrainConfig(**vars(parser.parse_args()))
    if config.watched:
        end_with_starter()
    bundle = train(config)
    test = bundle.metrics["mnist_test"]
    print(f"MNIST test: {test['accuracy']:.2%} right, {test['refused']:.2%} refused.")
    print(f"Bundle {bundle.short_digest} in {bundle.folder}")


if __name__ == "__main__":
    main()
