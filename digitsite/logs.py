"""Format log lines as JSON; drop the lines of refused requests."""

import logging
from datetime import UTC, datetime

import orjson
from django.http import HttpRequest


class JSONFormatter(logging.Formatter):
    """Writes time, level, logger, message, request id, and the error if there is one.

    JSON escapes line breaks, so a caller cannot forge an entry.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC)
        entry = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": getattr(record, "request_id", ""),
            **getattr(record, "facts", {}),  # of the security log
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return orjson.dumps(entry).decode()


REFUSED = "digitsite.refused"
"""Key in the META of a refused request; see `recognizer.ops.overload`."""


class WithoutRefusals(logging.Filter):
    """Drop the line that Django logs for each 503: it costs more than the refusal."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let all other records pass."""
        request = getattr(record, "request", None)
        return not (isinstance(request, HttpRequest) and REFUSED in request.META)
