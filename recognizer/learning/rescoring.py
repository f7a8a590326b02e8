"""The time machine: old drawings read again by any version, beside what was shown."""

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
    """What a rescoring came to.

    otherwise: read as another digit than was shown. was_right, is_right: of those whose
    digit a reviewer named.
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
    """Read all drawings again by a version, oldest first; go on where it was stopped.

    Each batch is one transaction with the place it has reached, so a kill loses one
    batch at most. What the version has read already is not read twice.

    Args:
        most: stop after so many. afresh: begin at the oldest again.

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
        for submission in found:  # slow: before the transaction
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
    # Where two rescore at once, each drawing is kept once.
    Prediction.objects.bulk_create(kept, ignore_conflicts=True)
    place.done_up_to = ids[-1]
    place.read += len(kept)
    place.save()
