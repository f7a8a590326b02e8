"""Train a run's bundle and judge it, in two child processes that are watched.

`mlcore.training.train` and `mlcore.judging.gate` run as processes of their own, which
frees TensorFlow's memory when they end. They exit when this process does, even if it
is killed. They replace whole files only, so a kill at any moment leaves a state to
resume from and never half a bundle.
"""

import contextlib
import json
import logging
import shutil
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, transaction
from django_tasks import task

from mlcore import paths
from mlcore.reading.bundle import Bundle, open_bundle
from mlcore.training.checkpoint import end_with_starter as end_with_starter
from mlcore.training.runs import read_metrics
from recognizer import request_ids
from recognizer.learning import datasets
from recognizer.learning.claims import (
    LOG_KEPT,
    CancelledError,
    Claim,
    RunLostError,
    claim_run,
)
from recognizer.models import TrainingRun
from recognizer.reader.recognisers import bundle_of

log = logging.getLogger(__name__)

# From trained weights a few epochs at a low rate are enough: see docs/learning.md.
USUAL_OPTIONS: dict[str, Any] = {
    "epochs": 3,
    "learning_rate": 0.001,
    "threads": 1,
}
LOOK_EVERY_S = 0.5
BEAT_EVERY_S = 2.0
TRAINING_SHARE = 0.8  # of the progress; the rest is the gate's


class TrainingFailedError(RuntimeError):
    """The run cannot be finished; the message says why."""


def is_installed() -> bool:
    """Whether this machine has what training needs."""
    return find_spec("tensorflow") is not None


HOW_TO_INSTALL = (
    "Training needs more packages than serving. Run .venv/bin/pip install -r "
    "requirements/train.txt, then make worker."
)


@task()
def train(run_id: str) -> str:
    """Do a training run; return how it ended."""
    return perform(UUID(run_id))


def enqueue(run: TrainingRun) -> None:
    """Queue a waiting run for a worker."""
    run.task_id = UUID(train.enqueue(str(run.pk)).id)
    run.save(update_fields=["task_id"])


@transaction.atomic
def hand_back(claim: Claim, *, log: str) -> None:
    """Queue a run for another worker, because this one was told to stop.

    Raises:
        RunLostError: this worker no longer has the run.
    """
    claim.change(
        state=TrainingRun.State.QUEUED,
        doing="",
        log=log[-LOG_KEPT:],
    )
    enqueue(TrainingRun.objects.get(pk=claim.run.pk))


def perform(run_id: UUID) -> str:
    """Claim a run and do it; return how it ended."""
    claim = claim_run(run_id=run_id)
    if claim is None:
        return "not available"
    request_ids.current.set(claim.run.request_id)
    log.info("Training %s: attempt %d begins", run_id, claim.attempt)
    folder = settings.RUNS_FOLDER / str(run_id)
    watched = _Watched(claim, folder)
    try:
        state = _perform(claim, watched)
    except RunLostError as error:
        log.warning("%s", error)
        return "lost"  # another worker uses the folder now
    except (SystemExit, KeyboardInterrupt):
        _remove_copies(folder)  # the next worker makes new ones; the checkpoint stays
        with contextlib.suppress(RunLostError):
            hand_back(claim, log=watched.log())
        raise
    shutil.rmtree(folder, ignore_errors=True)
    return str(state)


def _remove_copies(folder: Path) -> None:
    for copy in ("snapshot", "earlier"):
        shutil.rmtree(folder / copy, ignore_errors=True)


def clear_away() -> int:
    """Remove the folders of ended runs on this machine; return how many.

    A worker that is killed or loses its run leaves its copy of the snapshot behind.
    That copy must not keep drawings that are deleted later.
    """
    left = 0
    folders = settings.RUNS_FOLDER.iterdir() if settings.RUNS_FOLDER.is_dir() else ()
    for folder in folders:
        try:
            run = TrainingRun.objects.filter(pk=UUID(folder.name)).first()
        except ValueError:
            continue  # a run folder of `make train`: it holds no drawings of this site
        if run is None or not run.is_under_way:
            shutil.rmtree(folder, ignore_errors=True)
            left += 1
    return left


def _perform(claim: Claim, watched: "_Watched") -> TrainingRun.State:
    try:
        if not is_installed():
            raise TrainingFailedError(HOW_TO_INSTALL)
        bundle, report = _train_and_judge(watched)
        claim.finish(bundle=bundle, report=report, log=watched.log())
        return TrainingRun.State.DONE
    except CancelledError:
        claim.end(TrainingRun.State.CANCELLED, log=watched.log())
        return TrainingRun.State.CANCELLED
    except RunLostError:
        raise
    except Exception as error:  # any error must end the run
        log.exception("Training %s failed", claim.run.pk)
        problem = str(error) or type(error).__name__
        claim.end(TrainingRun.State.FAILED, log=watched.log(), problem=problem)
        return TrainingRun.State.FAILED


def _train_and_judge(watched: "_Watched") -> tuple[Bundle, dict[str, Any]]:
    run, folder = watched.claim.run, watched.folder
    folder.mkdir(parents=True, exist_ok=True)
    if run.request_id:
        watched.note(f"Started by request {run.request_id}.")
    snapshot, earlier, out = folder / "snapshot", folder / "earlier", folder / "out"
    # Each attempt writes the copies again, without drawings deleted since.
    _remove_copies(folder)
    shutil.rmtree(out, ignore_errors=True)
    datasets.write_folder(run.snapshot, snapshot)
    datasets.write_earlier(run.snapshot, earlier)
    incumbent = bundle_of(run.incumbent)
    options = {**USUAL_OPTIONS, "pen": paths.pen_folder() is not None, **run.options}
    watched.run(
        [
            *settings.TRAIN_COMMAND,
            *_flags(options),
            f"--start-from={incumbent.folder}",
            f"--snapshot={snapshot}",
            f"--checkpoint={folder}",
            f"--out={out}",
            "--allow-missing-digits",  # a site's first labels cover only a few
            "--watched",
        ],
        begin=0.0,
        end=TRAINING_SHARE,
    )
    (made,) = [path for path in out.iterdir() if not path.name.startswith(".")]
    report = folder / "report.json"
    watched.run(
        [
            *settings.JUDGE_COMMAND,
            f"--candidate={made}",
            f"--incumbent={incumbent.folder}",
            f"--snapshot={snapshot}",
            f"--earlier={earlier}",
            f"--progress={folder / 'progress.json'}",
            f"--out={report}",
            f"--digits={options.get('digits', 0)}",
            "--watched",
        ],
        begin=TRAINING_SHARE,
        end=1.0,
    )
    return open_bundle(made), json.loads(report.read_text())


def _flags(options: dict[str, Any]) -> list[str]:
    """Write options as the command's flags."""
    flags = []
    for name, value in options.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            flags.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            flags.append(f"--{flag}={value}")
    return flags


class _Watched:
    """Runs child processes for a claim; sends heartbeats, kills them on errors."""

    def __init__(self, claim: Claim, folder: Path) -> None:
        self.claim = claim
        self.folder = folder
        self._log = folder / "log"

    def log(self) -> str:
        """Return the end of the log that the run's children write."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, self._log.stat().st_size - 4 * LOG_KEPT))
                return file.read().decode(errors="replace").replace("\0", "")
        except OSError:
            return ""

    def note(self, line: str) -> None:
        """Add a line to the log."""
        with self._log.open("a") as file:
            file.write(f"{line}\n")

    def run(self, command: list[str], *, begin: float, end: float) -> None:
        """Run a child to its end.

        Raises:
            TrainingFailedError: its exit code is not 0.
            RunLostError, CancelledError: it had to be killed.
        """
        progress = self.folder / "progress.json"
        progress.unlink(missing_ok=True)
        nice = shutil.which("nice")  # serving pages has priority
        with self._log.open("a") as file:
            child = subprocess.Popen(
                [*([nice, "-n", "10"] if nice else []), *command],
                cwd=settings.BASE_DIR,
                stdin=subprocess.PIPE,  # closes when we exit; then the child exits
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        try:
            beaten_at = 0.0
            while child.poll() is None:
                if time.monotonic() - beaten_at >= BEAT_EVERY_S:
                    share, doing = _progress(progress)
                    self._beat(begin + share * (end - begin), doing)
                    beaten_at = time.monotonic()
                time.sleep(LOOK_EVERY_S)
        finally:
            child.kill()
            child.communicate()  # waits, and closes its standard input
        with contextlib.suppress(CancelledError):  # it has ended anyway
            self._beat(end, "")  # the last epoch's figures
        if child.returncode != 0:
            lines = [line for line in self.log().splitlines() if line.strip()]
            last = lines[-1] if lines else "nothing"
            raise TrainingFailedError(
                f"It ended with exit code {child.returncode}. Last output: {last[:500]}"
            )

    def _beat(self, progress: float, doing: str) -> None:
        try:
            self.claim.beat(
                progress=progress,
                doing=doing,
                log=self.log(),
                history=read_metrics(self.folder),
            )
        except DatabaseError as error:  # try again until the run counts as silent
            log.warning("No heartbeat: %s", error)


def _progress(path: Path) -> tuple[float, str]:
    with contextlib.suppress(OSError, ValueError, KeyError):
        told = json.loads(path.read_text())
        return float(told["share"]), str(told["doing"])
    return 0.0, "starting"
