"""Everything that changes rows: verbs, keyword-only, returning the row they made."""

from django.db import transaction

from mlcore.bundle import Bundle
from mlcore.inference import Reading
from recognizer.drawing import Drawing, PictureDrawing, StrokeDrawing
from recognizer.ml import engine
from recognizer.models import (
    BundleArchive,
    Feedback,
    ModelVersion,
    Picture,
    Prediction,
    Submission,
    Verdict,
    Visitor,
)

# --- drawings ----------------------------------------------------------------------


def submit_drawing(
    *, drawing: Drawing, visitor: Visitor | None, source: str
) -> tuple[Submission, Reading]:
    """Store a drawing together with what the active model reads in it.

    Args:
        visitor: who owns it; None makes a new one, the submission's `visitor`.
    """
    version = active_model()
    recogniser = engine.recogniser_for(version)
    reading = engine.read(
        drawing, recogniser=recogniser
    )  # slow: before the transaction
    png = engine.stored_png(drawing) if isinstance(drawing, PictureDrawing) else None
    with transaction.atomic():
        submission = Submission.objects.create(
            visitor=visitor or Visitor.objects.create(),
            source=source,
            pointer=drawing.pointer,
            shown_digit=reading.digit,
            refusal=reading.refusal or "",
            **_columns(drawing),
        )
        if png is not None:
            Picture.objects.create(submission=submission, png=png)
        shown = Prediction.objects.create(
            submission=submission,
            model_version=version,
            role=Prediction.Role.SHOWN,
            digit=reading.digit,
            refusal=reading.refusal or "",
            probabilities=list(reading.probabilities),
            confidence=reading.confidence,
            second=reading.second,
            digitness=reading.digitness,
        )
    submission.loaded_shown = [shown]
    return submission, reading


def _columns(drawing: Drawing) -> dict[str, object]:
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


def give_feedback(
    *, submission: Submission, verdict: str, digit: int | None = None
) -> Feedback:
    """Add a visitor's answer to the shown prediction; all are kept, this one counts.

    Args:
        digit: the true one, exactly where the verdict is wrong.
    """
    is_withdrawn = verdict == Verdict.WITHDRAWN
    with transaction.atomic():
        feedback = Feedback.objects.create(
            submission=submission, verdict=verdict, digit=digit
        )
        submission.verdict = "" if is_withdrawn else verdict
        submission.corrected_digit = digit
        submission.save(update_fields=["verdict", "corrected_digit"])
    return feedback


def delete_submission(*, submission: Submission) -> None:
    """Remove a drawing with all that was said of it."""
    submission.delete()


# --- models --------------------------------------------------------------------------


def active_model() -> ModelVersion:
    """Return the version that reads now.

    Raises:
        ReaderUnavailableError: none was registered yet.
    """
    try:
        return ModelVersion.objects.active()
    except ModelVersion.DoesNotExist as error:
        raise engine.ReaderUnavailableError(
            "No model is active: run manage.py prepare."
        ) from error


@transaction.atomic
def register_model(*, bundle: Bundle, origin: str) -> ModelVersion:
    """Make a bundle known as a candidate, its bytes kept beside it; once per digest."""
    version, is_new = ModelVersion.objects.get_or_create(
        digest=bundle.digest,
        defaults={"origin": origin, "manifest": dict(bundle.manifest)},
    )
    if is_new:
        BundleArchive.objects.create(model_version=version, packed=bundle.packed())
    return version


@transaction.atomic
def promote_model(*, version: ModelVersion) -> ModelVersion:
    """Let this version read from now on and retire the former one."""
    ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).exclude(
        pk=version.pk
    ).update(stage=ModelVersion.Stage.RETIRED)
    version.stage = ModelVersion.Stage.ACTIVE
    version.save(update_fields=["stage"])
    return version


def prepare_models(*, starter: Bundle, named: Bundle | None = None) -> ModelVersion:
    """See to it that a model is active, and return it.

    A bundle the operator names reads as long as it is named. A starter that came with
    newer code replaces an older starter, never a model that was trained here.
    """
    if named is not None:
        version = register_model(bundle=named, origin=ModelVersion.Origin.NAMED)
        return promote_model(version=version)
    version = register_model(bundle=starter, origin=ModelVersion.Origin.STARTER)
    active = ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).first()
    if (
        active is None
        or active.origin == ModelVersion.Origin.NAMED
        or (
            active.origin == ModelVersion.Origin.STARTER
            and version.stage == ModelVersion.Stage.CANDIDATE
        )
    ):
        return promote_model(version=version)
    return active
