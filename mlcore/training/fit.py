"""Fitting: the loop over epochs, on one device or on several.

A plain loop calls a custom training step. With Keras' `fit` and a generator the steps
take 1.5 times as long on two cores, because its feeding threads compete for them.
`train_on_batch` gives each of several devices the whole batch instead of its part.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from mlcore.reading.calibrate import DIGITS, Logits
from mlcore.training.augment import VARIETIES, Variety, vary
from mlcore.training.checkpoint import Best, Kept, values_of
from mlcore.training.data import DataError, Digits
from mlcore.training.dataset import NO_DIGIT, Dataset
from mlcore.training.model import FusedBatchNormalization, Soften, build_network
from mlcore.training.recipe import TrainConfig
from mlcore.training.runs import CURVES, Run, duration

Item = TypeVar("Item")
RESTATED_ON = 5_000
"""Digits for the normalisation statistics before an evaluation: ten batches."""


class TrainingError(RuntimeError):
    """A training that cannot continue; the message says why, and the way out."""


@dataclass(frozen=True)
class Fitted:
    """How a training went.

    stopped: None if the training finished. If Ctrl-C stopped it, the epoch whose
        weights the network has.
    """

    history: list[dict[str, float]]
    stopped: int | None = None


# --- devices ------------------------------------------------------------------------


def devices() -> list[str]:
    """Return the names of all GPUs, or else of the CPU."""
    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    return gpus or ["CPU:0"]


def strategy() -> Any:
    """Return TensorFlow's strategy: mirrored if there are several devices.

    Each device then has a copy of the network and a part of each batch, and the
    gradients are summed. TensorFlow uses a single GPU without a strategy.
    """
    named = devices()
    if len(named) > 1:
        return tf.distribute.MirroredStrategy(named)
    return tf.distribute.get_strategy()


def training_step(
    network: keras.Model, optimizer: Any, *, loss: Any, spread: Any, parts: int = 1
) -> Callable[[Any, Any], NDArray[np.float32]]:
    """Make a function that takes one step and returns each drawing's loss: (N,).

    The objective is the sum of losses divided by the size of the whole batch, so the
    number of devices and parts does not change it.

    Args:
        parts: of each device's batch. TensorFlow computes them in parallel, which uses
            several cores even if a layer is too small to be split between threads
            (docs/training.md has the timings).
    """
    replicas = spread.num_replicas_in_sync

    def on_one(images: Sequence[Any], targets: Sequence[Any], share: Any) -> Any:
        losses, gradients = [], []
        for part, wanted in zip(images, targets, strict=True):
            with tf.GradientTape() as tape:
                losses.append(loss(wanted, network(part, training=True)))
                mean = tf.reduce_sum(losses[-1]) * share
            gradients.append(tape.gradient(mean, network.trainable_variables))
        summed = [tf.add_n(of_parts) for of_parts in zip(*gradients, strict=True)]
        optimizer.apply(summed, network.trainable_variables)
        return tf.concat(losses, axis=0)

    @tf.function(reduce_retracing=True)
    def on_all(images: Any, targets: Any, share: Any) -> Any:
        losses = spread.run(on_one, (images, targets, share))
        return spread.experimental_local_results(losses)

    def shared_out(values: Any) -> list[Any]:
        pieces = np.array_split(values, replicas * parts)
        if replicas == 1:
            return pieces
        return [
            spread.experimental_distribute_values_from_function(
                lambda context, part=part: pieces[
                    context.replica_id_in_sync_group * parts + part
                ]
            )
            for part in range(parts)
        ]

    def step(images: Any, targets: Any) -> NDArray[np.float32]:
        share = tf.constant(1 / len(images), tf.float32)
        of_replicas = on_all(shared_out(images), shared_out(targets), share)
        return np.concatenate([losses.numpy() for losses in of_replicas])

    return step


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


def optimizer_of(config: TrainConfig, *, steps: Sequence[int]) -> Any:
    """Make AdamW: its rate rises, then falls to 0; it averages the weights.

    Args:
        steps: number of steps in each epoch.
    """
    warmup = min(round(config.warmup_epochs * steps[0]), sum(steps) // 3)
    schedule = keras.optimizers.schedules.CosineDecay(
        config.learning_rate / 50,
        decay_steps=max(1, sum(steps) - warmup),
        warmup_target=config.learning_rate,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(
        schedule,
        beta_2=config.beta_2,
        weight_decay=config.weight_decay,
        use_ema=config.ema_momentum > 0,
        ema_momentum=config.ema_momentum,
    )
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    return optimizer


# --- the loop -----------------------------------------------------------------------


def fit(
    network: keras.Model,
    draw_dataset: Callable[[], Dataset],
    *,
    held_out: Mapping[str, Digits],
    config: TrainConfig,
    rng: np.random.Generator,
    run: Run,
    spread: Any,
) -> Fitted:
    """Train the network in place; at the end it has the weights' moving average.

    After Ctrl-C it has the weights with the lowest log-loss on held-out digits so far.

    Args:
        draw_dataset: returns the next epoch's drawings, always the same number.

    Raises:
        KeyboardInterrupt: stopped before the first evaluation, or in a watched run.
        TrainingError: the loss is not a finite number.
        DataError: a batch is larger than the dataset.
    """
    dataset = draw_dataset()
    steps = steps_of(dataset, config)
    with spread.scope():
        optimizer = optimizer_of(config, steps=steps)
        kept = run.checkpoint.resume(network, optimizer, rng)
    step = training_step(
        network,
        optimizer,
        loss=digit_and_kind_loss(config.kind_weight),
        spread=spread,
        parts=config.parts,
    )
    history, best = kept.history, kept.best
    losses = kept.losses if history else np.zeros(len(dataset), np.float32)
    if history:
        print(f"Goes on after epoch {len(history)}.", flush=True)
    done = sum(steps[: len(history)])
    bar = tqdm(total=sum(steps), initial=done, unit="step", leave=False, disable=None)
    try:
        with bar, curves(run.folder / CURVES) as add_to_curves:
            for epoch in range(len(history) + 1, config.epochs + 1):
                started = time.monotonic()
                dataset = dataset if epoch == 1 else draw_dataset()
                order = order_of(dataset, losses, steps[epoch - 1], config, rng)
                items = prefetched(batches(dataset, order, config, rng))
                tell = partial(_tell, bar=bar, run=run, epoch=epoch, steps=steps)
                row = {
                    "loss": run_epoch(step, items, losses=losses, tell=tell),
                    "learning_rate": float(np.array(optimizer.learning_rate)),
                }
                if is_measured(epoch, config):
                    with averaged(network, optimizer, dataset):
                        row |= measured(network, held_out)
                        best = better_of(best, row, epoch, network, held_out)
                row["seconds"] = round(time.monotonic() - started, 1)
                history.append(row)
                kept = Kept(history, best, losses)
                run.checkpoint.keep(network, optimizer, rng, kept)
                run.note(history)
                add_to_curves(epoch, row)
                bar.clear()
                print(told_of_epoch(history, steps, tuple(held_out)), flush=True)
    except KeyboardInterrupt:
        if best is None or config.watched:
            raise
        network.set_weights(best.weights)
        return Fitted(history, stopped=best.epoch)
    optimizer.finalize_variable_values(network.trainable_variables)
    return Fitted(history)


def run_epoch(
    step: Callable[[Any, Any], NDArray[np.float32]],
    items: Iterable[tuple[NDArray[np.int64], Any, Any]],
    *,
    losses: NDArray[np.float32],
    tell: Callable[[Sequence[float]], None],
) -> float:
    """Take a step with each batch; return the mean loss.

    Args:
        items: from `batches`.
        losses: of each drawing, updated in place.
        tell: called after each batch with the mean losses of all batches so far.
    """
    means: list[float] = []
    for batch, images, targets in items:
        losses[batch] = step(images, targets)
        means.append(float(losses[batch].mean()))
        if not math.isfinite(means[-1]):
            raise TrainingError(
                "The loss is no number any more: try a smaller --learning-rate, or "
                "--precision float32."
            )
        tell(means)
    return float(np.mean(means))


def _tell(
    means: Sequence[float], *, bar: Any, run: Run, epoch: int, steps: Sequence[int]
) -> None:
    """Move the bar, and report the progress every ten steps."""
    bar.update()
    if len(means) % 10 == 1:
        bar.set_description(f"epoch {epoch}/{len(steps)}", refresh=False)
        bar.set_postfix_str(f"loss {np.mean(means[-50:]):.3f}", refresh=False)
        share = (sum(steps[: epoch - 1]) + len(means)) / sum(steps)
        run.checkpoint.say(share, f"epoch {epoch} of {len(steps)}")


def is_measured(epoch: int, config: TrainConfig) -> bool:
    """Whether held-out digits are evaluated after this epoch."""
    every = config.measure_every
    return every > 0 and (epoch == config.epochs or epoch % every == 0)


def better_of(
    best: Best | None,
    row: Mapping[str, float],
    epoch: int,
    network: keras.Model,
    held_out: Iterable[str],
) -> Best:
    """Return the epoch with the lowest log-loss on held-out digits so far."""
    loss = float(np.mean([row[f"{name}_loss"] for name in held_out]))
    if best is not None and best.loss <= loss:
        return best
    return Best(epoch, loss, network.get_weights())


def steps_of(dataset: Dataset, config: TrainConfig) -> list[int]:
    """Return the number of full batches in each epoch.

    Raises:
        DataError: the dataset is smaller than a batch.
    """
    steps = len(dataset) // config.batch_size
    if not steps:
        raise DataError(
            f"--batch-size {config.batch_size} is more than the {len(dataset):,} "
            "drawings of an epoch: take a smaller one."
        )
    later = max(1, round(config.hardest * steps))
    return [steps, *[later] * (config.epochs - 1)]


def order_of(
    dataset: Dataset,
    losses: NDArray[np.float32],
    steps: int,
    config: TrainConfig,
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """Shuffle an epoch's drawings: all, or the hardest if it has fewer steps."""
    count = steps * config.batch_size
    if steps < len(dataset) // config.batch_size:
        return rng.permutation(chosen(dataset, losses, count=count))
    return rng.permutation(len(dataset))


def chosen(
    dataset: Dataset, losses: NDArray[np.float32], *, count: int
) -> NDArray[np.int64]:
    """Choose an epoch's drawings: the digits with the highest loss, and non-digits.

    The network learns little more from a digit that it reads well. Non-digits are made
    again for each epoch, so they have no loss yet.

    Args:
        losses: (N,) each drawing's loss when it was last trained on.

    Returns:
        (count,) places in the dataset.

    Source: Loshchilov and Hutter 2016, "Online Batch Selection for Faster Training of
    Neural Networks"; Jiang et al. 2019, "Accelerating Deep Learning by Focusing on the
    Biggest Losers".
    """
    others = np.flatnonzero(dataset.digits == NO_DIGIT)[: count // 2]
    digits = np.flatnonzero(dataset.digits != NO_DIGIT)
    worst_first = digits[np.argsort(-losses[digits], kind="stable")]
    return np.concatenate([worst_first[: count - len(others)], others])


def batches(
    dataset: Dataset,
    order: NDArray[np.int64],
    config: TrainConfig,
    rng: np.random.Generator,
) -> Iterator[tuple[NDArray[np.int64], Any, Any]]:
    """Yield full batches in this order, with each drawing augmented.

    Yields:
        Places in the dataset; (N, 28, 28, 1) float32 images; (N, 13) float32 targets.
    """
    targets = dataset.targets(label_smoothing=config.label_smoothing)
    variety = variety_of(config)
    for place in range(len(order) // config.batch_size):
        batch = order[place * config.batch_size :][: config.batch_size]
        images = vary(dataset.images[batch], variety, rng)
        yield batch, images[..., np.newaxis], targets[batch]


def variety_of(config: TrainConfig) -> Variety | None:
    """Return the augmentation, without the corruption that is left out."""
    variety = VARIETIES[config.variety]
    if variety is None:
        return None
    dirt = tuple(kind for kind in variety.dirt if kind != config.leave_out)
    return replace(variety, dirt=dirt)


def prefetched(items: Iterator[Item]) -> Iterator[Item]:
    """Yield the same items; a thread makes the next while the caller uses one."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = maker.submit(next, items, None)
            yield item


def told_of_epoch(
    history: Sequence[Mapping[str, float]], steps: Sequence[int], names: Sequence[str]
) -> str:
    """Describe the last epoch in one line, with the time left.

    Args:
        steps: number of steps in each epoch.
        names: of the sets of held-out digits.
    """
    row, done = history[-1], sum(steps[: len(history)])
    seen = "".join(f"  {name} {row[name]:.2%}" for name in names if name in row)
    left = (sum(steps) - done) * sum(row["seconds"] for row in history) / done
    still = f", {duration(left)} left" if left else ""
    return (
        f"epoch {len(history):3d}/{len(steps)}  loss {row['loss']:.4f}{seen}  "
        f"{duration(row['seconds'])}{still}"
    )


# --- evaluation on held-out digits ----------------------------------------------------


@contextmanager
def averaged(network: keras.Model, optimizer: Any, dataset: Dataset) -> Iterator[None]:
    """Set the network to the weights to be saved now, while the block runs."""
    raw = values_of(network.variables)
    optimizer.finalize_variable_values(network.trainable_variables)
    restate(network, dataset.only_digits().first(RESTATED_ON))
    yield
    for variable, value in zip(network.variables, raw, strict=True):
        variable.assign(value)


def measured(network: keras.Model, held_out: Mapping[str, Digits]) -> dict[str, float]:
    """Return accuracy and log-loss on each set of held-out digits."""
    row = {}
    for name, digits in held_out.items():
        logits = network_logits(network, digits)[:, :DIGITS].astype(np.float64)
        row[name] = float((logits.argmax(axis=1) == digits.labels).mean())
        total = np.logaddexp.reduce(logits, axis=1)
        of_the_label = logits[np.arange(len(digits)), digits.labels]
        row[f"{name}_loss"] = float((total - of_the_label).mean())
    return row


def network_logits(network: keras.Model, digits: Digits) -> Logits:
    """Return the Keras network's logits for framed digits: (N, 13) float32."""
    images = digits.images[..., np.newaxis].astype(np.float32) / 255
    logits: Logits = network.predict(images, batch_size=500, verbose=0)
    return logits


def in_float32(network: keras.Model, config: TrainConfig) -> keras.Model:
    """Return the same network in float32, to convert and save it."""
    plain = build_network(dropout=config.dropout, layers_of=config.network)
    plain.set_weights(values_of(network.weights))
    return plain


def restate(network: keras.Model, digits: Dataset, *, batch_size: int = 500) -> None:
    """Estimate each normalisation's statistics again, on digits as they are served.

    After training they are means over about the last twenty batches, which were
    augmented and a quarter non-digits. Afterwards they are means over all given digits,
    softened but not augmented.
    Source: Izmailov et al. 2018, "Averaging Weights Leads to Wider Optima", section
    3.2, for averaged weights; Touvron et al. 2019 (see `Soften`) for plain pictures.
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


@contextmanager
def curves(folder: Path) -> Iterator[Callable[[int, Mapping[str, float]], None]]:
    """Yield a function that writes an epoch's figures for TensorBoard.

    It uses `tf.summary.write` because `tf.summary.scalar` needs TensorBoard.
    """
    plugin = tf.compat.v1.SummaryMetadata.PluginData(plugin_name="scalars")
    scalar = tf.compat.v1.SummaryMetadata(plugin_data=plugin)
    writer = tf.summary.create_file_writer(str(folder))

    def add(epoch: int, row: Mapping[str, float]) -> None:
        with writer.as_default(step=epoch):
            for name, value in row.items():
                tf.summary.write(name, tf.constant(value), metadata=scalar)
        writer.flush()

    try:
        yield add
    finally:
        writer.close()
