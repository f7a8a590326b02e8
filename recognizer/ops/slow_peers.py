"""Slow readers and senders: they may hold some of a process's threads, never all.

A thread of the web server waits while an answer of several pieces is read or a body is
sent. So only some may wait at once, in all and for each address, and an answer that is
read too slowly is broken off. The server also closes connections whose peer takes
nothing for a while (see `digitsite.server`).
"""

from collections.abc import Callable, Iterator
from typing import cast

from django.conf import settings
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase

from recognizer.ops.error_views import busy
from recognizer.people.limits import client_address, hashed_address
from recognizer.people.slots import HeldStream, Slots


class SlowPeersMiddleware:
    """Give each streamed answer a slot; send short ones in one piece, without any.

    It comes before the middleware that serves static files.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._streams = Slots(
            total=settings.STREAMS_AT_ONCE, each=settings.STREAMS_OF_AN_ADDRESS
        )

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer, or refuse a stream if too many are being read."""
        response = self.get_response(request)
        if not isinstance(response, StreamingHttpResponse) or response.is_async:
            return response
        pieces = cast(Iterator[bytes], response.streaming_content)  # not async
        length = response.headers.get("Content-Length", "")
        if length.isdecimal() and int(length) <= settings.SHORT_STREAM_BYTES:
            response.streaming_content = [b"".join(pieces)]
            return response
        address = hashed_address(client_address(request))
        if not self._streams.take(address):
            response.close()
            return busy(request)
        response.streaming_content = HeldStream(
            pieces, give_back=lambda: self._streams.give_back(address)
        )
        return response
