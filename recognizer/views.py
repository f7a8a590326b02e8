"""The pages, and what stands in for a page when something is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.exceptions import DisallowedHost, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.urls import reverse
from django.views import defaults
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from django.views.decorators.vary import vary_on_cookie

from recognizer import selectors
from recognizer.api.errors import error_response
from recognizer.api.serializers import svg_url
from recognizer.models import Submission
from recognizer.phrases import translated_phrases
from recognizer.refusals import refusal_message
from recognizer.visitors import caller_of

HISTORY_PAGE_SIZE = 24


_ones_own = cache_control(private=True, no_cache=True)


@require_safe
@_ones_own
@vary_on_cookie
def draw(request: HttpRequest) -> HttpResponse:
    """Show the page to draw on."""
    shown = {
        "phrases": translated_phrases(),
        "upload_url": reverse("upload"),
        "consent_url": f"{reverse('history')}#consent",
    }
    return render(request, "recognizer/draw.html", shown)


@dataclass(frozen=True)
class HistoryEntry:
    """What the history shows of one submission."""

    id: UUID
    created_at: datetime
    image_url: str
    digit: int | None
    refusal_message: str
    confidence: float
    second: int | None
    verdict: str
    corrected_digit: int | None


@dataclass(frozen=True)
class HistoryView:
    """The history page's content."""

    submissions: list[HistoryEntry]
    next_url: str | None
    previous_url: str | None


@require_safe
@_ones_own
@vary_on_cookie
def history(request: HttpRequest) -> HttpResponse:
    """Show a visitor's own drawings, newest first."""
    page = selectors.submission_page(
        Submission.objects.owned_by(*caller_of(request).visitors),
        size=HISTORY_PAGE_SIZE,
        before=_uuid(request.GET.get("before")),
        after=_uuid(request.GET.get("after")),
    )
    here = reverse("history")
    shown = HistoryView(
        submissions=list(_history_entries(page.submissions)),
        next_url=f"{here}?before={page.older_than}" if page.older_than else None,
        previous_url=f"{here}?after={page.newer_than}" if page.newer_than else None,
    )
    return render(request, "recognizer/history.html", {"page": shown})


def _history_entries(submissions: list[Submission]) -> Iterator[HistoryEntry]:
    for submission in submissions:
        shown = submission.shown_prediction
        yield HistoryEntry(
            id=submission.pk,
            created_at=submission.created_at,
            image_url=svg_url(submission.pk),
            digit=shown.digit,
            refusal_message=refusal_message(shown.refusal, shown.probabilities)
            if shown.refusal
            else "",
            confidence=shown.confidence,
            second=shown.second,
            verdict=submission.verdict,
            corrected_digit=submission.corrected_digit,
        )


def _uuid(value: str | None) -> UUID | None:
    """Take a page's key from the address; a mangled one means the first page."""
    try:
        return UUID(value) if value else None
    except ValueError:
        return None


# --- what is wrong: the error form to programs, a page to people -------------------


@csrf_exempt  # an answer, not an action: it shall name the mistake to everyone
def unknown_api_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer what no address of the API matches."""
    return error_response(
        404,
        "not_found",
        f"There is no {request.path[:200]}: addresses of the API begin with /api/v1/ "
        "and end with a slash.",
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    if isinstance(exception, DisallowedHost):
        message = "This site does not answer for this host: name it in ALLOWED_HOSTS."
        if _is_api(request):
            return error_response(400, "unknown_host", message)
        return HttpResponseBadRequest(message, content_type="text/plain")
    if _is_api(request):
        return error_response(400, "bad_request", "The request is malformed.")
    return defaults.bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    if _is_api(request):
        return error_response(403, "permission_denied", "You may not do this.")
    return defaults.permission_denied(request, exception)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form that does not come from our page."""
    return permission_denied(request, PermissionDenied(reason))


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    if _is_api(request):
        return unknown_api_address(request)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500."""
    if _is_api(request):
        return error_response(
            500,
            "server_error",
            "Something broke on our side and was logged: try again in a moment.",
        )
    return defaults.server_error(request)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
