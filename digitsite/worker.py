"""The process that answers requests: gunicorn's, with a line before its threads."""

import select
import selectors
import socket
import sys
import threading
import time
from concurrent import futures
from email.utils import formatdate
from functools import lru_cache, partial
from typing import Any

from django.conf import settings
from gunicorn import util
from gunicorn.workers.gthread import TConn

from digitsite.balance import BalancedWorker
from digitsite.threads import WarmThreads
from recognizer.rush import Place, line

# The default, 5 ms, is what a thread that computes may keep from one that only has to
# say no, each time that one comes back from the network.
_SWITCH_S = 0.001
_PORTERS = 4  # threads that turn others away
_GOODBYE_S = 2.0  # for a client to close its side of a connection
_GOODBYE_BYTES = 1 << 16  # of what it still sends meanwhile


class Worker(BalancedWorker):
    """Has porters turn away who would wait for too long, its threads being busy."""

    def __init__(self, *told: Any) -> None:
        """Take what gunicorn tells its workers."""
        super().__init__(*told)
        # Connections that we have closed and the client has not, the oldest first,
        # with the bytes that are still taken from them.
        self.leaving: dict[TConn, int] = {}
        # Held while connections are added to those that are kept open, and listed.
        self.keeping = threading.Lock()

    def init_process(self) -> None:
        """Begin to answer."""
        sys.setswitchinterval(_SWITCH_S)
        util.http_date = http_date
        self.make_porters()
        super().init_process()

    def run(self) -> None:
        """Answer until told to end, and let who has a request finish it."""
        try:
            super().run()
        finally:  # told to end at once, or broken down
            self.tpool.shutdown(wait=False)

    def get_thread_pool(self) -> WarmThreads:
        """Return the threads that answer: gunicorn asks for them here."""
        return WarmThreads(self.cfg.threads)

    def make_porters(self) -> None:
        """Have threads for those who come when it is too much."""
        self.porters = futures.ThreadPoolExecutor(
            _PORTERS, "porter", initializer=line.turn_away_here
        )

    def enqueue_req(self, conn: TConn) -> None:
        """Have a connection's next request answered: in turn, or at once with no."""
        if line.wait_s() > settings.LONGEST_WAIT_S:
            answer = self.porters.submit(self.handle, conn)
        else:
            place = line.come(partial(has_hung_up, conn))
            answer = self.tpool.submit(self.handle_in_turn, conn, place)
        answer.add_done_callback(partial(self.on_answered, conn))

    def on_answered(self, conn: TConn, done: "futures.Future[Any]") -> None:
        """Have the poller wait for a connection's next request; called by its thread.

        gunicorn leaves that to the poller's own thread, which has to be woken for it at
        each request. Here it is woken for connections that are not simply kept open.
        """
        has_answer = not done.cancelled() and not done.exception()
        if not (has_answer and done.result() is True and self.keep_open(conn)):
            self.method_queue.defer(self.finish_request, conn, done)

    def keep_open(self, conn: TConn) -> bool:
        """Wait for a connection's next request, unless it is there or we are to end."""
        if conn.parser.unreader.buf.getvalue():
            return False
        try:
            conn.sock.setblocking(False)
        except OSError:  # the client has gone, and the server knows
            return False
        with self.keeping:
            if not self.alive:
                return False
            conn.set_timeout()
            self.keepalived_conns.append(conn)
            readable = partial(self.on_client_socket_readable, conn)
            try:
                self.poller.register(conn.sock, selectors.EVENT_READ, readable)
            except (OSError, ValueError, KeyError):
                self.keepalived_conns.remove(conn)
                return False
        return True

    def _cap_keepalive(self, deadline: float) -> None:
        """Let no connection be kept for long: gunicorn calls this when it is to end."""
        with self.keeping:
            self.alive = False  # from here on nobody is added to them
            super()._cap_keepalive(deadline)

    def handle_in_turn(self, conn: TConn, place: Place) -> Any:
        """Answer who has come to the head of the line, if they are still there."""
        return line.be_seen(place) and self.handle(conn)

    def finish_request(self, conn: TConn, done: "futures.Future[Any]") -> None:
        """Wait for a connection's next request, or say goodbye."""
        if done.cancelled() or (not done.exception() and not done.result()):
            self.say_goodbye(conn)
        else:
            super().finish_request(conn, done)

    def say_goodbye(self, conn: TConn) -> None:
        """Close our side of a connection, and the rest once the client has closed its.

        Closed at once, the kernel would drop our answer where the client still sends.
        The poller waits: neither this thread nor those that answer shall, for a client
        may keep its side open for as long as it likes.
        """
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:  # the client has gone
            self.forget(conn)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + _GOODBYE_S
        self.leaving[conn] = _GOODBYE_BYTES
        take = partial(self.on_leaving_readable, conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, take)

    def on_leaving_readable(self, conn: TConn, client: socket.socket) -> None:
        """Drop what a client sends after our goodbye; forget it after its own."""
        try:
            sent = client.recv(self.leaving[conn])
        except BlockingIOError:
            return
        except OSError:
            sent = b""
        self.leaving[conn] -= len(sent)
        if not sent or not self.leaving[conn]:
            self.stop_waiting_for(conn)

    def murder_pending(self) -> None:
        """Close what was waited for in vain: gunicorn calls this once a second."""
        super().murder_pending()
        now = time.monotonic()
        for conn in [one for one in self.leaving if one.timeout <= now]:
            self.stop_waiting_for(conn)

    def stop_waiting_for(self, conn: TConn) -> None:
        """Forget a connection, whether its client has closed it or not."""
        self.poller.unregister(conn.sock)
        del self.leaving[conn]
        self.forget(conn)

    def forget(self, conn: TConn) -> None:
        """Close a connection and count it no longer."""
        self.nr_conns -= 1
        conn.close()


def http_date(timestamp: float | None = None) -> str:
    """Word the Date of an answer: once a second, where gunicorn does it for each."""
    return _date_of(int(time.time() if timestamp is None else timestamp))


@lru_cache(4)
def _date_of(second: int) -> str:
    return formatdate(second, usegmt=True)


# The client has closed the side that it sends on, with or without the other; Linux
# tells it also where there is something to read before. A broken one is always told.
_HUNG_UP = getattr(select, "POLLRDHUP", 0)


def has_hung_up(conn: TConn) -> bool:
    """Return whether a client has gone, by what its system last said."""
    poller = select.poll()
    poller.register(conn.sock, _HUNG_UP)
    return bool(poller.poll(0))
