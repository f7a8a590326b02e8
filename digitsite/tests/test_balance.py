"""Connections are spread evenly over processes, whoever wakes first."""

import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from gunicorn.config import Config

from digitsite.balance import BalancedWorker, Board, seat
from tools.server import Server, serving

CONNECTIONS = 16


class TestBoard:
    def test_gives_each_process_a_place_of_its_own(self) -> None:
        board = Board(3)

        assert [board.take_place() for _ in range(3)] == [0, 1, 2]

        board.leave(1)
        assert board.take_place() == 1

    def test_tells_who_has_more_than_another(self) -> None:
        board = Board(4)
        few, many = board.take_place(), board.take_place()
        board.write(many, 3)
        board.write(few, 2)

        assert board.has_more_than_another(many)
        assert not board.has_more_than_another(few)

    def test_tells_equals_apart_by_nothing(self) -> None:
        board = Board(4)
        for _ in range(2):
            board.write(board.take_place(), 2)

        assert not board.has_more_than_another(0)
        assert not board.has_more_than_another(1)

    def test_counts_no_process_that_has_ended(self) -> None:
        board = Board(4)
        ended, left = board.take_place(), board.take_place()
        board.write(left, 3)
        assert board.has_more_than_another(left)

        board.leave(ended)

        assert not board.has_more_than_another(left)


class TestBalancedWorker:
    @pytest.fixture
    def worker(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[BalancedWorker]:
        """Make one of two, which notes the connections that it takes."""
        monkeypatch.setattr(BalancedWorker, "board", Board(2), raising=False)
        made = BalancedWorker(1, os.getpid(), [], None, 30, Config(), logging)
        seat(None, made)
        made.board.take_place()
        made.taken = []
        monkeypatch.setattr(made, "enqueue_req", made.taken.append)
        yield made
        made.tmp.close()
        for connection in made.taken:
            connection.close()

    @pytest.fixture
    def listener(self) -> Iterator[socket.socket]:
        """Listen, with somebody who waits to be let in."""
        with (
            socket.create_server(("127.0.0.1", 0)) as made,
            socket.create_connection(made.getsockname()),
        ):
            made.setblocking(False)
            yield made

    def test_leaves_a_connection_to_one_that_has_fewer(
        self,
        worker: BalancedWorker,
        listener: socket.socket,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        worker.nr_conns = 1
        monkeypatch.setattr(time, "sleep", lambda _: listener.accept()[0].close())

        worker.accept(listener)

        assert (worker.taken, worker.nr_conns) == ([], 1)

    def test_takes_it_where_the_other_does_not(
        self, worker: BalancedWorker, listener: socket.socket
    ) -> None:
        worker.nr_conns = 1

        worker.accept(listener)

        assert (len(worker.taken), worker.nr_conns) == (1, 2)

    def test_waits_for_nobody_that_has_as_many(
        self,
        worker: BalancedWorker,
        listener: socket.socket,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(time, "sleep", pytest.fail)

        worker.accept(listener)

        assert len(worker.taken) == 1


def test_no_process_takes_nearly_all_connections(tmp_path: Path) -> None:
    with serving(tmp_path) as server, ExitStack() as opened:
        before = settled(server)
        # All at once, as a load generator or a proxy opens them.
        for caller in [
            opened.enter_context(connect(server)) for _ in range(CONNECTIONS)
        ]:
            ask(caller, server)

        more = [
            now - then for now, then in zip(sockets_of(server), before, strict=True)
        ]

    assert sum(more) == CONNECTIONS
    assert min(more) >= CONNECTIONS // 4


def connect(server: Server) -> socket.socket:
    """Open a connection."""
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def ask(opened: socket.socket, server: Server) -> None:
    """Have an answer over a connection, which stays open."""
    host = urlsplit(server.url).netloc
    opened.sendall(f"GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    assert opened.recv(4096).startswith(b"HTTP/1.1 200")


def settled(server: Server) -> list[int]:
    """Return the sockets of both processes, once they wait for their first caller."""
    stop_at, former = time.monotonic() + 20, [0]
    while (now := sockets_of(server)) != former or len(now) < 2:
        assert time.monotonic() < stop_at
        former = now
        time.sleep(0.2)
    return now


def sockets_of(server: Server) -> list[int]:
    """Count the open sockets of each process that answers requests."""
    return [
        sum(
            str(entry.readlink()).startswith("socket:")
            for entry in Path(f"/proc/{pid}/fd").iterdir()
        )
        for pid in server.workers()
    ]
