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
from recognizer.drawings.refusals import refusal_message, several_message
from recognizer.learning.promotion import Verdict
from recognizer.models import (
    Event,
    GateReport,
    ModelVersion,
    Prediction,
    Refusal,
    Rejection,
    Scope,
    Submission,
    Webhook,
)
from recognizer.models import (
    Verdict as GivenVerdict,
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


BoxSides = Annotated[list[float], Field(min_length=4, max_length=4)]


class NumberDigitOut(Out):
    """One digit of a number, or an empty box in a row of boxes."""

    digit: Digit | None
    """Null for an empty box."""
    confidence: Share
    """The probability of this digit; 1 for an empty box."""
    probabilities: Annotated[list[Share], Ten]
    """The probability of each digit from 0 to 9; they sum to 1."""
    second: Digit | None
    """The second likeliest digit; null for an empty box."""
    box: BoxSides
    """Its ink: x, y, width and height, in the units of the drawing."""
    strokes: list[Count]
    """The indices of its strokes; empty in a picture."""
    seen: IfAny[DataUrl] = None
    """The 28x28 pixels the model saw; only with ?include=seen."""


class NumberOut(Out):
    """A number, from left to right."""

    text: str
    """Its digits, and _ for an empty box."""
    confidence: Share
    """The probability of the whole number."""
    digits: list[NumberDigitOut]
    ignored: list[BoxSides]
    """The boxes of ink that is no digit, such as a minus or a point."""


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
    number: IfAny[NumberOut] = None
    """
    The number that was read, or the best guess beside the refusal several; only if a
    number was expected, or with ?include=number.
    """
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
    """The correct digit if the verdict is wrong and it is no number, else null."""
    number: IfAny[str] = None
    """The correct number, if it is one."""


class LabelOut(Out):
    """A reviewer's decision: a digit, a number, or a reason why it is neither."""

    digit: Digit | None
    number: IfAny[str] = None
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
    may_publish: bool
    """Whether the caller's drawings may be published in a benchmark."""
    may_review: bool
    """Whether the caller may label drawings."""
    token: TokenOut | None
    visitor_id: UUID | None
    """The owner of the caller's next drawing; null before the first one."""


class GateOut(Out):
    """The outcome of comparing a candidate with the model that was active then."""

    outcome: GateReport.Outcome
    drawings_to_decide: Count | None
    """
    About how many drawings of held-out people would prove that the candidate is better;
    null if it does not lead.
    """


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
    gate: GateOut | None
    """The latest comparison; null if there is none."""


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


# --- webhooks ------------------------------------------------------------------------


class WebhookOut(Out):
    """A registered webhook."""

    id: UUID
    url: Address
    events: list[Event]
    state: Webhook.State
    """
    enabled; disabled (by staff); gone (the receiver answered 410) or failed (nothing
    succeeded for three days).
    """
    failing_since: datetime | None
    """Since when no attempt has succeeded; null if the last one did."""
    created_at: datetime


class WebhooksOut(Out):
    """All webhooks of the site, oldest first."""

    results: list[WebhookOut]


class WebhookRegisteredOut(WebhookOut):
    """A new webhook with its secret, which is shown only once."""

    secret: str
    """Verifies the signatures, as Standard Webhooks describes."""


class SubmissionCreatedOut(Out):
    """What a stored drawing was read as: a digit, a number, or a refusal."""

    submission: UUID
    digit: Digit | None
    number: str | None
    refusal: Refusal | None
    confidence: Share
    model: str
    """The digest of the model that read it."""


class FeedbackCreatedOut(Out):
    """A visitor's answer to a reading."""

    submission: UUID
    verdict: GivenVerdict
    digit: Digit | None
    number: str | None


class LabelCreatedOut(Out):
    """A reviewer's decision; all null if it was withdrawn."""

    submission: UUID
    digit: Digit | None
    number: str | None
    rejected: Rejection | None


class ModelPromotedOut(Out):
    """The digests of the active model and of the one before it."""

    model: str
    former: str


class SubmissionCreatedEvent(Out):
    """A drawing was stored."""

    type: Literal[Event.SUBMISSION_CREATED]
    timestamp: datetime
    data: SubmissionCreatedOut


class FeedbackCreatedEvent(Out):
    """A visitor answered a reading."""

    type: Literal[Event.FEEDBACK_CREATED]
    timestamp: datetime
    data: FeedbackCreatedOut


class LabelCreatedEvent(Out):
    """A reviewer labelled a drawing, or withdrew a label."""

    type: Literal[Event.LABEL_CREATED]
    timestamp: datetime
    data: LabelCreatedOut


class ModelPromotedEvent(Out):
    """Another model became active."""

    type: Literal[Event.MODEL_PROMOTED]
    timestamp: datetime
    data: ModelPromotedOut


EVENTS: Mapping[Event, type[Out]] = {
    Event.SUBMISSION_CREATED: SubmissionCreatedEvent,
    Event.FEEDBACK_CREATED: FeedbackCreatedEvent,
    Event.LABEL_CREATED: LabelCreatedEvent,
    Event.MODEL_PROMOTED: ModelPromotedEvent,
}

# --- built from rows -----------------------------------------------------------------


def reading_out(
    reading: Reading | Prediction,
    *,
    extras: Mapping[str, str],
    number: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Convert a new or stored reading; add the images `?include=` asked for.

    number: the number as it is answered. Without it, a number reads as refused, so that
    callers who do not know numbers never meet one.
    """
    refusal = None
    if reading.refusal:
        refusal = {"code": reading.refusal, "message": refusal_message(reading)}
    elif reading.digit is None and number is None:
        refusal = {"code": Refusal.SEVERAL, "message": several_message()}
    with_number = {} if number is None else {"number": number}
    return {
        "digit": reading.digit,
        "confidence": reading.confidence,
        "probabilities": reading.probabilities,
        "second": reading.second,
        "digitness": reading.digitness,
        "refusal": refusal,
        **with_number,
        **extras,
    }


def submission_out(
    submission: Submission,
    *,
    extras: Mapping[str, str] | None = None,
    number: Mapping[str, Any] | None = None,
) -> SubmissionOut:
    """Convert a submission with its shown prediction; see `reading_out`."""
    shown = submission.shown_prediction
    feedback = label = None
    if submission.verdict:
        feedback = {
            "verdict": submission.verdict,
            "digit": submission.corrected_digit,
            "number": submission.corrected_number or None,
        }
    if submission.is_labelled:
        label = {
            "digit": submission.label_digit,
            "number": submission.label_number or None,
            "rejected": submission.rejection or None,
        }
    return SubmissionOut.model_validate(
        {
            "id": submission.pk,
            "created_at": submission.created_at,
            "source": submission.source,
            **_drawing_out(submission),
            "prediction": {
                **reading_out(shown, extras=extras or {}, number=number),
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


def model_out(
    version: ModelVersion, verdicts: Mapping[UUID, Verdict]
) -> ModelVersionOut:
    """Convert a model version."""
    return ModelVersionOut.model_validate(
        {
            "digest": version.digest,
            "stage": version.stage,
            "origin": version.origin,
            "created_at": version.created_at,
            "preprocessing": version.manifest.get("preprocessing"),
            "metrics": version.manifest.get("metrics", {}),
            "gate": verdicts.get(version.pk),
        }
    )
