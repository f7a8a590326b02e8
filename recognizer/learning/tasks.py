"""Background work, done by `manage.py work`."""

from uuid import UUID

from django_tasks import task


@task()
def train(run_id: str) -> str:
    """Do a training run; return how it ended."""
    from recognizer.learning import worker as training

    return training.perform(UUID(run_id))
