"""Store a drawing together with what the active model reads in it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from mlcore.inference import Reading
from recognizer.drawings import tallies
from recognizer.drawings.group_commit import GroupedWrites
from recognizer.drawings.idempotency import RequestKey, key_row, stored_under
from recognizer.drawings.priority import review_priority
from recognizer.metrics import Stage
from recognizer.models import (
    IdempotencyKey,
    ModelVersion,
    Picture,
    Prediction,
    Submission,
    User,
    Visitor,
)
from recognizer.prepared import PreparedInsert, PreparedRow
from recognizer.reader import engine
from recognizer.reader.active import active_reader
from recognizer.reader.drawing import Drawing, PictureDrawing, StrokeDrawing
from recognizer.reader.pictures import stored_png


def submit_drawing(
    *,
    drawing: Drawing,
    visitor: Visitor | None,
    source: str,
    user: User | None = None,
    once: RequestKey | None = None,
) -> Submission:
    """Store a drawing together with what the active model reads in it.

    Args:
        visitor: who owns it; None makes a new one, the submission's `visitor`.
        user: whose visitor a new one is.
        once: what was stored under this key before is returned instead.
    """
    if earlier := stored_under(once):
        return earlier
    version, recogniser = active_reader()
    reading = engine.read(
        drawing, recogniser=recogniser
    )  # slow: before the transaction
    png = stored_png(drawing) if isinstance(drawing, PictureDrawing) else None

    new_visitor = None if visitor else Visitor(user=user)
    submission = Submission(
        visitor=visitor or new_visitor,
        source=source,
        pointer=drawing.pointer,
        shown_digit=reading.digit,
        refusal=reading.refusal or "",
        **columns_of(drawing),
    )
    shown = prediction_of(
        reading, submission=submission, version=version, role=Prediction.Role.SHOWN
    )
    submission.loaded_shown = [shown]
    submission.image_just_read = reading.image
    submission.review_priority = review_priority(submission)
    try:
        with Stage("store"):
            _new_submissions.write(_prepared(submission, new_visitor, png, once))
    except IntegrityError:
        # The same request came at the same time and was quicker: it stored.
        if earlier := stored_under(once):
            return earlier
        raise
    return submission


@dataclass(frozen=True)
class _NewSubmission:
    """All that is stored of a new submission, its rows in the database's words."""

    visitor: PreparedRow[Visitor] | None
    submission: PreparedRow[Submission]
    picture: PreparedRow[Picture] | None
    prediction: PreparedRow[Prediction]
    once: RequestKey | None
    counts: Counter[str]


def _prepared(
    submission: Submission,
    visitor: Visitor | None,
    png: bytes | None,
    once: RequestKey | None,
) -> _NewSubmission:
    return _NewSubmission(
        visitor=_visitors.row(visitor) if visitor else None,
        submission=_submissions.row(submission),
        picture=(
            None
            if png is None
            else _pictures.row(Picture(submission=submission, png=png))
        ),
        prediction=_predictions.row(submission.shown_prediction),
        once=once,
        counts=tallies.tallies_of(submission),
    )


def _store_all(new: Sequence[_NewSubmission]) -> None:
    """Store submissions in one transaction."""
    counts: Counter[str] = Counter()
    for one in new:
        counts.update(one.counts)
    with transaction.atomic():
        _visitors.all([one.visitor for one in new if one.visitor])
        _submissions.all([one.submission for one in new])
        _pictures.all([one.picture for one in new if one.picture])
        _predictions.all([one.prediction for one in new])
        # Made here: rows of an attempt that failed know keys that are gone with it.
        keys = [key_row(one.once, one.submission.model) for one in new if one.once]
        if keys:
            IdempotencyKey.objects.bulk_create(keys)
        tallies.add(counts)


_visitors = PreparedInsert(Visitor)


_submissions = PreparedInsert(Submission)


_pictures = PreparedInsert(Picture)


_predictions = PreparedInsert(Prediction)


_new_submissions = GroupedWrites(_store_all)


def prediction_of(
    reading: Reading, *, submission: Submission, version: ModelVersion, role: str
) -> Prediction:
    """Make the row of a reading, not stored yet."""
    return Prediction(
        submission=submission,
        model_version=version,
        role=role,
        digit=reading.digit,
        refusal=reading.refusal or "",
        probabilities=list(reading.probabilities),
        confidence=reading.confidence,
        second=reading.second,
        digitness=reading.digitness,
        ink=None if reading.image is None else float(reading.image.mean()),
    )


def columns_of(drawing: Drawing) -> dict[str, object]:
    """Return what a submission's row holds of its drawing."""
    if isinstance(drawing, StrokeDrawing):
        return {
            "form": Submission.Form.STROKES,
            "strokes": drawing.strokes,
            "width": drawing.width,
            "height": drawing.height,
            "pen_width": drawing.pen_width,
        }
    form = Submission.Form.PIXELS if drawing.is_ink else Submission.Form.PICTURE
    return {"form": form}
