"""The scorer, against a stand-in for a server; `recognizer` has it against the site."""

import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from mlcore.judging import score_server
from mlcore.judging.benchmark import Benchmark
from mlcore.judging.score_server import ServerError, report, score
from mlcore.tests.making import make_benchmark

Answer = tuple[int, dict[str, str], Any]
"""Status, headers, and what is sent as JSON; bytes are sent as they are."""


def reading(digit: int | None, likeliest: int = 0) -> dict[str, Any]:
    found = likeliest if digit is None else digit
    return {"digit": digit, "probabilities": [float(one == found) for one in range(10)]}


def sevens(body: Any) -> Answer:
    """Read strokes as a 7; refuse pixels, with 0 as the likeliest digit."""
    readings = [
        reading(None) if "pixels" in one else reading(7) for one in body["drawings"]
    ]
    return 200, {}, {"model": "stand-in", "readings": readings}


@contextmanager
def serving(answer: Callable[[Any], Answer]) -> Iterator[tuple[str, list[Any]]]:
    """Serve answers to `readings/`; give the address, and the requests so far."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # as http.server has it
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            asked.append((self.path, self.headers.get("Authorization"), body))
            status, headers, sent = answer(body)
            content = sent if isinstance(sent, bytes) else json.dumps(sent).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": len(content)}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: Any) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def benchmark_set(tmp_path: Path) -> Benchmark:
    return make_benchmark(tmp_path)


class TestScore:
    def test_counts_by_split_and_source(self, benchmark_set: Benchmark) -> None:
        with serving(sevens) as (url, asked):
            found = score(benchmark_set, url, batch_size=7)

        drawings = benchmark_set.drawings
        of_test = [one for one in drawings if one.split == "test"]
        right = sum(one.digit == (7 if one.strokes else 0) for one in of_test)
        answered = len(of_test) - 1
        rows = {line.split("  ")[0]: line for line in report(found).splitlines()}
        assert found.model == "stand-in"
        assert [one.drawing for one in found.outcomes] == list(drawings)
        assert list(rows) == ["", "test", "test, pens", "train", "train, site"]
        assert f"{100 * right / len(of_test):.2f} % (" in rows["test"]
        assert f"{100 * answered / len(of_test):.2f} % (" in rows["test"]
        sevens_here = sum(one.digit == 7 and bool(one.strokes) for one in of_test)
        assert f"{100 * (1 - sevens_here / answered):.2f} % (" in rows["test, pens"]
        assert "100.00 % (" in rows["train"]
        assert len(asked) == -(-len(drawings) // 7)
        assert {path for path, *_ in asked} == {"/api/v1/readings/"}

    def test_sends_strokes_or_pixels_and_the_token(
        self, benchmark_set: Benchmark
    ) -> None:
        with serving(sevens) as (url, asked):
            score(benchmark_set, url + "/api/v1/readings/", token="dgs_secret")
            score(benchmark_set, url + "/", as_pixels=True)

        (_, token, first), (_, none, second) = asked
        assert (token, none) == ("Bearer dgs_secret", None)
        assert first["drawings"][0] == {
            "strokes": benchmark_set.drawings[0].strokes,
            "width": 280,
            "height": 280,
            "pen_width": 18,
        }
        pixels = {"pixels": benchmark_set.drawings[-1].image.tolist()}
        assert first["drawings"][-1] == second["drawings"][-1] == pixels
        assert all(set(one) == {"pixels"} for one in second["drawings"])

    def test_waits_for_a_busy_server_and_goes_on(
        self, benchmark_set: Benchmark, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        waited: list[float] = []
        monkeypatch.setattr(time, "sleep", waited.append)
        busy: Iterator[Answer] = iter([(429, {"Retry-After": "3"}, {}), (503, {}, {})])

        with serving(lambda body: next(busy, None) or sevens(body)) as (url, asked):
            found = score(benchmark_set, url)

        assert waited == [3.0, score_server.WAIT_S]
        assert len(found.outcomes) == len(benchmark_set.drawings)
        assert len(asked) == 3

    def test_takes_an_error_of_one_drawing_for_unanswered_and_wrong(
        self, benchmark_set: Benchmark
    ) -> None:
        def failing(body: Any) -> Answer:
            return 200, {}, {"readings": [{"error": {}} for _ in body["drawings"]]}

        with serving(failing) as (url, _):
            found = score(benchmark_set, url)

        assert {(one.likeliest, one.answer) for one in found.outcomes} == {(None, None)}
        assert "none" in report(found)

    @pytest.mark.parametrize(
        ("answer", "message"),
        [
            ((200, {}, b"<html>"), "has another contract: the answer is no JSON"),
            ((200, {}, {"digits": [7]}), "got no readings"),
            ((200, {}, {"readings": []}), "got 0 readings"),
            (
                (200, {}, {"readings": [{"digit": "7", "probabilities": [0.1] * 10}]}),
                "is no reading",
            ),
            ((200, {}, {"readings": [{"digit": 7}]}), "is no reading"),
            (
                (401, {}, {"error": {"message": "This token is unknown."}}),
                "answers 401: This token is unknown",
            ),
            ((404, {}, b"nothing"), "answers 404"),
            ((302, {"Location": "http://127.0.0.1:9/"}, b""), "answers 302"),
        ],
    )
    def test_names_what_is_wrong_in_one_sentence(
        self, benchmark_set: Benchmark, answer: Answer, message: str
    ) -> None:
        with (
            serving(lambda _: answer) as (url, _),
            pytest.raises(ServerError, match=message) as caught,
        ):
            score(benchmark_set, url, batch_size=1)

        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://example.org", "http://["])
    def test_refuses_what_is_no_address(
        self, benchmark_set: Benchmark, url: str
    ) -> None:
        with pytest.raises(ServerError):
            score(benchmark_set, url)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["score_server", *arguments])
    score_server.main()


class TestCommand:
    def test_prints_figures(
        self,
        benchmark_set: Benchmark,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        with serving(sevens) as (url, _):
            run(monkeypatch, url, str(benchmark_set.folder))

        printed = capsys.readouterr().out
        assert printed.startswith(f"{benchmark_set.name} at {url}, model stand-in")
        assert "wrong among answered" in printed

    def test_asks_no_server_about_a_damaged_set(
        self, benchmark_set: Benchmark, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (benchmark_set.folder / "images.npy").write_bytes(b"")

        with (
            serving(sevens) as (url, asked),
            pytest.raises(SystemExit, match=r"images\.npy is damaged"),
        ):
            run(monkeypatch, url, str(benchmark_set.folder))

        assert asked == []

    def test_says_that_the_server_is_away(
        self, benchmark_set: Benchmark, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with serving(sevens) as (url, _):
            pass

        with pytest.raises(SystemExit, match=r"does not answer: .*refused"):
            run(monkeypatch, url, str(benchmark_set.folder))
