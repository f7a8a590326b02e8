"""A mail server of the tests' own: takes mail by SMTP and keeps it."""

import email
import email.message
import email.policy
import queue
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _Conversation(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client that hands in one mail needs."""

    server: "_Office"

    def handle(self) -> None:
        self._say("220 ready")
        while line := self.rfile.readline().strip().upper():
            if line.startswith(b"DATA"):
                self._say("354 go on")
                self.server.received.put(self._content())
            if line.startswith(b"QUIT"):
                self._say("221 bye")
                return
            self._say("250 yes")

    def _content(self) -> bytes:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line.removeprefix(b".") if line.startswith(b"..") else line)
        return b"".join(lines)

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())


class _Office(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.received: queue.Queue[bytes] = queue.Queue()


class Post:
    """What was handed in, and where."""

    def __init__(self, port: int, received: "queue.Queue[bytes]") -> None:
        self.url = f"smtp://127.0.0.1:{port}?from=digits@example.org"
        self._received = received

    def next(self) -> email.message.EmailMessage:
        """Wait for the next mail."""
        content = self._received.get(timeout=10)
        return email.message_from_bytes(content, policy=email.policy.default)


@contextmanager
def post_office() -> Iterator[Post]:
    """Take mail while the block runs."""
    with _Office() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Post(server.server_address[1], server.received)
        server.shutdown()
