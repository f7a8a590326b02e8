"""/metrics: what all processes of this server have counted, and how the site stands.

What lies in the database (queue, drift, model) is asked for when it is wanted.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.utils.crypto import constant_time_compare

from recognizer.learning.figures import current_figures
from recognizer.learning.queue import queue_state
from recognizer.metrics import meters
from recognizer.models import ModelVersion
from recognizer.responses import error_response

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer everything counted, in Prometheus' text format, to who may know."""
    from prometheus_client import (
        CONTENT_TYPE_LATEST,
        CollectorRegistry,
        generate_latest,
    )
    from prometheus_client.multiprocess import MultiProcessCollector

    if not _may_know(request):
        return error_response(
            403,
            "permission_denied",
            "Metrics are served only on this machine without a proxy, or with "
            "METRICS_TOKEN as a bearer token.",
        )
    registry = CollectorRegistry()
    try:
        MultiProcessCollector(registry)
    except ValueError:  # no folder is shared: this process counts for itself
        for meter in vars(meters()).values():
            registry.register(meter)
    registry.register(_SiteCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_know(request: HttpRequest) -> bool:
    """Whether the caller brings the token, or where there is none is on this machine.

    A proxy here would make everybody's address ours, and a page of another site that
    has its name resolved to this machine would still call us by that name.
    """
    if settings.METRICS_TOKEN:
        brought = request.META.get("HTTP_AUTHORIZATION", "")
        return constant_time_compare(brought, f"Bearer {settings.METRICS_TOKEN}")
    host, _ = split_domain_port(request.META.get("HTTP_HOST", ""))
    return (
        _is_loopback(request.META.get("REMOTE_ADDR", ""))
        and "HTTP_X_FORWARDED_FOR" not in request.META
        and (host == "localhost" or _is_loopback(host.strip("[]")))
    )


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


class _SiteCollector:
    """What all processes would tell alike: it is asked of the database."""

    def collect(self) -> Iterable[Metric]:
        """Tell the queue, the drift and the model that reads."""
        from prometheus_client.core import GaugeMetricFamily as Gauge

        try:
            queue, figures = queue_state(), current_figures()
            active = ModelVersion.objects.active()
        except (DatabaseError, ModelVersion.DoesNotExist):
            yield Gauge("digitsite_is_readable", "Whether the database can be read.", 0)
            return
        yield Gauge("digitsite_is_readable", "Whether the database can be read.", 1)
        yield Gauge(
            "digitsite_queue_waiting", "Tasks waiting for a worker.", queue.waiting
        )
        yield Gauge(
            "digitsite_queue_oldest_seconds",
            "Age of the oldest waiting task.",
            queue.oldest_s,
        )
        yield Gauge(
            "digitsite_trainings_running",
            "Trainings with a recent heartbeat.",
            queue.trainings,
        )
        yield Gauge("digitsite_submissions", "Stored drawings.", figures.drawings)
        drift = Gauge(
            "digitsite_drift",
            "Population stability index of readings against their reference.",
            labels=["of"],
        )
        for name, index in (
            ("confidence", figures.confidence_drift),
            ("ink", figures.ink_drift),
        ):
            if index is not None:
                drift.add_metric([name], index)
        yield drift
        model = Gauge("digitsite_model", "The active model.", labels=["digest"])
        model.add_metric([active.digest], 1)
        yield model
