"""The privacy page: what is stored, why, for how long, and how to delete it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """Show the privacy page."""
    shown = {
        "retention_days": settings.RETENTION_DAYS,
        "visitor_days": settings.VISITOR_COOKIE_SECONDS // (24 * 3600),
        "session_days": settings.SESSION_COOKIE_AGE // (24 * 3600),
    }
    return render(request, "recognizer/privacy.html", shown)
