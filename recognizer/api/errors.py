"""The only module that turns exceptions into HTTP responses.

{"error": {"code": "...", "message": "what was wrong, how to fix it", "fields": {}}}
"""

import logging
from typing import Any

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    ProgrammingError,
)
from django.http import Http404, HttpResponse
from redis.exceptions import RedisError
from rest_framework import exceptions
from rest_framework.response import Response

from recognizer.api.auth import InsufficientScopeError, InvalidTokenError
from recognizer.api.throttles import (
    ThrottledError,
    TooManyExportsError,
    TooManyTriesError,
)
from recognizer.drawings.idempotency import KeyReusedError
from recognizer.drawings.parquet import ParquetUnavailableError
from recognizer.learning.model_files import OnnxNotWrittenError, OnnxUnavailableError
from recognizer.models import Picture, Submission
from recognizer.people.limits import QuotaError
from recognizer.people.visitors import OtherVisitorError
from recognizer.reader.drawing import DrawingError
from recognizer.reader.recognisers import ReaderUnavailableError
from recognizer.responses import error_body, error_response
from recognizer.webhooks.managing import WebhookError

logger = logging.getLogger(__name__)

RETRY_AFTER_SECONDS = 5
_TOO_LARGE = {"too_many_pixels", "too_costly"}
_UNAVAILABLE = (
    "No model can read right now. Keep the drawing and send it again in a few seconds."
)
_BUGS = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


def drawing_error_body(error: DrawingError) -> dict[str, Any]:
    """Return the error body for an invalid drawing."""
    return error_body(error.code, error.message, error.fields)


def is_fault(exc: BaseException | None) -> bool:
    """Return whether a service has failed, rather than our code or the request.

    The database is unreachable, full, damaged or read-only, Redis is unreachable, or
    a model cannot be loaded.
    """
    if isinstance(exc, DatabaseError):
        return not isinstance(exc, _BUGS)
    return isinstance(exc, (InterfaceError, RedisError, ReaderUnavailableError))


def unavailable_response() -> HttpResponse:
    """Return a 503 with a JSON body, for code outside the API views."""
    return error_response(503, "unavailable", _UNAVAILABLE)


def exception_handler(exc: Exception, context: dict[str, Any]) -> Response | None:
    """Return the response to an exception in an API view; None makes it a 500."""
    headers: dict[str, str] = {}
    match exc:
        case DrawingError():
            status = 413 if exc.code in _TOO_LARGE else 400
            body = drawing_error_body(exc)
        case WebhookError():
            status = 400
            fields = {exc.field: str(exc)} if exc.field else {}
            body = error_body(exc.code, str(exc), fields)
        # DoesNotExist: the submission was deleted after it was loaded.
        case (
            Http404()
            | exceptions.NotFound()
            | Submission.DoesNotExist()
            | Picture.DoesNotExist()
        ):
            status = 404
            body = error_body("not_found", "You have nothing at this address.")
        case KeyReusedError():
            status = 409
            body = error_body(
                "idempotency_key_reused",
                "This Idempotency-Key was used for a different request. Use a new "
                "key for a new request, and repeat a request unchanged.",
            )
        case OtherVisitorError():
            status = 409
            body = error_body(
                "lost_visitor" if exc.is_lost else "other_visitor",
                "The visitor in Visitor-Id is not yours: you have signed out since, "
                "or the cookie is gone. GET /api/v1/me/ says who you are.",
            )
        case InsufficientScopeError():
            status = 403
            body = error_body("insufficient_scope", str(exc))
            headers = {
                "WWW-Authenticate": f'Bearer realm="digitsite", '
                f'error="insufficient_scope", scope="{exc.scope}"'
            }
        case ParquetUnavailableError() | OnnxUnavailableError():
            status = 501
            body = error_body("not_installed", str(exc))
        case OnnxNotWrittenError():
            status = 503
            body = error_body("unavailable", str(exc))
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        case PermissionDenied() | exceptions.PermissionDenied():
            status = 403
            body = error_body(
                "permission_denied",
                str(exc) or "You do not have permission to do this.",
            )
        case exceptions.APIException():
            status = exc.status_code
            is_malformed = isinstance(exc, exceptions.ParseError)
            code = "malformed_body" if is_malformed else exc.default_code
            body = error_body(code, _message(exc, context))
            headers = _headers(exc)
        case QuotaError():
            status = 429
            body = error_body("quota_exceeded", str(exc))
            headers = {"Retry-After": str(exc.wait_s)}
        case SuspiciousOperation():
            status = 400
            body = error_body("bad_request", str(exc) or "The request is malformed.")
        case _ if is_fault(exc):
            logger.error("The service cannot answer now: %s", exc)
            status = 503
            body = error_body("unavailable", _UNAVAILABLE)
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        case _:
            return None
    return Response(body, status=status, headers=headers)


def _message(exc: exceptions.APIException, context: dict[str, Any]) -> str:
    if isinstance(exc, exceptions.UnsupportedMediaType):
        takes = ", ".join(p.media_type for p in context["view"].parser_classes)
        return f"{exc.detail} This call accepts {takes}."
    if isinstance(exc, exceptions.NotAcceptable):
        return "Responses are application/json. Accept that type."
    if isinstance(exc, exceptions.NotAuthenticated):
        return (
            "This call needs a user. Send Authorization: Bearer with a token from "
            "the Account page, or sign in."
        )
    return str(exc.detail)


def _headers(exc: exceptions.APIException) -> dict[str, str]:
    if isinstance(exc, InvalidTokenError):
        return {"WWW-Authenticate": 'Bearer realm="digitsite", error="invalid_token"'}
    if isinstance(exc, exceptions.NotAuthenticated):
        return {"WWW-Authenticate": 'Bearer realm="digitsite"'}
    if isinstance(exc, (ThrottledError, TooManyExportsError, TooManyTriesError)):
        return {"Retry-After": str(exc.wait_s)}
    return {}
