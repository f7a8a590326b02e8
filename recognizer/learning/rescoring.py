"""Rescoring: any version reads old drawings again, to compare with what was shown."""

from collections.abc import Callable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef

from recognizer.drawings.submitting import prediction_of
from recognizer.models import ModelVersion, Prediction, Rescoring, Submission
from recognizer.reader import engine
from recognizer.reader.recognisers import recogniser_for


@dataclass
class Rescored:
    """The counts of a rescoring.

    otherwise: drawings read as another digit than the shown one. reviewed: drawings
    labelled with a digit. was_right: those that the shown reading got right; is_right:
    those that this version gets right.
    """

    read: int = 0
    otherwise: int = 0
    reviewed: int = 0
    was_right: int = 0
    is_right: int = 0

    def add(self, submission: Submission, prediction: Prediction) -> None:
        """Count one drawing."""
        shown = submission.shown_prediction
        self.read += 1
        self.otherwise += prediction.likeliest != shown.likeliest
        if submission.label_digit is not None:
            self.reviewed += 1
            self.was_right += shown.likeliest == submission.label_digit
            self.is_right += prediction.likeliest == submission.label_digit


def rescore(
    *,
    version: ModelVersion,
    batch: int = 200,
    most: int | None = None,
    afresh: bool = False,
    tell: Callable[[Rescored], None] = lambda so_far: None,
) -> Rescored:
    """Read all drawings again with a version, oldest first; resume where it stopped.

    Each batch is stored in one transaction with the position reached, so a kill loses
    at most one batch. Drawings that the version has already read are skipped.

    Args:
        most: stop after this many drawings. afresh: start at the oldest again.

    Raises:
        ReaderUnavailableError: this code cannot run the version.
    """
    recogniser = recogniser_for(version)
    place, _ = Rescoring.objects.get_or_create(model_version=version)
    if afresh:
        place.done_up_to, place.read = None, 0
    done = Rescored()
    known = Prediction.objects.filter(submission=OuterRef("pk"), model_version=version)
    while most is None or done.read < most:
        count = batch if most is None else min(batch, most - done.read)
        rest = Submission.objects.with_shown_prediction().filter(~Exists(known))
        if place.done_up_to:
            rest = rest.filter(pk__gt=place.done_up_to)
        found = list(rest.order_by("pk")[:count])
        if not found:
            break
        made = []
        for submission in found:  # slow, so before the transaction
            reading = engine.read(engine.drawing_of(submission), recogniser=recogniser)
            prediction = prediction_of(
                reading,
                submission=submission,
                version=version,
                role=Prediction.Role.RESCORE,
            )
            done.add(submission, prediction)
            made.append(prediction)
        _store(place, made)
        tell(done)
    return done


@transaction.atomic
def _store(place: Rescoring, made: list[Prediction]) -> None:
    ids = [one.submission_id for one in made]
    here = set(Submission.objects.filter(pk__in=ids).values_list("pk", flat=True))
    kept = [one for one in made if one.submission_id in here]  # the rest was deleted
    # If two processes rescore at once, each reading is stored once.
    Prediction.objects.bulk_create(kept, ignore_conflicts=True)
    place.done_up_to = ids[-1]
    place.read += len(kept)
    place.save()
