"""Responses that several packages use: API errors and a drawing's picture.

{"error": {"code": "...", "message": "what was wrong and what to do", "fields": {}}}
"""

import hashlib
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import quote_etag
from rest_framework.request import Request


def error_body(
    code: str, message: str, fields: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the error form."""
    return {"error": {"code": code, "message": message, "fields": fields or {}}}


def error_response(
    status: int, code: str, message: str, fields: dict[str, Any] | None = None
) -> HttpResponse:
    """Return the error form as a response, for code outside API views."""
    return JsonResponse(error_body(code, message, fields), status=status)


def picture_response(
    request: HttpRequest | Request, content: bytes, media_type: str
) -> HttpResponseBase:
    """Answer a drawing's picture, which never changes and is private."""
    etag = quote_etag(hashlib.sha256(content).hexdigest()[:32])
    response = HttpResponse(content, content_type=media_type, headers={"ETag": etag})
    response["Cache-Control"] = "private, no-store"  # nothing stays after signing out
    response["Content-Security-Policy"] = "default-src 'none'; img-src data:"
    return (
        get_conditional_response(
            getattr(request, "_request", request), etag=etag, response=response
        )
        or response
    )
