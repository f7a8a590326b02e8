"""The page to draw on."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from recognizer.pages.caching import ones_own
from recognizer.pages.messages import translated_phrases


@require_safe
@ones_own
def draw(request: HttpRequest) -> HttpResponse:
    """Show the page to draw on."""
    shown = {
        "phrases": translated_phrases(),
        "upload_url": reverse("upload"),
        "consent_url": f"{reverse('history')}#consent-words",
    }
    return render(request, "recognizer/draw.html", shown)
