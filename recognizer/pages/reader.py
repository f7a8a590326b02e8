"""The active model, for the reader in the page.

Both addresses contain the bundle's digest, so browsers keep the answers for good.
"""

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from recognizer.reader.in_page import Bundle, active_bundle, facts_of
from recognizer.reader.recognisers import ReaderUnavailableError

for_good = cache_control(public=True, max_age=365 * 24 * 3600, immutable=True)


@require_safe
@for_good
def bundle(request: HttpRequest, digest: str) -> HttpResponse:
    """Return calibration and preprocessing of the active model, and where its file is.

    Any other model is a 404.
    """
    found = facts_of(_active(digest))
    weights = {
        "url": reverse("reader-weights", args=[digest]),
        "integrity": found.pop("integrity"),
    }
    return JsonResponse({**found, "weights": weights})


@require_safe
@for_good
def weights(request: HttpRequest, digest: str) -> HttpResponse:
    """Return the active model's LiteRT file."""
    content = _active(digest).served_weights()
    return HttpResponse(content, content_type="application/octet-stream")


def _active(digest: str) -> Bundle:
    try:
        found = active_bundle()
    except ReaderUnavailableError as error:
        raise Http404 from error
    if found.digest != digest:
        raise Http404
    return found
