"""Models of requests: bodies and query strings."""

from collections.abc import Mapping
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
from recognizer.models import Rejection, Submission, Verdict
from recognizer.reader.drawing import (
    Drawing,
    DrawingError,
    PixelDrawing,
    StrokeDrawing,
)
from recognizer.reader.engine import default_pen_width
from recognizer.reader.pictures import picture_from_data_url

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


class _DrawingIn(In):
    pointer: OneOf[Submission.Pointer] | None = Field(
        None,
        description="pointer must be one of "
        f"{', '.join(value for value in Submission.Pointer.values if value)}.",
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

    def drawing(self) -> Drawing:
        """Return the drawing to read."""
        return StrokeDrawing(
            strokes=self.strokes,
            width=self.width,
            height=self.height,
            pen_width=self.pen_width or default_pen_width(self.width, self.height),
            pointer=self.pointer or "",
        )


class ImageIn(_DrawingIn):
    """A PNG, JPEG, WebP, GIF or BMP picture, dark on light or light on dark."""

    image: str = Field(
        description="image must be a data URL.",
        json_schema_extra={"format": "picture-data-url"},
    )

    def drawing(self) -> Drawing:
        """Return the drawing to read."""
        return picture_from_data_url(self.image, pointer=self.pointer or "")


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

    def drawing(self) -> Drawing:
        """Return the drawing to read."""
        levels = np.array(self.pixels, np.uint8)
        return PixelDrawing(levels, pointer=self.pointer or "")


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


def drawing_in(data: Any) -> Drawing:
    """Validate one drawing of a JSON body.

    Raises:
        DrawingError: names the field, what it got, and what belongs there.
    """
    return judged(_WAYS[_way_of(data)], data).drawing()


class ReadingsIn(In):
    """Drawings to read. Each is validated separately and may get its own error."""

    drawings: list[Any] = Field(
        min_length=1,
        max_length=settings.MAX_DRAWINGS_PER_CALL,
        description='Send {"drawings": [...]} with 1 to '
        f"{settings.MAX_DRAWINGS_PER_CALL} drawings.",
    )


# --- feedback, labels, consent -------------------------------------------------------


class FeedbackIn(In):
    """A visitor's feedback on the shown prediction."""

    verdict: OneOf[Verdict] = Field(
        description=f"verdict must be one of {', '.join(Verdict.values)}."
    )
    digit: Digit | None = Field(
        None,
        description=(
            "wrong needs the correct digit, a whole number from 0 to 9. If it is not "
            "a digit, the verdict is not_a_digit."
        ),
    )


class LabelIn(In):
    """A reviewer's decision: a digit, or the reason why the drawing shows none."""

    digit: Digit | None = Field(
        None, description="digit must be a whole number from 0 to 9."
    )
    rejected: OneOf[Rejection] | None = Field(
        None, description=f"rejected must be one of {', '.join(Rejection.values)}."
    )

    @model_validator(mode="after")
    def _is_one_of_both(self) -> "LabelIn":
        if (self.digit is None) == (self.rejected is None):
            raise DrawingError(
                "invalid",
                'A label is {"digit": 7}, or {"rejected": ...} with the reason, not '
                "both.",
                {"digit": got(self.digit)},
            )
        return self


class ConsentIn(In):
    """Whether your drawings may train models."""

    may_train: bool = Field(
        description=(
            "may_train must be true or false: whether your drawings may train models."
        )
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
        pattern="^(seen|why)(,(seen|why))*$",
        description=(
            "include must be seen (what the model saw), why (which ink supported the "
            "digit), or both, separated by a comma."
        ),
    )

    @property
    def extras(self) -> frozenset[str]:
        """The images that were requested."""
        return frozenset(filter(None, self.include.split(",")))


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


class PageQuery(FilterQuery):
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


class ExportQuery(FilterQuery):
    """Which submissions to export, and the file format.

    idx is a ZIP with images and labels in MNIST's format.
    """

    kind: Literal["ndjson", "zip", "idx"] = Field(
        "ndjson", alias="as", description="as must be one of ndjson, zip, idx."
    )
