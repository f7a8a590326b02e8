"""The OpenAPI description of each call; `contract` describes the models."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeVar

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import (
    OpenApiParameter,
    OpenApiRequest,
    OpenApiResponse,
    OpenApiWebhook,
    extend_schema,
)
from pydantic import BaseModel

from recognizer.api.contract.incoming import (
    AccountDeletionIn,
    DrawingIn,
    IdempotencyKeyIn,
    Query,
    VisitorIdIn,
)
from recognizer.api.contract.outgoing import EVENTS, ErrorOut
from recognizer.models import Event

Method = TypeVar("Method", bound=Callable[..., Any])
Shape = dict[str, Any]

JSON = "application/json"
PICTURES = ("image/png", "image/jpeg", "image/webp", "image/gif", "image/bmp")
DRAWING_BODIES: Mapping[str, Any] = {
    JSON: DrawingIn,
    "multipart/form-data": OpenApiRequest(
        {
            "type": "object",
            "properties": {"image": {"type": "string", "format": "binary"}},
            "required": ["image"],
        },
        encoding={"image": {"contentType": ", ".join(PICTURES)}},
    ),
    **dict.fromkeys(PICTURES, OpenApiTypes.BINARY),
}

_TASKS: Shape = {
    "type": "array",
    "items": {"type": "object"},
    "description": "Tasks of Label Studio.",
    "examples": [
        [
            {
                "data": {"image": "data:image/png;base64,iVBORw0KGgo="},
                "predictions": [],
                "annotations": [],
            }
        ]
    ],
}
_ERRORS: Mapping[int, str] = {
    400: "The request is invalid; `fields` says where.",
    401: "The token is missing, unknown, revoked or expired.",
    403: "The token or the user does not have permission.",
    404: "You have nothing at this address.",
    406: "The `Accept` header excludes the type of the response.",
    409: (
        "This `Idempotency-Key` was used for a different request, or the `Visitor-Id` "
        "is another's."
    ),
    411: "The body has no `Content-Length`.",
    413: "The body, or the picture in it, is too large.",
    415: "This call does not accept this type of body.",
    429: "Too many calls. Wait `Retry-After` seconds.",
    500: "An internal error, which was logged.",
    501: "The server lacks a package that this format needs.",
    503: "No model can read right now. Try again.",
}
_ALWAYS = (400, 401, 403, 429, 500, 503)
_WITH_A_BODY = (411, 413, 415)


def _header(
    name: str,
    description: str,
    statuses: Sequence[int],
    kind: OpenApiTypes = OpenApiTypes.STR,
) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        kind,
        OpenApiParameter.HEADER,
        description=description,
        response=list(statuses),
    )


_ERROR_HEADERS = (
    _header(
        "WWW-Authenticate", "How to authenticate, or which scope is missing.", [401]
    ),
    _header("Retry-After", "Seconds to wait.", [429, 503], OpenApiTypes.INT),
)
LOCATION = _header(
    "Location", "The URL of the stored submission.", [201], OpenApiTypes.URI_REF
)
ETAG = _header("ETag", "Send it back as `If-None-Match` to get a 304.", [200])
CONTENT_DISPOSITION = _header("Content-Disposition", "The file name.", [200])
_KEY = IdempotencyKeyIn.model_json_schema()["properties"]["Idempotency-Key"]
_IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    pattern=_KEY["pattern"],
    description=(
        f"{_KEY['description']} A call repeated with the same key and body is done "
        "once and gets the same response. Needs a token, a session or the visitor's "
        "cookie."
    ),
)
_VISITOR = VisitorIdIn.model_json_schema()["properties"]["Visitor-Id"]
_VISITOR_ID = OpenApiParameter(
    "Visitor-Id",
    OpenApiTypes.UUID,
    OpenApiParameter.HEADER,
    description=_VISITOR["description"],
)


def call(
    operation_id: str,
    *,
    query: type[Query] = Query,
    takes: type[BaseModel] | Mapping[str, Any] | None = None,
    answers: Mapping[int, type[BaseModel] | None] | None = None,
    files: Sequence[str] = (),
    headers: Sequence[OpenApiParameter] = (),
    of_one: bool = False,
    once: bool = False,
    as_one: bool = False,
    may_lack: bool = False,
) -> Callable[[Method], Method]:
    """Describe a call; its docstring is the summary.

    Args:
        query: the model of its query string.
        takes: the model of its JSON body, or bodies by media type.
        answers: response models by status; None if there is no body.
        files: media types of the response if it is a file.
        headers: headers of the response, besides those of errors.
        of_one: whether its address names one thing, which may not exist.
        once: whether it accepts an `Idempotency-Key`.
        as_one: whether it accepts a `Visitor-Id`.
        may_lack: whether it needs a package that may not be installed.
    """
    errors = {
        *_ALWAYS,
        *(_WITH_A_BODY if takes else ()),
        *([404] if of_one else ()),
        *([409] if once or as_one else ()),
        *(() if files else [406]),
        *([501] if may_lack else ()),
    }
    responses: dict[Any, Any] = {
        (200, kind): _TASKS if kind == JSON else OpenApiTypes.BINARY for kind in files
    }
    for status, model in (answers or {}).items():
        responses[status] = OpenApiResponse(model, HTTPStatus(status).phrase)
    for status in sorted(errors):
        responses[status] = OpenApiResponse(ErrorOut, _ERRORS[status])

    parameters: list[Any] = [query, *_ERROR_HEADERS, *headers]
    if once:
        parameters.append(_IDEMPOTENCY_KEY)
    if as_one:
        parameters.append(_VISITOR_ID)

    def described(method: Method) -> Method:
        method.query = query  # type: ignore[attr-defined]  # read by the view
        return extend_schema(
            operation_id=operation_id,
            request={JSON: takes} if isinstance(takes, type) else takes,
            responses=responses,
            parameters=parameters,
        )(method)

    return described


def _told(event: Event) -> OpenApiWebhook:
    """Describe a message that webhooks get; its model's docstring is the summary."""
    model = EVENTS[event]
    return OpenApiWebhook(
        event.value,
        extend_schema(
            summary=model.__doc__,
            request={JSON: model},
            responses={200: OpenApiResponse(description="Any 2xx: it was taken.")},
            tags=["webhooks"],
        ),
    )


SUBMISSION_CREATED = _told(Event.SUBMISSION_CREATED)
FEEDBACK_CREATED = _told(Event.FEEDBACK_CREATED)
LABEL_CREATED = _told(Event.LABEL_CREATED)
MODEL_PROMOTED = _told(Event.MODEL_PROMOTED)

_SECURITY_SCHEMES: Mapping[str, Shape] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "description": (
            "A personal token from the Account page. "
            "Its scopes are read, write and review."
        ),
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": (
            "A signed-in browser. Calls that change something need X-CSRFToken."
        ),
    },
    "visitor": {
        "type": "apiKey",
        "in": "cookie",
        "name": "visitor",
        "description": (
            "An anonymous caller, known after `POST me/` or the first stored drawing."
        ),
    },
}
_OF_USERS: list[Shape] = [{"token": []}, {"session": []}]
_OF_ANYBODY: list[Shape] = [*_OF_USERS, {"visitor": []}, {}]
_FOR_USERS_ALONE = {
    *("labelSubmission", "listWebhooks", "registerWebhook", "deleteWebhook"),
}
_FOR_SESSIONS_ALONE = {"deleteMe"}
FOLLOWING = (
    "getSubmission",
    "getSubmissionSvg",
    "getSubmissionPng",
    "giveFeedback",
    "labelSubmission",
    "deleteSubmission",
)


def finish_schema(
    result: Shape, generator: object, request: object, public: bool
) -> Shape:
    """Add what decorators cannot: security, and links from a stored drawing."""
    result["components"]["securitySchemes"] = dict(_SECURITY_SCHEMES)
    for methods in result["paths"].values():
        for operation in methods.values():
            is_for_users = operation["operationId"] in _FOR_USERS_ALONE
            operation["summary"] = operation.pop("description")
            operation["security"] = _OF_USERS if is_for_users else _OF_ANYBODY
            if operation["operationId"] in _FOR_SESSIONS_ALONE:
                operation["security"] = [{"session": []}]
            if "requestBody" in operation:  # no call that takes a body does without
                operation["requestBody"]["required"] = True
    # drf-spectacular describes no body of a DELETE.
    result["paths"]["/api/v1/me/"]["delete"]["requestBody"] = {
        "content": {JSON: {"schema": AccountDeletionIn.model_json_schema()}},
        "required": True,
    }
    stored = result["paths"]["/api/v1/submissions/"]["post"]["responses"]["201"]
    stored["links"] = {
        operation: {
            "operationId": operation,
            "parameters": {"submission_id": "$response.body#/id"},
        }
        for operation in FOLLOWING
    }
    return result
