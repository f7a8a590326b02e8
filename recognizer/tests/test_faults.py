"""What we stand on breaks while the real server runs: a 503, or a way around it.

No fault needs a restart to be over. `make test-services` adds those of PostgreSQL.
"""

import json
import resource
import shutil
import sqlite3
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any
from urllib.request import HTTPCookieProcessor, build_opener

import psycopg
import pytest
from django.db import OperationalError, connection
from django.test import Client
from psycopg import sql

from recognizer.tests.conftest import SEVEN, post_json, record_figure
from tools.server import Server, serving

SUBMISSIONS = "/api/v1/submissions/"
READINGS = "/api/v1/readings/"


@dataclass(frozen=True)
class Answer:
    """What the server said, and how soon."""

    status: int
    retry_after: str | None
    text: str
    seconds: float


def ask(server: Server, path: str, body: Any = None) -> Answer:
    """Ask the server; a body makes it a POST."""
    request = urllib.request.Request(
        f"{server.url}{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    began = time.monotonic()
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            status, headers, text = response.status, response.headers, response.read()
    except urllib.error.HTTPError as error:
        with error:
            status, headers, text = error.code, error.headers, error.read()
    return Answer(
        status, headers["Retry-After"], text.decode(), time.monotonic() - began
    )


def store(server: Server) -> Answer:
    return ask(server, SUBMISSIONS, SEVEN)


def hold_503(answer: Answer) -> None:
    """Hold a 503 to its form: when to try again, and no word of the inside."""
    assert answer.status == 503, answer
    assert answer.retry_after
    assert json.loads(answer.text)["error"]["code"] == "unavailable"
    for word in ("Traceback", "sqlite", "psycopg", "relation", "OperationalError"):
        assert word not in answer.text


def until(holds: Callable[[], bool], *, seconds: float = 20) -> None:
    """Wait until something holds."""
    stop_at = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < stop_at, "It did not come back."
        time.sleep(0.2)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "var") as server:
        assert store(server).status == 201
        yield server


class TestDisk:
    @pytest.mark.sqlite
    def test_that_is_full_is_a_503_and_reading_goes_on(self, site: Server) -> None:
        database = site.var / "digitsite.sqlite3"
        # The parent first: a process that it starts meanwhile is limited as well.
        for pid in [*site.processes()[:1], *site.workers()]:
            limit_file_size(pid, 1)  # not even a log that begins anew has room
        full = [store(site) for _ in range(8)]
        read = ask(site, READINGS, {"drawings": [SEVEN]})
        for pid in site.processes():
            limit_file_size(pid, resource.RLIM_INFINITY)

        after = store(site)

        record_figure(
            f"disk full: {sorted({one.status for one in full})}, then "
            f"{after.status} without a restart"
        )
        for one in full:
            hold_503(one)
        assert read.status == 200
        assert after.status == 201
        with sqlite3.connect(database) as rows:
            (count,) = rows.execute("SELECT count(*) FROM recognizer_submission")
            assert count == (2,)

    @pytest.mark.sqlite
    def test_that_is_full_deletes_wholly_or_not_at_all(self, site: Server) -> None:
        browser = build_opener(HTTPCookieProcessor(CookieJar()))

        def call(path: str, body: bytes | None = None, method: str = "GET") -> int:
            request = urllib.request.Request(
                f"{site.url}{path}",
                body,
                {"Content-Type": "application/json"},
                method=method,
            )
            try:
                with browser.open(request, timeout=60) as answer:
                    return int(answer.status)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code

        call(SUBMISSIONS, json.dumps(SEVEN).encode(), "POST")
        with browser.open(f"{site.url}{SUBMISSIONS}") as listed:
            (own,) = json.load(listed)["results"]
        path = f"{SUBMISSIONS}{own['id']}/"
        for pid in [*site.processes()[:1], *site.workers()]:
            limit_file_size(pid, 1)
        full = call(path, method="DELETE")
        kept = call(path), call(f"{path}image.png")
        for pid in site.processes():
            limit_file_size(pid, resource.RLIM_INFINITY)

        assert full == 503
        assert kept == (200, 200)
        assert call(path, method="DELETE") == 204
        assert call(path) == 404


def limit_file_size(pid: int, limit: int) -> None:
    """Let a running process write no file larger than this, as on a full disk."""
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


class TestDatabase:
    @pytest.mark.sqlite
    def test_that_is_slow_is_waited_for(self, site: Server) -> None:
        answers: list[Answer] = []
        rows = sqlite3.connect(site.var / "digitsite.sqlite3", isolation_level=None)
        rows.execute("BEGIN IMMEDIATE")
        sender = threading.Thread(target=lambda: answers.append(store(site)))
        sender.start()
        time.sleep(2)
        read = ask(site, READINGS, {"drawings": [SEVEN]})
        rows.execute("ROLLBACK")
        rows.close()
        sender.join(timeout=30)

        (stored,) = answers
        assert stored.status == 201
        assert stored.seconds > 1.5
        assert read.status == 200
        assert read.seconds < 1.5

    @pytest.mark.usefixtures("active_model")
    @pytest.mark.parametrize("path", [SUBMISSIONS, "/history/", "/admin/", "/model/"])
    def test_that_is_away_is_a_503_everywhere(
        self, path: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def is_away(*_: Any, **__: Any) -> None:
            raise OperationalError("could not connect to server: secret-host refused")

        browser = Client(raise_request_exception=False)
        post_json(browser, SUBMISSIONS, SEVEN)
        browser.cookies["sessionid"] = "somebodys"
        with monkeypatch.context() as broken:
            broken.setattr(connection, "cursor", is_away)
            answer = browser.get(path)

        assert answer.status_code == 503
        assert answer["Retry-After"]
        assert "secret-host" not in answer.content.decode()

    @pytest.mark.sqlite
    @pytest.mark.usefixtures("active_model")
    def test_that_may_only_be_read_is_a_503_for_what_is_kept(self) -> None:
        browser = Client(raise_request_exception=False)
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA query_only=ON")
        try:
            stored = post_json(browser, SUBMISSIONS, SEVEN)
            read = post_json(browser, READINGS, {"drawings": [SEVEN]})
        finally:
            with connection.cursor() as cursor:
                cursor.execute("PRAGMA query_only=OFF")

        assert stored.status_code == 503
        assert stored["Retry-After"]
        assert read.status_code == 200


@pytest.mark.services
class TestPostgres:
    def test_away_is_a_503_and_comes_back(self, site: Server) -> None:
        with administrator(site) as (server, name):
            allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
            server.execute(allow.format(name, sql.SQL("false")))
            server.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = %s",
                [name.as_string()[1:-1]],
            )
            away = [store(site) for _ in range(6)]
            ready = ask(site, "/readyz")
            server.execute(allow.format(name, sql.SQL("true")))

        until(lambda: store(site).status == 201)
        for one in away:
            hold_503(one)
        assert ready.status == 503
        assert ask(site, "/readyz").status == 200

    def test_read_only_is_a_503_and_comes_back(self, site: Server) -> None:
        with administrator(site) as (server, name):
            change = sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = {}")
            drop = (
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = %s"
            )
            server.execute(change.format(name, sql.SQL("on")))
            server.execute(drop, [name.as_string()[1:-1]])
            until(lambda: store(site).status == 503)
            refused = store(site)
            read = ask(site, READINGS, {"drawings": [SEVEN]})
            ready = ask(site, "/readyz")
            server.execute(change.format(name, sql.SQL("off")))
            server.execute(drop, [name.as_string()[1:-1]])

        until(lambda: store(site).status == 201)
        hold_503(refused)
        assert read.status == 200
        assert ready.status == 503

    def test_locked_for_long_is_a_503_after_ten_seconds(self, site: Server) -> None:
        url = dict(site.variables)["DATABASE_URL"]
        with psycopg.connect(url) as rows:
            rows.execute("LOCK TABLE recognizer_submission IN ACCESS EXCLUSIVE MODE")
            refused = store(site)
            rows.rollback()

        hold_503(refused)
        assert 9 < refused.seconds < 20
        assert store(site).status == 201


@contextmanager
def administrator(site: Server) -> Iterator[tuple[Any, sql.Identifier]]:
    """Connect to the server beside the site's database; yields it and the name."""
    url = dict(site.variables)["DATABASE_URL"]
    base, _, name = url.rpartition("/")
    with psycopg.connect(f"{base}/postgres", autocommit=True) as server:
        yield server, sql.Identifier(name)


class TestRedis:
    def test_away_lets_people_draw_and_nobody_guess(self, tmp_path: Path) -> None:
        away = "redis://:hunter2@127.0.0.1:1/0"
        with serving(
            tmp_path / "var", REDIS_URL=away, DIGITSITE_THROTTLE="600/min"
        ) as site:
            stored = store(site)
            page = ask(site, "/")
            ready = json.loads(ask(site, "/readyz").text)
            signed_in = _sign_in(site)

        assert stored.status == 201
        assert page.status == 200
        assert ready["status"] == "degraded"
        assert ready["checks"]["cache"]["is_well"] is False
        assert signed_in == 503
        assert "hunter2" not in (tmp_path / "var" / "log").read_text()


def _sign_in(site: Server) -> int:
    """Send the form as a browser does; return the status."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    url = f"{site.url}/account/sign-in/"
    with opener.open(url) as page:
        token = page.read().decode().split('csrfmiddlewaretoken" value="')[1][:64]
    fields = {"username": "a", "password": "b", "csrfmiddlewaretoken": token}
    try:
        with opener.open(url, urllib.parse.urlencode(fields).encode()) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class TestModelFolder:
    def test_missing_is_made_anew_at_the_next_start(self, tmp_path: Path) -> None:
        var = tmp_path / "var"
        with serving(var) as site:
            first = store(site)
            shutil.rmtree(var / "bundles")
            gone = store(site)
            ready = ask(site, "/readyz")
        shutil.rmtree(var / "bundles", ignore_errors=True)
        with serving(var) as site:
            again = store(site)

        assert [first.status, gone.status, again.status] == [201] * 3
        assert ready.status == 200
        assert any((var / "bundles").iterdir())
