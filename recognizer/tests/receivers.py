"""Receivers of webhooks on this machine, for tests and for `bench/`."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook as Verifier


@dataclass
class Receiver:
    """A receiver, and what it has got.

    answer: called with the number of the call; returns the status to answer with.
    """

    url: str = ""
    secret: str = ""
    answer: Callable[[int], int] = lambda number: 204
    headers: list[dict[str, str]] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    calls: int = 0

    def take(self, headers: dict[str, str], body: bytes) -> int:
        """Return the status of the answer; keep a message that is taken."""
        self.calls += 1
        status = self.answer(self.calls)
        if status < 300:
            message = json.loads(body)
            if self.secret:  # raises if the signature is wrong
                message = Verifier(self.secret).verify(body, headers)
            self.headers.append({name.lower(): one for name, one in headers.items()})
            self.messages.append(message)
        return status

    @property
    def types(self) -> list[str]:
        """The types of the messages, in the order in which they came."""
        return [message["type"] for message in self.messages]


@contextmanager
def receiving(
    receiver: Receiver | None = None, *, port: int = 0, **more: str
) -> Iterator[Receiver]:
    """Run a receiver. more: headers of its answers."""
    running = receiver or Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(running.take(dict(self.headers), body))
            for name, value in {"Content-Length": "0", **more}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        running.url = f"http://127.0.0.1:{server.server_port}/hook"
        try:
            yield running
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def answering(
    piece: bytes, *, first: bytes = b"", every_s: float = 0.01
) -> Iterator[str]:
    """Run a peer that answers each connection with one piece for ever; give its URL."""
    ended = threading.Event()

    def talk(line: socket.socket) -> None:
        with line:
            try:
                line.sendall(first)
                while not ended.is_set():
                    if piece:
                        line.sendall(piece)
                    time.sleep(every_s)
            except OSError:
                return

    def listen(door: socket.socket) -> None:
        while not ended.is_set():
            try:
                line, _ = door.accept()
            except OSError:
                return
            threading.Thread(target=talk, args=(line,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as door:
        threading.Thread(target=listen, args=(door,), daemon=True).start()
        yield f"http://127.0.0.1:{door.getsockname()[1]}/"
        ended.set()
        door.shutdown(socket.SHUT_RDWR)
