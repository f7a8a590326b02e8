"""The state of a training, saved while it runs so that another run can resume it.

    state.npz       weights, optimizer and random numbers after the last whole epoch
    progress.json   the progress, for the parent process

Files are replaced atomically: a training killed at any moment leaves the previous ones.
"""

import hashlib
import json
import os
import threading
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.files import replaced

STATE, PROGRESS = "state.npz", "progress.json"
_DAMAGED = (OSError, ValueError, KeyError, zipfile.BadZipFile)


@dataclass(frozen=True)
class Best:
    """The epoch with the lowest log-loss on held-out digits, and its weights."""

    epoch: int
    loss: float
    weights: list[NDArray[Any]]


@dataclass(frozen=True)
class Kept:
    """The content of a state: figures of each epoch, the best epoch, the losses."""

    history: list[dict[str, float]]
    best: Best | None
    # Each drawing's loss when it was last trained on.
    losses: NDArray[np.float32] = field(
        default_factory=lambda: np.zeros(0, np.float32), compare=False
    )


class Checkpoint:
    """Keeps a training's state in a folder and restores it.

    Args:
        key: what must be equal to resume a state, such as the recipe.
    """

    def __init__(self, folder: Path, *, key: Mapping[str, Any]) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(f".{STATE}.*"):  # of a process killed while writing
            left.unlink(missing_ok=True)
        self._key = digest_of(key)

    def resume(self, network: Any, optimizer: Any, rng: np.random.Generator) -> Kept:
        """Restore network, optimizer and random numbers.

        Returns an empty history if there is no state, or if it has another key, is
        damaged or is of an older release: the training then starts from the beginning.
        """
        optimizer.build(network.trainable_variables)
        variables = [*network.variables, *optimizer.variables]
        try:
            with np.load(self._folder / STATE, allow_pickle=False) as state:
                told = json.loads(str(state["told"]))
                if told["key"] != self._key:
                    return Kept([], None)
                losses = state["losses"]
                values = [state[f"value{i}"] for i in range(len(variables))]
                weights = [state[f"best{i}"] for i in range(told["best_weights"])]
        except _DAMAGED:
            return Kept([], None)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
        rng.bit_generator.state = told["rng"]
        best = Best(told["best"][0], told["best"][1], weights) if weights else None
        return Kept(told["history"], best, losses)

    def keep(
        self, network: Any, optimizer: Any, rng: np.random.Generator, kept: Kept
    ) -> None:
        """Save the state after an epoch; if that fails, the previous one stays.

        All of the network's variables are saved, as its dropout has a random state.
        """
        best = kept.best
        weights = best.weights if best else []
        told = {
            "key": self._key,
            "history": kept.history,
            "rng": rng.bit_generator.state,
            "best": best and (best.epoch, best.loss),
            "best_weights": len(weights),
        }
        values = values_of([*network.variables, *optimizer.variables])
        arrays = {f"value{i}": value for i, value in enumerate(values)}
        arrays |= {f"best{i}": weight for i, weight in enumerate(weights)}
        arrays |= {"told": np.array(json.dumps(told)), "losses": kept.losses}
        with replaced(self._folder / STATE) as partial, partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)

    def forget(self) -> None:
        """Delete the state."""
        (self._folder / STATE).unlink(missing_ok=True)

    def say(self, share: float, doing: str) -> None:
        """Report the progress, from 0 to 1."""
        say(self._folder / PROGRESS, share, doing)


def values_of(variables: Iterable[Any]) -> list[NDArray[Any]]:
    """Copy the values of Keras variables, including mirrored ones."""
    return [np.array(variable.value) for variable in variables]


def digest_of(key: Mapping[str, Any]) -> str:
    """Return a digest of a recipe."""
    told = json.dumps(dict(key), sort_keys=True, default=str).encode()
    return hashlib.sha256(told).hexdigest()


def key_of(folder: Path) -> str | None:
    """Return the digest of the recipe of a folder's state; None without a state."""
    try:
        with np.load(folder / STATE, allow_pickle=False) as state:
            return str(json.loads(str(state["told"]))["key"])
    except _DAMAGED:
        return None


def say(path: Path, share: float, doing: str) -> None:
    """Write the progress, from 0 to 1, and what is being done into a file."""
    with replaced(path) as partial:
        partial.write_text(json.dumps({"share": round(share, 4), "doing": doing}))


def end_with_starter() -> None:
    """End this process when its parent has ended, even if the parent was killed.

    Standard input is closed then.
    """

    def watch() -> None:
        # Not sys.stdin: Python aborts at exit if a thread holds that lock.
        while os.read(0, 1024):
            pass
        os._exit(70)

    threading.Thread(target=watch, daemon=True).start()
