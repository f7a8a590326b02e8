"""What operators see: probes, metrics, log lines with request ids."""

import io
import json
import logging
import os
import re
import tempfile
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from redis.exceptions import ConnectionError as RedisConnectionError

from digitsite import counting
from digitsite.logs import JSONFormatter
from mlcore import paths
from recognizer.learning import worker
from recognizer.models import BundleArchive, ModelVersion
from recognizer.ops import health
from recognizer.reader import engine
from recognizer.reader.recognisers import _recognisers
from recognizer.request_ids import RequestIdFilter
from recognizer.tests.conftest import SEVEN, post_json
from recognizer.tests.machines import Machine, at_once
from tools.server import Server, serving

READINGS, SUBMISSIONS = "/api/v1/readings/", "/api/v1/submissions/"


def asked(client: Client) -> tuple[int, Any]:
    answer = client.get("/readyz")
    return answer.status_code, answer.json()


class TestLivez:
    def test_needs_neither_database_nor_a_host_of_ours(self, client: Client) -> None:
        answer = client.get("/livez", headers={"Host": "10.0.0.7:8000"})

        assert answer.status_code == 200


class TestReadyz:
    def test_is_ready_with_all_that_a_drawing_needs(
        self, client: Client, active_model: ModelVersion
    ) -> None:
        status, told = asked(client)

        assert status == 200
        assert told["status"] == "ready"
        assert told["checks"]["model"]["digest"] == active_model.digest
        assert told["checks"]["database"]["kind"] == connection.vendor

    def test_is_not_without_a_model(self, client: Client, no_model: None) -> None:
        answer = client.get("/readyz")

        assert answer.status_code == 503
        assert answer.json()["status"] == "unavailable"
        assert not answer.json()["checks"]["model"]["is_well"]
        assert answer["Retry-After"] == "5"

    def test_is_not_with_a_damaged_model(
        self, client: Client, active_model: ModelVersion, settings: LazySettings
    ) -> None:
        _recognisers.clear()
        folder = settings.BUNDLE_CACHE / active_model.digest
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{")
        BundleArchive.objects.all().delete()

        status, told = asked(client)

        assert status == 503
        assert not told["checks"]["model"]["is_well"]

    @pytest.mark.usefixtures("active_model")
    def test_is_not_before_its_migrations_and_is_after_newer_ones(
        self, client: Client
    ) -> None:
        recorder = MigrationRecorder(connection)
        recorder.record_applied("recognizer", "9999_of_newer_code")
        assert asked(client)[1]["status"] == "ready"

        recorder.record_unapplied("recognizer", "0001_initial")
        status, told = asked(client)

        assert status == 503
        assert "manage.py migrate" in told["checks"]["migrations"]["problem"]

    @pytest.mark.usefixtures("active_model")
    def test_is_not_with_a_full_disk(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(health, "LEAST_FREE_BYTES", 1 << 60)

        status, told = asked(client)

        assert status == 503
        assert "disk is full" in told["checks"]["disk"]["problem"]

    @pytest.mark.usefixtures("active_model")
    def test_goes_on_without_the_cache(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: object, **__: object) -> None:
            raise RedisConnectionError("redis.internal:6379 refused")

        monkeypatch.setattr(cache, "set", fail)

        status, told = asked(client)

        assert status == 200
        assert told["status"] == "degraded"
        assert "redis.internal" not in json.dumps(told)

    @pytest.mark.usefixtures("active_model")
    def test_says_that_nobody_works(self, client: Client) -> None:
        worker.train.enqueue("x")
        DBTaskResult.objects.update(enqueued_at=timezone.now() - timedelta(hours=1))

        status, told = asked(client)

        assert status == 200
        assert told["status"] == "degraded"
        assert "manage.py work" in told["checks"]["queue"]["problem"]


def samples(text: str) -> dict[str, float]:
    """Return the numbers of Prometheus' text format by name with labels."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {
        name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)
    }


def numbers(machine: str, **headers: str) -> dict[str, float]:
    request = urllib.request.Request(f"{machine}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return samples(answer.read().decode())


class TestMetrics:
    @pytest.fixture
    def counting(self, tmp_path: Path) -> Iterator[Server]:
        """A server with three processes."""
        with serving(tmp_path / "var", WORKERS="3") as server:
            yield server

    def test_add_up_what_all_processes_have_counted(self, counting: Server) -> None:
        machine = Machine(counting.url)

        at_once(60, lambda _: machine.call("POST", "submissions/", SEVEN))
        white = {"pixels": [[0] * 28] * 28}
        machine.call("POST", "readings/", {"drawings": [SEVEN, white]})
        machine.call("GET", "nothing/")
        told = numbers(counting.url)

        route = "api/v1/submissions/"
        requests = 'digitsite_requests_total{method="%s",route="%s",status="%d"}'
        assert told[requests % ("POST", route, 201)] == 60
        assert told[requests % ("POST", "api/v1/readings/", 200)] == 1
        assert told[f'digitsite_request_seconds_count{{route="{route}"}}'] == 60
        assert told['digitsite_readings_total{digit="7",refusal=""}'] == 61
        assert told['digitsite_readings_total{digit="",refusal="blank"}'] == 1
        assert told["digitsite_reading_confidence_count"] == 62
        for stage in ("ink", "infer"):
            assert told[f'digitsite_stage_seconds_count{{stage="{stage}"}}'] == 62
        for stage in ("parse", "store"):
            assert told[f'digitsite_stage_seconds_count{{stage="{stage}"}}'] == 60
        assert told["digitsite_submissions"] == 60
        assert told["digitsite_queue_waiting"] == 0
        assert "digitsite_drift" in "".join(told)

    def test_name_addresses_by_their_pattern(self, counting: Server) -> None:
        machine = Machine(counting.url)
        for _ in range(3):
            stored = machine.call("POST", "submissions/", SEVEN)
            path = f"submissions/{stored.body['id']}/"
            machine.call("GET", path, Cookie=stored.cookie)

        routes = {
            found[1]
            for name in numbers(counting.url)
            if (found := re.search(r'route="([^"]*)"', name))
        }

        assert {
            "",
            "api/v1/submissions/",
            "api/v1/submissions/<uuid:submission_id>/",
        } >= (routes)

    @pytest.mark.usefixtures("active_model")
    @pytest.mark.parametrize("address", ["127.0.0.1", "::1", "::ffff:127.0.0.1"])
    def test_are_this_machine_s_by_any_protocol(
        self, client: Client, address: str
    ) -> None:
        host = {"Host": "127.0.0.1:8000"}

        answer = client.get("/metrics", REMOTE_ADDR=address, headers=host)

        assert answer.status_code == 200

    @pytest.mark.usefixtures("active_model")
    @pytest.mark.parametrize(
        ("address", "headers"),
        [
            ("192.0.2.7", {}),
            ("::ffff:192.0.2.7", {}),
            ("127.0.0.1", {"X-Forwarded-For": "192.0.2.7"}),
            ("127.0.0.1", {"Host": "rebound.example.org"}),
        ],
    )
    def test_are_nobody_s_who_comes_from_elsewhere(
        self, client: Client, address: str, headers: dict[str, str]
    ) -> None:
        host = {"Host": "127.0.0.1:8000"}

        refused = client.get(
            "/metrics", REMOTE_ADDR=address, headers={**host, **headers}
        )
        let_in = client.get("/metrics", headers=host)

        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "permission_denied"
        assert let_in.status_code == 200

    @pytest.mark.usefixtures("active_model")
    def test_are_whose_token_it_is(
        self, client: Client, settings: LazySettings
    ) -> None:
        settings.METRICS_TOKEN = "s3cret"
        bearer = {"Authorization": "Bearer s3cret"}
        wrong = {"Authorization": "Bearer other", "Host": "127.0.0.1"}

        assert client.get("/metrics", headers=bearer, REMOTE_ADDR="192.0.2.7").content
        assert client.get("/metrics", headers=wrong).status_code == 403
        assert client.get("/metrics", headers={"Host": "localhost"}).status_code == 403


class TestRequestId:
    def test_comes_back_as_it_was_sent(self, client: Client) -> None:
        answer = client.get("/api/nothing/", headers={"X-Request-ID": "a-b.c_1"})

        assert answer["X-Request-ID"] == "a-b.c_1"

    @pytest.mark.parametrize("brought", ["", "a b", "x" * 65, "ü", 'a"}'])
    def test_is_made_where_none_is_harmless(self, client: Client, brought: str) -> None:
        answers = [
            client.get("/api/nothing/", headers={"X-Request-ID": brought})
            for _ in range(2)
        ]

        ids = {answer["X-Request-ID"] for answer in answers}
        assert len(ids) == 2
        assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)

    @pytest.mark.usefixtures("active_model")
    def test_stands_in_each_line_of_the_log(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = io.StringIO()
        handler = logging.StreamHandler(written)
        handler.setFormatter(JSONFormatter())
        handler.addFilter(RequestIdFilter())
        monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
        monkeypatch.setattr(logging.getLogger("django"), "handlers", [])

        def fail(*_: object, **__: object) -> None:
            raise RuntimeError("a line\nand one that is not an entry of its own")

        monkeypatch.setattr(engine, "read", fail)
        client.raise_request_exception = False
        post_json(client, SUBMISSIONS, SEVEN, **{"X-Request-ID": "broken-1"})
        client.get("/api/nothing/", headers={"X-Request-ID": "unknown-1"})

        entries = [json.loads(line) for line in written.getvalue().splitlines()]
        by_id = {entry["request_id"]: entry for entry in entries}
        assert by_id["broken-1"]["level"] == "ERROR"
        assert "RuntimeError: a line" in by_id["broken-1"]["error"]
        assert by_id["unknown-1"]["message"] == "Not Found: /api/nothing/"


class TestFolderOfCounts:
    def test_is_in_memory_where_there_is_such_a_place(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        memory, disk = tmp_path / "shm", tmp_path / "tmp"
        disk.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(disk))
        monkeypatch.setattr(counting, "MEMORY", str(memory))
        folders = []
        for _ in range(2):
            monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
            counting.share_counts()
            folders.append(Path(os.environ["PROMETHEUS_MULTIPROC_DIR"]).parent)
            memory.mkdir(exist_ok=True)

        assert folders == [disk, memory]


class TestDashboard:
    def test_asks_for_all_that_is_told_and_nothing_else(
        self, client: Client, active_model: ModelVersion
    ) -> None:
        post_json(client, SUBMISSIONS, SEVEN)
        told = client.get("/metrics", headers={"Host": "localhost"}).content.decode()
        kinds = dict(re.findall(r"^# TYPE (digitsite_\w+) (\w+)$", told, re.M))
        series = {
            name if kind != "histogram" else f"{name}_bucket"
            for name, kind in kinds.items()
            if not name.endswith("_created")
        }
        board = json.loads((paths.REPOSITORY / "deploy/grafana.json").read_text())

        asked_for = {
            name
            for panel in board["panels"]
            for target in panel["targets"]
            for name in re.findall(r"digitsite_\w+", target["expr"])
        }

        assert asked_for == series
