"""What happens to a request before any view."""

import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import has_vary_header, patch_cache_control

from recognizer import request_ids
from recognizer.api.errors import error_response
from recognizer.health import livez, readyz
from recognizer.metrics import count_request
from recognizer.metrics_page import metrics

PROBES = {"/livez": livez, "/readyz": readyz, "/metrics": metrics}


class ObservingMiddleware:
    """Gives each request its id, counts it, and answers who watches over the site.

    The first of all: balancers ask by address, in plain http and for no host of ours,
    and all that the others refuse is counted too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe, or pass the request on."""
        began = time.perf_counter()
        request_id = request_ids.begin(request)
        probe = PROBES.get(request.path_info)
        if probe is not None and request.method in ("GET", "HEAD"):
            return probe(request)
        response = self.get_response(request)
        response.headers[request_ids.HEADER] = request_id
        count_request(request, response.status_code, time.perf_counter() - began)
        return response


_DRAINED_BYTES = 4  # times the limit: how much of a refused body is still taken in


class BrowserPolicyMiddleware:
    """Tells browsers what no page may do, and who may keep an answer.

    Nothing here is for other sites' pages, and what differs by cookie is nobody's but
    its visitor's: a view that says nothing of it is kept out of shared caches.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the headers that Django has no setting for."""
        response = self.get_response(request)
        response.headers["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if has_vary_header(response, "Cookie") and "Cache-Control" not in response:
            patch_cache_control(response, private=True, no_cache=True)
        return response


class BodyLimitMiddleware:
    """Answers 413 to a body over the limit without keeping any of it.

    By its declared length; a body without one is not read at all under WSGI. What the
    client is already sending is taken in and dropped, within bounds, because a server
    that hangs up in the middle gets its answer lost on the way.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or pass the request on."""
        if request.headers.get("Transfer-Encoding"):
            return error_response(
                411,
                "length_required",
                "Bodies in chunks are not read: send the body with a Content-Length.",
            )
        declared = request.META.get("CONTENT_LENGTH") or "0"
        length = int(declared) if declared.isdecimal() else 0
        if length <= settings.MAX_BODY_BYTES:
            return self.get_response(request)
        if length <= _DRAINED_BYTES * settings.MAX_BODY_BYTES:
            while request.read(1 << 16):
                pass
        return error_response(
            413,
            "body_too_large",
            f"The body has {length:,} bytes and at most {settings.MAX_BODY_BYTES:,} "
            "are taken: send a smaller picture, or fewer drawings at once.",
        )
