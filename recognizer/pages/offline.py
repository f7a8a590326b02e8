"""What browsers keep of the site, so that it opens without a connection.

They keep collected static files only: a name with a hash stands for one content.
"""

import hashlib
import json
from functools import cache

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.translation import get_language
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from recognizer.pages.caching import ones_own
from recognizer.pages.draw import shown_to_anyone

KEPT = (
    "recognizer/css/*.css",
    "recognizer/icons/favicon.svg",
    "recognizer/js/**/*.js",
    "vendor/litert/*.js",
    "vendor/litert/*.wasm",
)


@require_safe
@cache_control(no_cache=True)
def service_worker(request: HttpRequest) -> HttpResponse:
    """Return the script that keeps the site in the browser, where files are collected.

    It changes with pages, files, model and language; browsers then keep the new ones.
    """
    files = kept_files()
    if not files:
        raise Http404
    shown = shown_to_anyone()
    if model := shown["model"]:
        parts = ("reader", "reader-weights")
        files = [*files, *(reverse(part, args=[model]) for part in parts)]
    pages = ("recognizer/draw.html", "recognizer/offline.html")
    content = "".join(render_to_string(page, shown) for page in pages)
    site = {
        "build": hashlib.sha256(content.encode()).hexdigest(),
        "language": get_language(),
        "files": files,
        "draw": f"{reverse('draw')}?offline",
        "offline": reverse("offline"),
    }
    return render(
        request,
        "recognizer/service_worker.js",
        {"site": json.dumps(site)},
        content_type="text/javascript",
    )


@require_safe
@ones_own
def offline(request: HttpRequest) -> HttpResponse:
    """Show what browsers show without a connection instead of other pages."""
    return render(request, "recognizer/offline.html")


@cache
def kept_files() -> list[str]:
    """Return the addresses of the static files to keep; none before `collectstatic`."""
    if settings.STATIC_ROOT is None:
        return []
    (folder,) = settings.STATICFILES_DIRS
    found = (path for pattern in KEPT for path in folder.glob(pattern))
    return sorted(static(path.relative_to(folder).as_posix()) for path in found)
