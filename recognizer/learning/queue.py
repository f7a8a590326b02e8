"""The state of the background work."""

from django.db.models import Count, Min
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from recognizer.models import TrainingRun


def queue_state() -> dict[str, float]:
    """Count waiting tasks and running trainings; measure the oldest task's wait."""
    found = DBTaskResult.objects.ready().aggregate(
        waiting=Count("pk"), oldest=Min("enqueued_at")
    )
    oldest = found["oldest"]
    running = TrainingRun.objects.filter(state=TrainingRun.State.RUNNING)
    return {
        "waiting": found["waiting"],
        "oldest_s": (timezone.now() - oldest).total_seconds() if oldest else 0.0,
        "trainings": running.count(),
    }
