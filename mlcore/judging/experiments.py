"""Ablations of the training: one question at a time.

    python -m mlcore.judging.experiments              # all of it, three seeds
    python -m mlcore.judging.experiments --only activation --seeds 1

Each question changes one thing of the same base: the optimiser, the rate, the size of a
batch, the epochs, the activation, the dropout, the layers. Every answer is trained on
the same 55,000 MNIST images without augmentation, for the same number of epochs unless
that is the question, and evaluated on the 5,000 validation images. The test set is not
used. Finished runs are kept in var/experiments/ and reused. Curves, seeds, versions and
date go to docs/experiments/results.json.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as in mlcore.training.train
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import hashlib
import json
import platform
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from tqdm import tqdm

from mlcore import paths
from mlcore.commands import command_parser, ends_with_a_sentence
from mlcore.files import replaced
from mlcore.judging.markdown import spread
from mlcore.reading.calibrate import DIGITS
from mlcore.reading.preprocess import SIDE_PX
from mlcore.training.data import DataError, Digits, load_mnist
from mlcore.training.model import NETWORKS, convolved
from mlcore.workers import (
    HERE,
    Workers,
    WorkersError,
    check_code,
    code_version,
    workers,
)

RESULTS = paths.REPOSITORY / "docs" / "experiments" / "results.json"


@dataclass(frozen=True)
class Setting:
    """One way to train; the defaults are the base that each question starts from."""

    optimizer: str = "adam"
    learning_rate: float = 0.001
    batch_size: int = 128
    epochs: int = 5
    activation: str = "relu"
    dropout: float = 0.3
    network: str = "convolution"

    @property
    def name(self) -> str:
        """Return a digest: equal settings of two questions are trained once."""
        told = json.dumps(asdict(self), sort_keys=True).encode()
        return hashlib.sha256(told).hexdigest()[:12]


OPTIMIZERS: Mapping[str, Callable[[float], Any]] = {
    "sgd": lambda rate: keras.optimizers.SGD(rate, momentum=0.9, nesterov=True),
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
    "adam": keras.optimizers.Adam,
    "adamw": lambda rate: keras.optimizers.AdamW(rate, weight_decay=0.01),
    "lion": keras.optimizers.Lion,
}

QUESTIONS: Mapping[str, Mapping[str, Setting]] = {
    question: {label: Setting(**changes) for label, changes in answers.items()}
    for question, answers in tomllib.loads(
        Path(__file__).with_name("questions.toml").read_text()
    ).items()
}
"""The settings to train, by question, then by label."""


def build(setting: Setting) -> keras.Model:
    """Build a network: (N, 28, 28, 1) float32 in [0, 1] to (N, 10) logits."""
    image = keras.Input((SIDE_PX, SIDE_PX, 1))
    x = image
    if setting.network in ("linear", "dense", "deep dense"):
        x = layers.Flatten()(x)
        widths = {"linear": (), "dense": (128,), "deep dense": (256, 128)}
        for width in widths[setting.network]:
            x = layers.Dense(width, activation=setting.activation)(x)
    elif setting.network == "convolution":
        for filters in (16, 32):
            x = layers.Conv2D(filters, 3, activation=setting.activation)(x)
            x = layers.MaxPooling2D(2)(x)
        x = layers.Flatten()(x)
    else:
        stack = NETWORKS[setting.network]
        x = layers.Flatten()(convolved(x, stack, activation=setting.activation))
    x = layers.Dropout(setting.dropout)(x)
    return keras.Model(image, layers.Dense(DIGITS)(x))


def answer(
    setting: Setting, seed: int, *, train: Digits, validation: Digits
) -> dict[str, Any]:
    """Train once; return the curves, with a value for each epoch."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    network = build(setting)
    network.compile(
        OPTIMIZERS[setting.optimizer](setting.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    started = time.monotonic()
    curves = network.fit(
        *_as_given(train),
        batch_size=setting.batch_size,
        epochs=setting.epochs,
        validation_data=_as_given(validation),
        validation_batch_size=500,
        verbose=0,
    ).history

    def rounded(name: str) -> list[float]:
        return [float(f"{value:.4g}") for value in curves[name]]

    return {
        "seed": seed,
        "weights": network.count_params(),
        "train_loss": rounded("loss"),
        "loss": rounded("val_loss"),
        "accuracy": [round(float(value), 4) for value in curves["val_accuracy"]],
        "seconds": round(time.monotonic() - started, 1),
    }


def _as_given(digits: Digits) -> tuple[np.ndarray, np.ndarray]:
    images = digits.images[..., np.newaxis].astype(np.float32) / 255
    return images, digits.labels.astype(np.int64)


def experiment(
    questions: Mapping[str, Mapping[str, Setting]],
    seeds: Sequence[int],
    *,
    digits: int = 0,
    folder: Path,
    running: Workers = HERE,
) -> dict[str, Any]:
    """Train what is missing; return all results in the format of results.json.

    Args:
        digits: use only so many of each part; 0 takes all.
        folder: stores each run, so that stopped experiments can continue.
    """
    mnist = load_mnist().first(digits)
    made_with = {
        "versions": _versions(),
        "digits": [len(mnist.train), len(mnist.validation)],
    }
    folder.mkdir(parents=True, exist_ok=True)
    settings = {s.name: s for answers in questions.values() for s in answers.values()}
    # Seed by seed, so that each answer has a run even if this is stopped early.
    planned = [(setting, seed) for seed in seeds for setting in settings.values()]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in settings}
    kept = {
        (setting, seed): _kept(_path(folder, setting, seed), made_with)
        for setting, seed in planned
    }
    missing = [
        TrainingTask(setting, seed, digits, _versions(), code_version())
        for (setting, seed), run in kept.items()
        if run is None
    ]
    for task, run in tqdm(
        running.results(answer_on_worker, missing),
        desc="experiments",
        total=len(missing),
        disable=None,
    ):
        told = {"made_with": made_with, "setting": asdict(task.setting), "run": run}
        with replaced(_path(folder, task.setting, task.seed)) as partial:
            partial.write_text(json.dumps(told) + "\n")
        kept[task.setting, task.seed] = run
    for setting, seed in planned:
        if (run := kept[setting, seed]) is not None:
            runs[setting.name].append(run)
    return {
        **made_with,
        "python": platform.python_version(),
        "machine": f"{platform.machine()}, {os.cpu_count()} CPU cores, "
        f"{len(tf.config.list_physical_devices('GPU'))} GPUs",
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "base": asdict(Setting()),
        "questions": {
            question: {
                label: {"setting": asdict(setting), "runs": runs[setting.name]}
                for label, setting in answers.items()
            }
            for question, answers in questions.items()
        },
    }


@dataclass(frozen=True)
class TrainingTask:
    """What a worker trains. code: the command's code version."""

    setting: Setting
    seed: int
    digits: int
    versions: Mapping[str, str]
    code: str


def answer_on_worker(task: TrainingTask) -> tuple[TrainingTask, dict[str, Any]]:
    """Train once on a worker's own MNIST.

    Raises:
        WorkersError: this worker has other code or other libraries.
    """
    check_code(task.code)
    if _versions() != task.versions:
        raise WorkersError(
            f"A worker has {_versions()}, and this command {task.versions}: install "
            "the same requirements on both."
        )
    mnist = load_mnist().first(task.digits)
    train, validation = mnist.train, mnist.validation
    return task, answer(task.setting, task.seed, train=train, validation=validation)


def _versions() -> dict[str, str]:
    return {name: version(name) for name in ("tensorflow", "keras", "numpy")}


def _path(folder: Path, setting: Setting, seed: int) -> Path:
    return folder / f"{setting.name}-{seed}.json"


def _kept(path: Path, made_with: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the run stored earlier under the same conditions, or None."""
    try:
        kept = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    run: dict[str, Any] = kept["run"]
    return run if kept["made_with"] == made_with else None


def told_of(results: Mapping[str, Any]) -> str:
    """Write a line for each answer: final mean and spread over the seeds."""
    lines = []
    for question, answers in results["questions"].items():
        lines.append(f"\n{question.replace('_', ' ')}")
        for label, found in answers.items():
            last = [run["accuracy"][-1] for run in found["runs"]]
            loss = np.mean([run["loss"][-1] for run in found["runs"]])
            lines.append(f"  {label:28}{spread(last)}   log-loss {loss:.4f}")
    return "\n".join(lines).lstrip("\n")


def main() -> None:
    """Train what is missing, write the results, print them."""
    parser = command_parser(__doc__, prog="python -m mlcore.judging.experiments")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument(
        "--only", choices=tuple(QUESTIONS), action="append", help="may be given again"
    )
    parser.add_argument("--digits", type=int, default=0, help="so few; 0 takes all")
    parser.add_argument("--epochs", type=int, default=0, help="at most, for a trial")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument(
        "--workers", type=int, default=1, help="trainings at once, without CLUSTER"
    )
    told = parser.parse_args()
    stopped = "Stopped: the same command goes on with what is missing."
    with (
        ends_with_a_sentence(DataError, WorkersError, OSError, stopped=stopped),
        workers(told.workers, cluster=paths.cluster()) as running,
    ):
        results = experiment(
            {
                question: {
                    label: _shortened(setting, told.epochs)
                    for label, setting in QUESTIONS[question].items()
                }
                for question in told.only or QUESTIONS
            },
            range(1, told.seeds + 1),
            digits=told.digits,
            folder=paths.data_folder() / "experiments",
            running=running,
        )
        told.out.parent.mkdir(parents=True, exist_ok=True)
        told.out.write_text(json.dumps(results, separators=(",", ":")) + "\n")
    print(told_of(results))
    print(f"\nCurves: {told.out}")


def _shortened(setting: Setting, most_epochs: int) -> Setting:
    return replace(setting, epochs=min(setting.epochs, most_epochs or setting.epochs))


if __name__ == "__main__":
    # Workers must find the task by the module's own name.
    from mlcore.judging import experiments

    experiments.main()
