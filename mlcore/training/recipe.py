"""The options of a training, and presets of them.

The fast recipe read MNIST's test images at 99.50 % ± 0.03 (mean and standard deviation
of 5 seeds) and took 24.3 s from start to end. Keras' own example took 231.7 s for
99.10 % ± 0.09. Both ran on two cores of an Intel Xeon at 2.1 GHz, TensorFlow 2.21.0,
Keras 3.15.1, 2026-11-26. `python -m bench.training` measures it; docs/training.md has
the rest.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mlcore.reading.bundle import Bundle
from mlcore.training.augment import VARIETIES
from mlcore.training.corrupt import CORRUPTIONS
from mlcore.training.data import DataError
from mlcore.training.snapshot import Snapshot


def native_precision(processor: Path = Path("/proc/cpuinfo")) -> str:
    """Return "mixed_bfloat16" if this processor computes it, and "float32" if not.

    Where bfloat16 has to be emulated, a step takes eight times as long as in float32.
    Only Linux says what a processor can do, in this file.
    """
    flags = set(processor.read_text().split()) if processor.exists() else set()
    has_it = flags & {"avx512_bf16", "amx_bf16", "bf16"}  # x86: two names; ARM: one
    return "mixed_bfloat16" if has_it else "float32"


_PRECISION = native_precision()


@dataclass(frozen=True)
class TrainConfig:
    """The options of a run; each field is a flag of the command."""

    seed: int = 1  # of weights, order and augmentation
    epochs: int = 40  # passes over the training digits
    hardest: float = 1.0  # share of steps after epoch 1, on the worst-read digits
    batch_size: int = 128  # of all devices together
    parts: int = 1  # of a batch, in parallel, each with its own batch statistics
    network: str = "large"  # or "small": the layers of mlcore.training.model
    precision: str = _PRECISION  # of the convolutions; see `native_precision`
    learning_rate: float = 0.006  # the peak
    warmup_epochs: float = 2.0  # until the peak; after it the rate falls to 0
    beta_2: float = 0.999  # AdamW's memory of squared gradients
    weight_decay: float = 0.02  # AdamW's, decoupled
    label_smoothing: float = 0.05  # of the digit; the kind is not smoothed
    dropout: float = 0.3  # before the last layer
    ema_momentum: float = 0.998  # of the weights' moving average, which is saved
    variety: str = "hand"  # the augmentation; or "affine", which is faster, or "none"
    non_digits: int = 8_000  # made for each epoch: several digits, or no digit
    kind_weight: float = 0.3  # of the kind's loss; the digit's has weight 1
    measure_every: int = 1  # epochs between evaluations on held-out digits; 0: never
    restated_on: int = 0  # digits for the final normalisation statistics; 0: all
    several_share: float = 0.001  # of held-out digits that may be refused as "several"
    not_a_digit_share: float = 0.003  # the same for "not_a_digit"
    unsure_share: float = 0.002  # the same for "unsure"
    style_renderings: int = 60  # of each style of `specimens`, in each epoch
    pen: bool = False  # learn from the pen drawings in PEN_DIR as well
    pen_renderings: int = 2  # of each training writer's digit, in each epoch
    non_digit_renderings: int = 1  # of each letter, symbol and sketch
    leave_out: str = ""  # "letters", "sketches", or a corruption: kept out of training
    start_from: str = ""  # a bundle's folder: start from its weights
    snapshot: str = ""  # a snapshot's folder: learn from its training side too
    allow_missing_digits: bool = False  # in the snapshot: MNIST has all ten
    snapshot_renderings: int = 4  # of each of its drawings, in each epoch
    digits: int = 0  # use only so many of MNIST's, for trials; 0: all
    checkpoint: str = ""  # folder of the run's state; by default in var/runs
    fresh: bool = False  # start from the beginning, even if an equal run was stopped
    dry_run: bool = False  # describe the run and its duration; write nothing
    watched: bool = False  # end when standard input closes: the parent has ended
    threads: int = 0  # of TensorFlow; 0: one for each core
    out: str = ""  # folder for the bundle; by default var/bundles


_NOT_OF_THE_RECIPE = (
    *("checkpoint", "fresh", "dry_run", "watched", "threads", "out"),
    "allow_missing_digits",
)
"""Fields that do not change the result."""

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "usual": {},
    "fast": {
        "network": "small",
        "variety": "affine",
        "epochs": 8,
        "hardest": 0.2,
        "batch_size": 256,
        "parts": 2,  # a core each
        "learning_rate": 0.05,
        "warmup_epochs": 0.5,  # a fifth of all steps
        "beta_2": 0.98,
        "weight_decay": 0.07,
        "dropout": 0.0,
        "ema_momentum": 0.0,  # not needed: the learning rate falls to 0
        "non_digits": 256,
        "style_renderings": 0,
        "measure_every": 0,  # an evaluation takes a fifth of an epoch
        "restated_on": 5_000,  # all 55,000 would take as long as an epoch
    },
}
"""Defaults by name; other flags override them."""


def recipe_of(
    config: TrainConfig, *, start: Bundle | None, snapshot: Snapshot | None
) -> dict[str, Any]:
    """Return the options that change the result.

    The bundle it starts from and the snapshot are given by digest, not by folder.
    """
    told = {
        key: value
        for key, value in asdict(config).items()
        if key not in _NOT_OF_THE_RECIPE
    }
    if start:
        told["start_from"] = start.digest
    if snapshot:
        told["snapshot"] = snapshot.digest
    return told


def check(config: TrainConfig) -> None:
    """Check the values of a config.

    Raises:
        DataError: names the flag, its value and what is allowed.
    """
    one_of = {
        "network": ("large", "small"),
        "precision": ("float32", "mixed_bfloat16"),
        "variety": tuple(VARIETIES),
        "leave_out": ("", "letters", "sketches", *CORRUPTIONS),
    }
    for name, values in one_of.items():
        if getattr(config, name) not in values:
            known = " or ".join(value for value in values if value)
            _refuse(config, name, f"takes {known}")
    for names, belongs, is_fine in _RANGES:
        for name in names.split():
            if not is_fine(getattr(config, name)):
                _refuse(config, name, belongs)
    if config.parts > config.batch_size:
        _refuse(config, "parts", f"is at most --batch-size {config.batch_size}")


_RANGES: Sequence[tuple[str, str, Callable[[float], bool]]] = (
    ("epochs batch_size parts", "is at least 1", lambda n: n >= 1),
    ("pen_renderings snapshot_renderings", "is at least 1", lambda n: n >= 1),
    (
        "non_digits non_digit_renderings style_renderings digits",
        "is at least 0",
        lambda n: n >= 0,
    ),
    ("seed threads measure_every restated_on", "is at least 0", lambda n: n >= 0),
    ("weight_decay kind_weight warmup_epochs", "is at least 0", lambda n: n >= 0),
    ("learning_rate", "is more than 0", lambda n: 0 < n < float("inf")),
    ("hardest", "is a share above 0, up to 1", lambda n: 0 < n <= 1),
    ("label_smoothing dropout", "lies between 0 and 1", lambda n: 0 <= n < 1),
    ("ema_momentum beta_2", "lies between 0 and 1", lambda n: 0 <= n < 1),
    ("several_share", "is a share from 0 to 1", lambda n: 0 <= n <= 1),
    ("not_a_digit_share", "is a share from 0 to 1", lambda n: 0 <= n <= 1),
    ("unsure_share", "is a share from 0 to 1", lambda n: 0 <= n <= 1),
)


def _refuse(config: TrainConfig, name: str, belongs: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    raise DataError(f"{flag} {belongs}, not {getattr(config, name)!r}.")
