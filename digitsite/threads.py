"""Threads to answer requests in, of which as few work as there is work for."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

_Work = tuple["Future[Any]", Callable[[], Any]]


class WarmThreads(Executor):
    """Gives work to the thread that worked last, of those that are idle.

    `ThreadPoolExecutor` wakes who has been idle for longest, so all take turns, each
    with a connection to the database of its own, and statements and pages that it has
    to fetch into the processor's cache anew. Of 32 threads here five work where five
    callers call, and the others are there for slow senders; a reading takes a tenth
    less processor time.
    """

    def __init__(self, most: int) -> None:
        """Take how many threads there may be; each is begun when it is needed."""
        self._most = most
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        # Of the idle threads, whoever became idle last at the end.
        self._idle: list[SimpleQueue[_Work | None]] = []
        self._waiting: deque[_Work] = deque()
        self._is_shut = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> "Future[T]":
        """Have a function called by a thread; raises RuntimeError after shutdown."""
        future: Future[T] = Future()
        work = future, partial(fn, *args, **kwargs)
        with self._lock:
            if self._is_shut:
                raise RuntimeError("The threads were told to end.")
            if self._idle:
                self._idle.pop().put(work)
            elif len(self._threads) < self._most:
                mine: SimpleQueue[_Work | None] = SimpleQueue()
                mine.put(work)
                thread = threading.Thread(target=self._go_on, args=[mine])
                thread.start()  # counted once it is there
                self._threads.append(thread)
            else:
                self._waiting.append(work)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work and end once what was taken is done, or dropped."""
        with self._lock:
            self._is_shut = True
            dropped = list(self._waiting) if cancel_futures else []
            if cancel_futures:
                self._waiting.clear()
            while self._idle:
                self._idle.pop().put(None)
        for future, _ in dropped:
            future.cancel()
        if wait:
            for thread in self._threads:
                thread.join()

    def _go_on(self, mine: "SimpleQueue[_Work | None]") -> None:
        while (work := mine.get()) is not None:
            _do(*work)
            del work  # nothing of a request is kept while waiting for the next
            with self._lock:
                if self._waiting:
                    mine.put(self._waiting.popleft())
                elif self._is_shut:
                    return
                else:
                    self._idle.append(mine)


def _do(future: "Future[Any]", call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    except BaseException as error:  # it is the caller's
        future.set_exception(error)
    else:
        future.set_result(result)
