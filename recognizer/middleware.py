"""What happens to a request before any view."""

import threading
import time
from collections.abc import Callable

from csp.constants import HEADER as CONTENT_POLICY
from csp.utils import build_policy
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.cache import has_vary_header, patch_cache_control

from recognizer import request_ids
from recognizer.api.errors import error_response
from recognizer.health import livez, readyz
from recognizer.metrics import count_request
from recognizer.metrics_page import metrics
from recognizer.views import busy

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

    The content policy is one and the same for all answers but a few that bring their
    own, so it is put into words once; django-csp's middleware does it at each answer.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._content_policy = build_policy()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer with the headers that Django has no setting for."""
        response = self.get_response(request)
        response.headers.setdefault(CONTENT_POLICY, self._content_policy)
        response.headers["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if has_vary_header(response, "Cookie") and "Cache-Control" not in response:
            patch_cache_control(response, private=True, no_cache=True)
        return response


class RushMiddleware:
    """Turns away what is too much, at once, so that what is taken in stays quick.

    A burst is let in and waits in the server's queue. A rush that goes on is not: after
    RUSH_PATIENCE_S, whatever comes while REQUESTS_AT_ONCE are being answered is told
    when to come back, until for RUSH_ENDS_AFTER_S nothing was too much. Each process
    judges for itself.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._lock = threading.Lock()
        self._running = 0
        self._rush_began = self._last_too_much = float("-inf")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 503 in a rush, or pass the request on."""
        with self._lock:
            is_too_much = self._is_too_much(time.monotonic())
            self._running += not is_too_much
        if is_too_much:
            return busy(request)
        try:
            return self.get_response(request)
        finally:
            with self._lock:
                self._running -= 1

    def _is_too_much(self, now: float) -> bool:
        if self._running < settings.REQUESTS_AT_ONCE:
            return False
        if now - self._last_too_much > settings.RUSH_ENDS_AFTER_S:
            self._rush_began = now
        self._last_too_much = now
        return now - self._rush_began > settings.RUSH_PATIENCE_S


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
