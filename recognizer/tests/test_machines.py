"""Two machines behind nginx with one PostgreSQL and one Redis: one site to all."""

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from recognizer.tests.conftest import SEVEN
from recognizer.tests.machines import API, Machine, at_once, machines, nginx_before
from tools.server import Server

pytestmark = pytest.mark.services

PROMOTE_ANOTHER = """
import sys, tempfile, time
from pathlib import Path
from django.conf import settings
from mlcore.reading.bundle import (
    KERAS_WEIGHTS, SERVED_WEIGHTS, open_bundle, write_bundle
)
from recognizer.models import ModelVersion
from recognizer.learning.promotion import register_model
from recognizer.learning import promotion
starter = open_bundle(settings.STARTER_BUNDLE)
with tempfile.TemporaryDirectory() as folder:
    other = write_bundle(
        Path(folder),
        files={n: (starter.folder / n).read_bytes()
               for n in (SERVED_WEIGHTS, KERAS_WEIGHTS)},
        calibration=starter.calibration,
        metrics=starter.metrics,
        provenance={"made": time.time_ns()},
    )
    version = register_model(bundle=other, origin=ModelVersion.Origin.TRAINED)
promotion.promote(version=version, actor=None, reason="a test")
print(version.digest, time.time())
"""
HALF_ROWS = """
from recognizer.models import Prediction, Submission
shown = Prediction.objects.filter(role="shown")
print(Submission.objects.exclude(pk__in=shown.values("submission")).count())
"""


@dataclass(frozen=True)
class Site:
    """Two web processes, and nginx before them."""

    servers: tuple[Server, Server]
    nginx: Machine

    @property
    def machines(self) -> tuple[Machine, Machine]:
        one, other = self.servers
        return Machine(one.url), Machine(other.url)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two machines behind nginx."""
    folder = tmp_path_factory.mktemp("machines")
    with machines(folder) as servers, nginx_before(servers, folder) as nginx:
        yield Site(servers, nginx)


@pytest.fixture(scope="module")
def drawer(site: Site) -> dict[str, str]:
    """The headers of a token, made on one of the machines."""
    site.servers[0].make_user("drawer")
    token = site.servers[0].make_token("drawer", "read,write")
    return {"Authorization": f"Bearer {token}"}


class TestBothMachines:
    def test_know_a_visitor_by_the_same_cookie(self, site: Site) -> None:
        one, other = site.machines

        stored = one.call("POST", "submissions/", SEVEN)
        on_other = other.call("GET", "submissions/", Cookie=stored.cookie)
        kept = other.call("POST", "submissions/", SEVEN, Cookie=stored.cookie)
        on_one = one.call("GET", "submissions/", Cookie=stored.cookie)

        assert [found["id"] for found in on_other.body["results"]] == [
            stored.body["id"]
        ]
        assert [found["id"] for found in on_one.body["results"]] == [
            kept.body["id"],
            stored.body["id"],
        ]

    def test_take_the_same_token(self, site: Site, drawer: dict[str, str]) -> None:
        answers = [machine.call("GET", "me/", **drawer) for machine in site.machines]

        assert [answer.status for answer in answers] == [200, 200]
        assert answers[0].body == answers[1].body

    def test_store_one_row_under_one_key_sent_to_both_at_once(
        self, site: Site, drawer: dict[str, str]
    ) -> None:
        site.nginx.call("DELETE", "submissions/", **drawer)
        key = {"Idempotency-Key": os.urandom(8).hex()}

        answers = at_once(
            40,
            lambda index: site.machines[index % 2].call(
                "POST", "submissions/", SEVEN, **drawer, **key
            ),
        )

        assert Counter(answer.status for answer in answers) == {201: 40}
        assert len({answer.body["id"] for answer in answers}) == 1
        listed = site.nginx.call("GET", "submissions/", **drawer)
        assert len(listed.body["results"]) == 1

    def test_read_with_a_promoted_model_within_a_second(self, site: Site) -> None:
        seen: dict[int, dict[str, float]] = {0: {}, 1: {}}
        is_over = threading.Event()

        def watch(index: int) -> None:
            while not is_over.is_set():
                answer = site.machines[index].call(
                    "POST", "readings/", {"drawings": [SEVEN]}
                )
                seen[index].setdefault(answer.body["model"], time.time())

        watchers = [threading.Thread(target=watch, args=(index,)) for index in seen]
        for watcher in watchers:
            watcher.start()
        try:
            told = site.servers[0].manage(
                "shell", "--no-imports", "-c", PROMOTE_ANOTHER
            )
            digest, promoted_at = told.split()
            stop_at = time.monotonic() + 5
            while time.monotonic() < stop_at and not all(
                digest in of_one for of_one in seen.values()
            ):
                time.sleep(0.01)
        finally:
            is_over.set()
            for watcher in watchers:
                watcher.join()

        for of_one in seen.values():
            assert of_one[digest] - float(promoted_at) < 1.0
        # Back to the model before, for whoever comes next: seen by both as well.
        site.servers[1].manage("rollback")
        for machine in site.machines:
            answer = machine.call("POST", "readings/", {"drawings": [SEVEN]})
            assert answer.body["model"] != digest


class TestLimit:
    def test_is_exact_across_both(self, tmp_path: Path) -> None:
        with (
            machines(tmp_path, DIGITSITE_THROTTLE="40/day") as servers,
            nginx_before(servers, tmp_path) as nginx,
        ):
            site = Site(servers, nginx)
            nginx_asked = 1  # when it was started

            answers = at_once(
                80, lambda index: site.machines[index % 2].call("GET", "stats/")
            )
            # Whoever calls through nginx is who nginx sees, whatever they write.
            claimed = nginx.call("GET", "stats/", **{"X-Forwarded-For": "192.0.2.7"})

        assert Counter(answer.status for answer in answers) == {
            200: 40 - nginx_asked,
            429: 40 + nginx_asked,
        }
        assert claimed.status == 429


class TestNginx:
    def test_passes_the_id_of_a_request_on_or_makes_one(self, site: Site) -> None:
        brought = {"X-Request-ID": "a-b.c_1"}

        kept = site.nginx.call("GET", "stats/", **brought).headers["X-Request-ID"]
        made = site.nginx.call("GET", "stats/").headers["X-Request-ID"]

        assert kept == "a-b.c_1"
        assert re.fullmatch(r"[0-9a-f]{32}", made)

    def test_keeps_the_operators_addresses_to_them(self, site: Site) -> None:
        for path in ("/readyz", "/metrics"):
            outside = Machine(f"{site.nginx.url}{path}?", site.nginx.trust)

            assert outside.call("GET", "").status == 404

    def test_refuses_a_body_over_its_limit_in_the_api_s_form(self, site: Site) -> None:
        answer = site.nginx.call("POST", "submissions/", {"image": "x" * 13_000_000})

        assert answer.status == 413
        assert answer.body["error"]["code"] == "body_too_large"


class TestADyingMachine:
    def test_loses_nothing_acknowledged(self, tmp_path: Path) -> None:
        with machines(tmp_path) as servers, nginx_before(servers, tmp_path) as nginx:
            servers[0].make_user("drawer")
            token = servers[0].make_token("drawer", "read,write")
            load = _Load(nginx, {"Authorization": f"Bearer {token}"})
            load.start(senders=8)
            load.wait_for(100)
            servers[0].kill()
            load.wait_for(load.acknowledged_now() + 200)
            load.stop()

            kept = _all_ids(Machine(servers[1].url), load.headers)
            half = servers[1].manage("shell", "--no-imports", "-c", HALF_ROWS)
            mended = servers[1].manage("rebuild")

        assert not load.failed
        assert set(load.statuses) <= {201, 503}
        # Each drawing once: what was sent again is the row of its key.
        assert sorted(kept) == sorted(load.acknowledged)
        assert half == "0"
        assert mended.startswith("0 submissions")

    def test_all_of_them_leave_a_clear_answer(self, tmp_path: Path) -> None:
        with machines(tmp_path) as servers, nginx_before(servers, tmp_path) as nginx:
            for server in servers:
                server.kill()

            answer = nginx.call("GET", "stats/")

        assert answer.status == 503
        assert answer.headers["Retry-After"] == "5"
        assert answer.body["error"]["code"] == "unavailable"


class _Load:
    """Senders that store drawings, each under a key, until it is acknowledged."""

    def __init__(self, machine: Machine, headers: dict[str, str]) -> None:
        self.machine = machine
        self.headers = headers
        self.acknowledged: list[str] = []
        self.failed: list[str] = []
        self.statuses: Counter[int] = Counter()
        self._is_over = threading.Event()
        self._senders: list[threading.Thread] = []

    def start(self, *, senders: int) -> None:
        self._senders = [threading.Thread(target=self._send) for _ in range(senders)]
        for sender in self._senders:
            sender.start()

    def acknowledged_now(self) -> int:
        return len(self.acknowledged)

    def wait_for(self, number: int) -> None:
        stop_at = time.monotonic() + 60
        while len(self.acknowledged) < number:
            assert time.monotonic() < stop_at, self.statuses
            time.sleep(0.02)

    def stop(self) -> None:
        self._is_over.set()
        for sender in self._senders:
            sender.join()

    def _send(self) -> None:
        while not self._is_over.is_set():
            key = {"Idempotency-Key": os.urandom(16).hex()}
            for _ in range(50):
                answer = self.machine.call(
                    "POST", "submissions/", SEVEN, **self.headers, **key
                )
                self.statuses[answer.status] += 1
                if answer.status == 201:
                    self.acknowledged.append(answer.body["id"])
                    break
                time.sleep(0.1)
            else:
                self.failed.append(key["Idempotency-Key"])


def _all_ids(machine: Machine, headers: dict[str, str]) -> list[str]:
    """List all that is a caller's."""
    ids: list[str] = []
    page = "submissions/?page_size=100"
    while page:
        listed = machine.call("GET", page, **headers).body
        ids += [found["id"] for found in listed["results"]]
        page = (listed["next"] or "").partition(API)[2]
    return ids
