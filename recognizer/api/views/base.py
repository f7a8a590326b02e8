"""What all calls share."""

from collections.abc import Mapping
from typing import Any

from django.utils.cache import patch_cache_control, patch_vary_headers
from rest_framework.exceptions import PermissionDenied
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView

from recognizer.api.contract.judging import query_in
from recognizer.api.throttles import Allowance

_FROM_OTHER_PAGES = {"cross-site", "same-site"}


class RecognizerView(APIView):
    """What all calls share: pages of other sites may not call in a visitor's name.

    scopes: of tokens, by method, where they are not the usual ones. query: the judged
    parameters of the address, by the model that `call` names.
    """

    scopes: Mapping[str, str] = {}
    query: Any = None
    allowance: Allowance | None = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Refuse what a browser sends for another site's page."""
        super().initial(request, *args, **kwargs)
        method = request.method or ""
        if method != "OPTIONS" and method in self.allowed_methods:  # else a 405
            handler = getattr(self, method.lower())
            self.query = query_in(handler.query, request.query_params)
        came_from = request.headers.get("Sec-Fetch-Site", "")
        if method not in ("GET", "HEAD", "OPTIONS") and came_from in _FROM_OTHER_PAGES:
            raise PermissionDenied(
                "This request came from a page of another site. Call the API from "
                "this site's pages or from a program."
            )

    def perform_authentication(self, request: Request) -> None:
        """Sign in and count the call: one that is refused counts too."""
        try:
            super().perform_authentication(request)
        finally:
            super().check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """Do nothing more: the call was counted with signing in."""

    def finalize_response(
        self, request: Request, response: Any, *args: object, **kwargs: object
    ) -> Any:
        """Keep what is one visitor's out of shared caches; say what calls are left."""
        final = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(final, ["Cookie", "Authorization"])
        if self.allowance is not None:
            for name, value in self.allowance.headers().items():
                final.headers[name] = value
        if not final.has_header("Cache-Control"):
            patch_cache_control(final, private=True, no_cache=True)
        return final


class AnyAccept(BaseContentNegotiation):
    """A file is what it is, whatever `Accept` says; errors are JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Take none: nothing is sent to a file."""
        return None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """Take the first, which the errors are written with."""
        return renderers[0], renderers[0].media_type
