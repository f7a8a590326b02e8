"""Prometheus metrics; `ops.metrics_page` serves them.

Each process of `manage.py serve` writes its counts to memory-mapped files in one shared
folder. The process that answers adds them up, so a killed process's counts are kept.
"""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from django.http import HttpRequest
from prometheus_client import Counter, Histogram

from mlcore.reading.inference import Reading

logger = logging.getLogger(__name__)

REQUESTS = Counter(
    "digitsite_requests",
    "Requests, by method, route and status.",
    ["method", "route", "status"],
)
REQUEST_SECONDS = Histogram(
    "digitsite_request_seconds",
    "Request latency, by route.",
    ["route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10),
)
STAGE_SECONDS = Histogram(
    "digitsite_stage_seconds",
    "Duration of each stage of a drawing: parse, ink, infer, store.",
    ["stage"],
    buckets=(0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5),
)
READINGS = Counter(
    "digitsite_readings",
    "Drawings read, by digit, as a number, or by refusal.",
    ["digit", "refusal"],
)
CONFIDENCE = Histogram(
    "digitsite_reading_confidence",
    "The highest of the ten probabilities.",
    buckets=(0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1),
)
PAGE_READINGS = Counter(
    "digitsite_page_readings",
    "Stored drawings that the page had read itself: whether the server's reading was "
    "the same, different, or by another model.",
    ["result"],
)
METERS = (
    *(REQUESTS, REQUEST_SECONDS, STAGE_SECONDS, READINGS, CONFIDENCE),
    PAGE_READINGS,
)

_METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")


@contextmanager
def _harmless() -> Iterator[None]:
    """Log an error in counting, such as a full disk, instead of failing the request.

    It catches every exception: after one, prometheus_client may use closed files.
    """
    try:
        yield
    except Exception as error:
        logger.warning("Not counted: %r", error)


def count_request(request: HttpRequest, status: int, seconds: float) -> None:
    """Count an answer."""
    # Labels hold no text that a caller can choose: each value adds a permanent series.
    method = request.method if request.method in _METHODS else "other"
    match = request.resolver_match
    route = match.route if match else ""  # a static file, or no such address
    with _harmless():
        REQUESTS.labels(method, route, status).inc()
        REQUEST_SECONDS.labels(route).observe(seconds)


def count_reading(reading: Reading) -> None:
    """Count a reading."""
    digit = "" if reading.digit is None else str(reading.digit)
    if not digit and reading.refusal is None:
        digit = "number"
    with _harmless():
        READINGS.labels(digit, reading.refusal or "").inc()
        CONFIDENCE.observe(reading.confidence)


def count_page_reading(result: Literal["same", "different", "other_model"]) -> None:
    """Count how the page's own reading compares with the server's."""
    with _harmless():
        PAGE_READINGS.labels(result).inc()


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Measure how long a stage of reading or storing a drawing takes."""
    began = time.perf_counter()
    try:
        yield
    finally:
        seconds = time.perf_counter() - began
        with _harmless():
            STAGE_SECONDS.labels(name).observe(seconds)
