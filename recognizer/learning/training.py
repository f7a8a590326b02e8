"""Training runs as rows: started, kept alive by heartbeats, resumed once, ended.

django-tasks hands a run to a worker, but the task of a killed worker stays RUNNING for
ever. Therefore only the TrainingRun row counts. A worker that claims a run increments
its attempt, and may change the row only while that attempt is the latest. A worker
that was replaced finds no row to change and stops.
"""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from recognizer import request_ids
from recognizer.learning.worker import enqueue
from recognizer.models import (
    AuditEntry,
    Snapshot,
    TrainingRun,
    User,
)
from recognizer.reader.active import active_model

State = TrainingRun.State
MOST_LOSSES = 2  # of its worker; the run resumes after the first


@transaction.atomic
def start_training(
    *, snapshot: Snapshot, actor: User | None, options: dict[str, Any] | None = None
) -> TrainingRun:
    """Queue a training on a snapshot, from the active version's weights.

    Args:
        options: flags of `mlcore.training.train` with values; they override the usual.

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
        doing="",
    )
    _audit(AuditEntry.Action.TRAIN, run, actor, after={"snapshot": snapshot.digest})
    enqueue(run)
    return run


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


# --- runs without a heartbeat -------------------------------------------------------


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
        return False  # it has a heartbeat again, or another process was quicker
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
        enqueue(run)
    run.save()
    return True


def _end(run: TrainingRun, state: State) -> None:
    run.state, run.finished_at, run.doing = state, timezone.now(), ""


def _waits_for_a_worker(run: TrainingRun) -> bool:
    """Whether its task is still in the queue, so no worker has started it."""
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
