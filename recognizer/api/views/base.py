"""The base class of all views."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.utils.cache import patch_cache_control, patch_vary_headers
from rest_framework.exceptions import PermissionDenied, UnsupportedMediaType
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.views import APIView

from recognizer.api.contract.judging import query_in

_FROM_OTHER_PAGES = {"cross-site", "same-site"}


def is_of_another_site(request: Request) -> bool:
    """Return whether a page of another site sent this request; programs did not.

    Browsers send no `Sec-Fetch-Site` over plain http, but they send `Origin` with each
    POST, PATCH and DELETE. A proxy may hide the scheme, so only hosts are compared.
    """
    came_from = request.headers.get("Sec-Fetch-Site")
    if came_from is not None:
        return came_from in _FROM_OTHER_PAGES
    origin = request.headers.get("Origin")
    if origin is None or origin in settings.CSRF_TRUSTED_ORIGINS:
        return False
    return origin.partition("://")[2].lower() != request.get_host().lower()


class RecognizerView(APIView):
    """A view that refuses unsafe methods called from pages of other sites.

    scopes: by method, the scope a token needs instead of the default one.
    query: the validated query string, an instance of the model that the method's
        `call` decorator names.
    """

    scopes: Mapping[str, str] = {}
    query: Any = None
    rate_headers: Mapping[str, str] = {}  # set by the throttle
    pixels_read: int = 0  # of the pictures of this call

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Validate the query string; refuse packed bodies and other sites' pages."""
        super().initial(request, *args, **kwargs)
        method = request.method or ""
        encoding = request.headers.get("Content-Encoding", "identity")
        if method not in SAFE_METHODS and encoding.lower() not in ("", "identity"):
            raise UnsupportedMediaType(
                encoding,
                f"The body has the Content-Encoding {encoding[:40]!r}: send it as it "
                "is, without one.",
            )
        if method != "OPTIONS" and method in self.allowed_methods:  # else a 405
            handler = getattr(self, method.lower())
            self.query = query_in(handler.query, request.query_params)
        if method not in SAFE_METHODS and is_of_another_site(request):
            raise PermissionDenied(
                "This request came from a page of another site. Call the API from "
                "this site's pages or from a program."
            )

    def perform_authentication(self, request: Request) -> None:
        """Authenticate the caller; count the call even if that fails."""
        try:
            super().perform_authentication(request)
        finally:
            super().check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """Do nothing: `perform_authentication` has counted the call."""

    def finalize_response(
        self, request: Request, response: Any, *args: object, **kwargs: object
    ) -> Any:
        """Keep private data out of shared caches; say how many calls are left."""
        final = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(final, ["Cookie", "Authorization"])
        for name, value in self.rate_headers.items():
            final.headers[name] = value
        if not final.has_header("Cache-Control"):
            patch_cache_control(final, private=True, no_cache=True)
        return final


class AnyAccept(DefaultContentNegotiation):
    """Ignores `Accept`: these views return a file, and errors as JSON."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """Choose the first renderer, which is used for errors."""
        return renderers[0], renderers[0].media_type
