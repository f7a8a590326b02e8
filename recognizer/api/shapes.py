"""The shapes of bodies, in JSON Schema, each with an example: the API's components.

Serializer classes would say less: tuples, either-or and null are what these are about.
Limits come from the settings, so that both change together.
"""

from typing import Any

from django.conf import settings

from recognizer.api.serializers import PAGE_SIZE_MAX, POINTERS
from recognizer.models import ModelVersion, Refusal, Rejection, Scope, Submission

Shape = dict[str, Any]


def ref(name: str) -> Shape:
    """Refer to a component."""
    return {"$ref": f"#/components/schemas/{name}"}


def record(properties: Shape, *, optional: tuple[str, ...] = (), **more: Any) -> Shape:
    """Describe an object that holds these fields and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
        **more,
    }


def given(properties: Shape, *, optional: tuple[str, ...] = (), **more: Any) -> Shape:
    """Describe an object that is sent: what else it holds is not looked at."""
    shape = record(properties, optional=optional, **more)
    del shape["additionalProperties"]
    return shape


def array(items: Shape, low: int = 0, high: int | None = None, **more: Any) -> Shape:
    """Describe an array of `low` to `high` items."""
    most = {} if high is None else {"maxItems": high}
    return {"type": "array", "items": items, "minItems": low, **most, **more}


def number(low: float, high: float, **more: Any) -> Shape:
    """Describe a number."""
    return {"type": "number", "minimum": low, "maximum": high, **more}


def nullable(shape: Shape, **more: Any) -> Shape:
    """Allow null beside a shape."""
    return {"anyOf": [shape, {"type": "null"}], **more}


DIGIT: Shape = {"type": "integer", "minimum": 0, "maximum": 9}
SHARE = number(0, 1)
COUNT: Shape = {"type": "integer", "minimum": 0}
TIME: Shape = {"type": "string", "format": "date-time"}
ID: Shape = {"type": "string", "format": "uuid"}
TEXT: Shape = {"type": "string"}
DATA_URL: Shape = {
    "type": "string",
    "description": "A PNG of 28x28 pixels as data URL.",
    "pattern": "^data:image/png;base64,",
}
_FAR, _LONG = settings.MAX_COORDINATE, settings.MAX_TIME_MS
_SIDE = number(1, settings.MAX_CANVAS_SIDE)

POINT: Shape = {
    "type": "array",
    "prefixItems": [
        number(-_FAR, _FAR, description="x, CSS pixels"),
        number(-_FAR, _FAR, description="y, CSS pixels, down"),
        number(-_LONG, _LONG, description="t, ms since the drawing's first point"),
    ],
    "items": False,
    "minItems": 2,
    "maxItems": 3,
}
POINTER: Shape = {
    "enum": [*POINTERS, "", None],
    "description": "What it was drawn with; empty or null where nobody knows.",
}
STROKES = array(
    array(POINT, 1, settings.MAX_POINTS, description="One pen-down to pen-up."),
    1,
    settings.MAX_STROKES,
)
_STROKE_FIELDS: Shape = {
    "strokes": STROKES,
    "width": {**_SIDE, "description": "of the canvas, CSS pixels"},
    "height": {**_SIDE, "description": "of the canvas, CSS pixels"},
    "pen_width": number(0.1, settings.MAX_CANVAS_SIDE, default=18),
}
_READING: Shape = {
    "digit": nullable(DIGIT, description="null exactly where `refusal` is not"),
    "confidence": {**SHARE, "description": "the largest probability"},
    "probabilities": array(SHARE, 10, 10, description="by digit; they sum to 1"),
    "second": nullable(DIGIT, description="the runner-up; null for a blank"),
    "digitness": {**SHARE, "description": "how much the ink is like one digit"},
    "refusal": nullable(
        record({"code": {"enum": Refusal.values}, "message": TEXT}),
        description="why it was not read as a digit, checked in the codes' order",
    ),
    "seen": {**DATA_URL, "description": "what the model saw; by ?include=seen"},
    "why": {
        **DATA_URL,
        "description": "ink for (red) and against (blue) the likeliest digit; "
        "by ?include=why",
    },
}
_EXTRAS = ("seen", "why")
_MODEL: Shape = {"type": "string", "description": "the digest of the bundle that read"}
_WRONG = given({"verdict": {"const": "wrong"}, "digit": DIGIT}, title="wrong")
_OTHER_VERDICT = given(
    {
        "verdict": {"enum": ["right", "not_a_digit", "withdrawn"]},
        "digit": {"type": "null"},
    },
    optional=("digit",),
    title="right, not_a_digit or withdrawn",
)

SCHEMAS: dict[str, Shape] = {
    "StrokeDrawing": given(
        {**_STROKE_FIELDS, "pointer": POINTER},
        optional=("pen_width", "pointer"),
        description=(
            f"Ink as it was drawn, {settings.MAX_POINTS:,} points at most. Ink outside "
            "the canvas counts; a stroke of one point is a dot."
        ),
    ),
    "ImageDrawing": given(
        {
            "image": {
                "type": "string",
                "format": "picture-data-url",
                "description": "data:image/png;base64,... (or jpeg, webp), dark on "
                "light or light on dark.",
            },
            "pointer": POINTER,
        },
        optional=("pointer",),
    ),
    "PixelDrawing": given(
        {
            "pixels": array(
                array({"type": "integer", "minimum": 0, "maximum": 255}, 28, 28), 28, 28
            ),
            "pointer": POINTER,
        },
        optional=("pointer",),
        description="28 rows of 28, ink high, as MNIST has them.",
    ),
    "Drawing": {
        "oneOf": [ref("StrokeDrawing"), ref("ImageDrawing"), ref("PixelDrawing")]
    },
    "ReadingsRequest": given(
        # Each drawing is judged by itself, so a wrong one is no wrong request.
        {"drawings": array({}, 1, settings.MAX_DRAWINGS_PER_CALL)},
        description="`drawings` are `Drawing`s; a wrong one gets its own error.",
    ),
    "Reading": record(_READING, optional=_EXTRAS),
    "Prediction": record({**_READING, "model": _MODEL}, optional=_EXTRAS),
    "Readings": record(
        {
            "model": _MODEL,
            "readings": array(
                {"anyOf": [ref("Reading"), ref("Error")]},
                1,
                settings.MAX_DRAWINGS_PER_CALL,
                description="in order; an error in the place of a wrong drawing",
            ),
        }
    ),
    "Submission": record(
        {
            "id": ID,
            "created_at": TIME,
            "source": {"enum": Submission.Source.values},
            "drawing": record(
                {**_STROKE_FIELDS, "pointer": {"enum": list(POINTERS)}},
                optional=("pointer",),
                description="the strokes as sent",
            ),
            "drawing_url": {
                "type": "string",
                "format": "uri-reference",
                "description": "of the picture, where it was not strokes",
            },
            "prediction": ref("Prediction"),
            "feedback": nullable(ref("Feedback"), description="the latest"),
            "label": nullable(ref("Label"), description="the latest"),
        },
        optional=("drawing", "drawing_url"),
        oneOf=[{"required": ["drawing"]}, {"required": ["drawing_url"]}],
    ),
    "SubmissionPage": record(
        {
            "next": nullable({"type": "string", "format": "uri"}),
            "previous": nullable({"type": "string", "format": "uri"}),
            "results": array(ref("Submission"), 0, PAGE_SIZE_MAX),
        }
    ),
    "FeedbackRequest": {"oneOf": [_WRONG, _OTHER_VERDICT]},
    "Feedback": record(
        {
            "verdict": {"enum": ["right", "wrong", "not_a_digit"]},
            "digit": nullable(DIGIT, description="the true one, where it was wrong"),
        }
    ),
    "LabelRequest": {
        "oneOf": [
            given(
                {"digit": DIGIT, "rejected": {"type": "null"}}, optional=("rejected",)
            ),
            given(
                {"rejected": {"enum": Rejection.values}, "digit": {"type": "null"}},
                optional=("digit",),
            ),
        ]
    },
    "Label": record(
        {
            "digit": nullable(DIGIT),
            "rejected": nullable({"enum": Rejection.values}),
        }
    ),
    "ConsentRequest": given({"may_train": {"type": "boolean"}}),
    "Me": record(
        {
            "username": nullable(TEXT, description="null for an anonymous caller"),
            "may_train": {
                "type": "boolean",
                "description": "whether the drawings may train models",
            },
            "may_review": {"type": "boolean"},
            "token": nullable(
                record(
                    {
                        "name": TEXT,
                        "prefix": TEXT,
                        "scopes": array({"enum": Scope.values}, 1),
                        "expires_at": nullable(TIME),
                    }
                )
            ),
        }
    ),
    "ModelVersion": record(
        {
            "digest": TEXT,
            "stage": {"enum": ModelVersion.Stage.values},
            "origin": {"enum": ModelVersion.Origin.values},
            "created_at": TIME,
            "preprocessing": {"description": "the version of the framing"},
            "metrics": {
                "type": "object",
                "description": "what was measured when it was finished, by test set",
            },
        }
    ),
    "ModelVersions": record({"results": array(ref("ModelVersion"))}),
    "Stats": record(
        {
            "submissions": COUNT,
            "last_24h": COUNT,
            "by_digit": array(COUNT, 10, 10, description="as shown"),
            "refused": COUNT,
            "reviewed": COUNT,
            "accuracy": nullable(
                record({"value": SHARE, "low": SHARE, "high": SHARE}),
                description=(
                    "of the largest probability, over drawings whose digit a reviewer "
                    "named, with its 95 % interval; null before the first"
                ),
            ),
        }
    ),
    "Error": record(
        {
            "error": record(
                {
                    "code": TEXT,
                    "message": {
                        "type": "string",
                        "description": "what was wrong and the way out",
                    },
                    "fields": {"type": "object"},
                }
            )
        }
    ),
}

_DIGEST = "7ea508705d9b0c4f1f4f3f6d3e1a5b2c7d8e9f0a1b2c3d4e5f60718293a4b5c6"
_ID = "01a20aab-e832-7642-880c-5b3a15f35f22"
_STROKES_EXAMPLE = {
    "strokes": [[[70, 70], [205, 66], [125, 225]]],
    "width": 280,
    "height": 280,
}
_READING_EXAMPLE = {
    "digit": 7,
    "confidence": 0.98,
    "probabilities": [0, 0.01, 0.005, 0, 0, 0, 0, 0.98, 0, 0.005],
    "second": 1,
    "digitness": 0.999,
    "refusal": None,
}
_SUBMISSION_EXAMPLE = {
    "id": _ID,
    "created_at": "2026-11-24T00:35:00+00:00",
    "source": "api",
    "drawing": {**_STROKES_EXAMPLE, "pen_width": 18},
    "prediction": {**_READING_EXAMPLE, "model": _DIGEST},
    "feedback": {"verdict": "right", "digit": None},
    "label": None,
}
_MODEL_EXAMPLE = {
    "digest": _DIGEST,
    "stage": "active",
    "origin": "starter",
    "created_at": "2026-11-24T00:30:00+00:00",
    "preprocessing": 1,
    "metrics": {"mnist_test": {"digits": 10000, "accuracy": 0.9952}},
}

EXAMPLES: dict[str, Any] = {
    "Drawing": _STROKES_EXAMPLE,
    "ReadingsRequest": {"drawings": [_STROKES_EXAMPLE]},
    "Readings": {"model": _DIGEST, "readings": [_READING_EXAMPLE]},
    "Submission": _SUBMISSION_EXAMPLE,
    "SubmissionPage": {
        "next": f"https://digits.example.org/api/v1/submissions/?before={_ID}",
        "previous": None,
        "results": [_SUBMISSION_EXAMPLE],
    },
    "FeedbackRequest": {"verdict": "wrong", "digit": 1},
    "LabelRequest": {"digit": 7},
    "ConsentRequest": {"may_train": True},
    "Me": {
        "username": "ada",
        "may_train": True,
        "may_review": False,
        "token": {
            "name": "form scanner",
            "prefix": "dgs_3xAmpl31",
            "scopes": ["read", "write"],
            "expires_at": None,
        },
    },
    "ModelVersion": _MODEL_EXAMPLE,
    "ModelVersions": {"results": [_MODEL_EXAMPLE]},
    "Stats": {
        "submissions": 1200,
        "last_24h": 31,
        "by_digit": [130, 118, 121, 109, 102, 98, 113, 140, 105, 110],
        "refused": 54,
        "reviewed": 400,
        "accuracy": {"value": 0.975, "low": 0.9548, "high": 0.9863},
    },
    "Error": {
        "error": {
            "code": "invalid",
            "message": "page_size is a whole number from 1 to 100.",
            "fields": {"page_size": "got '0'"},
        }
    },
}
