"""A few compute at once, the others stand in line, and who would wait long is told."""

import io
import json
import selectors
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from gunicorn import util
from gunicorn.config import Config
from gunicorn.workers.gthread import TConn

from digitsite.threads import WarmThreads
from digitsite.worker import Worker, has_hung_up, http_date
from recognizer import rush
from recognizer.drawings import group_commit as grouping
from recognizer.ops import middleware
from recognizer.ops.middleware import BodyMiddleware, RushMiddleware, TurnMiddleware
from recognizer.rush import HungUpError, Line

NEVER_S = 1000.0


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Kitchen:
    """Has a line, and threads of which each computes until it is let go."""

    def __init__(self, line: Line, threads: ThreadPoolExecutor) -> None:
        self.line, self._threads = line, threads
        self.computing: list[int] = []
        self._came = 0
        self._go_on: dict[int, threading.Event] = {}
        self._changed = threading.Condition()

    def come(
        self,
        patience_s: float = NEVER_S,
        has_hung_up: Callable[[], bool] = lambda: False,
    ) -> "Any":
        """Begin a request that computes until its end."""
        number = self._came
        self._came += 1
        self._go_on[number] = threading.Event()
        stood = len(self.line._waiting) + len(self.computing)
        place = self.line.come(has_hung_up)
        done = self._threads.submit(self._compute, number, patience_s, place)
        while len(self.line._waiting) + len(self.computing) == stood:
            if done.done():
                break
        return done

    def _compute(self, number: int, patience_s: float, place: rush.Place) -> bool:
        self.line.be_seen(place)
        if not self.line.get_turn(patience_s):
            return False
        with self._changed:
            self.computing.append(number)
            self._changed.notify_all()
        assert self._go_on[number].wait(10)
        with self._changed:
            self.computing.remove(number)
        self.line.answered()
        return True

    def end(self, number: int) -> None:
        """Let one end what it computes."""
        self._go_on[number].set()

    def wait_until_computing(self, *numbers: int) -> None:
        """Return once just these compute."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.computing == [*numbers], 10)

    def end_all(self) -> None:
        """Let everybody end."""
        for one in self._go_on.values():
            one.set()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def kitchen(clock: Clock, threads: ThreadPoolExecutor) -> Iterator[Kitchen]:
    kitchen = Kitchen(Line(2, clock=clock), threads)
    yield kitchen
    kitchen.end_all()


def see_first(line: Line) -> bool:
    """Have a thread, this one, for the first who waits for one."""
    return line.be_seen(line._unseen[0])


class TestTurns:
    def test_are_given_to_so_many_and_then_first_come_first_served(
        self, kitchen: Kitchen
    ) -> None:
        for _ in range(5):
            kitchen.come()
        kitchen.wait_until_computing(0, 1)

        kitchen.end(1)
        kitchen.wait_until_computing(0, 2)
        kitchen.end(0)
        kitchen.wait_until_computing(2, 3)

    def test_are_all_there_again_after_a_thousand(
        self, threads: ThreadPoolExecutor
    ) -> None:
        line = Line(2)
        most, computing = [0], [0]
        lock = threading.Lock()

        def compute(_: int) -> bool:
            had_turn = line.get_turn(NEVER_S)
            with lock:
                computing[0] += 1
                most[0] = max(most[0], computing[0])
            with lock:
                computing[0] -= 1
            line.answered()
            return had_turn

        assert all(threads.map(compute, range(1000), timeout=60))
        assert most[0] <= 2
        assert line._free == 2
        assert line.wait_s() == 0

    def test_go_to_the_next_while_their_holder_waits_for_the_disk(
        self, kitchen: Kitchen
    ) -> None:
        line = kitchen.line
        line.get_turn(NEVER_S)
        kitchen.come()
        kitchen.come()
        kitchen.wait_until_computing(0)

        line.give_turn_back()
        kitchen.wait_until_computing(0, 1)
        line.answered()  # gives none back that it no longer has

        kitchen.come()
        assert kitchen.computing == [0, 1]

    def test_are_given_up_when_patience_ends(self, kitchen: Kitchen) -> None:
        for _ in range(2):
            kitchen.come()

        had_turn = kitchen.come(patience_s=0).result(timeout=10)

        assert not had_turn
        assert not kitchen.line._waiting

    def test_are_more_where_those_who_have_them_are_stuck(
        self, threads: ThreadPoolExecutor
    ) -> None:
        kitchen = Kitchen(Line(1, stuck_s=0.01), threads)
        kitchen.come()
        kitchen.come()

        kitchen.wait_until_computing(0, 1)
        kitchen.end_all()


class TestWait:
    def test_is_none_where_nobody_stands(self, kitchen: Kitchen, clock: Clock) -> None:
        kitchen.come()
        kitchen.come()
        clock.now += 60

        assert kitchen.line.wait_s() == 0

    def test_is_as_long_as_the_first_has_waited(
        self, kitchen: Kitchen, clock: Clock
    ) -> None:
        for _ in range(3):
            kitchen.come()
        clock.now += 0.4
        kitchen.come()
        clock.now += 0.5

        assert kitchen.line.wait_s() == pytest.approx(0.9)

    def test_counts_who_waits_for_a_thread(self, clock: Clock) -> None:
        line = Line(2, clock=clock)
        line.come()
        clock.now += 2

        assert line.wait_s() == pytest.approx(2)
        see_first(line)
        assert line.wait_s() == 0

    def test_is_foretold_by_the_pace(self, clock: Clock) -> None:
        line = Line(2, clock=clock)
        for _ in range(400):
            line.come()
        for _ in range(300):
            see_first(line)
            line.get_turn(NEVER_S)
            clock.now += 0.02
            line.answered()
        while line._unseen:
            see_first(line)
        for _ in range(100):
            line.come()

        assert line.wait_s() == pytest.approx(2, rel=0.01)

    def test_of_a_burst_is_short(self, clock: Clock) -> None:
        line = Line(2, clock=clock)
        for _ in range(10_000):  # answers, each after 3 ms, 64 in line
            while len(line._unseen) < 64:
                line.come()
            see_first(line)
            line.get_turn(NEVER_S)
            clock.now += 0.003
            line.answered()
            assert line.wait_s() < 0.25


class TestHangingUp:
    def test_leaves_the_line_for_a_thread(self, clock: Clock) -> None:
        line = Line(2, clock=clock)
        for _ in range(32):
            line.come(lambda: True)
        clock.now += 2

        assert line.wait_s() == 0

    def test_leaves_the_line_for_a_turn(self, kitchen: Kitchen, clock: Clock) -> None:
        for _ in range(2):
            kitchen.come()
        gone = [kitchen.come(has_hung_up=lambda: True) for _ in range(5)]
        clock.now += 2

        assert kitchen.line.wait_s() == 0
        for one in gone:
            with pytest.raises(HungUpError):
                one.result(timeout=10)
        assert kitchen.computing == [0, 1]

    def test_leaves_a_turn_to_who_is_still_there(
        self, kitchen: Kitchen, clock: Clock
    ) -> None:
        hung_up: list[int] = []
        for _ in range(2):
            kitchen.come()
        gone = kitchen.come(has_hung_up=lambda: bool(hung_up))
        kitchen.come()
        clock.now += 0.5
        hung_up.append(2)

        kitchen.end(0)

        kitchen.wait_until_computing(1, 3)
        assert isinstance(gone.exception(timeout=10), HungUpError)

    def test_hides_nobody_who_stands_behind(self, clock: Clock) -> None:
        line = Line(2, clock=clock)
        line.come(lambda: True)
        clock.now += 1
        line.come(lambda: False)
        clock.now += 1

        assert line.wait_s() == pytest.approx(1)

    def test_is_seen_before_anything_is_read(self, clock: Clock) -> None:
        line = Line(2, clock=clock)
        places = [line.come(gone) for gone in (lambda: False, lambda: True)]
        clock.now += 1

        assert [line.be_seen(place) for place in places] == [True, False]
        assert line.wait_s() == 0

    def test_is_not_looked_for_in_a_short_line(self, clock: Clock) -> None:
        line = Line(1, clock=clock)
        line.come(lambda: True)  # or has only closed the side that it sends on
        clock.now += 0.05

        assert see_first(line)
        assert line.get_turn(NEVER_S)

    def test_is_an_answer_for_the_counts_alone(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = Line(1)
        way_in = door(line, monkeypatch, lambda request: HttpResponse("done"))

        def hang_up(patience_s: float) -> bool:
            raise HungUpError

        monkeypatch.setattr(line, "get_turn", hang_up)

        answer = way_in(RequestFactory().get("/"))

        assert answer.status_code == 499
        assert not caplog.messages


def door(line: Line, monkeypatch: pytest.MonkeyPatch, answer: Any) -> RushMiddleware:
    """Return our middleware's way in, with this line."""
    monkeypatch.setattr(middleware, "line", line)
    return RushMiddleware(BodyMiddleware(TurnMiddleware(answer)))


class TestRush:
    def test_is_told_at_once_to_come_back(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch, settings: LazySettings
    ) -> None:
        settings.LONGEST_WAIT_S = 1.0
        line = Line(2, clock=clock)
        way_in = door(line, monkeypatch, lambda request: HttpResponse("done"))
        line.come()
        clock.now += 0.9
        short = way_in(RequestFactory().get("/api/v1/stats/"))
        clock.now += 0.2

        call = way_in(RequestFactory().post("/api/v1/submissions/", {}))
        page = way_in(RequestFactory().get("/model/"))
        see_first(line)
        again = way_in(RequestFactory().get("/model/"))

        assert short.status_code == again.status_code == 200
        assert call.status_code == page.status_code == 503
        assert call["Retry-After"] == page["Retry-After"] == "5"
        assert json.loads(call.content)["error"]["code"] == "unavailable"
        assert "<html" in page.content.decode()
        assert int(page["Content-Length"]) == len(page.content)

    def test_does_not_judge_anew_whom_the_server_let_in(
        self, clock: Clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = Line(2, clock=clock)
        way_in = door(line, monkeypatch, lambda request: HttpResponse("done"))
        line.come()
        line.come()
        clock.now += 2
        see_first(line)

        assert way_in(RequestFactory().get("/")).status_code == 200
        assert way_in(RequestFactory().get("/")).status_code == 503

    def test_leaves_bodies_unread_that_are_turned_away(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = Line(2)
        way_in = door(line, monkeypatch, lambda request: HttpResponse("done"))
        line.turn_away_here()
        request = RequestFactory().post("/api/v1/submissions/", {"a": "b"})
        sent = request.META["wsgi.input"]

        answer = way_in(request)

        assert answer.status_code == 503
        assert sent.read()

    def test_takes_a_body_in_before_it_has_a_turn(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = Line(1)

        class SlowBody(io.BytesIO):
            def read(self, *size: Any) -> bytes:
                free.append(line._free)
                return super().read(*size)

        free: list[int] = []
        answer = door(line, monkeypatch, lambda r: HttpResponse(r.body))
        sent: dict[str, Any] = {"wsgi.input": SlowBody(b"drawing")}
        request = RequestFactory(**sent).post("/", b"drawing", "text/plain", **sent)

        assert answer(request).content == b"drawing"
        assert set(free) == {1}

    def test_takes_in_no_body_that_ends_too_early(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class CutOff(io.BytesIO):
            def read(self, *size: Any) -> bytes:
                raise ConnectionResetError

        way_in = door(Line(1), monkeypatch, lambda request: HttpResponse("done"))
        sent: dict[str, Any] = {"wsgi.input": CutOff()}

        answer = way_in(RequestFactory().post("/", b"draw", "text/plain", **sent))

        assert answer.status_code == 400
        assert json.loads(answer.content)["error"]["code"] == "body_cut_off"

    def test_gives_the_turn_of_what_failed_back(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(request: HttpRequest) -> HttpResponse:
            raise ZeroDivisionError

        line = Line(1)
        way_in = door(line, monkeypatch, fail)

        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                way_in(RequestFactory().get("/"))
        assert line._free == 1

    def test_is_one_line_in_the_log(
        self, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(middleware, "turned_away", middleware.TurnedAway())
        line = Line(1)
        way_in = door(line, monkeypatch, lambda request: HttpResponse("done"))
        line.turn_away_here()

        for _ in range(20):
            way_in(RequestFactory().get("/"))

        assert len(caplog.messages) == 1

    def test_has_the_headers_of_every_answer(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = Line(1)
        monkeypatch.setattr(middleware, "line", line)
        line.turn_away_here()

        answer = client.get("/api/v1/stats/")

        assert answer.status_code == 503
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert answer["X-Request-ID"]

    @pytest.mark.django_db
    @pytest.mark.parametrize("path", ["/livez", "/static/recognizer/js/pad.js"])
    def test_is_not_for_probes_and_files(
        self, client: Client, monkeypatch: pytest.MonkeyPatch, path: str
    ) -> None:
        line = Line(1)
        monkeypatch.setattr(middleware, "line", line)
        line.turn_away_here()

        answer = client.get(path)
        answer.close()

        assert answer.status_code == 200


@pytest.mark.django_db(transaction=True)
class TestStoring:
    def test_gives_the_turn_back_before_it_waits(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        line = Line(1)
        monkeypatch.setattr(grouping, "line", line)
        line.get_turn(NEVER_S)
        free = []

        writes = grouping.GroupedWrites[int](lambda items: free.append(line._free))
        writes.write(1)

        assert free == [1]


def wait_until(comes: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not comes() and time.monotonic() < deadline:
        time.sleep(0.001)
    assert comes()


class Caller:
    """A client's end of a connection, and the server's."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.sock, ours = socket.socketpair()
        self.sock.settimeout(10)
        self.conn = TConn(Config(), ours, None, None)
        self.conn.init()
        self.conn.name = name

    def is_let_go(self) -> bool:
        """Return whether the server has closed its end as well."""
        return bool(self.conn.sock.fileno() < 0)

    def close(self) -> None:
        """Close both ends."""
        self.sock.close()
        self.conn.close()


class TestWorker:
    """Of gunicorn, without a network: who comes is put into the right hands."""

    @pytest.fixture
    def worker(self, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
        monkeypatch.setattr(rush, "line", line := Line(1, clock=clock))
        monkeypatch.setattr("digitsite.worker.line", line)
        worker = Worker(0, 0, [], None, 30, Config(), None)
        worker.method_queue = SimpleNamespace(defer=lambda finish, *told: finish(*told))
        worker.poller = selectors.DefaultSelector()
        worker.make_porters()
        worker.tpool = WarmThreads(1)
        yield worker
        worker.tmp.close()
        worker.tpool.shutdown()
        worker.porters.shutdown()
        worker.poller.close()

    @pytest.fixture
    def callers(self) -> Iterator[list[Caller]]:
        callers = [Caller(name) for name in ("first", "second", "third")]
        yield callers
        for caller in callers:
            caller.close()

    def test_answers_by_porters_while_its_threads_are_busy(
        self,
        worker: Worker,
        callers: list[Caller],
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        go_on, answered = threading.Event(), threading.Semaphore(0)
        by: dict[str, str] = {}

        def handle(conn: Any) -> bool:
            if conn.name == "first":
                assert go_on.wait(10)
            by[conn.name] = threading.current_thread().name
            answered.release()
            return False

        monkeypatch.setattr(worker, "handle", handle)
        first, waits, too_late = callers
        worker.enqueue_req(first.conn)
        worker.enqueue_req(waits.conn)
        clock.now += 2
        worker.enqueue_req(too_late.conn)
        assert answered.acquire(timeout=10)
        assert list(by) == ["third"]
        assert by["third"].startswith("porter")
        go_on.set()
        for _ in range(2):
            assert answered.acquire(timeout=10)

        assert not by["second"].startswith("porter")
        assert [caller.sock.recv(1) for caller in callers] == [b"", b"", b""]

    def test_has_no_thread_wait_for_a_client_to_hang_up(
        self,
        worker: Worker,
        callers: list[Caller],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        answered = threading.Semaphore(0)

        def handle(conn: Any) -> bool:
            answered.release()
            return False

        monkeypatch.setattr(worker, "handle", handle)
        for caller in callers:
            worker.enqueue_req(caller.conn)
        for _ in callers:
            assert answered.acquire(timeout=10)

        assert [caller.sock.recv(1) for caller in callers] == [b"", b"", b""]
        assert not any(caller.is_let_go() for caller in callers)

    def test_waits_for_the_next_request_without_waking_its_poller(
        self,
        worker: Worker,
        callers: list[Caller],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        answered: list[str] = []
        monkeypatch.setattr(worker.method_queue, "defer", pytest.fail)

        def handle(conn: Any) -> bool:
            answered.append(conn.sock.recv(10).decode())
            return True

        monkeypatch.setattr(worker, "handle", handle)
        for caller in callers:
            caller.sock.sendall(b"one")
            worker.enqueue_req(caller.conn)
        wait_until(lambda: len(worker.keepalived_conns) == 3)
        assert {*worker.keepalived_conns} == {caller.conn for caller in callers}

        callers[1].sock.sendall(b"two")
        worker.wait_for_and_dispatch_events(timeout=10)
        wait_until(lambda: len(worker.keepalived_conns) == 3)

        assert answered == ["one", "one", "one", "two"]

    @pytest.mark.parametrize("why", ["it is to end", "it was read ahead", "no socket"])
    def test_leaves_all_else_to_its_poller(
        self,
        worker: Worker,
        callers: list[Caller],
        monkeypatch: pytest.MonkeyPatch,
        why: str,
    ) -> None:
        conn = callers[0].conn
        finished = threading.Event()
        monkeypatch.setattr(worker, "handle", lambda conn: True)
        monkeypatch.setattr(worker, "finish_request", lambda *_: finished.set())
        if why == "it is to end":
            worker.alive = False
        elif why == "it was read ahead":
            conn.parser.unreader.unread(b"POST")
        else:
            conn.sock.close()

        worker.enqueue_req(conn)

        assert finished.wait(10)
        assert not worker.keepalived_conns

    def test_keeps_nobody_whom_its_poller_does_not_take(
        self,
        worker: Worker,
        callers: list[Caller],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        def refuse(*_: object) -> None:
            raise OSError("No space left on device")

        monkeypatch.setattr(worker.poller, "register", refuse)

        assert not worker.keep_open(callers[0].conn)
        assert not worker.keepalived_conns

    def test_keeps_nobody_once_it_is_to_end(
        self, worker: Worker, callers: list[Caller]
    ) -> None:
        assert worker.keep_open(callers[0].conn)

        worker._cap_keepalive(0)

        assert not worker.keep_open(callers[1].conn)
        assert [conn.timeout for conn in worker.keepalived_conns] == [0]

    def test_forgets_who_has_hung_up(
        self, worker: Worker, callers: list[Caller]
    ) -> None:
        worker.nr_conns = 3
        for caller in callers:
            worker.say_goodbye(caller.conn)
        callers[0].sock.sendall(b"still sending")
        callers[1].sock.close()

        worker.wait_for_and_dispatch_events(timeout=10)

        assert [caller.is_let_go() for caller in callers] == [False, True, False]
        assert worker.nr_conns == 2

    def test_forgets_who_never_stops_sending(
        self,
        worker: Worker,
        callers: list[Caller],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("digitsite.worker._GOODBYE_BYTES", 10)
        worker.say_goodbye(callers[0].conn)
        callers[0].sock.sendall(b"still sending")

        worker.wait_for_and_dispatch_events(timeout=10)

        assert callers[0].is_let_go()

    def test_forgets_who_never_hangs_up(
        self,
        worker: Worker,
        callers: list[Caller],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        worker.say_goodbye(callers[0].conn)
        monkeypatch.setattr("digitsite.worker._GOODBYE_S", 0)
        worker.say_goodbye(callers[1].conn)

        worker.murder_pending()

        assert [caller.is_let_go() for caller in callers] == [False, True, False]
        assert list(worker.leaving) == [callers[0].conn]

    def test_turns_nobody_away_for_those_who_have_hung_up(
        self,
        worker: Worker,
        callers: list[Caller],
        clock: Clock,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        is_busy, go_on = threading.Event(), threading.Event()
        answered = threading.Semaphore(0)
        by: dict[str, str] = {}

        def handle(conn: Any) -> bool:
            if conn.name == "first":
                is_busy.set()
                assert go_on.wait(10)
            by[conn.name] = threading.current_thread().name
            answered.release()
            return True

        monkeypatch.setattr(worker, "handle", handle)
        monkeypatch.setattr(worker, "finish_request", lambda conn, done: None)
        is_stuck, cut_off, comes_later = callers
        cut_off.sock.sendall(b"POST / HTTP/1.1")
        worker.enqueue_req(is_stuck.conn)
        assert is_busy.wait(10)
        worker.enqueue_req(cut_off.conn)
        cut_off.sock.close()
        clock.now += 2

        worker.enqueue_req(comes_later.conn)
        go_on.set()
        for _ in range(2):
            assert answered.acquire(timeout=10)

        assert list(by) == ["first", "third"]
        assert not by["third"].startswith("porter")


class TestHttpDate:
    @pytest.mark.parametrize("moment", [0, 1795700000.0, 1795700000.999])
    def test_is_worded_as_gunicorn_does(self, moment: float) -> None:
        for _ in range(2):  # worked out, and remembered
            assert http_date(moment) == util.http_date(moment)

    def test_goes_on(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 1795700000.5
        monkeypatch.setattr("digitsite.worker.time.time", lambda: now)
        first = http_date()
        now += 1

        assert (first, http_date()) == (http_date(now - 1), http_date(now))
        assert http_date() != first


class TestConnection:
    @pytest.fixture
    def ends(self) -> Iterator[tuple[socket.socket, TConn]]:
        """A client's end of a connection over the network, and the server's."""
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname()) as client,
            listener.accept()[0] as ours,
        ):
            yield client, TConn(Config(), ours, None, None)

    def test_is_there_while_its_client_waits(
        self, ends: tuple[socket.socket, TConn]
    ) -> None:
        client, conn = ends
        client.sendall(b"POST / HTTP/1.1")

        assert not has_hung_up(conn)

    def test_has_ended_when_its_client_has_closed_it_behind_what_it_sent(
        self, ends: tuple[socket.socket, TConn]
    ) -> None:
        client, conn = ends
        client.sendall(b"POST / HTTP/1.1")
        client.close()

        assert has_hung_up(conn)

    def test_has_ended_when_it_was_broken_off(
        self, ends: tuple[socket.socket, TConn]
    ) -> None:
        client, conn = ends
        conn.sock.sendall(b"an answer that nobody reads")
        client.close()

        assert has_hung_up(conn)
