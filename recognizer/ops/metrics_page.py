"""/metrics: what all processes of this server have counted, and the site's state.

Queue, drift and model are read from the database at each request.
"""

from collections.abc import Iterable
from ipaddress import ip_address

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.utils.crypto import constant_time_compare
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from recognizer.learning.figures import current_figures
from recognizer.learning.queue import queue_state
from recognizer.metrics import METERS
from recognizer.models import ModelVersion
from recognizer.responses import error_response
from recognizer.webhooks import outbox


def metrics(request: HttpRequest) -> HttpResponse:
    """Answer all metrics in Prometheus' text format, if the caller may see them."""
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
    except ValueError:  # no shared folder: this process counts for itself
        for meter in METERS:
            registry.register(meter)
    registry.register(_SiteCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_know(request: HttpRequest) -> bool:
    """Return whether the caller may see the metrics.

    If METRICS_TOKEN is set, the caller must send it. Otherwise the caller must be on
    this machine. A local address alone does not prove that: behind a local proxy, every
    caller has one. So does another site's page whose name resolves to this machine
    (DNS rebinding), but it still sends that name as the host.
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
        parsed = ip_address(address)
    except ValueError:
        return False
    # A server on :: sees callers by IPv4 as ::ffff:127.0.0.1.
    return (getattr(parsed, "ipv4_mapped", None) or parsed).is_loopback


class _SiteCollector(Collector):
    """Collects from the database what is the same for all processes."""

    def collect(self) -> Iterable[Metric]:
        """Yield the state of the queue, the drift and the active model."""
        try:
            queue, figures = queue_state(), current_figures()
            hooks = outbox.numbers()
            active = ModelVersion.objects.active()
        except (DatabaseError, ModelVersion.DoesNotExist):
            yield Gauge("digitsite_is_readable", "Whether the database can be read.", 0)
            return
        yield Gauge("digitsite_is_readable", "Whether the database can be read.", 1)
        for name, what, value in (
            ("queue_waiting", "Tasks waiting for a worker.", queue["waiting"]),
            (
                "queue_oldest_seconds",
                "Age of the oldest waiting task.",
                queue["oldest_s"],
            ),
            (
                "trainings_running",
                "Trainings with a recent heartbeat.",
                queue["trainings"],
            ),
            ("submissions", "Stored drawings.", figures.drawings),
            (
                "webhook_messages_waiting",
                "Messages that enabled webhooks have not taken yet.",
                hooks["waiting"],
            ),
            (
                "webhook_oldest_seconds",
                "Age of the oldest such message.",
                hooks["oldest_s"],
            ),
            (
                "webhooks_failing",
                "Enabled webhooks whose last attempts failed.",
                hooks["failing"],
            ),
            (
                "webhooks_stopped",
                "Webhooks that the site has disabled.",
                hooks["stopped"],
            ),
        ):
            yield Gauge(f"digitsite_{name}", what, value)
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
