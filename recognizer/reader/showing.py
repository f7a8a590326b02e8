"""Show a digit and its reading in a terminal."""

from uuid import UUID

from mlcore.judging import show
from mlcore.training.data import DataError as DataError
from recognizer.models import Submission
from recognizer.reader import engine
from recognizer.reader.active import active_model
from recognizer.reader.recognisers import recogniser_for

SOURCES = (*show.PARTS, "file")


def digit(what: str, which: str) -> str:
    """Show an MNIST image or a picture file as the active model reads it.

    Raises:
        DataError: there is no such image. ReaderUnavailableError.
    """
    version = active_model()
    title, reading = show.read(what=what, which=which, by=recogniser_for(version))
    return show.shown(f"{title}, read by {version}", reading)


def submission(which: str) -> str:
    """Show a submission, read again by the model whose reading was shown.

    Raises:
        DataError: no submission has this id. ReaderUnavailableError.
    """
    try:
        found = Submission.objects.with_shown_prediction().get(pk=UUID(which))
    except (ValueError, Submission.DoesNotExist) as error:
        raise DataError(
            f"There is no submission {which}. Its id is in the address of its page."
        ) from error
    version = found.shown_prediction.model_version
    drawing = engine.drawing_of(found)
    reading = engine.read(drawing, recogniser=recogniser_for(version))
    facts = [
        f"Submission {found.pk}",
        f"{found.created_at:%Y-%m-%d}",
        f"read by {version}",
    ]
    if found.verdict:
        correction = f", {found.correction}" if found.correction else ""
        facts.append(f"feedback: {found.get_verdict_display()}{correction}")
    if found.is_labelled:
        facts.append(f"label: {found.labelled_as or found.get_rejection_display()}")
    return show.shown("; ".join(facts), reading)
