"""The OpenAPI description: what drf-spectacular cannot see in hand-judged bodies."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import (
    OpenApiExample,
    OpenApiParameter,
    OpenApiRequest,
    OpenApiResponse,
    extend_schema,
)

from recognizer.api import views as views  # whose calls note themselves
from recognizer.api.calls import CALLS, DRAWING_BODIES, Call
from recognizer.api.serializers import EXPORTS, PAGE_SIZE_MAX
from recognizer.api.shapes import DIGIT, EXAMPLES, ID, SCHEMAS, Shape, array, ref
from recognizer.drawings.filters import SubmissionFilter

JSON = "application/json"
PICTURES = ("image/png", "image/jpeg", "image/webp")
_BINARY: Shape = {"type": "string", "format": "binary"}

# What can go wrong, with an example of its code, and where it can.
_ERRORS: Mapping[int, tuple[str, str]] = {
    400: ("invalid", "What was sent makes no sense; `fields` says where."),
    401: ("invalid_token", "The token is unknown, revoked or expired, or none came."),
    403: ("insufficient_scope", "The token, or the user, may not do this."),
    404: ("not_found", "There is nothing of yours at this address."),
    406: ("not_acceptable", "The answer is of a kind that was not accepted."),
    409: ("idempotency_key_reused", "The key came with another request before."),
    411: ("length_required", "A body in chunks: send its length."),
    413: ("body_too_large", "The body, or the picture in it, is too large."),
    415: ("unsupported_media_type", "The body is of a kind this call does not take."),
    429: ("throttled", "Too many calls: go on after `Retry-After` seconds."),
    500: ("server_error", "Something broke on our side and was logged."),
    503: ("unavailable", "No reader can answer now: send it again."),
}
_ERROR_HEADERS = {
    401: ["WWW-Authenticate"],
    429: ["Retry-After"],
    503: ["Retry-After"],
}
_ALWAYS = (400, 401, 403, 429, 500, 503)
_WITH_A_BODY = (411, 413, 415)


def query(name: str, description: str, shape: Shape, **more: Any) -> OpenApiParameter:
    """Describe a parameter of the address."""
    return OpenApiParameter(name, shape, description=description, **more)


_VERDICTS = [
    verdict for verdict, _ in SubmissionFilter.base_filters["feedback"].extra["choices"]
]
_PARAMETERS = {
    parameter.name: parameter
    for parameter in (
        query(
            "include",
            "Adds to readings what the model saw, and which ink spoke for the digit.",
            array({"type": "string", "enum": ["seen", "why"]}, 1),
            explode=False,
            style="form",
        ),
        query("digit", "What was shown.", DIGIT),
        query("refused", "Whether it was refused.", {"type": "boolean"}),
        query(
            "feedback",
            "What its visitor said last.",
            {"type": "string", "enum": [*_VERDICTS, "none"]},
        ),
        query(
            "page_size",
            "Submissions a page.",
            {
                "type": "integer",
                "minimum": 1,
                "maximum": PAGE_SIZE_MAX,
                "default": 50,
            },
        ),
        query("before", "Older ones than this: follow `next` instead.", ID),
        query("after", "Newer ones than this: follow `previous` instead.", ID),
        query(
            "as",
            "The kind of file; idx is a ZIP with MNIST's two files.",
            {"type": "string", "enum": list(EXPORTS), "default": "ndjson"},
        ),
    )
}
_SUBMISSION_ID = OpenApiParameter(
    "submission_id", ID, OpenApiParameter.PATH, description="of one's own submission"
)
_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {
        "type": "string",
        "minLength": 1,
        "maxLength": 200,
        "pattern": r"^[\x21-\x7e]{1,200}$",
    },
    OpenApiParameter.HEADER,
    description="Sent again with the same body, the call is done once and answered "
    "the same. Needs a token, a session or the visitor's cookie.",
)
_DRAWING_BODIES: Mapping[str, Any] = {
    JSON: OpenApiRequest(
        ref("Drawing"),
        examples=[OpenApiExample("strokes", EXAMPLES["Drawing"], request_only=True)],
    ),
    "multipart/form-data": OpenApiRequest(
        {
            "type": "object",
            "properties": {"image": _BINARY},
            "required": ["image"],
        },
        encoding={"image": {"contentType": ", ".join(PICTURES)}},
    ),
    **dict.fromkeys(PICTURES, _BINARY),
}


def describe(call: Call) -> None:
    """Tell drf-spectacular of a call."""
    errors = {
        *_ALWAYS,
        *(_WITH_A_BODY if call.takes else ()),
        *([404] if call.of_one else ()),
        *([409] if call.once else ()),
        *(() if call.files else [406]),
    }
    answered: dict[Any, Any] = {(200, kind): _BINARY for kind in call.files}
    for status, name in call.answers.items():
        answered[status] = _answer(HTTPStatus(status).phrase, name)
    for status in sorted(errors):
        answered[status, JSON] = ref("Error")  # `finish_schema` refers to all of it
    extend_schema(
        operation_id=call.operation_id,
        summary=call.summary,
        tags=[call.tag],
        request=_bodies(call.takes),
        responses=answered,
        parameters=[
            *(_PARAMETERS[name] for name in call.parameters),
            *([_SUBMISSION_ID] if call.of_one else []),
            *([_IDEMPOTENCY_KEY] if call.once else []),
        ],
    )(call.method)


def _bodies(takes: str | None) -> Mapping[str, Any] | None:
    if takes is None:
        return None
    if takes == DRAWING_BODIES:
        return _DRAWING_BODIES
    example = OpenApiExample(takes, EXAMPLES[takes], request_only=True)
    return {JSON: OpenApiRequest(ref(takes), examples=[example])}


def _answer(description: str, name: str | None) -> OpenApiResponse:
    if name is None:
        return OpenApiResponse(description=description)
    example = OpenApiExample(name, EXAMPLES[name], response_only=True)
    return OpenApiResponse(ref(name), description=description, examples=[example])


SECURITY_SCHEMES: Mapping[str, Shape] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal token of the page Account; scopes are read, write "
        "and review.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "A signed-in browser; what is not read needs X-CSRFToken.",
    },
    "visitor": {
        "type": "apiKey",
        "in": "cookie",
        "name": "visitor",
        "description": "An anonymous caller, known from its first stored drawing on.",
    },
}


class TokenScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Tells drf-spectacular how tokens are sent."""

    target_class = "recognizer.api.auth.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: object) -> Shape:
        """Return the scheme."""
        return SECURITY_SCHEMES["token"]


_OF_USERS: list[Shape] = [{"token": []}, {"session": []}]
_OF_ANYBODY: list[Shape] = [*_OF_USERS, {"visitor": []}, {}]
_FOR_USERS_ALONE = {"labelSubmission"}


def finish_schema(
    result: Shape, generator: object, request: object, public: bool
) -> Shape:
    """Add what no decorator can: components, security, headers, links."""
    result["components"] = {
        "schemas": SCHEMAS,
        "securitySchemes": dict(SECURITY_SCHEMES),
        "headers": _HEADERS,
        "responses": {str(status): _error(status) for status in _ERRORS},
    }
    for path, methods in result["paths"].items():
        for operation in methods.values():
            is_for_users = operation["operationId"] in _FOR_USERS_ALONE
            operation["security"] = _OF_USERS if is_for_users else _OF_ANYBODY
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
            responses = operation["responses"]
            for status in responses:
                if int(status) in _ERRORS:
                    responses[status] = {"$ref": f"#/components/responses/{status}"}
                elif names := _headers_of(path, operation, int(status)):
                    responses[status]["headers"] = _refer_to_headers(names)
    stored = result["paths"]["/api/v1/submissions/"]["post"]["responses"]["201"]
    stored["links"] = {
        operation: {
            "operationId": operation,
            "parameters": {"submission_id": "$response.body#/id"},
        }
        for operation in FOLLOWING
    }
    return result


FOLLOWING = (
    "getSubmission",
    "getSubmissionSvg",
    "getSubmissionPng",
    "giveFeedback",
    "labelSubmission",
    "deleteSubmission",
)
_HEADERS: Shape = {
    "Location": {
        "description": "The address of what was stored.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
    "ETag": {
        "description": "Send it as `If-None-Match`.",
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "WWW-Authenticate": {
        "description": "How to sign in, or which scope is missing.",
        "schema": {"type": "string"},
    },
    "Content-Disposition": {
        "description": "The name of the file.",
        "schema": {"type": "string"},
    },
}


def _headers_of(path: str, operation: Shape, status: int) -> list[str]:
    if status == 201 and operation["operationId"] == "storeDrawing":
        return ["Location"]
    if status == 200 and "image." in path:
        return ["ETag"]
    if status == 200 and path.endswith("export/"):
        return ["Content-Disposition"]
    return []


def _refer_to_headers(names: Sequence[str]) -> Shape:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _error(status: int) -> Shape:
    code, meaning = _ERRORS[status]
    example = {"error": {"code": code, "message": meaning, "fields": {}}}
    return {
        "description": meaning,
        "headers": _refer_to_headers(_ERROR_HEADERS.get(status, ())),
        "content": {JSON: {"schema": ref("Error"), "example": example}},
    }


for _call in CALLS:
    describe(_call)
