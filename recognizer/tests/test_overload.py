"""Too many requests: some run, some wait in order, the rest are refused at once."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from recognizer.ops.overload import OverloadMiddleware


class Site:
    """Answers /blocked/ only once it may, and everything else at once."""

    def __init__(self) -> None:
        self.may_answer = threading.Event()
        self.paths: list[str] = []
        self.running = threading.Semaphore(0)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        self.running.release()
        if request.path == "/blocked/":
            assert self.may_answer.wait(10)
        self.paths.append(request.path)
        return HttpResponse("done")


@pytest.fixture
def site(settings: LazySettings) -> Iterator[Site]:
    settings.REQUESTS_AT_ONCE, settings.REQUESTS_WAITING = 1, 2
    settings.LONGEST_WAIT_S = 10.0
    site = Site()
    yield site
    site.may_answer.set()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as threads:
        yield threads


def until_waiting(overload: OverloadMiddleware, number: int) -> None:
    while len(overload._waiting) < number:
        pass


class TestOverload:
    def test_requests_wait_in_order_and_the_rest_are_refused(
        self, site: Site, threads: ThreadPoolExecutor, rf: RequestFactory
    ) -> None:
        overload = OverloadMiddleware(site)
        blocked = threads.submit(overload, rf.get("/blocked/"))
        assert site.running.acquire(timeout=10)
        waiting = []
        for number in (1, 2):
            waiting.append(threads.submit(overload, rf.get(f"/{number}/")))
            until_waiting(overload, number)

        refused = overload(rf.post("/api/v1/submissions/"))
        page = overload(rf.get("/model/"))
        site.may_answer.set()

        assert refused.status_code == page.status_code == 503
        assert refused["Retry-After"] == page["Retry-After"] == "5"
        assert json.loads(refused.content)["error"]["code"] == "unavailable"
        assert "<html" in page.content.decode()
        assert {one.result(10).status_code for one in (blocked, *waiting)} == {200}
        assert site.paths == ["/blocked/", "/1/", "/2/"]

    def test_a_request_that_waits_too_long_is_refused(
        self,
        site: Site,
        threads: ThreadPoolExecutor,
        rf: RequestFactory,
        settings: LazySettings,
    ) -> None:
        settings.LONGEST_WAIT_S = 0.01
        overload = OverloadMiddleware(site)
        blocked = threads.submit(overload, rf.get("/blocked/"))
        assert site.running.acquire(timeout=10)

        refused = overload(rf.get("/"))
        site.may_answer.set()

        assert refused.status_code == 503
        assert blocked.result(10).status_code == 200
        assert overload(rf.get("/")).status_code == 200

    def test_a_failed_request_gives_its_turn_back(
        self, settings: LazySettings, rf: RequestFactory
    ) -> None:
        def fail(request: HttpRequest) -> HttpResponse:
            raise ZeroDivisionError

        settings.REQUESTS_AT_ONCE, settings.REQUESTS_WAITING = 1, 0
        overload = OverloadMiddleware(fail)

        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                overload(rf.get("/"))

    def test_loses_no_turn_under_load(
        self, site: Site, threads: ThreadPoolExecutor, rf: RequestFactory
    ) -> None:
        overload = OverloadMiddleware(site)

        answers = list(threads.map(lambda _: overload(rf.get("/")), range(500)))

        assert {answer.status_code for answer in answers} <= {200, 503}
        assert overload(rf.get("/")).status_code == 200

    def test_refusals_are_one_line_in_the_log(
        self,
        settings: LazySettings,
        rf: RequestFactory,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        settings.REQUESTS_AT_ONCE = settings.REQUESTS_WAITING = 0
        overload = OverloadMiddleware(lambda request: HttpResponse())

        for _ in range(20):
            overload(rf.get("/"))

        assert len(caplog.messages) == 1


class TestRefusedSite:
    """The whole site, which may run no request at all."""

    @pytest.fixture
    def refusing(self, settings: LazySettings) -> Client:
        settings.REQUESTS_AT_ONCE = settings.REQUESTS_WAITING = 0
        return Client()  # loads the middleware anew

    def test_sends_the_headers_of_every_answer(self, refusing: Client) -> None:
        answer = refusing.get("/api/v1/stats/")

        assert answer.status_code == 503
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert answer["X-Request-ID"]

    @pytest.mark.django_db
    @pytest.mark.parametrize("path", ["/livez", "/static/recognizer/js/pad.js"])
    def test_answers_probes_and_files(self, refusing: Client, path: str) -> None:
        answer = refusing.get(path)
        answer.close()

        assert answer.status_code == 200

    def test_logs_no_line_for_each_refusal(
        self, refusing: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        for _ in range(20):
            refusing.get("/api/v1/stats/")

        assert len(caplog.messages) == 1


class TestBodies:
    def test_a_slow_body_is_read_before_its_request_has_a_turn(
        self, settings: LazySettings, rf: RequestFactory
    ) -> None:
        import io

        from recognizer.ops.middleware import BodyMiddleware

        class SlowBody(io.BytesIO):
            def read(self, *size: int | None) -> bytes:
                free.append(overload._free)
                return super().read(*size)

        free: list[int] = []
        settings.REQUESTS_AT_ONCE = 1
        overload = OverloadMiddleware(lambda request: HttpResponse(request.body))
        sent = {"wsgi.input": SlowBody(b"drawing")}

        answer = BodyMiddleware(overload)(
            rf.post("/", b"drawing", "text/plain", **sent)  # type: ignore[arg-type]
        )

        assert answer.content == b"drawing"
        assert set(free) == {1}
