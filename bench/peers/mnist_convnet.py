"""Keras' beginners' example for MNIST, a small convnet, as on its site.

python -m bench.peers.mnist_convnet --seed 1

Two 3x3 convolutions with pooling, dropout of 0.5, Adam, batches of 128, 15 epochs of
Keras' `fit`, a tenth of the training images held out. Prints one line of JSON: accuracy
on the test images and seconds of `fit`.

Source: keras.io/examples/vision/mnist_convnet (F. Chollet), which states an accuracy of
about 99 %. The code here is our own.
"""

import argparse
import json
import sys
import time

import keras
import numpy as np

from mlcore.judging.baselines import keras_example
from mlcore.training.data import mnist_folder, parse_idx

EPOCHS, BATCH_SIZE = 15, 128


def main() -> None:
    """Train, evaluate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--digits", type=int, default=0, help="so few; 0 takes all")
    told = parser.parse_args()
    keras.utils.set_random_seed(told.seed)
    few = slice(told.digits or None)
    images, labels = _read("train", few)
    test_images, test_labels = _read("t10k", few)
    model = keras_example()
    model.compile(
        loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"]
    )
    started = time.monotonic()
    model.fit(
        images,
        labels,
        batch_size=BATCH_SIZE,
        epochs=told.epochs,
        validation_split=0.1,
        verbose=0,
    )
    seconds = time.monotonic() - started
    _, accuracy = model.evaluate(test_images, test_labels, verbose=0)
    sys.stdout.write(json.dumps({"accuracy": accuracy, "fit_s": seconds}) + "\n")


def _read(part: str, few: slice) -> tuple[np.ndarray, np.ndarray]:
    folder = mnist_folder()
    images = parse_idx((folder / f"{part}-images-idx3-ubyte").read_bytes())[few]
    labels = parse_idx((folder / f"{part}-labels-idx1-ubyte").read_bytes())[few]
    return images[..., None].astype("float32") / 255, keras.utils.to_categorical(
        labels, 10
    )


if __name__ == "__main__":
    main()
