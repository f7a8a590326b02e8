"""Measure what well-known readers reach on a benchmark, and ours.

    python -m mlcore.judging.baselines FOLDER      # a few minutes on two cores

Each of the first three learns MNIST's 60,000 training images and nothing else:

- the nearest neighbour: the digit of the training image at the smallest Euclidean
  distance, between pixels (LeCun et al. 1998 name it as the baseline method);
- LeNet-5 with today's means: softmax instead of radial basis functions, every map of
  the third layer connected to every one of the second, Adam, 12 epochs;
- Keras' example mnist_convnet (F. Chollet), as on its site: 15 epochs.

Ours is the shipped bundle, or the one that BUNDLE names; it has learnt MNIST and pen
drawings by other writers. All read the benchmark's 28x28 images. MNIST's test images
show whether the baselines are built right. Writes baselines.json into the folder and a
table into its datasheet, and prints the table.

Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-Based Learning Applied to
Document Recognition", 1998. keras.io/examples/vision/mnist_convnet.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import json
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray
from tqdm import tqdm

from mlcore import paths
from mlcore.commands import command_parser, ends_with_a_sentence
from mlcore.files import replaced
from mlcore.judging.benchmark import (
    DATASHEET,
    Benchmark,
    BenchmarkError,
    open_benchmark,
    write_sums,
)
from mlcore.judging.markdown import percent, table
from mlcore.reading.bundle import open_bundle
from mlcore.reading.inference import Recogniser
from mlcore.reading.preprocess import SIDE_PX
from mlcore.shares import Share, wilson
from mlcore.training.data import DataError, Digits, load_mnist
from mlcore.training.progress import progress

BASELINES = "baselines.json"
BATCH_SIZE = 128
_BETWEEN = re.compile(r"(<!-- baselines -->\n).*?(<!-- end of baselines -->)", re.S)
_AT_ONCE = 500  # images that are compared with all of training: 120 MB of distances

Images = NDArray[np.uint8]
Answers = NDArray[np.int64]
Read = Callable[[Images], Answers]
"""Reads (N, 28, 28) images as (N,) digits."""


@dataclass(frozen=True)
class Length:
    """How much to train: `digits` of MNIST, all if 0, and epochs of each network."""

    digits: int = 0
    lenet_epochs: int = 12
    example_epochs: int = 15


def nearest_neighbour(train: Digits) -> Read:
    """Return what takes the digit of the nearest training image."""
    known = _flat(train.images)
    lengths = (known**2).sum(axis=1)

    def read(images: Images) -> Answers:
        answers = []
        starts = range(0, len(images), _AT_ONCE)
        for start in progress(starts, "nearest neighbour"):
            # Squared distances, without the term that all of a row share.
            distances = lengths - 2 * (
                _flat(images[start : start + _AT_ONCE]) @ known.T
            )
            answers.append(train.labels[distances.argmin(axis=1)])
        return np.concatenate(answers).astype(np.int64)

    return read


def lenet_5() -> keras.Model:
    """Build LeNet-5: (N, 28, 28, 1) in [0, 1] to (N, 10) probabilities."""
    return keras.Sequential(
        [
            keras.Input((SIDE_PX, SIDE_PX, 1)),
            layers.Conv2D(6, 5, padding="same", activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Conv2D(16, 5, activation="tanh"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
            layers.Dense(120, activation="tanh"),
            layers.Dense(84, activation="tanh"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def keras_example() -> keras.Model:
    """Build Keras' example: (N, 28, 28, 1) in [0, 1] to (N, 10) probabilities."""
    return keras.Sequential(
        [
            keras.Input((SIDE_PX, SIDE_PX, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )


def trained(
    build: Callable[[], keras.Model],
    train: Digits,
    *,
    epochs: int,
    seed: int,
    name: str,
) -> Read:
    """Train a network on images as they are; return what takes its likeliest digit."""
    keras.utils.set_random_seed(seed)
    network = build()
    network.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
    with tqdm(total=epochs, desc=f"{name}, epochs", leave=False, disable=None) as bar:
        network.fit(
            _as_input(train.images),
            train.labels,
            batch_size=BATCH_SIZE,
            epochs=epochs,
            verbose=0,
            callbacks=[
                keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: bar.update())
            ],
        )

    def read(images: Images) -> Answers:
        found = network.predict(_as_input(images), batch_size=_AT_ONCE, verbose=0)
        return np.asarray(found.argmax(axis=1), np.int64)

    return read


def ours(recogniser: Recogniser) -> Read:
    """Return what takes a bundle's likeliest digit, refused or not."""

    def read(images: Images) -> Answers:
        return np.array(
            [
                int(np.argmax(recogniser.read(image).probabilities))
                for image in progress(images, "ours")
            ],
            np.int64,
        )

    return read


def measure(
    benchmark: Benchmark, *, seed: int = 1, length: Length | None = None
) -> dict[str, Any]:
    """Train and measure all readers; return what baselines.json has."""
    length = length or Length()
    mnist = load_mnist()
    train = Digits(
        np.concatenate([mnist.train.images, mnist.validation.images]),
        np.concatenate([mnist.train.labels, mnist.validation.labels]),
    ).first(length.digits)
    test = mnist.test.first(length.digits)
    bundle = open_bundle(paths.bundle_folder())
    readers: Mapping[str, Callable[[], Read]] = {
        "nearest neighbour": lambda: nearest_neighbour(train),
        "LeNet-5": lambda: trained(
            lenet_5, train, epochs=length.lenet_epochs, seed=seed, name="LeNet-5"
        ),
        "Keras' mnist_convnet": lambda: trained(
            keras_example,
            train,
            epochs=length.example_epochs,
            seed=seed,
            name="Keras' example",
        ),
        f"ours, {bundle.short_digest}": lambda: ours(Recogniser(bundle)),
    }
    images = np.stack([drawing.image for drawing in benchmark.drawings])
    labels = np.array([drawing.digit for drawing in benchmark.drawings])
    results = {}
    for name, make in progress(readers.items(), "readers"):
        read = make()
        results[name] = {
            part: _counted(read(of_part), truth)
            for part, of_part, truth in (
                ("MNIST test", test.images, test.labels),
                *((p, images[at], labels[at]) for p, at in _parts(benchmark).items()),
            )
        }
    return {
        "benchmark": benchmark.digest,
        "date": datetime.now(UTC).date().isoformat(),
        "machine": platform.machine(),
        "versions": {name: version(name) for name in ("keras", "tensorflow", "numpy")},
        "seed": seed,
        "length": asdict(length),
        "results": results,
    }


def write_baselines(benchmark: Benchmark, measured: Mapping[str, Any]) -> str:
    """Write baselines.json, and the table into the datasheet; return the table.

    Raises:
        BenchmarkError: the datasheet has no marks between which the table belongs.
    """
    sheet = benchmark.folder / DATASHEET
    text = sheet.read_text()
    if not _BETWEEN.search(text):
        raise BenchmarkError(f"{sheet} has no marks between which baselines belong.")
    words = baselines_table(measured)
    with replaced(benchmark.folder / BASELINES) as partial:
        partial.write_text(json.dumps(measured, indent=1) + "\n")
    with replaced(sheet) as partial:
        partial.write_text(
            _BETWEEN.sub(lambda found: found[1] + words + found[2], text)
        )
    write_sums(benchmark.folder)
    return words


def baselines_table(measured: Mapping[str, Any]) -> str:
    """Write the accuracies with their intervals as a Markdown table."""
    results = measured["results"]
    parts: Sequence[str] = list(next(iter(results.values())))
    rows = [
        [reader, *(_share(found[part]) for part in parts)]
        for reader, found in results.items()
    ]
    numbers = [f"{next(iter(results.values()))[part]['drawings']:,}" for part in parts]
    return (
        "Accuracy with its 95 % interval (Wilson), on the 28x28 images. All but ours "
        "learnt MNIST's training images alone, once, with seed "
        f"{measured['seed']}; measured on {measured['date']}.\n\n"
    ) + table(["reader", *parts], [["drawings", *numbers], *rows])


def _parts(benchmark: Benchmark) -> dict[str, NDArray[np.intp]]:
    """Return the places of each split's drawings, and of each source in it."""
    parts: dict[str, list[int]] = {}
    for place, drawing in enumerate(benchmark.drawings):
        for part in (drawing.split, f"{drawing.split}: {drawing.source}"):
            parts.setdefault(part, []).append(place)
    return {part: np.array(places, np.intp) for part, places in sorted(parts.items())}


def _counted(answers: Answers, truth: NDArray[Any]) -> dict[str, Any]:
    right = int((answers == truth).sum())
    share = wilson(right, len(truth)) or Share(0.0, 0.0, 1.0)
    return {
        "drawings": len(truth),
        "right": right,
        "accuracy": round(share.value, 5),
        "interval": [round(share.low, 5), round(share.high, 5)],
    }


def _share(found: Mapping[str, Any]) -> str:
    low, high = found["interval"]
    return f"{percent(found['accuracy'])} ({percent(low)} to {percent(high)})"


def _flat(images: Images) -> NDArray[np.float32]:
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


def _as_input(images: Images) -> NDArray[np.float32]:
    return images[..., np.newaxis].astype(np.float32) / np.float32(255)


def main() -> None:
    """Measure the baselines of a benchmark and write them into its folder."""
    parser = command_parser(__doc__)
    parser.add_argument("folder", type=Path, help="the benchmark's folder")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--digits", type=int, default=0, help="so few; 0 takes all")
    parser.add_argument("--epochs", type=int, default=0, help="of both; 0: as above")
    told = parser.parse_args()
    length = (
        Length(told.digits, told.epochs, told.epochs)
        if told.epochs
        else Length(told.digits)
    )
    with ends_with_a_sentence(BenchmarkError, DataError):
        benchmark = open_benchmark(told.folder)
        measured = measure(benchmark, seed=told.seed, length=length)
        print(write_baselines(benchmark, measured))


if __name__ == "__main__":
    main()
