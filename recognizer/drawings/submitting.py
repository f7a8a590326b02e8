"""Store a drawing together with the active model's reading."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction

from mlcore.reading.inference import Reading
from recognizer.drawings import tallies
from recognizer.drawings.events import announce, stored
from recognizer.drawings.group_commit import GroupCommit
from recognizer.drawings.idempotency import RequestKey, key_row, stored_under
from recognizer.drawings.inserts import NewRow, converted, insert
from recognizer.drawings.priority import review_priority
from recognizer.metrics import stage
from recognizer.models import (
    Event,
    IdempotencyKey,
    ModelVersion,
    Picture,
    Prediction,
    Submission,
    User,
    Visitor,
)
from recognizer.reader import engine
from recognizer.reader.active import active_reader
from recognizer.reader.drawing import Drawing, PixelDrawing, StrokeDrawing
from recognizer.reader.numbers import shown_number_of, stored_number
from recognizer.reader.pictures import stored_png


def submit_drawing(
    *,
    drawing: Drawing,
    visitor: Visitor | None,
    source: str,
    user: User | None = None,
    once: RequestKey | None = None,
    charge: Callable[[int], None] | None = None,
) -> Submission:
    """Store a drawing together with the active model's reading.

    Args:
        visitor: the owner. None makes a new one, which is the submission's `visitor`.
        user: the user of a new visitor.
        once: if this request was stored before, that submission is returned.
        charge: called with the bytes that will be stored; it may refuse by an error.
    """
    if earlier := stored_under(once):
        return earlier
    version, recogniser = active_reader()
    # Reading is slow, so it comes before the transaction.
    reading = engine.read(drawing, recogniser=recogniser)
    engine.compare_with_page(drawing, reading, model=version.digest)
    new_visitor = None if visitor else Visitor(user=user)
    submission = Submission(
        visitor=visitor or new_visitor,
        source=source,
        pointer=drawing.pointer,
        shown_digit=reading.digit,
        shown_number=shown_number_of(reading),
        refusal=reading.refusal or "",
        **columns_of(drawing),
    )
    shown = prediction_of(
        reading, submission=submission, version=version, role=Prediction.Role.SHOWN
    )
    submission.loaded_shown = [shown]
    submission.image_just_read = reading.image
    submission.number_just_read = reading.number
    submission.review_priority = review_priority(submission)
    png = stored_png(drawing)
    picture = Picture(submission=submission, png=png) if png is not None else None
    if charge is not None:
        charge(_ROW_BYTES + (len(png) if png else _stroke_bytes(submission)))
    try:
        with stage("store"):
            _new_submissions.store(
                _NewSubmission(
                    visitor=converted(new_visitor) if new_visitor else None,
                    submission=converted(submission),
                    picture=converted(picture) if picture else None,
                    prediction=converted(shown),
                    once=once,
                    counts=tallies.tallies_of(submission),
                )
            )
    except IntegrityError:
        # The same request was stored at the same time.
        if earlier := stored_under(once):
            return earlier
        raise
    return submission


_ROW_BYTES = 1_000  # a submission and its prediction, without the drawing
_POINT_BYTES = 16


def _stroke_bytes(submission: Submission) -> int:
    return _POINT_BYTES * sum(len(stroke) for stroke in submission.strokes or [])


@dataclass(frozen=True)
class _NewSubmission:
    """Everything that is stored for a new submission."""

    visitor: NewRow[Visitor] | None
    submission: NewRow[Submission]
    picture: NewRow[Picture] | None
    prediction: NewRow[Prediction]
    once: RequestKey | None
    counts: Counter[str]


def _store_all(new: Sequence[_NewSubmission]) -> None:
    """Store submissions in one transaction."""
    counts: Counter[str] = Counter()
    for one in new:
        counts.update(one.counts)
    with transaction.atomic():
        insert([one.visitor for one in new if one.visitor])
        insert([one.submission for one in new])
        insert([one.picture for one in new if one.picture])
        insert([one.prediction for one in new])
        # Made here: rows from a failed attempt would keep primary keys that are gone.
        keys = [key_row(one.once, one.submission.row) for one in new if one.once]
        IdempotencyKey.objects.bulk_create(keys)
        announce(
            Event.SUBMISSION_CREATED,
            lambda: [stored(one.submission.row) for one in new],
        )
        tallies.add(counts)


_new_submissions = GroupCommit(_store_all)


def prediction_of(
    reading: Reading,
    *,
    submission: Submission | UUID,
    version: ModelVersion,
    role: str,
) -> Prediction:
    """Return an unsaved prediction row for a reading.

    submission: a row, or the id of a stored one.
    """
    is_id = isinstance(submission, UUID)
    return Prediction(
        **{"submission_id" if is_id else "submission": submission},
        model_version=version,
        role=role,
        digit=reading.digit,
        refusal=reading.refusal or "",
        probabilities=list(reading.probabilities),
        confidence=reading.confidence,
        second=reading.second,
        digitness=reading.digitness,
        doubt=reading.doubt,
        ink=None if reading.image is None else float(reading.image.mean()),
        number=stored_number(reading),
    )


def columns_of(drawing: Drawing) -> dict[str, object]:
    """Return the columns that store a drawing in its submission's row."""
    if isinstance(drawing, StrokeDrawing):
        return {
            "form": Submission.Form.STROKES,
            "strokes": drawing.strokes,
            "width": drawing.width,
            "height": drawing.height,
            "pen_width": drawing.pen_width,
        }
    if isinstance(drawing, PixelDrawing):
        return {"form": Submission.Form.PIXELS}
    return {"form": Submission.Form.PICTURE}
