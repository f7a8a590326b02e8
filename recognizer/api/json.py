"""JSON in and out by orjson: strict about NaN, nesting and UTF-8, and quick."""

from collections.abc import Mapping
from typing import IO, Any

import orjson
from rest_framework.exceptions import ParseError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


def canonical(data: Any) -> bytes:
    """Write parsed JSON so that equal bodies are equal bytes."""
    return orjson.dumps(data, option=orjson.OPT_SORT_KEYS)


class JSONParser(BaseParser):
    """Reads a JSON body; what is not JSON is a 400 that says where it breaks."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the parsed body."""
        try:
            return orjson.loads(stream.read())
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not valid JSON: {error}.") from error


class PictureParser(BaseParser):
    """Takes a raw picture body, such as `Content-Type: image/png`."""

    media_type = "image/*"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """Return the bytes."""
        return stream.read()


class JSONRenderer(BaseRenderer):
    """Writes JSON."""

    media_type = "application/json"
    format = "json"
    charset = None  # JSON is UTF-8 by definition

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Return the body; none for an answer without data."""
        body = b"" if data is None else orjson.dumps(data)
        if renderer_context is not None:
            _let_go(renderer_context)
        return body


def _let_go(context: Any) -> None:
    """Free what came in and went out with its request, not at some later collection.

    Django REST framework has request and answer refer to themselves by their contexts.
    Batches of 256 drawings that lay about until they were collected took 25 MB.
    """
    if request := context.get("request"):
        request.parser_context.clear()
    context.clear()


class QuickNegotiation(DefaultContentNegotiation):
    """What nearly all callers send is answered without weighing media types."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the parser for a body of this type; None where there is none."""
        first = parsers[0]
        if request.content_type == first.media_type:
            return first
        return super().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """Return the renderer that suits `Accept`, and its media type."""
        first = renderers[0]
        if request.META.get("HTTP_ACCEPT", "*/*") in ("*/*", first.media_type):
            return first, first.media_type
        return super().select_renderer(request, renderers, format_suffix)
