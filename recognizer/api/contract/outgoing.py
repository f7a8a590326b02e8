"""What the API answers."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from django.urls import reverse
from pydantic import ConfigDict, Field, TypeAdapter, WithJsonSchema
from pydantic.json_schema import SkipJsonSchema

from mlcore.inference import Reading
from recognizer.api.contract.base import Contract
from recognizer.api.contract.incoming import (
    PAGE_SIZE_MAX,
    STROKES_EXAMPLE,
    CanvasSide,
    PenWidth,
    Strokes,
)
from recognizer.drawings.refusals import refusal_message
from recognizer.drawings.statistics import Stats
from recognizer.models import (
    ModelVersion,
    Prediction,
    Refusal,
    Rejection,
    Scope,
    Submission,
    Verdict,
)
from recognizer.people.visitors import Caller

_DIGEST = "7ea508705d9b0c4f1f4f3f6d3e1a5b2c7d8e9f0a1b2c3d4e5f60718293a4b5c6"
_READING_EXAMPLE = {
    "digit": 7,
    "confidence": 0.98,
    "probabilities": [0, 0.01, 0.005, 0, 0, 0, 0, 0.98, 0, 0.005],
    "second": 1,
    "digitness": 0.999,
    "refusal": None,
}

Digit = Annotated[int, Field(ge=0, le=9)]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
DataUrl = Annotated[str, Field(pattern="^data:image/png;base64,")]


class Out(Contract):
    """What is answered holds these fields and no others."""

    model_config = ConfigDict(extra="forbid")


def _is_none(value: object) -> bool:
    return value is None


class ErrorDetailOut(Out):
    """What was wrong."""

    code: str
    message: str = Field(description="what was wrong and the way out")
    fields: dict[str, Any] = Field(description="what was sent, by field")


class ErrorOut(Out):
    """The one form of every error."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "invalid",
                        "message": "page_size is a whole number from 1 to 100.",
                        "fields": {"page_size": "got '0'"},
                    }
                }
            ]
        }
    )

    error: ErrorDetailOut


# --- readings and submissions --------------------------------------------------------


class RefusalOut(Out):
    """Why a drawing was not read as a digit; checked in the codes' order."""

    code: Refusal
    message: str


class ReadingOut(Out):
    """What the model says about a drawing."""

    digit: Digit | None = Field(description="null exactly where `refusal` is not")
    confidence: Share = Field(description="the largest probability")
    probabilities: list[Share] = Field(
        min_length=10, max_length=10, description="by digit; they sum to 1"
    )
    second: Digit | None = Field(description="the runner-up; null for a blank")
    digitness: Share = Field(description="how much the ink is like one digit")
    refusal: RefusalOut | None
    seen: DataUrl | SkipJsonSchema[None] = Field(
        None,
        exclude_if=_is_none,
        description="the 28x28 pixels the model saw; by ?include=seen",
    )
    why: DataUrl | SkipJsonSchema[None] = Field(
        None,
        exclude_if=_is_none,
        description="ink for (red) and against (blue) the likeliest digit; "
        "by ?include=why",
    )


class PredictionOut(ReadingOut):
    """A stored reading."""

    model: str = Field(description="the digest of the bundle that read")


class ReadingsOut(Out):
    """Readings in the order of the drawings."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": _DIGEST, "readings": [_READING_EXAMPLE]}]
        }
    )

    model: str = Field(description="the digest of the bundle that read")
    readings: list[ReadingOut | ErrorOut] = Field(
        min_length=1, description="in order; an error in the place of a wrong drawing"
    )


class StrokesOut(Out):
    """The strokes as they were sent."""

    # Not judged again: other limits may have held when they were stored.
    strokes: Annotated[Any, WithJsonSchema(TypeAdapter(Strokes).json_schema())]
    width: CanvasSide
    height: CanvasSide
    pen_width: PenWidth
    pointer: Submission.Pointer | SkipJsonSchema[None] = Field(
        None, exclude_if=_is_none
    )


class FeedbackOut(Out):
    """What the visitor said of the reading."""

    verdict: Literal[Verdict.RIGHT, Verdict.WRONG, Verdict.NOT_A_DIGIT]
    digit: Digit | None = Field(description="the true one, where it was wrong")


class LabelOut(Out):
    """What a reviewer decided."""

    digit: Digit | None
    rejected: Rejection | None


class SubmissionOut(Out):
    """A stored drawing with its prediction."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["drawing"]}, {"required": ["drawing_url"]}],
            "examples": [
                {
                    "id": "01a20aab-e832-7642-880c-5b3a15f35f22",
                    "created_at": "2026-11-24T00:35:00+00:00",
                    "source": "api",
                    "drawing": {**STROKES_EXAMPLE, "pen_width": 18},
                    "prediction": {**_READING_EXAMPLE, "model": _DIGEST},
                    "feedback": {"verdict": "right", "digit": None},
                    "label": None,
                }
            ],
        }
    )

    id: UUID
    created_at: datetime
    source: Submission.Source
    drawing: StrokesOut | SkipJsonSchema[None] = Field(None, exclude_if=_is_none)
    drawing_url: str | SkipJsonSchema[None] = Field(
        None,
        exclude_if=_is_none,
        description="of the picture, where it was not strokes",
        json_schema_extra={"format": "uri-reference"},
    )
    prediction: PredictionOut
    feedback: FeedbackOut | None = Field(description="the latest")
    label: LabelOut | None = Field(description="the latest")


class SubmissionPageOut(Out):
    """A page of one's own submissions, newest first."""

    next: str | None = Field(description="the address of the older ones")
    previous: str | None = Field(description="the address of the newer ones")
    results: list[SubmissionOut] = Field(max_length=PAGE_SIZE_MAX)


# --- callers and the site ------------------------------------------------------------


class TokenOut(Out):
    """The token that was sent."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    prefix: str
    scopes: list[Scope]
    expires_at: datetime | None


class MeOut(Out):
    """Who is calling."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "username": "ada",
                    "may_train": True,
                    "may_review": False,
                    "token": {
                        "name": "form scanner",
                        "prefix": "dgs_3xAmpl31",
                        "scopes": ["read", "write"],
                        "expires_at": None,
                    },
                }
            ]
        }
    )

    username: str | None = Field(description="null for an anonymous caller")
    may_train: bool = Field(description="whether the drawings may train models")
    may_review: bool
    token: TokenOut | None


class ModelVersionOut(Out):
    """A model with what was measured when it was finished."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "digest": _DIGEST,
                    "stage": "active",
                    "origin": "starter",
                    "created_at": "2026-11-24T00:30:00+00:00",
                    "preprocessing": 1,
                    "metrics": {"mnist_test": {"digits": 10000, "accuracy": 0.9952}},
                }
            ]
        }
    )

    digest: str
    stage: ModelVersion.Stage
    origin: ModelVersion.Origin
    created_at: datetime
    preprocessing: Any = Field(description="the version of the framing")
    metrics: dict[str, Any] = Field(description="by test set")


class ModelVersionsOut(Out):
    """All models, newest first."""

    results: list[ModelVersionOut]


class IntervalOut(Out):
    """A share with its 95 % interval."""

    model_config = ConfigDict(from_attributes=True)

    value: Share
    low: Share
    high: Share


class StatsOut(Out):
    """The numbers of the whole site."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "submissions": 1200,
                    "last_24h": 31,
                    "by_digit": [130, 118, 121, 109, 102, 98, 113, 140, 105, 110],
                    "refused": 54,
                    "reviewed": 400,
                    "accuracy": {"value": 0.975, "low": 0.9548, "high": 0.9863},
                }
            ]
        },
    )

    submissions: Count
    last_24h: Count
    by_digit: list[Count] = Field(min_length=10, max_length=10, description="as shown")
    refused: Count
    reviewed: Count
    accuracy: IntervalOut | None = Field(
        description="of the largest probability, over drawings whose digit a reviewer "
        "named; null before the first"
    )


# --- from rows -----------------------------------------------------------------------


def _reading_fields(reading: Reading | Prediction) -> dict[str, Any]:
    refusal = None
    if reading.refusal:
        message = refusal_message(reading.refusal, reading.probabilities)
        refusal = RefusalOut(code=Refusal(reading.refusal), message=message)
    return {
        "digit": reading.digit,
        "confidence": reading.confidence,
        "probabilities": list(reading.probabilities),
        "second": reading.second,
        "digitness": reading.digitness,
        "refusal": refusal,
    }


def reading_out(reading: Reading, *, extras: Mapping[str, str]) -> ReadingOut:
    """Shape a fresh reading, with what `?include=` asked for."""
    return ReadingOut(**_reading_fields(reading), **extras)


def submission_out(
    submission: Submission, *, extras: Mapping[str, str] | None = None
) -> SubmissionOut:
    """Shape a submission with its shown prediction."""
    shown = submission.shown_prediction
    return SubmissionOut(
        id=submission.pk,
        created_at=submission.created_at,
        source=Submission.Source(submission.source),
        **_drawing_fields(submission),
        prediction=PredictionOut(
            **_reading_fields(shown),
            **(extras or {}),
            model=shown.model_version.digest,
        ),
        feedback=_feedback_out(submission),
        label=_label_out(submission),
    )


def _drawing_fields(submission: Submission) -> dict[str, Any]:
    if submission.form != Submission.Form.STROKES:
        return {"drawing_url": reverse("api:submission-png", args=[submission.pk])}
    drawing = StrokesOut(
        strokes=submission.strokes,
        width=submission.width,
        height=submission.height,
        pen_width=submission.pen_width,
        pointer=submission.pointer or None,
    )
    return {"drawing": drawing}


def _feedback_out(submission: Submission) -> FeedbackOut | None:
    if not submission.verdict:
        return None
    return FeedbackOut(verdict=submission.verdict, digit=submission.corrected_digit)


def _label_out(submission: Submission) -> LabelOut | None:
    if not submission.is_labelled:
        return None
    return LabelOut(digit=submission.label_digit, rejected=submission.rejection or None)


def me_out(caller: Caller) -> MeOut:
    """Shape who is calling."""
    return MeOut(
        username=caller.user.get_username() if caller.user else None,
        may_train=caller.may_train,
        may_review=caller.may_review,
        token=TokenOut.model_validate(caller.token) if caller.token else None,
    )


def model_out(version: ModelVersion) -> ModelVersionOut:
    """Shape a model version."""
    return ModelVersionOut(
        digest=version.digest,
        stage=version.stage,
        origin=version.origin,
        created_at=version.created_at,
        preprocessing=version.manifest.get("preprocessing"),
        metrics=version.manifest.get("metrics", {}),
    )


def stats_out(stats: Stats) -> StatsOut:
    """Shape the site's numbers."""
    return StatsOut.model_validate(stats)
