"""The numbers on the admin's first page, and the next thing to do."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django_tasks_db.models import DBTaskResult

from recognizer.drawings.statistics import Share, stats
from recognizer.learning.figures import current_figures
from recognizer.models import (
    ModelVersion,
    Submission,
    TrainingRun,
    Verdict,
    Webhook,
)
from recognizer.models.base import first_id_of

COUNTED = 10_000
"""A day's corrected drawings are counted up to this number."""
MUCH_DRIFT = 0.25
"""Population stability index above which a lot has changed; see `learning.figures`."""
ENOUGH_FOR_DRIFT = 500
"""Drawings; with fewer, chance alone moves the index by more than 0.04."""
FAILED_WITHIN = timedelta(days=7)


@dataclass(frozen=True)
class NextStep:
    """The button of the page."""

    words: str
    address: str


@dataclass(frozen=True)
class Overview:
    """The numbers of the first page.

    corrections_today: drawings stored today that their visitors corrected.
    oldest_waiting: when the oldest drawing that waits for a reviewer was stored.
    drift: the larger of the two population stability indexes; None if unknown, or if
        there are too few drawings.
    failed: trainings and other background tasks that failed within a week.
    stopped_webhooks: webhooks that the site has disabled.
    """

    waiting: int
    oldest_waiting: datetime | None
    drawings_today: int
    corrections_today: int
    model: ModelVersion | None
    accuracy: Share | None
    drift: float | None
    training: TrainingRun | None
    failed: int
    stopped_webhooks: int
    next_step: NextStep

    @property
    def has_drifted(self) -> bool:
        """Whether a lot has changed."""
        return self.drift is not None and self.drift > MUCH_DRIFT


def overview() -> Overview:
    """Gather what the first page says."""
    numbers, figures = stats(), current_figures()
    now = timezone.now()
    today = first_id_of(timezone.localtime(now).replace(hour=0, minute=0, second=0))
    oldest = Submission.objects.awaiting_review().order_by("pk").only("created_at")
    waiting = numbers.submissions - numbers.reviewed
    drifts = [
        drift
        for drift in (figures.confidence_drift, figures.ink_drift)
        if drift is not None
    ]
    under_way = [TrainingRun.State.QUEUED, TrainingRun.State.RUNNING]
    return Overview(
        waiting=waiting,
        oldest_waiting=first.created_at if (first := oldest.first()) else None,
        drawings_today=figures.by_day[-1][1],
        corrections_today=len(
            Submission.objects.filter(pk__gte=today, verdict=Verdict.WRONG)
            .order_by("pk")
            .values_list("pk")[:COUNTED]
        ),
        model=figures.model,
        accuracy=figures.accuracy,
        drift=(
            max(drifts, default=None)
            if numbers.submissions >= ENOUGH_FOR_DRIFT
            else None
        ),
        training=TrainingRun.objects.filter(state__in=under_way).order_by("pk").first(),
        failed=_failed(now - FAILED_WITHIN),
        stopped_webhooks=Webhook.objects.stopped().count(),
        next_step=_next_step(waiting),
    )


def _failed(since: datetime) -> int:
    trainings = TrainingRun.objects.filter(
        state=TrainingRun.State.FAILED, finished_at__gte=since
    )
    tasks = DBTaskResult.objects.failed().filter(finished_at__gte=since)
    return trainings.count() + tasks.count()


def _next_step(waiting: int) -> NextStep:
    """Suggest what helps most: a candidate to decide on, then drawings to review."""
    candidate = (
        ModelVersion.objects.filter(
            stage=ModelVersion.Stage.CANDIDATE, gate_reports__has_passed=True
        )
        .newest_first()
        .first()
    )
    if candidate:
        page = reverse("admin:recognizer_modelversion_change", args=[candidate.pk])
        return NextStep(_("Decide on model %s") % candidate, page)
    if waiting:
        return NextStep(_("Review the next drawing"), reverse("admin:review-desk"))
    return NextStep(_("Look at the figures"), reverse("admin:figures"))
