"""Models of responses."""

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
# The field is left out of the response instead of being null.
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
    """A response model, which has its declared fields only."""

    model_config = ConfigDict(
        extra="forbid", from_attributes=True, use_attribute_docstrings=True
    )


class ErrorDetailOut(Out):
    """An error: a code for programs, a message for people."""

    code: str
    message: str
    """What was wrong and how to fix it."""
    fields: dict[str, Any]
    """The invalid fields, each with what was sent or what is wrong."""


class ErrorOut(Out):
    """The format of every error."""

    error: ErrorDetailOut


# --- readings and submissions --------------------------------------------------------


class RefusalOut(Out):
    """Why a drawing was not read as a digit; checked in the order of the codes."""

    code: Refusal
    message: str


class ReadingOut(Out):
    """What the model says about a drawing."""

    digit: Digit | None
    """The digit; null if the drawing was refused."""
    confidence: Share
    """The largest probability."""
    probabilities: Annotated[list[Share], Ten]
    """The probability of each digit from 0 to 9; they sum to 1."""
    second: Digit | None
    """The second likeliest digit; null if the drawing is blank."""
    digitness: Share
    """How much the ink looks like one digit."""
    refusal: RefusalOut | None
    seen: IfAny[DataUrl] = None
    """The 28x28 pixels the model saw; only with ?include=seen."""
    why: IfAny[DataUrl] = None
    """Ink for (red) and against (blue) the likeliest digit; only with ?include=why."""


class PredictionOut(ReadingOut):
    """A stored reading."""

    model: str
    """The digest of the model that read the drawing."""


class ReadingsOut(Out):
    """The readings of a batch of drawings."""

    model: str
    """The digest of the model that read the drawings."""
    readings: list[ReadingOut | ErrorOut]
    """A reading or an error for each drawing, in the order they were sent."""


class StrokesOut(Out):
    """The strokes as they were sent."""

    # Not validated again: the limits may have changed since they were stored.
    strokes: Annotated[Any, WithJsonSchema(TypeAdapter(Strokes).json_schema())]
    width: CanvasSide
    height: CanvasSide
    pen_width: PenWidth
    pointer: IfAny[Submission.Pointer] = None


class FeedbackOut(Out):
    """The visitor's feedback on the reading."""

    verdict: Literal["right", "wrong", "not_a_digit"]
    digit: Digit | None
    """The correct digit if the verdict is wrong, else null."""


class LabelOut(Out):
    """A reviewer's decision: a digit, or the reason why the drawing shows none."""

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
    """The URL of the picture, if the drawing was not sent as strokes."""
    prediction: PredictionOut
    feedback: FeedbackOut | None
    """The latest feedback; null if there is none or it was withdrawn."""
    label: LabelOut | None
    """The latest label; null if there is none or it was withdrawn."""


class SubmissionPageOut(Out):
    """A page of your submissions, newest first."""

    next: str | None
    """The URL of the page with older submissions."""
    previous: str | None
    """The URL of the page with newer submissions."""
    results: Annotated[list[SubmissionOut], Field(max_length=PAGE_SIZE_MAX)]


# --- callers and the site ------------------------------------------------------------


class TokenOut(Out):
    """The token of the request."""

    name: str
    prefix: str
    scopes: list[Scope]
    expires_at: datetime | None


class MeOut(Out):
    """Who is calling."""

    username: str | None
    """Null for an anonymous caller."""
    may_train: bool
    """Whether the caller's drawings may train models."""
    may_review: bool
    """Whether the caller may label drawings."""
    token: TokenOut | None


class ModelVersionOut(Out):
    """A model version, with the metrics measured after its training."""

    digest: str
    stage: ModelVersion.Stage
    origin: ModelVersion.Origin
    created_at: datetime
    preprocessing: Any
    """The version of the preprocessing that the model needs."""
    metrics: dict[str, Any]
    """Metrics by test set."""


class ModelVersionsOut(Out):
    """All models, newest first."""

    results: list[ModelVersionOut]


class IntervalOut(Out):
    """A share with its 95 % confidence interval."""

    value: Share
    low: Share
    high: Share


class StatsOut(Out):
    """Statistics of the whole site."""

    submissions: Count
    last_24h: Count
    by_digit: Annotated[list[Count], Ten]
    """Submissions by the digit shown, from 0 to 9; refused ones are not counted."""
    refused: Count
    reviewed: Count
    accuracy: IntervalOut | None
    """
    How often the active model's likeliest digit is correct, over drawings that it read
    and whose digit a reviewer named; null if there are none.
    """
    model: str | None
    """The active model's digest."""


# --- built from rows -----------------------------------------------------------------


def reading_out(
    reading: Reading | Prediction, *, extras: Mapping[str, str]
) -> dict[str, Any]:
    """Convert a new or stored reading; add the images `?include=` asked for."""
    refusal = None
    if reading.refusal:
        refusal = {"code": reading.refusal, "message": refusal_message(reading)}
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
    """Convert a submission with its shown prediction."""
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
    """Convert a model version."""
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
