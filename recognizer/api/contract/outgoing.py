"""What the API answers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from django.urls import reverse
from pydantic import ConfigDict, Field, TypeAdapter, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from mlcore.reading.inference import Reading
from recognizer.api.contract.base import Contract
from recognizer.api.contract.incoming import (
    PAGE_SIZE_MAX,
    CanvasSide,
    PenWidth,
    Strokes,
)
from recognizer.drawings.refusals import refusal_message
from recognizer.models import (
    ModelVersion,
    Prediction,
    Refusal,
    Rejection,
    Scope,
    Submission,
)

T = TypeVar("T")
# Left out of the answer, rather than null.
IfAny = Annotated[
    T | SkipJsonSchema[None], Field(exclude_if=lambda value: value is None)
]
Digit = Annotated[int, Field(ge=0, le=9)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
DataUrl = Annotated[str, Field(pattern="^data:image/png;base64,")]
Address = Annotated[str, Field(json_schema_extra={"format": "uri-reference"})]
Ten = Field(min_length=10, max_length=10)


class Out(Contract):
    """What is answered holds these fields and no others."""

    model_config = ConfigDict(
        extra="forbid", from_attributes=True, use_attribute_docstrings=True
    )


class ErrorDetailOut(Out):
    """What was wrong."""

    code: str
    message: str
    """What was wrong and the way out."""
    fields: dict[str, Any]
    """What was sent, by field."""


class ErrorOut(Out):
    """The one form of every error."""

    error: ErrorDetailOut


# --- readings and submissions --------------------------------------------------------


class RefusalOut(Out):
    """Why a drawing was not read as a digit; checked in the codes' order."""

    code: Refusal
    message: str


class ReadingOut(Out):
    """What the model says about a drawing."""

    digit: Digit | None
    """Null exactly where `refusal` is not."""
    confidence: Share
    """The largest probability."""
    probabilities: Annotated[list[Share], Ten]
    """By digit; they sum to 1."""
    second: Digit | None
    """The runner-up; null for a blank."""
    digitness: Share
    """How much the ink is like one digit."""
    refusal: RefusalOut | None
    seen: IfAny[DataUrl] = None
    """The 28x28 pixels the model saw; by ?include=seen."""
    why: IfAny[DataUrl] = None
    """Ink for (red) and against (blue) the likeliest digit; by ?include=why."""


class PredictionOut(ReadingOut):
    """A stored reading."""

    model: str
    """The digest of the bundle that read."""


class ReadingsOut(Out):
    """The answer to a batch of drawings."""

    model: str
    """The digest of the bundle that read."""
    readings: list[ReadingOut | ErrorOut]
    """In the order of the drawings; an error in the place of a wrong one."""


class StrokesOut(Out):
    """The strokes as they were sent."""

    # Not judged again: other limits may have held when they were stored.
    strokes: Annotated[Any, WithJsonSchema(TypeAdapter(Strokes).json_schema())]
    width: CanvasSide
    height: CanvasSide
    pen_width: PenWidth
    pointer: IfAny[Submission.Pointer] = None


class FeedbackOut(Out):
    """What the visitor said of the reading."""

    verdict: Literal["right", "wrong", "not_a_digit"]
    digit: Digit | None
    """The true one, where it was wrong."""


class LabelOut(Out):
    """What a reviewer decided."""

    digit: Digit | None
    rejected: Rejection | None


class SubmissionOut(Out):
    """A stored drawing with its prediction."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["drawing"]}, {"required": ["drawing_url"]}]
        }
    )

    id: UUID
    created_at: datetime
    source: Submission.Source
    drawing: IfAny[StrokesOut] = None
    drawing_url: IfAny[Address] = None
    """Of the picture, where it was not strokes."""
    prediction: PredictionOut
    feedback: FeedbackOut | None
    """The latest."""
    label: LabelOut | None
    """The latest."""


class SubmissionPageOut(Out):
    """A page of one's own submissions, newest first."""

    next: str | None
    """The address of the older ones."""
    previous: str | None
    """The address of the newer ones."""
    results: Annotated[list[SubmissionOut], Field(max_length=PAGE_SIZE_MAX)]


# --- callers and the site ------------------------------------------------------------


class TokenOut(Out):
    """The token that was sent."""

    name: str
    prefix: str
    scopes: list[Scope]
    expires_at: datetime | None


class MeOut(Out):
    """Who is calling."""

    username: str | None
    """Null for an anonymous caller."""
    may_train: bool
    """Whether the drawings may train models."""
    may_review: bool
    token: TokenOut | None


class ModelVersionOut(Out):
    """A model with what was measured when it was finished."""

    digest: str
    stage: ModelVersion.Stage
    origin: ModelVersion.Origin
    created_at: datetime
    preprocessing: Any
    """The version of the framing."""
    metrics: dict[str, Any]
    """By test set."""


class ModelVersionsOut(Out):
    """All models, newest first."""

    results: list[ModelVersionOut]


class IntervalOut(Out):
    """A share with its 95 % interval."""

    value: Share
    low: Share
    high: Share


class StatsOut(Out):
    """The numbers of the whole site."""

    submissions: Count
    last_24h: Count
    by_digit: Annotated[list[Count], Ten]
    """As shown."""
    refused: Count
    reviewed: Count
    accuracy: IntervalOut | None
    """
    Of the active model's largest probability, over drawings that it read and whose
    digit a reviewer named; null before the first.
    """
    model: str | None
    """The active model's digest."""


# --- from rows -----------------------------------------------------------------------


def reading_out(
    reading: Reading | Prediction, *, extras: Mapping[str, str]
) -> dict[str, Any]:
    """Shape a reading, fresh or stored, with what `?include=` asked for."""
    refusal = None
    if reading.refusal:
        message = refusal_message(reading.refusal, reading.probabilities)
        refusal = {"code": reading.refusal, "message": message}
    return {
        "digit": reading.digit,
        "confidence": reading.confidence,
        "probabilities": reading.probabilities,
        "second": reading.second,
        "digitness": reading.digitness,
        "refusal": refusal,
        **extras,
    }


def submission_out(
    submission: Submission, *, extras: Mapping[str, str] | None = None
) -> SubmissionOut:
    """Shape a submission with its shown prediction."""
    shown = submission.shown_prediction
    feedback = label = None
    if submission.verdict:
        feedback = {"verdict": submission.verdict, "digit": submission.corrected_digit}
    if submission.is_labelled:
        rejected = submission.rejection or None
        label = {"digit": submission.label_digit, "rejected": rejected}
    return SubmissionOut.model_validate(
        {
            "id": submission.pk,
            "created_at": submission.created_at,
            "source": submission.source,
            **_drawing_out(submission),
            "prediction": {
                **reading_out(shown, extras=extras or {}),
                "model": shown.model_version.digest,
            },
            "feedback": feedback,
            "label": label,
        }
    )


def _drawing_out(submission: Submission) -> dict[str, Any]:
    if submission.form != Submission.Form.STROKES:
        return {"drawing_url": reverse("api:submission-png", args=[submission.pk])}
    drawing = {
        "strokes": submission.strokes,
        "width": submission.width,
        "height": submission.height,
        "pen_width": submission.pen_width,
        "pointer": submission.pointer or None,
    }
    return {"drawing": drawing}


def model_out(version: ModelVersion) -> ModelVersionOut:
    """Shape a model version."""
    return ModelVersionOut.model_validate(
        {
            "digest": version.digest,
            "stage": version.stage,
            "origin": version.origin,
            "created_at": version.created_at,
            "preprocessing": version.manifest.get("preprocessing"),
            "metrics": version.manifest.get("metrics", {}),
        }
    )
