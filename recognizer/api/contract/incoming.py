"""Models of requests: bodies and query strings."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias, TypeVar
from uuid import UUID

import numpy as np
from django.conf import settings
from pydantic import (
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    RootModel,
    Strict,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic.json_schema import SkipJsonSchema

from recognizer.api.contract.base import Contract
from recognizer.api.contract.judging import got, judged
from recognizer.models import Event, Refusal, Rejection, Submission, Verdict
from recognizer.people.visitors import CONSENTS
from recognizer.reader.drawing import (
    Drawing,
    DrawingError,
    Expected,
    PageReading,
    PixelDrawing,
    StrokeDrawing,
)
from recognizer.reader.engine import default_pen_width
from recognizer.reader.numbers import MOST_DIGITS, NUMBER
from recognizer.reader.pictures import Pay, picture_from_data_url
from recognizer.webhooks.addresses import LONGEST

T = TypeVar("T")
OneOf = Annotated[T, Strict(False)]  # accepts an enumeration's values
IfGiven: TypeAlias = T | SkipJsonSchema[None]  # may be missing, but not null


class In(Contract):
    """A request model. "7" and true are not numbers; unknown fields are ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)


def _whole(value: Any) -> Any:
    """Return 7 for 7.0: JSON has only one kind of number."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


Digit = Annotated[int, Field(ge=0, le=9), BeforeValidator(_whole)]

# --- drawings ------------------------------------------------------------------------

_FAR, _SIDE = settings.MAX_COORDINATE, settings.MAX_CANVAS_SIDE
Coordinate = Annotated[float, Field(ge=-_FAR, le=_FAR)]
_LATEST_MS = 1e14  # since 1970: the year 5138
Milliseconds = Annotated[
    float, Field(ge=-settings.MAX_TIME_MS, le=settings.MAX_TIME_MS)
]
Point = Annotated[
    Annotated[tuple[Coordinate, Coordinate], Strict(False)]
    | Annotated[tuple[Coordinate, Coordinate, Milliseconds], Strict(False)],
    Field(
        union_mode="left_to_right",
        description=(
            "A point must be [x, y] or [x, y, t]: finite numbers, x and y up to "
            f"{_FAR:,}, t in ms up to a day from the first point."
        ),
    ),
]


def _within_limits(strokes: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Check the counts before each point; return the numbers as they were sent.

    Only times since 1970 are changed, to times since the first point.
    """
    if isinstance(strokes, list):
        if len(strokes) > settings.MAX_STROKES:
            raise DrawingError(
                "too_many_strokes",
                f"The drawing has {len(strokes):,} strokes; the limit is "
                f"{settings.MAX_STROKES:,}. Send one digit.",
            )
        points = sum(len(stroke) for stroke in strokes if isinstance(stroke, list))
        if points > settings.MAX_POINTS:
            raise DrawingError(
                "too_many_points",
                f"The drawing has more than {settings.MAX_POINTS:,} points. Send "
                "fewer points per stroke.",
            )
        strokes = _since_first_point(strokes)
    handler(strokes)
    return strokes


def _since_first_point(strokes: list[Any]) -> list[Any]:
    try:
        start = strokes[0][0][2]
        if not settings.MAX_TIME_MS < abs(start) < _LATEST_MS:
            return strokes
        return [
            [
                [*point[:2], *(round(t - start, 3) for t in point[2:])]
                for point in stroke
            ]
            for stroke in strokes
        ]
    except (LookupError, TypeError):  # no times, or no points: validation says which
        return strokes


Stroke = Annotated[
    list[Point],
    FailFast(),
    Field(min_length=1, description="A stroke must be a list of at least one point."),
]
Strokes = Annotated[
    list[Stroke],
    FailFast(),
    Field(min_length=1, json_schema_extra={"maxItems": settings.MAX_STROKES}),
    WrapValidator(_within_limits),
]
CanvasSide = Annotated[float, Field(ge=1, le=_SIDE)]
PenWidth = Annotated[float, Field(ge=0.001, le=_SIDE)]


Expect = Literal["digit", "number", "auto"]
_EXPECT = "expect must be one of digit, number, auto."
MOST_ALLOWED = 10_000
Allowed = Annotated[
    list[Annotated[str, Field(pattern=f"^[0-9]{{1,{MOST_DIGITS}}}$")]],
    Field(min_length=1, max_length=MOST_ALLOWED, fail_fast=True),
]


_ALLOWED = (
    f"allowed must be 1 to {MOST_ALLOWED:,} numbers as text, each of 1 to "
    f"{MOST_DIGITS} digits. It makes expect number, unless that is auto."
)


class _DrawingIn(In):
    pointer: OneOf[Submission.Pointer] | None = Field(
        None,
        description="pointer must be one of "
        f"{', '.join(value for value in Submission.Pointer.values if value)}.",
    )
    expect: Expect | None = Field(None, description=_EXPECT)

    def expected(self, expect: Expect, allowed: Sequence[str] | None) -> Expected:
        """Return what it may be read as. expect: where it does not say."""
        kind = self.expect or expect
        if allowed and kind == "digit":
            kind = "number"
        return Expected(kind, tuple(allowed or ()))


class PageReadingIn(In):
    """What the page itself read: a digit, or the code of a refusal."""

    digit: Digit | None = Field(
        None, description="digit must be a whole number from 0 to 9."
    )
    refusal: OneOf[Refusal] | None = Field(
        None, description=f"refusal must be one of {', '.join(Refusal.values)}."
    )
    model: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="model must be the digest of the model that read the drawing.",
    )


class StrokesIn(_DrawingIn):
    """Strokes as they were drawn.

    Ink outside the canvas is read too. A stroke of one point is a dot.
    """

    strokes: Strokes = Field(
        description="strokes must be a list of at least one stroke."
    )
    width: CanvasSide = Field(
        description=f"width must be a number of CSS pixels from 1 to {_SIDE:,}."
    )
    height: CanvasSide = Field(
        description=f"height must be a number of CSS pixels from 1 to {_SIDE:,}."
    )
    pen_width: PenWidth | None = Field(
        None,
        description="pen_width must be a number of CSS pixels from 0.001 to "
        f"{_SIDE:,}, or left out.",
    )
    page_reading: PageReadingIn | None = Field(
        None,
        description="page_reading is for this site's pages: what the page read in the "
        "strokes. The server compares it with its own reading and does not store it.",
    )

    allowed: Allowed | None = Field(None, description=_ALLOWED)

    def drawing(self, expect: Expect, pay: Pay | None = None) -> Drawing:
        """Return the drawing to read."""
        return StrokeDrawing(
            strokes=self.strokes,
            width=self.width,
            height=self.height,
            pen_width=self.pen_width or default_pen_width(self.width, self.height),
            pointer=self.pointer or "",
            page_reading=self._page_reading(),
            expected=self.expected(expect, self.allowed),
        )

    def _page_reading(self) -> PageReading | None:
        read = self.page_reading
        if read is None:
            return None
        return PageReading(read.digit, read.refusal, read.model)


class ImageIn(_DrawingIn):
    """A PNG, JPEG, WebP, GIF or BMP picture, dark on light or light on dark."""

    image: str = Field(
        description="image must be a data URL.",
        json_schema_extra={"format": "picture-data-url"},
    )
    allowed: Allowed | None = Field(None, description=_ALLOWED)

    def drawing(self, expect: Expect, pay: Pay | None = None) -> Drawing:
        """Return the drawing to read."""
        return picture_from_data_url(
            self.image,
            pointer=self.pointer or "",
            expected=self.expected(expect, self.allowed),
            pay=pay,
        )


_PIXELS = "pixels must be 28 rows of 28 whole numbers, from 0 (paper) to 255 (ink)."
Pixel = Annotated[float, Field(ge=0, le=255, multiple_of=1)]
Row = Annotated[
    list[Pixel], FailFast(), Field(min_length=28, max_length=28, description=_PIXELS)
]


class PixelsIn(_DrawingIn):
    """A digit image in MNIST's format: 28x28 pixels, ink is 255."""

    pixels: Annotated[list[Row], FailFast()] = Field(
        min_length=28, max_length=28, description=_PIXELS
    )

    def drawing(self, expect: Expect, pay: Pay | None = None) -> Drawing:
        """Return the drawing to read."""
        levels = np.array(self.pixels, np.uint8)
        return PixelDrawing(
            levels, pointer=self.pointer or "", expected=self.expected(expect, None)
        )


_WAYS: Mapping[str, type[StrokesIn | ImageIn | PixelsIn]] = {
    "strokes": StrokesIn,
    "image": ImageIn,
    "pixels": PixelsIn,
}


def _way_of(data: Any) -> str:
    if not isinstance(data, Mapping):
        raise DrawingError(
            "invalid", "A drawing must be a JSON object.", {"drawing": got(data)}
        )
    given = [way for way in _WAYS if way in data]
    if len(given) != 1:
        raise DrawingError(
            "invalid",
            "A drawing must have exactly one of strokes, image and pixels; this one "
            "has "
            f"{' and '.join(given) or 'none of them'}.",
        )
    return given[0]


class DrawingIn(RootModel[StrokesIn | ImageIn | PixelsIn]):
    """A drawing: exactly one of strokes, image and pixels."""


def drawing_in(
    data: Any, *, expect: Expect = "digit", pay: Pay | None = None
) -> Drawing:
    """Validate one drawing of a JSON body.

    expect: what it may be read as, where it does not say. pay: called with the cost of
    a picture before it is decoded.

    Raises:
        DrawingError: names the field, what it got, and what belongs there.
    """
    way = _way_of(data)
    if way == "pixels" and "allowed" in data:
        message = "allowed needs strokes or an image: pixels are read as one digit."
        raise DrawingError("invalid", message, {"allowed": message})
    return judged(_WAYS[way], data).drawing(expect, pay)


class ReadingsIn(In):
    """Drawings to read. Each is validated separately and may get its own error."""

    drawings: list[Any] = Field(
        min_length=1,
        max_length=settings.MAX_DRAWINGS_PER_CALL,
        description='Send {"drawings": [...]} with 1 to '
        f"{settings.MAX_DRAWINGS_PER_CALL} drawings.",
    )


# --- feedback, labels, consent -------------------------------------------------------


NumberText = Annotated[str, Field(pattern=f"({NUMBER})|^$")]
_NUMBER = f"number must be a text of 2 to {MOST_DIGITS} digits, _ for an empty box."


class FeedbackIn(In):
    """A visitor's feedback on the shown prediction."""

    verdict: OneOf[Verdict] = Field(
        description=f"verdict must be one of {', '.join(Verdict.values)}."
    )
    digit: Digit | None = Field(
        None,
        description=(
            "wrong needs the correct digit, a whole number from 0 to 9, or a number. "
            "If it is neither, the verdict is not_a_digit."
        ),
    )
    number: NumberText = Field("", description=_NUMBER)


class LabelIn(In):
    """A reviewer's decision: a digit, a number, or a reason why it is neither."""

    digit: Digit | None = Field(
        None, description="digit must be a whole number from 0 to 9."
    )
    number: NumberText = Field("", description=_NUMBER)
    rejected: OneOf[Rejection] | None = Field(
        None, description=f"rejected must be one of {', '.join(Rejection.values)}."
    )

    @model_validator(mode="after")
    def _is_just_one(self) -> "LabelIn":
        given = self.digit is not None, self.number != "", self.rejected is not None
        if sum(given) != 1:
            raise DrawingError(
                "invalid",
                'A label is just one of {"digit": 7}, {"number": "42"}, and '
                '{"rejected": ...} with the reason.',
                {"digit": got(self.digit)},
            )
        return self


class ConsentIn(In):
    """What your drawings may be used for: one consent, or both."""

    model_config = ConfigDict(
        json_schema_extra={"anyOf": [{"required": [name]} for name in CONSENTS]}
    )

    may_train: IfGiven[bool] = Field(
        None,
        description=(
            "may_train must be true or false: whether your drawings may train models."
        ),
    )
    may_publish: IfGiven[bool] = Field(
        None,
        description=(
            "may_publish must be true or false: whether your drawings may be "
            "published in a benchmark."
        ),
    )

    @model_validator(mode="after")
    def _has_one(self) -> "ConsentIn":
        sent = self.model_fields_set & {*CONSENTS}
        if not sent or len(self.given) < len(sent):  # null is no consent
            raise DrawingError(
                "invalid",
                'Send {"may_train": true} or {"may_publish": true}, or both, each '
                "true or false.",
                {},
            )
        return self

    @property
    def given(self) -> dict[str, bool]:
        """The consents that the request gives or withdraws."""
        told = {"may_train": self.may_train, "may_publish": self.may_publish}
        return {name: value for name, value in told.items() if value is not None}


class AccountDeletionIn(In):
    """The password of the account that is to be deleted."""

    password: str = Field(
        max_length=4096, description="password must be the password of your account."
    )


_EVENTS = ", ".join(Event.values)


class WebhookIn(In):
    """A webhook to register."""

    url: str = Field(
        max_length=LONGEST,
        description="url must be a public https address of at most "
        f"{LONGEST} characters.",
        json_schema_extra={"format": "uri"},
    )
    events: list[OneOf[Event]] = Field(
        min_length=1,
        max_length=len(Event),
        description=f"events must be a list of one or more of {_EVENTS}.",
    )
    password: str = Field(
        "",
        max_length=4096,
        description="password must be the password of your account. Calls with a "
        "token need none.",
    )


class IdempotencyKeyIn(In):
    """The header that makes a POST safe to repeat."""

    key: str = Field(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description=(
            "An Idempotency-Key must be 1 to 200 visible ASCII characters, such as "
            "a UUID."
        ),
    )


class VisitorIdIn(In):
    """The header that says whose call this is."""

    visitor_id: Annotated[UUID, Strict(False)] = Field(
        alias="Visitor-Id",
        description=(
            "A Visitor-Id must be a UUID, the `visitor_id` of `GET me/`: the call is "
            "done only as this visitor of yours."
        ),
    )


# --- query strings -------------------------------------------------------------------


class Query(In):
    """A query string; this base class has no parameters."""


def _from_digits(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


def _from_word(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text, text)


class IncludeQuery(Query):
    """Which images to add to a reading."""

    include: str = Field(
        "",
        pattern="^(seen|why|number)(,(seen|why|number))*$",
        description=(
            "include must be seen (what the model saw), why (which ink supported the "
            "digit), number (stored numbers), or several, separated by commas."
        ),
    )

    @property
    def extras(self) -> frozenset[str]:
        """The images that were requested."""
        return frozenset(filter(None, self.include.split(",")))


class StoreQuery(IncludeQuery):
    """Which images to add, and what the drawing may be read as."""

    expect: Expect = Field(
        "digit", description=f"{_EXPECT} A drawing in JSON may say it itself."
    )


class IncludeNumberQuery(Query):
    """Whether stored numbers are shown."""

    include: IfGiven[Literal["number"]] = Field(
        None,
        description="include must be number: numbers are shown. Without it they read "
        "as refused.",
    )


class FilterQuery(Query):
    """Which submissions to return."""

    digit: IfGiven[Annotated[Digit, BeforeValidator(_from_digits)]] = Field(
        None, description="digit must be a whole number from 0 to 9."
    )
    refused: IfGiven[Annotated[bool, BeforeValidator(_from_word)]] = Field(
        None, description="refused must be true or false."
    )
    feedback: IfGiven[Literal["right", "wrong", "not_a_digit", "none"]] = Field(
        None, description="feedback must be right, wrong, not_a_digit or none."
    )


PAGE_SIZE_MAX = 100
PageSize = Annotated[int, Field(ge=1, le=PAGE_SIZE_MAX), BeforeValidator(_from_digits)]
SubmissionId = Annotated[UUID, Strict(False)]
_FOLLOW = "use the next and previous links instead of building URLs."


class PageQuery(FilterQuery, IncludeNumberQuery):
    """Which page of the list to return."""

    page_size: PageSize = Field(
        50, description=f"page_size must be a whole number from 1 to {PAGE_SIZE_MAX}."
    )
    before: IfGiven[SubmissionId] = Field(
        None, description=f"before must be the id of a submission: {_FOLLOW}"
    )
    after: IfGiven[SubmissionId] = Field(
        None, description=f"after must be the id of a submission: {_FOLLOW}"
    )


class ExportQuery(FilterQuery, IncludeNumberQuery):
    """Which submissions to export, and the file format.

    idx is a ZIP with images and labels in MNIST's format, parquet a file for Hugging
    Face's datasets, labelstudio a JSON array of Label Studio's tasks.
    """

    kind: Literal["ndjson", "zip", "idx", "parquet", "labelstudio"] = Field(
        "ndjson",
        alias="as",
        description="as must be one of ndjson, zip, idx, parquet, labelstudio.",
    )
