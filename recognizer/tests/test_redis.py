"""Redis holds no code, and one that answers nonsense is a Redis that is down."""

import os
import pickle
import re
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client

from digitsite import settings as site_settings
from digitsite.env import Rate
from digitsite.redis_cache import JSONSerializer

WELCOME = b"%2\r\n+server\r\n+redis\r\n+proto\r\n:3\r\n"
NONSENSE = {
    "a web server's answer": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a number that is none": b":abc\r\n",
    "a length that is none": b"$abc\r\n",
    "a float that is none": b",abc\r\n",
    "bytes that are no text": b"+\xff\xfe\r\n",
    "an error without words": b"-\r\n",
    "endless nesting": b"*1\r\n" * 20_000,
    "a map with a list for a key": b"%1\r\n*1\r\n:1\r\n:2\r\n",
    "nothing": b"_\r\n",
    "an empty line": b"\r\n",
    "a list": b"*1\r\n:1\r\n",
    "text": b'$4\r\n"ab"\r\n',
    "JSON cut short": b'$3\r\n{"a\r\n',
}


class Stranger(socketserver.ThreadingTCPServer):
    """A server in Redis's place that gives one answer to all commands.

    is_polite: whether it begins a connection as Redis does.
    """

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, answer: bytes, *, is_polite: bool) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.answer, self.is_polite = answer, is_polite


class Answering(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        """Answer each command."""
        server: Any = self.server
        try:
            while commands := self.request.recv(1 << 16):
                for name in re.findall(rb"\*\d+\r\n\$\d+\r\n(\w+)", commands):
                    greeting = {b"HELLO": WELCOME, b"CLIENT": b"+OK\r\n"}.get(name)
                    is_greeted = server.is_polite and greeting
                    self.request.sendall(greeting if is_greeted else server.answer)
        except OSError:
            pass  # the client has left


@pytest.fixture
def stranger(request: pytest.FixtureRequest, settings: LazySettings) -> Iterator[None]:
    """A site whose Redis is a stranger."""
    answer, is_polite = request.param
    with Stranger(answer, is_polite=is_polite) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings.REDIS_URL = f"redis://127.0.0.1:{server.server_address[1]}/0"
        settings.CACHES = {"default": site_settings.redis_cache(settings.REDIS_URL)}
        settings.THROTTLE = Rate(600, 60)
        yield
        server.shutdown()


class Command:
    """Unpickling it runs a command."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


class TestNonsense:
    @pytest.mark.parametrize(
        "stranger",
        [
            pytest.param((answer, is_polite), id=f"{name}, {is_polite}")
            for name, answer in NONSENSE.items()
            for is_polite in (True, False)
        ],
        indirect=True,
    )
    def test_is_as_good_as_no_redis(self, active_model: object, stranger: None) -> None:
        browser = Client(raise_request_exception=False)

        ready = browser.get("/readyz")
        call = browser.get("/api/v1/stats/")
        sign_in = browser.post("/account/sign-in/", {"username": "a", "password": "b"})

        checks = ready.json()["checks"]
        assert ready.status_code == 200
        assert [name for name, one in checks.items() if not one["is_well"]] == ["cache"]
        assert call.status_code in (200, 429)
        assert sign_in.status_code in (200, 503)


class TestCode:
    def test_in_redis_is_not_run(
        self, active_model: object, settings: LazySettings, tmp_path: Path
    ) -> None:
        planted = pickle.dumps(Command(tmp_path / "planted"))
        answer = b"$%d\r\n%s\r\n" % (len(planted), planted)
        with Stranger(answer, is_polite=True) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            url = f"redis://127.0.0.1:{server.server_address[1]}/0"
            settings.CACHES = {"default": site_settings.redis_cache(url)}

            ready = Client().get("/readyz")
            server.shutdown()

        assert not ready.json()["checks"]["cache"]["is_well"]
        assert not (tmp_path / "planted").exists()
        pickle.loads(planted)  # noqa: S301  # what would have happened
        assert (tmp_path / "planted").is_dir()

    @pytest.mark.parametrize("value", [0, 7, -1, True, None, "a", [1, {"b": 2.5}]])
    def test_is_not_needed_to_keep_values(self, value: Any) -> None:
        stored = JSONSerializer().dumps(value)

        sent = stored if isinstance(stored, bytes) else str(stored).encode()
        assert JSONSerializer().loads(sent) == value

    @pytest.mark.services
    def test_is_not_needed_by_a_real_redis(self, settings: LazySettings) -> None:
        settings.CACHES = {
            "default": site_settings.redis_cache(os.environ["REDIS_URL"])
        }

        cache.set("test-json", {"a": [1, None]}, timeout=5)
        cache.add("test-count", 1, timeout=5)

        assert cache.get("test-json") == {"a": [1, None]}
        assert cache.incr("test-count", 2) == 3
        cache.delete("test-count")
        with pytest.raises(ValueError, match="not found"):
            cache.incr("test-count")
