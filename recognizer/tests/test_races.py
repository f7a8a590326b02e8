"""Many at once, on the real server with two processes: what must hold, holds exactly.

On SQLite here; `make test-services` runs the same on PostgreSQL with Redis.
"""

import json
import os
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from digitsite_client import Digitsite

from recognizer.tests.conftest import SEVEN
from recognizer.tests.machines import at_once
from tools.server import Server, serving

pytestmark = pytest.mark.database

API = "/api/v1/"


def call(
    server: Server, method: str, path: str, body: Any = None, **headers: str
) -> tuple[int, Any]:
    """Call the API; return status and answer."""
    request = urllib.request.Request(
        f"{server.url}{API}{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Content-Type": "application/json", **headers},
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as response:
            content = response.read()
            return response.status, json.loads(content) if content else None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture(scope="module")
def racer(server: Server) -> dict[str, str]:
    """The headers of a reviewer's token that may do everything."""
    server.make_user("racer", is_reviewer=True)
    token = server.make_token("racer", "read,write,review")
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def mine(server: Server, racer: dict[str, str]) -> str:
    """The path of a drawing of the racer's only one."""
    call(server, "DELETE", "submissions/", **racer)
    _, made = call(server, "POST", "submissions/", SEVEN, **racer)
    return f"submissions/{made['id']}/"


def derived(server: Server) -> str:
    """Derive all columns and numbers anew; return what that says."""
    return server.manage("rebuild")


class TestOneKey:
    def test_sent_fifty_times_at_once_stores_one_row(
        self, server: Server, racer: dict[str, str]
    ) -> None:
        call(server, "DELETE", "submissions/", **racer)
        headers = {**racer, "Idempotency-Key": f"race-{os.urandom(8).hex()}"}

        answers = at_once(
            50, lambda _: call(server, "POST", "submissions/", SEVEN, **headers)
        )

        assert Counter(status for status, _ in answers) == {201: 50}
        assert len({answer["id"] for _, answer in answers}) == 1
        _, listed = call(server, "GET", "submissions/", **racer)
        assert len(listed["results"]) == 1

    def test_with_two_bodies_at_once_stores_one_of_them(
        self, server: Server, racer: dict[str, str]
    ) -> None:
        call(server, "DELETE", "submissions/", **racer)
        headers = {**racer, "Idempotency-Key": f"race-{os.urandom(8).hex()}"}
        bodies = [SEVEN, {**SEVEN, "width": 300}]

        answers = at_once(
            20,
            lambda index: call(
                server, "POST", "submissions/", bodies[index % 2], **headers
            ),
        )

        assert Counter(status for status, _ in answers) == {201: 10, 409: 10}
        _, listed = call(server, "GET", "submissions/", **racer)
        assert len(listed["results"]) == 1


class TestLimit:
    @pytest.fixture
    def limited(self, tmp_path: Path) -> Iterator[Server]:
        """A server that lets 20 calls a day through, exactly over its processes.

        Without Redis each process has its share, so that is exact with one alone.
        """
        workers = "2" if os.environ.get("REDIS_URL") else "1"
        with serving(
            tmp_path / "var", DIGITSITE_THROTTLE="20/day", WORKERS=workers
        ) as server:
            yield server

    def test_is_hit_exactly_by_a_burst(self, limited: Server) -> None:
        answers = at_once(45, lambda _: call(limited, "GET", "stats/"))

        assert Counter(status for status, _ in answers) == {200: 20, 429: 25}


class TestOneDrawing:
    def test_deleted_by_many_is_gone_once(
        self, server: Server, racer: dict[str, str], mine: str
    ) -> None:
        before = call(server, "GET", "stats/")[1]["submissions"]

        answers = at_once(12, lambda _: call(server, "DELETE", mine, **racer))

        assert Counter(status for status, _ in answers) == {204: 1, 404: 11}
        assert call(server, "GET", "stats/")[1]["submissions"] == before - 1

    def test_labelled_and_answered_by_many_agrees_with_its_facts(
        self, server: Server, racer: dict[str, str], mine: str
    ) -> None:
        before = call(server, "GET", "stats/")[1]["reviewed"]

        def say(index: int) -> int:
            if index % 2:
                body: dict[str, Any] = {"digit": index % 10}
                return call(server, "POST", f"{mine}label/", body, **racer)[0]
            body = (
                {"verdict": "wrong", "digit": 1} if index % 4 else {"verdict": "right"}
            )
            return call(server, "POST", f"{mine}feedback/", body, **racer)[0]

        statuses = at_once(24, say)

        assert statuses == [201] * 24
        numbers = call(server, "GET", "stats/")[1]
        assert numbers["reviewed"] == before + 1
        assert derived(server).startswith("0 submissions")
        assert call(server, "GET", "stats/")[1] == numbers

    def test_deleted_while_it_is_labelled_is_gone_or_was_labelled(
        self, server: Server, racer: dict[str, str], mine: str
    ) -> None:
        def delete_or_label(index: int) -> int:
            if index == 0:
                return call(server, "DELETE", mine, **racer)[0]
            return call(server, "POST", f"{mine}label/", {"digit": 7}, **racer)[0]

        deleted, *labelled = at_once(12, delete_or_label)

        assert deleted == 204
        assert set(labelled) <= {201, 404}
        numbers = call(server, "GET", "stats/")[1]
        derived(server)
        assert call(server, "GET", "stats/")[1] == numbers


class TestPages:
    def test_skip_and_repeat_nothing_while_drawings_arrive(
        self, server: Server, racer: dict[str, str]
    ) -> None:
        site = Digitsite(server.url, token=racer["Authorization"].split()[1])
        site.delete_all()
        kept = [site.submit(SEVEN["strokes"]).id for _ in range(12)]
        is_over = threading.Event()

        def keep_drawing() -> None:
            other = Digitsite(server.url, token=racer["Authorization"].split()[1])
            while not is_over.is_set():
                other.submit(SEVEN["strokes"])

        with ThreadPoolExecutor(2) as pool:
            pool.submit(keep_drawing)
            pool.submit(keep_drawing)
            try:
                for _ in range(5):
                    seen = []
                    page = "submissions/?page_size=5"
                    while page:
                        _, answer = call(server, "GET", page, **racer)
                        seen += [one["id"] for one in answer["results"]]
                        page = (answer["next"] or "").partition(API)[2]
                    assert seen == sorted(set(seen), reverse=True)
                    assert set(map(str, kept)) <= set(seen)
            finally:
                is_over.set()
