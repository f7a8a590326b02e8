"""A training run in the hands of one worker, which alone may change its row."""

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
LOG_KEPT = 20_000  # characters of a log's end


class RunLostError(RuntimeError):
    """Another worker has this run now, or it has ended."""


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


def claim_run(*, run_id: UUID) -> Claim | None:
    """Claim a waiting run; None if it was cancelled or another worker has it."""
    taken = TrainingRun.objects.filter(pk=run_id, state=State.QUEUED).update(
        state=State.RUNNING, attempt=F("attempt") + 1, heartbeat_at=timezone.now()
    )
    if not taken:
        return None
    run = TrainingRun.objects.select_related("snapshot", "incumbent").get(pk=run_id)
    return Claim(run, run.attempt)
