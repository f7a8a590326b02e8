"""The request id: it connects a request's response, log lines and training run.

The caller or a proxy sends it in `X-Request-ID`; otherwise it is made here.
"""

import logging
import re
from contextvars import ContextVar
from uuid import uuid4

from django.http import HttpRequest

HEADER = "X-Request-ID"
MOST_CHARACTERS = 64
_HARMLESS = re.compile(rf"[A-Za-z0-9._-]{{1,{MOST_CHARACTERS}}}", re.ASCII)

current: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the current request, or of the one that asked for the current task."""


def begin(request: HttpRequest) -> str:
    """Return the id that a request brought, or a new one.

    The id stays current until the thread's next request, because Django logs the
    response's status after the last middleware.
    """
    brought = request.META.get("HTTP_X_REQUEST_ID", "")
    request_id = brought if _HARMLESS.fullmatch(brought) else uuid4().hex
    current.set(request_id)
    return request_id


class RequestIdFilter(logging.Filter):
    """Gives each log record the current id, as `request_id`."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let all records pass."""
        record.request_id = current.get()
        return True
