"""What the site counts of itself, for Prometheus, over all of its server's processes.

Each process counts in a file of its own, mapped into memory, that all of one server's
processes share a folder of; whoever is asked adds them up. How many requests there
were costs no process a word with another, and a killed one leaves what it counted.

prometheus_client decides when it is imported whether processes count together; so it
is imported at the first use, after `manage.py serve` has named the folder.
`metrics_page` tells what was counted.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from django.http import HttpRequest

from mlcore.reading.inference import Reading

if TYPE_CHECKING:
    from prometheus_client import Counter, Histogram

logger = logging.getLogger(__name__)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
STAGE_SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5)
MEMORY = "/dev/shm"  # noqa: S108  # nosec B108  # in memory
CONFIDENCES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1)


class _Meters:
    """The counters and histograms, made once a process."""

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        self.requests: Counter = Counter(
            "digitsite_requests",
            "Requests, by method, route and status.",
            ["method", "route", "status"],
        )
        self.request_seconds: Histogram = Histogram(
            "digitsite_request_seconds",
            "Request latency, by route.",
            ["route"],
            buckets=SECONDS,
        )
        self.stage_seconds: Histogram = Histogram(
            "digitsite_stage_seconds",
            "Duration of each stage of a drawing: parse, ink, infer, store.",
            ["stage"],
            buckets=STAGE_SECONDS,
        )
        self.readings: Counter = Counter(
            "digitsite_readings",
            "Drawings read, by digit or by refusal.",
            ["digit", "refusal"],
        )
        self.confidence: Histogram = Histogram(
            "digitsite_reading_confidence",
            "The highest of the ten probabilities.",
            buckets=CONFIDENCES,
        )


@cache
def meters() -> _Meters:
    """Return this process's counters."""
    return _Meters()


def make_folder() -> str:
    """Make a folder for the processes' files, in memory where the system offers that.

    On a disk that is full, writing to a file that is mapped into memory ends the
    process (SIGBUS), and no handler of ours is asked.
    """
    where = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    return tempfile.mkdtemp(prefix="digitsite-metrics-", dir=where)


@contextmanager
def shared_by_processes() -> Iterator[None]:
    """Let all processes that are started inside count together."""
    owner = os.getpid()
    folder = make_folder()
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
    try:
        meters()  # imported once, before the others are forked
        yield
    finally:
        if os.getpid() == owner:  # a forked process that ends comes by here as well
            shutil.rmtree(folder, ignore_errors=True)


# --- counting, on the way of each request ---------------------------------------------

METHODS = frozenset({"GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS"})


# One series each, looked up once: prometheus_client takes longer to find a series than
# to count. There are only so many; what a caller may make up is no label.
@cache
def _of_request(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    own = meters()
    return (
        own.requests.labels(method, route, status),
        own.request_seconds.labels(route),
    )


@cache
def _of_reading(digit: int | None, refusal: str | None) -> Counter:
    return meters().readings.labels("" if digit is None else digit, refusal or "")


@cache
def _of_stage(name: str) -> Histogram:
    return meters().stage_seconds.labels(name)


class _Harmless:
    """Whatever befalls counting, such as a full disk, no visitor loses an answer by it.

    After a failure prometheus_client may stumble over files it has closed: any error.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Begin to count."""

    def __exit__(self, kind: object, error: object, _: object) -> bool:
        if isinstance(error, Exception):
            logger.warning("Not counted: %r", error)
        return isinstance(error, Exception)


def count_request(request: HttpRequest, status: int, seconds: float) -> None:
    """Count an answer."""
    method = request.method if request.method in METHODS else "other"
    match = request.resolver_match
    route = match.route if match else ""  # of none: a static file, or no such address
    with _Harmless():
        requests, request_seconds = _of_request(str(method), route, status)
        requests.inc()
        request_seconds.observe(seconds)


def count_reading(reading: Reading) -> None:
    """Count what was read."""
    with _Harmless():
        _of_reading(reading.digit, reading.refusal).inc()
        meters().confidence.observe(reading.confidence)


class Stage:
    """Measures how long a stage of a drawing's way takes."""

    __slots__ = ("_began", "_name")

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        passed = time.perf_counter() - self._began
        with _Harmless():
            _of_stage(self._name).observe(passed)
