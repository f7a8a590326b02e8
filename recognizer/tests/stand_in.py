"""Stand-ins for training and gate: the same flags, files and manners, in a second.

    python -m recognizer.tests.stand_in work     # manage.py work, with these

`test_training.py` runs the same contract on them and on the real ones.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from mlcore.files import replaced
from mlcore.reading.bundle import (
    KERAS_WEIGHTS,
    SERVED_WEIGHTS,
    open_bundle,
    write_bundle,
)
from mlcore.training.checkpoint import end_with_starter, say
from mlcore.training.runs import METRICS
from mlcore.training.snapshot import load_snapshot

STEPS, STEP_S = 5, 0.15
SILENT_AFTER_S = 3


def flags(arguments: list[str]) -> dict[str, str]:
    """Read `--name=value` and `--name`."""
    told = {}
    for argument in arguments:
        name, _, value = argument.removeprefix("--").partition("=")
        told[name] = value
    return told


def train(told: dict[str, str]) -> None:
    """Take its time, then write the former bundle under another digest."""
    end_with_starter()
    snapshot = load_snapshot(Path(told["snapshot"]))
    folder = Path(told["checkpoint"])
    for step in range(STEPS):
        say(folder / "progress.json", step / STEPS, f"step {step} of {STEPS}")
        print(f"step {step}", flush=True)  # noqa: T201
        epochs = [f"{n + 1},{1 / (n + 1)},{0.5 + n / 8}" for n in range(step + 1)]
        with replaced(folder / METRICS) as metrics:
            metrics.write_text("\n".join(["epoch,loss,mnist", *epochs]))
        time.sleep(STEP_S)
    if told.get("epochs") == "0":
        sys.exit("There is nothing to train.")
    former = open_bundle(Path(told["start-from"]))
    write_bundle(
        Path(told["out"]),
        files={
            name: (former.folder / name).read_bytes()
            for name in (SERVED_WEIGHTS, KERAS_WEIGHTS)
        },
        calibration=former.calibration,
        metrics=former.metrics,
        provenance={"snapshot": snapshot.digest, "made": time.time_ns()},
    )


def judge(told: dict[str, str]) -> None:
    """Let it pass."""
    end_with_starter()
    time.sleep(STEP_S)
    report: dict[str, Any] = {
        "has_passed": True,
        "outcome": "passed",
        "drawings_to_decide": None,
        "candidate": open_bundle(Path(told["candidate"])).digest,
        "incumbent": open_bundle(Path(told["incumbent"])).digest,
        "checks": [],
        "drawings": [],
        "doubted": [],
        "erased": load_snapshot(Path(told["snapshot"])).erased,
        "mnist_test": {"candidate": 1.0, "incumbent": 1.0, "fixes": 0, "breaks": 0},
        "reference": {"confidence": [1] * 20, "ink": [1] * 20},
    }
    Path(told["out"]).write_text(json.dumps(report))


def work() -> None:
    """Work as `manage.py work` does, with the stand-ins and little patience."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "digitsite.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.core.management import call_command

    from recognizer.management.commands import work as command

    settings.TRAIN_COMMAND = [sys.executable, "-m", __spec__.name, "train"]
    settings.JUDGE_COMMAND = [sys.executable, "-m", __spec__.name, "judge"]
    settings.SILENT_AFTER_S = SILENT_AFTER_S
    command.TEND_EVERY_S = 1
    call_command("work")


if __name__ == "__main__":
    if sys.argv[1] == "work":
        work()
    else:
        {"train": train, "judge": judge}[sys.argv[1]](flags(sys.argv[2:]))
