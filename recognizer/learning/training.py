"""Training runs as rows: started, kept alive by heartbeats, resumed once, ended.

django-tasks hands a run to a worker, but a killed worker leaves its task RUNNING for
ever. So the row TrainingRun is the truth. A worker that claims a run increments its
attempt, and may change the row only while that attempt is the latest. A worker that
was replaced finds no row to change and stops.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from mlcore.reading.bundle import Bundle
from recognizer import request_ids
from recognizer.learning import tasks
from recognizer.learning.promotion import register_model
from recognizer.models import (
    AuditEntry,
    GateReport,
    ModelVersion,
    Snapshot,
    TrainingRun,
    User,
)
from recognizer.reader.active import active_model

State = TrainingRun.State
MOST_LOSSES = 2  # of its worker; taken up again after the first
LOG_KEPT = 20_000  # characters of a log's end


class RunLostError(RuntimeError):
    """Another worker has this run now, or it has ended."""


class CancelledError(RuntimeError):
    """Somebody has cancelled the run."""


@transaction.atomic
def start_training(
    *, snapshot: Snapshot, actor: User | None, options: dict[str, Any] | None = None
) -> TrainingRun:
    """Queue a training on a snapshot, from the active version's weights.

    Args:
        options: flags of `mlcore.training.train` with their values, over the usual.

    Raises:
        ReaderUnavailableError: no model is active.
    """
    run = TrainingRun.objects.create(
        snapshot=snapshot,
        incumbent=active_model(),
        options=options or {},
        started_by=actor,
        heartbeat_at=timezone.now(),
        request_id=request_ids.current.get(),
        doing="waiting for a worker",
    )
    _audit(AuditEntry.Action.TRAIN, run, actor, after={"snapshot": snapshot.digest})
    _enqueue(run)
    return run


def _enqueue(run: TrainingRun) -> None:
    run.task_id = UUID(tasks.train.enqueue(str(run.pk)).id)
    run.save(update_fields=["task_id"])


@transaction.atomic
def cancel_training(*, run: TrainingRun, actor: User | None) -> TrainingRun:
    """Cancel a run: at once if it waits, otherwise at its worker's next heartbeat."""
    locked = TrainingRun.objects.select_for_update().get(pk=run.pk)
    if locked.is_under_way and not locked.is_cancel_wanted:
        locked.is_cancel_wanted = True
        if locked.state == State.QUEUED:
            _end(locked, State.CANCELLED)
        locked.save()
        _audit(AuditEntry.Action.CANCEL, locked, actor, before={"state": run.state})
    return locked


# --- what its worker does -------------------------------------------------------------


@dataclass(frozen=True)
class Claim:
    """A run that one worker has claimed."""

    run: TrainingRun
    attempt: int

    def change(self, **values: Any) -> None:
        """Change the row while this worker has the run.

        Raises:
            RunLostError: it has lost the run.
        """
        mine = TrainingRun.objects.filter(
            pk=self.run.pk, attempt=self.attempt, state=State.RUNNING
        )
        if not mine.update(heartbeat_at=timezone.now(), **values):
            raise RunLostError(
                f"Training {self.run.pk} no longer belongs to this worker."
            )

    def beat(self, *, progress: float, doing: str, log: str) -> None:
        """Report progress.

        Raises:
            RunLostError, CancelledError: stop.
        """
        self.change(progress=progress, doing=doing[:200], log=log[-LOG_KEPT:])
        if TrainingRun.objects.filter(pk=self.run.pk, is_cancel_wanted=True).exists():
            raise CancelledError

    def end(self, state: State, *, log: str, problem: str = "") -> None:
        """Record that it failed or was cancelled.

        Raises:
            RunLostError: another worker has the run.
        """
        self.change(
            state=state,
            problem=problem,
            doing="",
            log=log[-LOG_KEPT:],
            finished_at=timezone.now(),
        )

    @transaction.atomic
    def hand_back(self, *, log: str) -> None:
        """Return the run to the queue, because this worker was told to stop."""
        self.change(
            state=State.QUEUED, doing="waiting for a worker", log=log[-LOG_KEPT:]
        )
        _enqueue(TrainingRun.objects.get(pk=self.run.pk))

    @transaction.atomic
    def finish(
        self, *, bundle: Bundle, report: dict[str, Any], log: str
    ) -> ModelVersion:
        """Register what was trained, with its gate report: all of it or nothing.

        Raises:
            RunLostError: another worker has the run, and registers its own result.
        """
        version = register_model(bundle=bundle, origin=ModelVersion.Origin.TRAINED)
        self.change(
            state=State.DONE,
            version=version,
            progress=1.0,
            doing="",
            log=log[-LOG_KEPT:],
            finished_at=timezone.now(),
        )
        GateReport.objects.create(
            candidate=version,
            incumbent=self.run.incumbent,
            snapshot=self.run.snapshot,
            has_passed=report["has_passed"],
            report=report,
        )
        return version


def claim(*, run_id: UUID) -> Claim | None:
    """Claim a waiting run; None if it was cancelled or another worker has it."""
    taken = TrainingRun.objects.filter(pk=run_id, state=State.QUEUED).update(
        state=State.RUNNING, attempt=F("attempt") + 1, heartbeat_at=timezone.now()
    )
    if not taken:
        return None
    run = TrainingRun.objects.select_related("snapshot", "incumbent").get(pk=run_id)
    return Claim(run, run.attempt)


# --- what became of the others -----------------------------------------------------


def tend_runs() -> int:
    """Resume runs without heartbeat once, then fail them; return their number.

    Called by each worker every few seconds, and by the admin's pages.
    """
    return sum(_tend(run_id) for run_id in _silent().values_list("pk", flat=True))


def _silent() -> QuerySet[TrainingRun]:
    return TrainingRun.objects.filter(
        state__in=[State.QUEUED, State.RUNNING],
        heartbeat_at__lt=timezone.now() - timedelta(seconds=settings.SILENT_AFTER_S),
    )


@transaction.atomic
def _tend(run_id: UUID) -> bool:
    run = _silent().select_for_update().filter(pk=run_id).first()
    if run is None:
        return False  # it beats again, or another worker was quicker
    if run.state == State.QUEUED and _waits_for_a_worker(run):
        return False
    run.heartbeat_at = timezone.now()
    run.times_lost += run.state == State.RUNNING
    if run.is_cancel_wanted:
        _end(run, State.CANCELLED)
    elif run.state == State.RUNNING and run.times_lost >= MOST_LOSSES:
        _end(run, State.FAILED)
        run.problem = (
            f"Its worker stopped responding {run.times_lost} times. Check the log and "
            "the machine's memory, then start it again."
        )
    else:
        run.state = State.QUEUED
        run.doing = "its worker stopped responding; waiting for another"
        _enqueue(run)
    run.save()
    return True


def _end(run: TrainingRun, state: State) -> None:
    run.state, run.finished_at, run.doing = state, timezone.now(), ""


def _waits_for_a_worker(run: TrainingRun) -> bool:
    """Whether its task is still in the queue, so that no worker has lost it."""
    if run.task_id is None:
        return False
    return DBTaskResult.objects.ready().filter(pk=run.task_id).exists()


def _audit(
    action: AuditEntry.Action,
    run: TrainingRun,
    actor: User | None,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    AuditEntry.objects.create(
        actor=actor,
        action=action,
        subject=str(run.pk),
        before=before or {},
        after=after or {},
    )
