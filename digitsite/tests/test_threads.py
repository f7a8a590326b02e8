"""Work goes to the thread that worked last, and all of it is done."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError, wait

import pytest

from digitsite.threads import WarmThreads

SOON_S = 10


@pytest.fixture
def threads() -> Iterator[WarmThreads]:
    threads = WarmThreads(3)
    yield threads
    threads.shutdown()


def occupy(threads: WarmThreads, number: int) -> list[threading.Event]:
    """Have so many threads work, each until its event is set."""
    gates = [threading.Event() for _ in range(number)]
    started = threading.Semaphore(0)

    def work(gate: threading.Event) -> None:
        started.release()
        assert gate.wait(SOON_S)

    for gate in gates:
        threads.submit(work, gate)
    for _ in gates:
        assert started.acquire(timeout=SOON_S)
    return gates


def wait_until_idle(threads: WarmThreads, number: int) -> None:
    deadline = time.monotonic() + SOON_S
    while len(threads._idle) < number and time.monotonic() < deadline:
        time.sleep(0.001)
    assert len(threads._idle) == number


class TestWarmThreads:
    def test_give_work_to_who_worked_last(self, threads: WarmThreads) -> None:
        for gate in occupy(threads, 3):
            gate.set()
        wait_until_idle(threads, 3)

        by = []
        for _ in range(6):
            by.append(threads.submit(threading.get_ident).result(SOON_S))
            wait_until_idle(threads, 3)

        assert len(set(by)) == 1

    def test_begin_no_more_than_are_needed(self, threads: WarmThreads) -> None:
        for _ in range(5):
            threads.submit(int).result(SOON_S)
            wait_until_idle(threads, 1)

        assert len(threads._threads) == 1

    def test_do_first_what_came_first_where_all_are_busy(
        self, threads: WarmThreads
    ) -> None:
        gates = occupy(threads, 3)
        done: list[int] = []
        futures = [threads.submit(done.append, number) for number in range(5)]
        assert done == []

        gates[0].set()
        wait(futures, SOON_S)
        for gate in gates:
            gate.set()

        assert done == [0, 1, 2, 3, 4]

    def test_hand_back_what_was_returned_or_raised(self, threads: WarmThreads) -> None:
        assert threads.submit(max, 3, 7).result(SOON_S) == 7
        with pytest.raises(ValueError, match="invalid literal"):
            threads.submit(int, "seven").result(SOON_S)
        assert threads.submit(int, "7", base=8).result(SOON_S) == 7

    def test_finish_what_was_taken_when_told_to_end(self) -> None:
        threads = WarmThreads(1)
        (gate,) = occupy(threads, 1)
        last = threads.submit(int, "7")
        threads.shutdown(wait=False)
        with pytest.raises(RuntimeError):
            threads.submit(int)

        gate.set()
        threads.shutdown()

        assert last.result(0) == 7
        assert not any(thread.is_alive() for thread in threads._threads)

    def test_drop_what_waits_where_that_is_asked_for(self) -> None:
        threads = WarmThreads(1)
        (gate,) = occupy(threads, 1)
        last = threads.submit(int, "7")
        threads.shutdown(wait=False, cancel_futures=True)
        gate.set()
        threads.shutdown()

        with pytest.raises(CancelledError):
            last.result(0)
