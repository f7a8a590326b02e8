"""Slow readers and senders: they hold some threads, and other visitors' pages come."""

import io
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import numpy as np
import pytest
from django.conf import LazySettings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory

from mlcore.reading.pictures import encode_png
from recognizer.api.views import files
from recognizer.models import User
from recognizer.ops.middleware import BodyMiddleware
from recognizer.ops.overload import Refusals
from recognizer.ops.slow_peers import SlowPeersMiddleware
from recognizer.people import slots as slots_of
from recognizer.people.slots import HeldStream, Slots, SlowReaderError
from recognizer.tests.conftest import bearer, record_figure
from recognizer.tests.machines import IN_PRODUCTION, Machine, nginx_before
from tools.server import serving

EXPORT = "/api/v1/submissions/export/?as=zip"
READERS, SENDERS = 90, 16


class TestSlots:
    def test_are_limited_in_all_and_for_each_caller(self) -> None:
        slots = Slots(total=3, each=2)

        taken = [slots.take(caller) for caller in ("ada", "ada", "ada", "bob", "cid")]
        slots.give_back("ada")

        assert taken == [True, True, False, True, False]
        assert slots.take("cid")

    def test_are_waited_for(self) -> None:
        slots = Slots(total=1, each=1)
        slots.take("ada")
        threading.Timer(0.1, slots.give_back, ["ada"]).start()

        assert slots.take("bob", wait_s=20.0)

    def test_are_not_waited_for_without_end(self) -> None:
        slots = Slots(total=1, each=1)
        slots.take("ada")

        assert not slots.take("ada", wait_s=0.01)


class TestHeldStream:
    def test_gives_its_slot_back_once(self) -> None:
        given: list[int] = []
        stream = HeldStream([b"one", b"two"], give_back=lambda: given.append(1))

        assert b"".join(stream) == b"onetwo"
        stream.close()
        stream.close()
        del stream

        assert given == [1]

    def test_that_nobody_reads_gives_its_slot_back(self) -> None:
        given: list[int] = []

        HeldStream([b"one"], give_back=lambda: given.append(1))

        assert given == [1]

    @pytest.mark.parametrize(
        ("piece_bytes", "is_ended"), [(100, True), (90_000, False)]
    )
    def test_ends_for_a_reader_below_the_least_rate(
        self, monkeypatch: pytest.MonkeyPatch, piece_bytes: int, is_ended: bool
    ) -> None:
        clock = SimpleNamespace(now=1.0)
        clock.monotonic = lambda: clock.now
        monkeypatch.setattr(slots_of, "time", clock)
        stream = HeldStream([bytes(piece_bytes)] * 9, give_back=lambda: None)
        read = 0

        try:
            for _ in stream:
                read += 1
                clock.now += 20.0
        except SlowReaderError:
            assert is_ended

        assert read == (2 if is_ended else 9)

    def test_does_not_count_the_time_that_we_take(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        clock = SimpleNamespace(now=1.0)
        clock.monotonic = lambda: clock.now
        monkeypatch.setattr(slots_of, "time", clock)

        def pieces() -> Iterator[bytes]:
            for _ in range(5):
                clock.now += 100.0
                yield b"x"

        assert b"".join(HeldStream(pieces(), give_back=lambda: None)) == b"xxxxx"


class TestSlowPeers:
    def test_sends_short_streams_in_one_piece(self, rf: RequestFactory) -> None:
        short = StreamingHttpResponse([b"a", b"b"], headers={"Content-Length": "2"})

        answer = SlowPeersMiddleware(lambda request: short)(rf.get("/"))

        assert list(answer) == [b"ab"]

    @pytest.mark.django_db
    def test_refuses_more_streams_than_may_run(
        self, rf: RequestFactory, settings: LazySettings
    ) -> None:
        settings.STREAMS_AT_ONCE, settings.STREAMS_OF_AN_ADDRESS = 3, 2
        middleware = SlowPeersMiddleware(
            lambda request: StreamingHttpResponse([b"long"])
        )

        answers = [
            middleware(rf.get("/", REMOTE_ADDR=address))
            for address in ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2")
        ]
        statuses = [answer.status_code for answer in answers]
        for answer in answers:
            answer.close()

        assert statuses == [200, 200, 503, 200]
        assert middleware(rf.get("/")).status_code == 200


class TestBodies:
    def test_of_slow_senders_are_limited(
        self, rf: RequestFactory, settings: LazySettings
    ) -> None:
        settings.BODIES_AT_ONCE, settings.BODIES_OF_AN_ADDRESS = 2, 1
        settings.LONGEST_WAIT_S = 0.01
        inner: list[int] = []

        class Body(io.BytesIO):
            """Sends another request while it is read."""

            def read(self, *size: int | None) -> bytes:
                inner.append(bodies(rf.post("/", b"x", "text/plain")).status_code)
                return super().read(*size)

        def view(request: HttpRequest) -> HttpResponse:
            return HttpResponse()

        bodies = BodyMiddleware(view)

        answer = bodies(rf.post("/", b"x", "text/plain", **{"wsgi.input": Body(b"x")}))  # type: ignore[arg-type]

        assert answer.status_code == 200
        assert set(inner) == {503}
        assert bodies(rf.post("/", b"x", "text/plain")).status_code == 200


@pytest.mark.usefixtures("active_model")
class TestExports:
    def test_of_a_caller_are_two_at_once(
        self, reviewer: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(files, "_running", Slots(total=8, each=2))
        reader, other = bearer(reviewer, "read"), Client()
        program = Client()

        running = [program.get(EXPORT, headers=reader) for _ in range(2)]
        refused = program.get(EXPORT, headers=reader)
        others = other.get(EXPORT)
        for answer in running:
            b"".join(answer)  # which also closes it

        assert [answer.status_code for answer in running] == [200, 200]
        assert refused.status_code == 429
        assert refused.json()["error"]["code"] == "too_many_exports"
        assert refused["Retry-After"] == "5"
        assert others.status_code == 200
        assert program.get(EXPORT, headers=reader).status_code == 200


@pytest.mark.django_db
class TestReadiness:
    def test_tells_of_refused_requests(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(Refusals, "latest", time.monotonic())

        told = client.get("/readyz").json()

        assert not told["checks"]["load"]["is_well"]
        assert "refused" in told["checks"]["load"]["problem"]


class Peers:
    """Readers that read nothing, and senders of a byte a second.

    They come within some seconds: hundreds of requests at once would be overload, which
    is refused at once and is tested elsewhere.
    """

    def __init__(self, site: Machine, cookie: str) -> None:
        self.site = site
        self.sockets: list[socket.socket] = []
        self.wanted = threading.Event()
        self.wanted.set()
        for _ in range(READERS):
            self._open(f"GET {EXPORT} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}")
        for path in ("model", "static/vendor/litert/litert_wasm_compat_internal.wasm"):
            for _ in range(READERS):
                self._open(f"GET /{path} HTTP/1.1\r\nHost: 127.0.0.1")
        for _ in range(SENDERS):
            sender = self._open(
                "POST /api/v1/readings/ HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Content-Type: application/json\r\nContent-Length: 5000"
            )
            threading.Thread(target=self._send, args=(sender,), daemon=True).start()

    def _open(self, head: str) -> socket.socket:
        parts = urlsplit(self.site.url)
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        peer.connect((str(parts.hostname), int(parts.port or 80)))
        if self.site.trust is not None:
            peer = self.site.trust.wrap_socket(peer, server_hostname=parts.hostname)
        peer.sendall(f"{head}\r\n\r\n".encode())
        self.sockets.append(peer)
        time.sleep(0.02)
        return peer

    def _send(self, sender: socket.socket) -> None:
        while self.wanted.wait(0):
            try:
                sender.sendall(b" ")
            except OSError:
                return
            time.sleep(1)

    def close(self) -> None:
        self.wanted.clear()
        for peer in self.sockets:
            peer.close()


def fill(site: Machine) -> str:
    """Store 20 MB of pictures; return the cookie of their owner."""
    chance = np.random.default_rng(1)
    cookie = ""
    for _ in range(20):
        noise = chance.integers(0, 256, (600, 600, 3)).astype(np.uint8)
        request = urllib.request.Request(
            f"{site.url}/api/v1/submissions/",
            data=encode_png(noise),
            headers={"Content-Type": "image/png", "Cookie": cookie},
        )
        with urllib.request.urlopen(request, timeout=60, context=site.trust) as answer:
            cookie = cookie or answer.headers["Set-Cookie"].split(";")[0]
    return cookie


@pytest.mark.long
class TestSite:
    @pytest.mark.parametrize("served", ["bare", "behind nginx"])
    def test_serves_others_beside_slow_readers_and_senders(
        self, tmp_path: Path, served: str
    ) -> None:
        took: list[float] = []
        is_bare = served == "bare"
        with ExitStack() as stack:
            variables = {} if is_bare else IN_PRODUCTION
            server = stack.enter_context(serving(tmp_path / "var", **variables))
            site = (
                Machine(server.url)
                if is_bare
                else stack.enter_context(nginx_before([server], tmp_path))
            )
            stack.enter_context(closing(Peers(site, fill(site))))
            for _ in range(20):
                began = time.perf_counter()
                with urllib.request.urlopen(
                    f"{site.url}/", timeout=20, context=site.trust
                ) as page:
                    assert page.status == 200
                took.append(time.perf_counter() - began)
                time.sleep(0.2)

        record_figure(
            f"served {served}, beside {READERS} readers of exports, {2 * READERS} of "
            f"files and {SENDERS} slow senders: a page in {sorted(took)[10]:.2f} s "
            f"(median), {max(took):.2f} s (slowest)"
        )
