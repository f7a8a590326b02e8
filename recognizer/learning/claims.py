"""A worker's claim on a training run: only that worker may change the run's row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from mlcore.reading.bundle import Bundle
from recognizer.learning.promotion import register_model
from recognizer.models import GateReport, ModelVersion, TrainingRun

State = TrainingRun.State
LOG_KEPT = 20_000  # characters, from the log's end


class RunLostError(RuntimeError):
    """Another worker has this run now, or the run has ended."""


class CancelledError(RuntimeError):
    """Somebody has cancelled the run."""


@dataclass(frozen=True)
class Claim:
    """A run that one worker has claimed."""

    run: TrainingRun
    attempt: int

    def change(self, **values: Any) -> None:
        """Change the row while this worker has the run.

        Raises:
            RunLostError: this worker no longer has the run.
        """
        mine = TrainingRun.objects.filter(
            pk=self.run.pk, attempt=self.attempt, state=State.RUNNING
        )
        if not mine.update(heartbeat_at=timezone.now(), **values):
            raise RunLostError(
                f"Training {self.run.pk} no longer belongs to this worker."
            )

    def beat(
        self,
        *,
        progress: float,
        doing: str,
        log: str,
        history: Sequence[Mapping[str, float]] = (),
    ) -> None:
        """Report progress, and the figures of the epochs so far if there are any.

        Raises:
            RunLostError, CancelledError: the worker must stop.
        """
        epochs = {"history": list(history)} if history else {}
        self.change(progress=progress, doing=doing[:200], log=log[-LOG_KEPT:], **epochs)
        if TrainingRun.objects.filter(pk=self.run.pk, is_cancel_wanted=True).exists():
            raise CancelledError

    def end(self, state: State, *, log: str, problem: str = "") -> None:
        """Record that the run failed or was cancelled.

        Raises:
            RunLostError: this worker no longer has the run.
        """
        self.change(
            state=state,
            problem=problem,
            doing="",
            log=log[-LOG_KEPT:],
            finished_at=timezone.now(),
        )

    @transaction.atomic
    def finish(
        self, *, bundle: Bundle, report: dict[str, Any], log: str
    ) -> ModelVersion:
        """Register the trained model and its gate report in one transaction.

        Raises:
            RunLostError: this worker no longer has the run; nothing is registered.
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


def claim_run(*, run_id: UUID) -> Claim | None:
    """Claim a waiting run; None if it was cancelled or another worker has it."""
    taken = TrainingRun.objects.filter(pk=run_id, state=State.QUEUED).update(
        state=State.RUNNING,
        attempt=F("attempt") + 1,
        heartbeat_at=timezone.now(),
        started_at=timezone.now(),
    )
    if not taken:
        return None
    run = TrainingRun.objects.select_related("snapshot", "incumbent").get(pk=run_id)
    return Claim(run, run.attempt)
