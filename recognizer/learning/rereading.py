"""Read one range of stored drawings with a version, and store the readings."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from django.core.exceptions import ObjectDoesNotExist
from django.db import (
    DatabaseError,
    IntegrityError,
    close_old_connections,
    connection,
    transaction,
)
from django.db.models import BinaryField, Exists, ExpressionWrapper, F, OuterRef, Q
from django.utils import timezone

from mlcore.reading.inference import Reading, Recogniser
from mlcore.workers import WorkersError, this_worker
from recognizer.drawings.submitting import prediction_of
from recognizer.learning.ranges import RangeTask, Rescored
from recognizer.models import (
    ModelVersion,
    Prediction,
    RescoringRange,
    Submission,
    SubmissionQuerySet,
)
from recognizer.models.base import first_id_of
from recognizer.reader import engine
from recognizer.reader.recognisers import ReaderUnavailableError, recogniser_for

SILENT_AFTER = timedelta(seconds=60)
"""A worker that has stored nothing for this long has lost its claim to a range."""
SETTLED_AFTER = timedelta(minutes=10)
"""Drawings with older ids are all stored; younger ones may still be committed."""
_TRIES = 3


class _Row(NamedTuple):
    """What a rereading needs of a submission; `probabilities` are the shown ones."""

    pk: uuid.UUID
    form: str
    packed: bytes | None
    pen_width: float | None
    shown_number: str
    label_digit: int | None
    probabilities: list[float]


def read_range(task: RangeTask) -> Rescored | None:
    """Read what is missing of a range; None if it is done or another worker is at it.

    Raises:
        WorkersError: this worker lacks the database or the bundle.
    """
    if not connection.in_atomic_block:  # a transaction of the caller keeps its own
        close_old_connections()  # one may have been idle since the last range
    version, recogniser = _model(task.digest)
    if not _is_claimed(task):
        return None
    range_row = RescoringRange.objects.get(pk=task.range_id)
    last = min(range_row.up_to, task.up_to or range_row.up_to)
    done = Rescored(passed=range_row.size)
    after = range_row.after
    while rows := _missing(version, after, last, task.batch):
        after = rows[-1].pk
        readings = [(row, _read(row, recogniser)) for row in rows]
        _store(range_row, version, readings, done)
    is_settled = range_row.up_to < first_id_of(timezone.now() - SETTLED_AFTER)
    if is_settled and last == range_row.up_to:
        RescoringRange.objects.filter(pk=range_row.pk).update(is_done=True)
    return done


def _model(digest: str) -> tuple[ModelVersion, Recogniser]:
    try:
        version = ModelVersion.objects.get(digest=digest)
        return version, recogniser_for(version)
    except ModelVersion.DoesNotExist as error:
        raise WorkersError(
            f"{this_worker()} finds no model {digest[:12]} in its database: give it "
            "the same DATABASE_URL as this command."
        ) from error
    except ReaderUnavailableError as error:
        raise WorkersError(f"{this_worker()} lacks the bundle. {error}") from error
    except DatabaseError as error:
        raise WorkersError(
            f"{this_worker()} cannot use its database: give it the same DATABASE_URL "
            "as this command."
        ) from error


def _is_claimed(task: RangeTask) -> bool:
    """Claim a range, so that two commands at once share the work."""
    now = timezone.now()
    free = RescoringRange.objects.filter(pk=task.range_id, is_done=False)
    if not task.takes_over:
        free = free.filter(
            Q(claimed_at__isnull=True) | Q(claimed_at__lt=now - SILENT_AFTER)
        )
    return free.update(claimed_at=now) == 1


def unread_by(version: ModelVersion) -> SubmissionQuerySet:
    """Return the submissions that a version has not read."""
    known = Prediction.objects.filter(submission=OuterRef("pk"), model_version=version)
    return Submission.objects.filter(~Exists(known))


def _missing(
    version: ModelVersion, after: uuid.UUID, last: uuid.UUID, most: int
) -> list[_Row]:
    """Return the next rows to read, with strokes as they are stored."""
    packed = ExpressionWrapper(F("strokes"), output_field=BinaryField())
    found = (
        unread_by(version)
        .filter(pk__gt=after, pk__lte=last, predictions__role=Prediction.Role.SHOWN)
        .order_by("pk")
        .values_list(
            *("pk", "form", packed, "pen_width", "shown_number", "label_digit"),
            "predictions__probabilities",
        )
    )
    return [_Row(*row) for row in found[:most]]


def _read(row: _Row, recogniser: Recogniser) -> Reading | None:
    """Return the reading; None if the drawing was deleted meanwhile."""
    if row.form == Submission.Form.STROKES and not row.shown_number:
        return engine.read_packed(
            bytes(row.packed or b""),
            pen_width=row.pen_width or 0,
            recogniser=recogniser,
        )
    try:
        drawing = engine.drawing_of(Submission.objects.get(pk=row.pk))
    except ObjectDoesNotExist:
        return None
    return engine.read(drawing, recogniser=recogniser)


def _store(
    range_row: RescoringRange,
    version: ModelVersion,
    readings: Sequence[tuple[_Row, Reading | None]],
    done: Rescored,
) -> None:
    """Store readings in one transaction and count them."""
    made = [
        prediction_of(
            reading,
            submission=row.pk,
            version=version,
            role=Prediction.Role.RESCORE,
        )
        for row, reading in readings
        if reading is not None
    ]
    for left in reversed(range(_TRIES)):
        try:
            here = _stored(range_row, made)
            break
        except IntegrityError:  # a drawing was deleted before the commit
            if not left:
                raise
    row_of = {row.pk: row for row, _ in readings}
    for prediction in made:
        if prediction.submission_id in here:
            _count(row_of[prediction.submission_id], prediction, done)


@transaction.atomic
def _stored(range_row: RescoringRange, made: Sequence[Prediction]) -> set[uuid.UUID]:
    """Store readings of the drawings that still exist; return their ids."""
    ids = [one.submission_id for one in made]
    here = set(Submission.objects.filter(pk__in=ids).values_list("pk", flat=True))
    # If two workers read the same drawing, the first reading is kept.
    Prediction.objects.bulk_create(
        [one for one in made if one.submission_id in here], ignore_conflicts=True
    )
    RescoringRange.objects.filter(pk=range_row.pk).update(claimed_at=timezone.now())
    return here


def _count(row: _Row, prediction: Prediction, done: Rescored) -> None:
    shown = max(range(10), key=row.probabilities.__getitem__)
    done.read += 1
    done.otherwise += prediction.likeliest != shown
    if row.label_digit is not None:
        done.reviewed += 1
        done.was_right += shown == row.label_digit
        done.is_right += prediction.likeliest == row.label_digit
