"""Middleware that each request passes before its view."""

import time
from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.cache import has_vary_header, patch_cache_control

from recognizer import request_ids
from recognizer.metrics import count_request
from recognizer.models import User
from recognizer.ops.error_views import busy
from recognizer.ops.health import livez, readyz
from recognizer.ops.metrics_page import metrics
from recognizer.people.limits import client_address, hashed_address
from recognizer.people.security_log import note
from recognizer.people.sessions import note_use
from recognizer.people.slots import Slots
from recognizer.responses import error_response

PROBES = {"/livez": livez, "/readyz": readyz, "/metrics": metrics}


class ObservingMiddleware:
    """Gives each request an id, answers the probes, and counts all other requests.

    It comes before every middleware that can refuse a request. Load balancers probe by
    IP address over plain HTTP, and refused requests are counted too.
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
        if response.status_code == HTTPStatus.FORBIDDEN and request.resolver_match:
            note("refused", request=request, route=request.resolver_match.route)
        return response


_DRAINED_BYTES = 4  # times the limit: the largest refused body that is read


class BrowserPolicyMiddleware:
    """Add the headers that Django has no setting for.

    Other sites may not frame or embed any response. A response that varies by cookie is
    kept out of shared caches unless its view sets Cache-Control.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Add the headers to the response."""
        response = self.get_response(request)
        response.headers.setdefault(
            "Content-Security-Policy", settings.CONTENT_SECURITY_POLICY
        )
        response.headers["Permissions-Policy"] = settings.PERMISSIONS_POLICY
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        if has_vary_header(response, "Cookie") and "Cache-Control" not in response:
            patch_cache_control(response, private=True, no_cache=True)
        return response


class BodyMiddleware:
    """Reads each body before the view runs; answers 413 if it is over the limit.

    Only the declared length is checked: under WSGI a body without one is not read. A
    refused body of up to four times the limit is read and dropped: a client that is
    still sending may lose the answer if the server closes the connection. Only some
    bodies are read at once, so that slow senders cannot hold every thread.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self._slots = Slots(
            total=settings.BODIES_AT_ONCE, each=settings.BODIES_OF_AN_ADDRESS
        )

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or pass the request on."""
        if request.headers.get("Transfer-Encoding"):
            return error_response(
                411,
                "length_required",
                "Chunked bodies are not accepted. Send the body with a Content-Length.",
            )
        declared = request.META.get("CONTENT_LENGTH") or "0"
        length = int(declared) if declared.isdecimal() else 0
        if length:
            address = hashed_address(client_address(request))
            # A burst of bodies is read within a moment; slow ones keep their slots.
            if not self._slots.take(address, wait_s=settings.LONGEST_WAIT_S):
                return busy(request)
            try:
                self._read(request, length)
            except UnreadablePostError:
                return error_response(
                    400, "body_cut_off", "The body ended too early. Send it again."
                )
            finally:
                self._slots.give_back(address)
        if length <= settings.MAX_BODY_BYTES:
            return self.get_response(request)
        return error_response(
            413,
            "body_too_large",
            f"The body has {length:,} bytes; the limit is "
            f"{settings.MAX_BODY_BYTES:,}. Send a smaller picture, or fewer drawings "
            "at once.",
        )

    def _read(self, request: HttpRequest, length: int) -> None:
        if length <= settings.MAX_BODY_BYTES:
            _ = request.body  # from here on nobody waits for the network
        elif length <= _DRAINED_BYTES * settings.MAX_BODY_BYTES:
            while request.read(1 << 16):
                pass


class SessionUseMiddleware:
    """Notes when a signed-in session is used, for the list on the account page.

    It comes outside of `SessionMiddleware`, which has said by then whether the request
    looked at its session. Others are not made to.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, then note the use."""
        response = self.get_response(request)
        has_looked = has_vary_header(response, "Cookie") and hasattr(request, "user")
        key = request.session.session_key if has_looked else None
        if key is not None and isinstance(request.user, User):
            agent = request.headers.get("User-Agent", "")
            note_use(user=request.user, session_key=key, user_agent=agent)
        return response
