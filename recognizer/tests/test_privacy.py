"""What the privacy page says is so: deleted is gone, and addresses are never kept."""

import base64
import json
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.cache import cache
from django.test import Client

from recognizer.learning import snapshots
from recognizer.learning.labels import label_submission
from recognizer.models import Submission, User, Visitor
from recognizer.people.visitors import set_consent
from recognizer.tests import hostile
from recognizer.tests.conftest import SEVEN, post_json
from recognizer.tests.learning import fill
from tools.server import Server, serving

URL = "/api/v1/submissions/"
MARK = 137.625  # a coordinate that occurs in nobody else's drawing
MARKED = {**SEVEN, "strokes": [[[70, 70], [MARK, 66], [205, 66], [125, 225]]]}
KEEP_THE_ID = {"recognizer.SnapshotItem", "recognizer.AuditEntry"}
KNOW_IT_IS_GONE = {*KEEP_THE_ID, "recognizer.Erasure"}
ADDRESS = "203.0.113.77"


def readable(value: Any) -> str:
    return value.hex() if isinstance(value, bytes | memoryview) else str(value)


def everything() -> dict[str, str]:
    """Return each table of the database, and the cache, as one text."""
    tables = {
        model._meta.label: json.dumps(
            list(model._default_manager.values()), default=readable
        )
        for model in apps.get_models()
    }
    return {**tables, "cache": repr(list(cached()))}


def cached() -> Any:
    """Yield all that the cache holds, in memory or in Redis."""
    backend: Any = cache._cache  # type: ignore[attr-defined]
    if isinstance(backend, dict):
        yield from backend.items()
        return
    client = backend.get_client()
    for key in client.scan_iter("digitsite*"):
        yield key, client.get(key)


def traces(*marks: str) -> set[str]:
    """Return the places where one of the marks stands."""
    return {
        place
        for place, text in everything().items()
        if any(mark in text for mark in marks)
    }


@pytest.fixture
def browser(active_model: object) -> Client:
    """A browser with two drawings: answered, reviewed, consented, in a snapshot."""
    reviewer: User = fill()
    browser = Client()
    post_json(browser, URL, MARKED)
    post_json(browser, URL, MARKED, **{"Idempotency-Key": "once-only"})
    visitor = Visitor.objects.latest("pk")
    set_consent(visitors=[visitor], user=None, given={"may_train": True})
    for one in Submission.objects.filter(visitor=visitor):
        post_json(browser, f"{URL}{one.pk}/feedback/", {"verdict": "right"})
        label_submission(submission=one, reviewer=reviewer, digit=7)
    snapshots.make_snapshot(actor=None)
    return browser


class TestDeleting:
    @pytest.mark.parametrize("by", ["the page", "a call", "one by one"])
    def test_leaves_no_row_and_no_answer_behind(self, browser: Client, by: str) -> None:
        ids = [one["id"] for one in browser.get(URL).json()["results"]]
        before = traces(*ids)

        match by:
            case "the page":
                browser.post("/history/delete/")
            case "a call":
                browser.delete(URL)
            case _:
                for one in ids:
                    browser.delete(f"{URL}{one}/")

        assert len(ids) == 2
        assert before >= KEEP_THE_ID | {
            f"recognizer.{table}"
            for table in (
                *("Submission", "Prediction", "Feedback", "Label", "IdempotencyKey"),
            )
        }
        assert traces(*ids) == KNOW_IT_IS_GONE
        assert traces(str(MARK)) == set()
        again = post_json(browser, URL, MARKED, **{"Idempotency-Key": "once-only"})
        assert again.json()["id"] not in ids

    def test_leaves_no_byte_in_the_data_folder(self, tmp_path: Path) -> None:
        var = tmp_path / "var"
        picture = base64.b64encode(hostile.by_hand()["PNG of 16 bits"]()).decode()
        bodies = [MARKED, {"image": f"data:image/png;base64,{picture}"}]

        with serving(var) as server:
            opener = urllib.request.build_opener(
                urllib.request.HTTPCookieProcessor(CookieJar())
            )
            made = []
            for body in bodies * 3:
                request = urllib.request.Request(
                    f"{server.url}{URL}",
                    data=json.dumps(body).encode(),
                    headers={"Content-Type": "application/json"},
                )
                with opener.open(request) as answer:
                    made.append(json.load(answer)["id"])
            drawn = _drawn(server)
            before = _files_with(var, drawn)
            opener.open(
                urllib.request.Request(f"{server.url}{URL}", method="DELETE")
            ).close()
            after = _files_with(var, drawn)

        assert len(made) == 6
        assert len(drawn) == 2  # each three times the same
        assert before or "DATABASE_URL" in dict(server.variables)
        assert after == _files_with(var, drawn) == []


_DRAWN = """
from django.db import connection
with connection.cursor() as cursor:
    drawn = "SELECT strokes FROM recognizer_submission WHERE strokes IS NOT NULL"
    cursor.execute(drawn)
    for (content,) in cursor.fetchall():
        print(bytes(content).hex())
    cursor.execute("SELECT png FROM recognizer_picture")
    for (content,) in cursor.fetchall():
        print(bytes(content)[-80:].hex())
"""


def _drawn(server: Server) -> set[bytes]:
    """Return what the drawings are, as they lie in the database."""
    told = server.manage("shell", "--no-imports", "-c", _DRAWN)
    return {bytes.fromhex(line) for line in told.splitlines()}


def _files_with(var: Path, marks: set[bytes]) -> list[str]:
    """Return the files that hold one of the drawings."""
    return [
        str(path)
        for path in var.rglob("*")
        if path.is_file() and any(mark in path.read_bytes() for mark in marks)
    ]


class TestAddresses:
    def test_are_kept_in_no_row_and_no_key(
        self, active_model: object, caplog: pytest.LogCaptureFixture
    ) -> None:
        browser = Client(REMOTE_ADDR=ADDRESS)

        post_json(browser, URL, MARKED)
        browser.post("/account/sign-in/", {"username": "nobody", "password": "wrong"})
        browser.post("/account/password/forgotten/", {"email": "a@example.org"})
        browser.get("/nowhere/")

        assert traces(ADDRESS) == set()
        assert ADDRESS not in caplog.text


class TestPage:
    @pytest.mark.parametrize(
        ("language", "words"),
        [("en", "What deleting cannot undo"), ("de", "durch Löschen nicht rückgängig")],
    )
    def test_says_what_is_kept_and_how_to_be_rid_of_it(
        self, db: None, language: str, words: str
    ) -> None:
        answer = Client().get("/privacy/", headers={"Accept-Language": language})

        page = answer.content.decode()
        assert words in page
        assert "400" in page
        assert 'href="/history/delete/"' in page

    def test_is_linked_from_every_page_and_where_one_consents(
        self, browser: Client
    ) -> None:
        assert 'href="/privacy/"' in browser.get("/").content.decode()
        page = browser.get("/history/").content.decode()
        for place in ("training", "publication"):
            assert f'href="/privacy/#{place}"' in page

    @pytest.mark.parametrize(
        ("language", "words"),
        [("en", "cannot be taken back"), ("de", "nicht zurückgeholt werden")],
    )
    def test_says_that_what_is_published_stays_so(
        self, db: None, language: str, words: str
    ) -> None:
        page = Client().get("/privacy/", headers={"Accept-Language": language})

        assert words in page.content.decode().partition('id="publication"')[2]
