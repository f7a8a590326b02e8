"""What a training leaves behind while it runs, so that another can go on from there.

    state.npz       weights, optimizer and random numbers after the last whole epoch
    progress.json   how far it is, for whoever watches

Files are replaced whole: a training killed at any moment leaves the former ones.
"""

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

STATE, PROGRESS = "state.npz", "progress.json"


class Checkpoint:
    """Keeps a training's state in a folder and takes it up again.

    Args:
        key: what must be the same for a state to be of use, such as the config.
    """

    def __init__(self, folder: Path, *, key: Mapping[str, Any]) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        told = json.dumps(dict(key), sort_keys=True, default=str).encode()
        self._key = hashlib.sha256(told).hexdigest()

    def resume(
        self, network: Any, optimizer: Any, rng: np.random.Generator
    ) -> list[dict[str, float]]:
        """Set everything as it was kept; return the history, empty without a state."""
        optimizer.build(network.trainable_variables)
        path = self._folder / STATE
        if not path.is_file():
            return []
        with np.load(path, allow_pickle=False) as state:
            told = json.loads(str(state["told"]))
            if told["key"] != self._key:
                return []
            weights = [state[f"weight{i}"] for i in range(told["weights"])]
            network.set_weights(weights)
            for i, variable in enumerate(optimizer.variables):
                variable.assign(state[f"optimizer{i}"])
        rng.bit_generator.state = told["rng"]
        history: list[dict[str, float]] = told["history"]
        print(f"Goes on after epoch {len(history)}.", flush=True)
        return history

    def keep(
        self,
        network: Any,
        optimizer: Any,
        rng: np.random.Generator,
        history: list[dict[str, float]],
    ) -> None:
        """Keep the state after an epoch."""
        weights = network.get_weights()
        told = {
            "key": self._key,
            "history": history,
            "weights": len(weights),
            "rng": rng.bit_generator.state,
        }
        arrays = {f"weight{i}": weight for i, weight in enumerate(weights)}
        for i, variable in enumerate(optimizer.variables):
            arrays[f"optimizer{i}"] = np.asarray(variable)
        partial = self._folder / f".{STATE}.{os.getpid()}"
        with partial.open("wb") as file:
            np.savez(file, told=np.array(json.dumps(told)), **arrays)
        partial.replace(self._folder / STATE)

    def say(self, share: float, doing: str) -> None:
        """Tell whoever watches how far it is, from 0 to 1."""
        say(self._folder / PROGRESS, share, doing)


def say(path: Path, share: float, doing: str) -> None:
    """Write how far something is, from 0 to 1, for whoever watches."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps({"share": round(share, 4), "doing": doing}))
    partial.replace(path)


def end_with_starter() -> None:
    """End this process as soon as the one that started it is gone, however it went.

    Its end of our standard input closes then, also where it was killed.
    """

    def watch() -> None:
        # Not by sys.stdin: a thread that holds its lock when Python ends aborts it.
        while os.read(0, 1024):
            pass
        os._exit(70)

    threading.Thread(target=watch, daemon=True).start()
