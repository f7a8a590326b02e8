"""The Python client, against the real server."""

import json
import re
import uuid
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from digitsite_client import ApiError, Digitsite, Reading

from mlcore import paths
from recognizer.tests.conftest import SEVEN
from recognizer.tests.test_submissions_api import seven_as, seven_png
from tools.server import Server

STROKES = SEVEN["strokes"]


@pytest.fixture
def site(server: Server) -> Digitsite:
    """An anonymous client."""
    return Digitsite(server.url)


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    server.make_user("client", is_reviewer=True)
    return server.make_token("client", "read,write,review")


class TestRead:
    def test_takes_a_file_its_bytes_or_strokes(
        self, site: Digitsite, tmp_path: Path
    ) -> None:
        path = tmp_path / "seven.png"
        path.write_bytes(seven_png())

        others = [seven_as(kind) for kind in ("JPEG", "WEBP", "GIF", "BMP")]

        for drawing in (str(path), path, *others, STROKES):
            reading = site.read(drawing)

            assert reading.digit == 7
            assert reading.refusal is None
            assert sum(reading.probabilities) == pytest.approx(1)
        assert list(site.iter_history()) == []

    def test_takes_more_than_a_call_and_puts_errors_in_their_place(
        self, site: Digitsite
    ) -> None:
        readings = site.read_all([*[STROKES] * 256, b"no picture", STROKES])

        assert len(readings) == 258
        assert isinstance(readings[256], ApiError)
        assert readings[256].code == "not_an_image"
        assert isinstance(readings[257], Reading)
        assert readings[257].digit == 7

    def test_of_nonsense_says_why(self, site: Digitsite) -> None:
        with pytest.raises(ApiError, match="stroke") as caught:
            site.read([])

        assert caught.value.code == "invalid"

    def test_takes_a_number(self, site: Digitsite) -> None:
        (seven,) = STROKES
        strokes = [seven, [[x + 200, y] for x, y in seven]]

        number = site.read_number(strokes).number
        refused = site.read_number(strokes, allowed=["12"])

        assert number is not None
        assert number.text == "77"
        assert [digit.strokes for digit in number.digits] == [(0,), (1,)]
        assert refused.refusal == "several"
        with pytest.raises(ApiError, match="allowed"):
            site.read_number(strokes, allowed=["seven"])

    def test_a_refusal_is_no_error(self, site: Digitsite) -> None:
        reading = site.read([[(10, 10), (60, 10)], [(200, 200), (260, 200)]])

        assert reading.digit is None
        assert reading.refusal
        assert reading.message


class TestHistory:
    def test_holds_what_was_submitted_newest_first(self, site: Digitsite) -> None:
        made = [site.submit(STROKES) for _ in range(3)]

        assert list(site.iter_history()) == made[::-1]
        assert site.get(made[0].id) == made[0]
        assert made[0].strokes == STROKES
        assert made[0].source == "api"

    def test_goes_over_pages(self, site: Digitsite, monkeypatch: Any) -> None:
        made = {site.submit(STROKES).id for _ in range(3)}
        call = site._json

        def small_pages(method: str, path: str, *more: Any, **named: Any) -> Any:
            return call(
                method, path.replace("page_size=100", "page_size=1"), *more, **named
            )

        monkeypatch.setattr(site, "_json", small_pages)

        assert [one.id for one in site.iter_history()] == sorted(made, reverse=True)

    def test_is_filtered(self, site: Digitsite) -> None:
        seven = site.submit(STROKES)
        site.give_feedback(seven.id, "wrong", 1)

        (found,) = site.iter_history(digit=7, refused=False, feedback="wrong")

        assert (found.verdict, found.true_digit) == ("wrong", 1)
        assert list(site.iter_history(feedback="right")) == []

    def test_takes_a_number_for_the_answer(self, site: Digitsite) -> None:
        made = site.submit(STROKES)

        corrected = site.give_feedback(made.id, "wrong", number="71")

        assert (corrected.true_digit, corrected.true_number) == (None, "71")

    def test_is_deleted_one_by_one_or_all(self, site: Digitsite) -> None:
        first, *_ = [site.submit(STROKES) for _ in range(3)]

        site.delete(first.id)
        left = len(list(site.iter_history()))
        site.delete_all()

        assert left == 2
        assert list(site.iter_history()) == []
        with pytest.raises(ApiError) as caught:
            site.get(first.id)
        assert caught.value.status == 404

    def test_is_exported(self, site: Digitsite, tmp_path: Path) -> None:
        made = site.submit(seven_png())
        site.give_feedback(made.id, "right")

        lines = site.export(tmp_path / "mine.ndjson").read_text().splitlines()
        archive = zipfile.ZipFile(site.export(tmp_path / "mine.zip", "idx"))

        assert [json.loads(line)["id"] for line in lines] == [str(made.id)]
        assert archive.read("labels-idx1-ubyte")[-1] == 7


class TestToken:
    def test_is_the_same_user_everywhere(self, server: Server, token: str) -> None:
        one, other = (Digitsite(server.url, token=token) for _ in range(2))

        made = one.submit(STROKES)
        labelled = other.label(made.id, 7)
        rejected = one.label(made.id, rejected="ambiguous")

        assert labelled.label == 7
        assert rejected.rejected == "ambiguous"
        assert other.me()["username"] == "client"
        other.set_consent(may_train=True)
        other.set_consent(may_publish=True)
        assert one.me()["may_train"] is one.me()["may_publish"] is True

    def test_that_is_wrong_is_said_so(self, server: Server) -> None:
        with pytest.raises(ApiError) as caught:
            Digitsite(server.url, token="dgs_wrong").me()

        assert caught.value.code == "invalid_token"

    def test_nobody_labels_without(self, site: Digitsite) -> None:
        made = site.submit(STROKES)

        with pytest.raises(ApiError) as caught:
            site.label(made.id, 7)
        assert caught.value.status == 401


class TestSite:
    def test_tells_models_and_numbers(self, site: Digitsite) -> None:
        site.submit(STROKES)

        assert "active" in [model["stage"] for model in site.models()]
        assert site.stats()["submissions"] >= 1


class _Moody(BaseHTTPRequestHandler):
    """Answers 503, then 429, then what it was sent."""

    sent: list[dict[str, Any]]
    answers: list[int]
    server_url: str

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.sent.append({name.lower(): value for name, value in self.headers.items()})
        status = self.answers.pop(0)
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.end_headers()
        if status == 200:
            self.wfile.write(b'{"model": "", "readings": []}')

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def moody() -> Iterator[type[_Moody]]:
    class Handler(_Moody):
        pass

    Handler.sent, Handler.answers = [], [503, 429, 200]
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = Thread(target=httpd.serve_forever)
        thread.start()
        Handler.server_url = f"http://127.0.0.1:{httpd.server_port}"
        yield Handler
        httpd.shutdown()
        thread.join()


class TestPatience:
    def test_repeats_what_may_be_repeated(self, moody: Any) -> None:
        Digitsite(moody.server_url).read_all([STROKES])

        assert len(moody.sent) == 3

    def test_repeats_a_submission_under_one_key(self, moody: Any) -> None:
        moody.answers[:] = [503, 503, 503]

        with pytest.raises(ApiError) as caught:
            Digitsite(moody.server_url, token="dgs_x").submit(STROKES)

        assert caught.value.status == 503
        keys = {headers["idempotency-key"] for headers in moody.sent}
        assert len(moody.sent) == 3
        assert len({uuid.UUID(key) for key in keys}) == 1

    def test_never_stores_twice_what_nobody_may_own(self, moody: Any) -> None:
        with pytest.raises(ApiError):
            Digitsite(moody.server_url).submit(STROKES)

        assert len(moody.sent) == 1

    def test_gives_up_on_a_site_that_is_not_there(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("time.sleep", lambda _: None)

        with pytest.raises(ApiError) as caught:
            Digitsite("http://127.0.0.1:9", timeout_s=1).stats()

        assert caught.value.code == "network"


class TestReadme:
    def test_shows_what_works(
        self, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = (paths.REPOSITORY / "clients/python/README.md").read_text()
        (code,) = re.findall(r"```python\n(.*?)```", text, re.S)
        (tmp_path / "seven.png").write_bytes(seven_png())
        monkeypatch.chdir(tmp_path)

        exec(code.replace("http://127.0.0.1:8000", server.url), {})  # noqa: S102

        assert (tmp_path / "mine.ndjson").stat().st_size > 0
