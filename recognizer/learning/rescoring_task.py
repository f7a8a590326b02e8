"""The task of a worker that reads drawings again.

A worker of a cluster imports this module before Django is set up, so what needs models
is imported within the task.
"""

import os

import django
from django.apps import apps

from mlcore.workers import check_code
from recognizer.learning.ranges import RangeTask, Rescored


def read_again(task: RangeTask) -> tuple[RangeTask, Rescored | None]:
    """Read one range and store the readings; None if another worker is at it.

    Raises:
        WorkersError: this worker runs other code, or lacks the database or the bundle.
    """
    check_code(task.code)
    if not apps.ready:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "digitsite.settings")
        django.setup()
    from recognizer.learning.rereading import read_range

    return task, read_range(task)
