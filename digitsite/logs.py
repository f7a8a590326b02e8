"""Log lines for programs: one JSON object each."""

import logging
from datetime import UTC, datetime

import orjson


class JSONFormatter(logging.Formatter):
    """Writes time, level, logger, message, request id and where there is one the error.

    A line break inside a message cannot begin a line of its own, so that nothing a
    caller sends can pass for another entry.
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
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return orjson.dumps(entry).decode()
