"""How the background work stands."""

from dataclasses import dataclass

from django.db.models import Count, Min
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from recognizer.models import TrainingRun


@dataclass(frozen=True)
class Queue:
    """The background work: tasks that wait, for how long, trainings under way."""

    waiting: int
    oldest_s: float
    trainings: int


def queue_state() -> Queue:
    """Return how the background work stands."""
    found = DBTaskResult.objects.ready().aggregate(
        waiting=Count("pk"), oldest=Min("enqueued_at")
    )
    oldest = found["oldest"]
    running = TrainingRun.objects.filter(state=TrainingRun.State.RUNNING)
    return Queue(
        waiting=found["waiting"],
        oldest_s=(timezone.now() - oldest).total_seconds() if oldest else 0.0,
        trainings=running.count(),
    )
