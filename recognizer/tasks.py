"""Background work, done by `manage.py work`."""

from uuid import UUID

from django_tasks import task


@task()
def train(run_id: str) -> str:
    """Do a training run; return how it ended."""
    from recognizer.ml import training  # here: only a worker needs it

    return training.perform(UUID(run_id))
