"""The page to draw on."""

from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from recognizer.pages.caching import ones_own
from recognizer.pages.messages import translated_phrases
from recognizer.people.visitors import caller_of
from recognizer.reader.in_page import active_digest


@require_safe
@ones_own
def draw(request: HttpRequest) -> HttpResponse:
    """Show the page to draw on; with `?offline`, as browsers keep it for anyone."""
    shown = shown_to_anyone()
    if "offline" not in request.GET:
        shown["visitor"] = _visitor(request)
    return render(request, "recognizer/draw.html", shown)


def shown_to_anyone() -> dict[str, Any]:
    """Return what the page shows, without its visitor."""
    return {
        "model": active_digest(),
        "csrf_cookie": settings.CSRF_COOKIE_NAME,
        "is_collected": settings.STATIC_ROOT is not None,
        "phrases": translated_phrases(),
        "upload_url": reverse("upload"),
        "consent_url": f"{reverse('history')}#consent-words",
    }


def _visitor(request: HttpRequest) -> str | None:
    """Return the owner of new drawings; "" if there is none yet, None if unknown."""
    try:
        return str(caller_of(request).visitor_id or "")
    except DatabaseError:
        return None
