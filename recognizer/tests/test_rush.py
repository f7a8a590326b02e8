"""A burst is let in, a rush that goes on is turned away at once, and then it ends."""

import threading
from types import SimpleNamespace

import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from recognizer import middleware
from recognizer.middleware import RushMiddleware


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Site:
    """A site with two requests at once, some of which are held."""

    def __init__(self) -> None:
        self.go_on = threading.Event()
        self.running = threading.Semaphore(0)
        self.door = RushMiddleware(self.answer)

    def answer(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/held/":
            self.running.release()
            self.go_on.wait(10)
        return HttpResponse("done")

    def hold(self, number: int) -> list[threading.Thread]:
        """Begin so many requests that go on until they are let go."""
        held = [
            threading.Thread(target=self.ask, args=("/held/",)) for _ in range(number)
        ]
        for one in held:
            one.start()
            assert self.running.acquire(timeout=10)
        return held

    def ask(self, path: str = "/api/v1/stats/") -> HttpResponse:
        return self.door(RequestFactory().get(path))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> Clock:
    settings.REQUESTS_AT_ONCE = 2
    settings.RUSH_PATIENCE_S, settings.RUSH_ENDS_AFTER_S = 3.0, 5.0
    clock = Clock()
    monkeypatch.setattr(middleware, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


class TestRush:
    def test_turns_away_only_what_goes_on(self, clock: Clock) -> None:
        site = Site()
        held = site.hold(2)

        burst = site.ask().status_code
        clock.now += 2.9
        still = site.ask().status_code
        clock.now += 0.2
        rush = site.ask()
        page = site.ask("/model/")
        site.go_on.set()
        for one in held:
            one.join(10)
        free = site.ask().status_code

        assert (burst, still, free) == (200, 200, 200)
        assert rush.status_code == page.status_code == 503
        assert rush["Retry-After"] == page["Retry-After"] == "5"
        assert "unavailable" in rush.content.decode()
        assert "<html" in page.content.decode()

    def test_ends_when_nothing_was_too_much_for_a_while(self, clock: Clock) -> None:
        site = Site()
        held = site.hold(2)
        site.ask()
        clock.now += 4
        in_the_rush = site.ask().status_code

        clock.now += 5.1
        later = site.ask().status_code
        site.go_on.set()
        for one in held:
            one.join(10)

        assert (in_the_rush, later) == (503, 200)

    def test_counts_what_failed_as_done(self, clock: Clock) -> None:
        def fail(request: HttpRequest) -> HttpResponse:
            raise ZeroDivisionError

        door = RushMiddleware(fail)

        for _ in range(5):
            clock.now += 1
            with pytest.raises(ZeroDivisionError):
                door(RequestFactory().get("/"))
