"""What happens to a request before any view."""

import logging
import threading
import time
from collections.abc import Callable

from csp.constants import HEADER as CONTENT_POLICY
from csp.utils import build_policy
from django.conf import settings
from django.contrib.messages.middleware import MessageMiddleware
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.cache import (
    has_vary_header,
    patch_cache_control,
    patch_vary_headers,
)

from recognizer import request_ids
from recognizer.metrics import count_request
from recognizer.ops.error_views import busy
from recognizer.ops.health import livez, readyz
from recognizer.ops.metrics_page import metrics
from recognizer.responses import error_response
from recognizer.rush import HungUpError, line

logger = logging.getLogger(__name__)

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


_TOLD_EACH_S = 60


class TurnedAway:
    """Answers 503, and writes a line a minute instead of one for each."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told_at, self._since_then = float("-inf"), 0

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, and count."""
        now = time.monotonic()
        with self._lock:
            self._since_then += 1
            number = self._since_then
            if is_told := now - self._told_at >= _TOLD_EACH_S:
                self._told_at, self._since_then = now, 0
        if is_told:
            logger.warning("Too many requests: turned away %d since last told.", number)
        response = busy(request)
        response["Content-Length"] = str(len(response.content))
        # Django's own line for each would cost more than the answer.
        response._has_been_logged = True  # type: ignore[attr-defined]
        return response


turned_away = TurnedAway()


class RushMiddleware:
    """Turns away who would wait for too long, at once and before anything is read.

    See `recognizer.rush`.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer 503 where it is too much, or pass the request on."""
        if line.is_too_long(settings.LONGEST_WAIT_S):
            return turned_away(request)
        return self.get_response(request)


class BodyMiddleware:
    """Takes bodies in whole, and answers 413 to one over the limit, keeping none of it.

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
            try:
                _ = request.body  # from here on nobody waits for the network
            except UnreadablePostError:
                return error_response(
                    400, "body_cut_off", "The body ended too early: send it again."
                )
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


class LanguageMiddleware(LocaleMiddleware):
    """Speaks a visitor's language, by their cookie and their browser's settings.

    Django's looks for a language in the address too, twice at each request. Our
    addresses have none.
    """

    def process_request(self, request: HttpRequest) -> None:
        """Choose the language."""
        translation.activate(translation.get_language_from_request(request))
        request.LANGUAGE_CODE = translation.get_language() or settings.LANGUAGE_CODE

    def process_response(
        self, request: HttpRequest, response: HttpResponseBase
    ) -> HttpResponseBase:
        """Say which it is, and what it depends on."""
        patch_vary_headers(response, ("Accept-Language",))
        language = translation.get_language() or settings.LANGUAGE_CODE
        response.headers.setdefault("Content-Language", language)
        return response


class PageMessagesMiddleware(MessageMiddleware):
    """Keeps what a page has to say until the next is shown; the API has nothing."""

    def process_request(self, request: HttpRequest) -> None:
        """Let pages find what is kept."""
        if not request.path_info.startswith(_API):
            super().process_request(request)


_API = "/api/v1/"


def unread_answer() -> HttpResponse:
    """Return an answer for the counts alone; nginx has the same number for it."""
    response = HttpResponse(status=499, reason="Client Closed Request")
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response


class TurnMiddleware:
    """Lets so many requests compute at once; the others wait for their turn.

    A body is there by then, so that nobody with a slow line keeps a turn from others;
    and what is sent as a stream is made after the turn was given back.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass the request on in its turn, or answer 503 where that never came."""
        try:
            if not line.get_turn(settings.LOST_PATIENCE_S):
                return turned_away(request)
        except HungUpError:
            return unread_answer()
        try:
            return self.get_response(request)
        finally:
            line.answered()
