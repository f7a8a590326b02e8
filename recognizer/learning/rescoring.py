"""Rescoring: any version reads old drawings again, to compare with what was shown.

The ids of all drawings, which are UUIDv7 and so in order of time, are divided into
ranges. Each is read by one worker, which writes to the database itself. A constraint
keeps readings unique for each submission and version, whoever computes them.
"""

import uuid
from collections.abc import Callable
from dataclasses import replace

from django.db import connection, transaction
from django.db.models import QuerySet

from mlcore.workers import WorkersError as WorkersError
from mlcore.workers import code_version, workers
from recognizer.learning.ranges import RangeTask
from recognizer.learning.ranges import Rescored as Rescored
from recognizer.learning.rereading import unread_by
from recognizer.learning.rescoring_task import read_again
from recognizer.models import ModelVersion, RescoringRange, Submission
from recognizer.reader.recognisers import recogniser_for

RANGE = 1_000
"""Drawings in a range: about a second of work."""
_BEFORE_ALL = uuid.UUID(int=0)


def rescore(
    *,
    version: ModelVersion,
    batch: int = 200,
    most: int | None = None,
    afresh: bool = False,
    processes: int = 1,
    cluster: str = "",
    tell: Callable[[Rescored], None] = lambda so_far: None,
) -> Rescored:
    """Read all drawings again with a version, oldest first; resume where it stopped.

    Each batch is stored in one transaction, so a kill loses at most one batch of each
    worker. Drawings that the version has already read are skipped. Two rescorings of
    the same version at once share the ranges.

    Args:
        most: stop after this many drawings. afresh: look at all drawings again.
        processes, cluster: see `mlcore.workers.workers`. tell: called after each range.

    Raises:
        ReaderUnavailableError: this code cannot run the version.
        WorkersError: the workers cannot be used, or were lost.
    """
    if connection.vendor == "sqlite" and (processes > 1 or cluster):
        raise WorkersError(
            "SQLite is written by one process at a time: use one worker and no "
            "CLUSTER, or PostgreSQL by DATABASE_URL."
        )
    recogniser_for(version)  # fail here, and not on each worker
    if afresh:
        RescoringRange.objects.filter(model_version=version).delete()
    _plan(version)
    left = RescoringRange.objects.filter(model_version=version, is_done=False)
    up_to = _last_of(version, left, most) if most else None
    if up_to:
        left = left.filter(after__lt=up_to)
    tasks = [
        RangeTask(version.digest, range_id, batch, up_to, False, code_version())
        for range_id in left.order_by("after").values_list("pk", flat=True)
    ]
    done = Rescored(planned=sum(left.values_list("size", flat=True)))
    busy: list[RangeTask] = []
    with workers(processes, cluster=cluster) as running:
        for one, found in running.results(read_again, tasks):
            if found is None:
                busy.append(replace(one, takes_over=True))
            else:
                done.add(found)
                tell(done)
        # Their workers were killed, or still read them for another command.
        for _, found in running.results(read_again, busy):
            if found is not None:
                done.add(found)
                tell(done)
    return done


@transaction.atomic
def _plan(version: ModelVersion) -> None:
    """Divide the drawings after the last range into ranges."""
    # Two commands at once would plan the same ranges. Drawings are stored meanwhile.
    ModelVersion.objects.select_for_update(no_key=True).get(pk=version.pk)
    known = RescoringRange.objects.filter(model_version=version)
    last = known.order_by("-up_to").values_list("up_to", flat=True).first()
    after = last or _BEFORE_ALL
    planned = []
    while True:
        ids = Submission.objects.filter(pk__gt=after).order_by("pk")
        keys = ids.values_list("pk", flat=True)
        size = RANGE
        up_to = keys[size - 1 : size].first()
        if up_to is None:  # the last range is smaller
            size, up_to = (
                keys.count(),
                ids.reverse().values_list("pk", flat=True).first(),
            )
        if up_to is None:
            break
        planned.append(
            RescoringRange(model_version=version, after=after, up_to=up_to, size=size)
        )
        after = up_to
    RescoringRange.objects.bulk_create(planned, batch_size=1_000)


def _last_of(
    version: ModelVersion, left: QuerySet[RescoringRange], most: int
) -> uuid.UUID | None:
    """Return the id of the last of so many drawings; None if there are fewer."""
    afters = left.order_by("after").values_list("after", flat=True)
    first = afters.first() or _BEFORE_ALL
    unread = unread_by(version).filter(pk__gt=first).order_by("pk")
    return unread.values_list("pk", flat=True)[most - 1 : most].first()
