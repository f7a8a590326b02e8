"""The process that answers requests: gunicorn's, with a line before its threads."""

import sys
from concurrent import futures
from typing import Any

from django.conf import settings
from gunicorn.workers.gthread import TConn

from digitsite.balance import BalancedWorker
from recognizer.rush import line

# The default, 5 ms, is what a thread that computes may keep from one that only has to
# say no, each time that one comes back from the network.
_SWITCH_S = 0.001
_PORTERS = 4  # threads that turn others away
_CLOSED = object()


class Worker(BalancedWorker):
    """Has porters turn away who would wait for too long, its threads being busy."""

    def init_process(self) -> None:
        """Begin to answer."""
        sys.setswitchinterval(_SWITCH_S)
        self.make_porters()
        super().init_process()

    def make_porters(self) -> None:
        """Have threads for those who come when it is too much."""
        self.porters = futures.ThreadPoolExecutor(
            _PORTERS, "porter", initializer=line.turn_away_here
        )

    def enqueue_req(self, conn: TConn) -> None:
        """Have a connection's next request answered: in turn, or at once with no."""
        if line.wait_s() > settings.LONGEST_WAIT_S:
            answer = self.porters.submit(self.answer, conn)
        else:
            line.come()
            answer = self.tpool.submit(self.handle_in_turn, conn)
        answer.add_done_callback(
            lambda done: self.method_queue.defer(self.finish_request, conn, done)
        )

    def handle_in_turn(self, conn: TConn) -> Any:
        """Answer who has come to the head of the line."""
        line.be_seen()
        return self.answer(conn)

    def answer(self, conn: TConn) -> Any:
        """Answer, and say goodbye here: the main thread shall wait for no client."""
        goes_on = self.handle(conn)
        if goes_on is False:
            conn.close(graceful=True)
            return _CLOSED
        return goes_on

    def finish_request(self, conn: TConn, done: "futures.Future[Any]") -> None:
        """Wait for a connection's next request, or forget it."""
        if not done.cancelled() and not done.exception() and done.result() is _CLOSED:
            self.nr_conns -= 1
        else:
            super().finish_request(conn, done)
