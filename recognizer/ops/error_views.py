"""Error responses: the API's error form for programs, a page for people."""

import sys

from django.core.exceptions import DisallowedHost, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.middleware.csrf import REASON_NO_CSRF_COOKIE
from django.shortcuts import render
from django.template.loader import render_to_string
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from recognizer.api.errors import RETRY_AFTER_SECONDS, is_fault, unavailable_response
from recognizer.responses import error_response


@csrf_exempt  # a POST without a CSRF token must get this 404, not a 403
def unknown_api_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer 404 to an unknown API address."""
    return error_response(
        404,
        "not_found",
        f"Not found: {request.path[:200]}. API addresses begin with /api/v1/ and end "
        "with a slash.",
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    if isinstance(exception, DisallowedHost):
        message = "This host is not allowed. Add it to ALLOWED_HOSTS."
        if _is_api(request):
            return error_response(400, "unknown_host", message)
        return HttpResponseBadRequest(message, content_type="text/plain")
    if _is_api(request):
        return error_response(400, "bad_request", "The request is malformed.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    if _is_api(request):
        return error_response(
            403, "permission_denied", "You do not have permission to do this."
        )
    return defaults.permission_denied(request, exception)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form that does not come from our page."""
    if _is_api(request):
        return permission_denied(request, PermissionDenied(reason))
    shown = {"needs_cookies": reason == REASON_NO_CSRF_COOKIE}
    return render(request, "403.html", shown, status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    if _is_api(request):
        return unknown_api_address(request)
    return defaults.page_not_found(request, exception)


def busy(request: HttpRequest) -> HttpResponse:
    """Answer 503 with the seconds to wait before trying again."""
    answer = (
        unavailable_response()
        if _is_api(request)
        # Rendered without the request: looking up its user may be what fails.
        else HttpResponse(render_to_string("503.html"), status=503)
    )
    answer["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return answer


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 if the database, the cache or the model is unavailable."""
    if is_fault(sys.exception()):
        return busy(request)
    if _is_api(request):
        return error_response(
            500,
            "server_error",
            "Something went wrong on our side and was logged. Try again in a moment.",
        )
    return defaults.server_error(request)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
