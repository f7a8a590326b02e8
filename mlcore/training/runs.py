"""The folder of a training: var/runs/<time>/.

    state.npz       what the next start continues from; deleted when training is done
    metrics.csv     a line for each epoch
    tensorboard/    the same figures as curves
    run.json        config and results, written at the end

The same command continues a training that was stopped or killed: it finds the folder
whose state has the same recipe. A running training locks its folder.
"""

import contextlib
import csv
import fcntl
import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from mlcore import paths
from mlcore.files import replaced
from mlcore.training.checkpoint import STATE, Checkpoint, digest_of, key_of

METRICS, RECORD, CURVES, LOCK = "metrics.csv", "run.json", "tensorboard", ".lock"


class Run:
    """The folder of one training, locked until `end`.

    Args:
        key: the recipe.
        checkpoint: the folder to use; by default that of a stopped training with the
            same recipe, or a new one.
        fresh: ignore trainings that were stopped.
    """

    def __init__(
        self, *, key: Mapping[str, Any], checkpoint: str = "", fresh: bool = False
    ) -> None:
        self._is_ours = not checkpoint
        self._lock: IO[str] | None = None
        if checkpoint:
            self.folder = Path(checkpoint)
        else:
            self.folder, self._lock = _taken(digest_of(key), fresh=fresh)
        self.checkpoint = Checkpoint(self.folder, key=key)
        if fresh:
            self.checkpoint.forget()

    def note(self, history: Sequence[Mapping[str, float]]) -> None:
        """Write the epochs so far into metrics.csv."""
        columns = dict.fromkeys(name for row in history for name in row)
        with replaced(self.folder / METRICS) as path, path.open("w") as file:
            writer = csv.DictWriter(file, ["epoch", *columns], lineterminator="\n")
            writer.writeheader()
            writer.writerows({"epoch": n, **row} for n, row in enumerate(history, 1))

    def record(self, told: Mapping[str, Any], *, is_done: bool) -> Path:
        """Write run.json, and delete the state if the training is done.

        If the caller gave a checkpoint folder, the record goes to a new folder.
        """
        folder = self.folder if self._is_ours else _new_folder()
        with replaced(folder / RECORD) as path:
            path.write_text(json.dumps(told, indent=2) + "\n")
        if is_done and self._is_ours:
            self.checkpoint.forget()
        return folder

    def end(self) -> None:
        """Unlock the folder; delete it if it has neither a state nor a record."""
        if self._lock is None:
            return
        _tidy(self.folder)
        self._lock.close()
        self._lock = None


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """Return the epochs so far from a folder's metrics.csv; none without the file."""
    try:
        with (folder / METRICS).open(newline="") as file:
            rows = list(csv.DictReader(file))
    except OSError:
        return []
    return [
        {name: float(value) for name, value in row.items() if name != "epoch" and value}
        for row in rows
    ]


def _taken(key: str, *, fresh: bool) -> tuple[Path, IO[str]]:
    """Return a folder that no other training uses, and its lock."""
    for state in sorted(_runs().glob(f"*/{STATE}"), reverse=True):
        folder = state.parent
        lock = _locked(folder)
        if lock is None:
            continue
        if not fresh and key_of(folder) == key:
            return folder, lock
        _tidy(folder)
        lock.close()
    folder = _new_folder()
    lock = _locked(folder)
    if lock is None:
        raise FileExistsError(f"{folder} was taken by another training: start again.")
    return folder, lock


def _locked(folder: Path) -> IO[str] | None:
    lock = (folder / LOCK).open("a")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return None
    return lock


def _tidy(folder: Path) -> None:
    """Delete a folder with neither state nor record; else remove its lock."""
    if (folder / STATE).is_file() or (folder / RECORD).is_file():
        (folder / LOCK).unlink(missing_ok=True)
        (folder / "progress.json").unlink(missing_ok=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _runs() -> Path:
    return paths.data_folder() / "runs"


def _new_folder() -> Path:
    """Make a folder named after the time, numbered if several start in a second."""
    parent = _runs()
    parent.mkdir(parents=True, exist_ok=True)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    for number in range(1, 1000):
        folder = parent / (stamp if number == 1 else f"{stamp}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise FileExistsError(f"{parent} has a thousand folders named {stamp}.")


def duration(seconds: float) -> str:
    """Write a duration: 40 s, 12 min, 1 h 20 min."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def free_bytes(folder: Path) -> int:
    """Return the free space on the disk of a folder that may not exist yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free
