"""Send the real server more than it can take, for long: does it stay quick and small?

make soak                       # 30 minutes at twice the capacity
make soak ARGS="--minutes 2 --times 0.7"

First the capacity is measured: so many senders that each wait for their answer. Then
drawings are sent at a rate that waits for nobody (an open loop), times the capacity.
A line a minute says what became of them, how long the accepted and the turned away
waited, and what memory the server's processes have (Pss, so that what they share counts
once). Ends with 1 where an answer was no 201, 429 or 503, where one in a hundred of
those turned away waited over a second or of the accepted over five, or where memory
grew by more than a tenth from the first fifth of the run to the last. A whole run is
kept in docs/soak.json, and its words in docs/operations.md.

Senders and server share this machine's cores, so the capacity is lower than alone.
"""

import argparse
import asyncio
import json
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from tqdm import tqdm

from bench.stores import machine
from mlcore import places
from tools.server import Server, serving

DRAWING = {
    "strokes": [[[70, 70], [130, 68], [205, 66], [170, 140], [125, 225]]],
    "width": 280,
    "height": 280,
}
SENDERS, CAPACITY_S = 64, 8.0
LONGEST_S = 30.0
MOST_OPEN = 2000  # connections; one more is not sent, and counted as such
KEPT_S = 5.0  # an unused connection; the server keeps them longer
TURNED_AWAY = (429, 503)
KEPT_MINUTES, KEPT_TIMES = 30, 2.0  # of a run whose figures are kept
FIGURES = places.REPOSITORY / "docs" / "soak.json"
PAGE = FIGURES.with_name("operations.md")
BEGIN, END = "<!-- soak -->", "<!-- end of soak -->"
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")


@dataclass
class Minute:
    """What became of the drawings sent in a minute: seconds each status waited."""

    waits: dict[int, list[float]] = field(default_factory=dict)
    not_sent: int = 0

    def add(self, status: int, seconds: float) -> None:
        """Note an answer; 0 is none at all."""
        self.waits.setdefault(status, []).append(seconds)

    def of(self, *statuses: int) -> list[float]:
        """Return the waits of some statuses."""
        return [wait for status in statuses for wait in self.waits.get(status, [])]

    def counts(self) -> Counter[int]:
        """Return how many there were of each status."""
        return Counter({status: len(waits) for status, waits in self.waits.items()})


class Connection(asyncio.Protocol):
    """Sends one drawing after the other and waits for the answer to each."""

    transport: asyncio.Transport
    answered_at: float
    _answer: bytes
    _done: Callable[[int], None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be there."""
        self.transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, done: Callable[[int], None]) -> None:
        """Send; done gets the status of the answer, 0 where none comes."""
        self._answer, self._done = b"", done
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Take in a part of an answer."""
        self._answer += data
        head, is_whole, body = self._answer.partition(b"\r\n\r\n")
        if is_whole and len(body) >= int(_LENGTH.findall(head)[0]):
            self._tell(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell who waits that nothing comes."""
        self._tell(0)

    def _tell(self, status: int) -> None:
        done, self._done = self._done, None
        if done:
            self.answered_at = time.monotonic()
            done(status)


class Sender:
    """Sends drawings over kept connections, as a proxy does, as many as it takes."""

    def __init__(self, host: str, port: int) -> None:
        body = json.dumps(DRAWING).encode()
        head = (
            f"POST /api/v1/submissions/ HTTP/1.1\r\nHost: {host}:{port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._address, self._request = (host, port), head.encode() + body
        self._idle: list[Connection] = []  # the last used is used first

    async def send(self) -> int:
        """Send one drawing; return the status of the answer, 0 where none came."""
        try:
            async with asyncio.timeout(LONGEST_S):
                connection = await self._connection()
                answer = asyncio.get_running_loop().create_future()
                connection.send(self._request, answer.set_result)
                status = await answer
        except (OSError, TimeoutError) as error:
            tqdm.write(f"No answer: {error!r}")
            return 0
        if status:
            self._idle.append(connection)
        else:
            tqdm.write("No answer: the server closed the connection.")
        return status

    def close(self) -> None:
        """Hang up; what stays open would count against the server's connections."""
        for connection in self._idle:
            connection.transport.close()
        self._idle.clear()

    async def _connection(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            is_fresh = time.monotonic() - connection.answered_at < KEPT_S
            if is_fresh and not connection.transport.is_closing():
                return connection
            connection.transport.close()
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(Connection, *self._address))[1]


async def capacity(sender: Sender) -> float:
    """Return drawings stored a second while every sender waits for its answer."""
    stop_at = time.monotonic() + CAPACITY_S

    async def one_after_the_other() -> int:
        stored = 0
        while time.monotonic() < stop_at:
            stored += await sender.send() == 201
        return stored

    stored = await asyncio.gather(*(one_after_the_other() for _ in range(SENDERS)))
    sender.close()
    return sum(stored) / CAPACITY_S


async def flood(sender: Sender, *, rate: float, seconds: float) -> Minute:
    """Send at a rate that waits for no answer; waits count from when one was due."""
    minute, began = Minute(), time.monotonic()
    running: set[asyncio.Task[None]] = set()

    async def one(due: float) -> None:
        status = await sender.send()
        minute.add(status, time.monotonic() - due)

    for number in range(round(rate * seconds)):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if len(running) >= MOST_OPEN:
            minute.not_sent += 1
            continue
        task = asyncio.create_task(one(due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    sender.close()
    return minute


def memory_mb(server: Server) -> float:
    """Return what the server and its processes have in memory."""
    total = 0
    for pid in server.processes():
        try:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue  # ended meanwhile: ps itself
        total += next(
            int(line.split()[1])
            for line in text.splitlines()
            if line.startswith("Pss:")
        )
    return total / 1024


def median(waits: Sequence[float]) -> float:
    """Return what half of all waited at most; 0 of none."""
    return statistics.median(waits) if waits else 0.0


def p99(waits: Sequence[float]) -> float:
    """Return what one in a hundred waited longer than; 0 of none."""
    return statistics.quantiles(waits, n=100)[98] if len(waits) > 1 else sum(waits)


def line_of(number: int, minute: Minute, megabytes: float) -> str:
    """Write a minute as a line."""
    accepted, away = minute.of(201), minute.of(*TURNED_AWAY)
    statuses = ", ".join(f"{n:,} x {s}" for s, n in sorted(minute.counts().items()))
    words = [
        f"{number:3}: {statuses}",
        f"accepted waited {median(accepted):.2f} s, 99 % at most {p99(accepted):.2f} s",
        f"turned away {median(away):.3f} s, 99 % at most {p99(away):.3f} s",
        f"{megabytes:.0f} MB",
    ]
    if minute.not_sent:
        words.append(f"{minute.not_sent:,} not sent")
    return "; ".join(words)


def faults(minutes: Sequence[Minute], memory: Sequence[float]) -> list[str]:
    """Return what is not as it should be."""
    found = []
    odd = sum((m.counts() for m in minutes), Counter[int]())
    for status in (201, *TURNED_AWAY):
        del odd[status]
    if odd:
        found.append(f"other answers: {dict(odd)}")
    accepted = [wait for m in minutes for wait in m.of(201)]
    away = [wait for m in minutes for wait in m.of(*TURNED_AWAY)]
    if p99(accepted) > 5:
        found.append(f"one accepted in a hundred waited over {p99(accepted):.1f} s")
    if p99(away) > 1:
        found.append(f"one turned away in a hundred waited over {p99(away):.1f} s")
    few = max(1, len(memory) // 5)
    first, last = statistics.mean(memory[:few]), statistics.mean(memory[-few:])
    if len(memory) > 1 and last > 1.1 * first:
        found.append(f"memory grew from {first:.0f} to {last:.0f} MB")
    return found


def figures(
    minutes: Sequence[Minute], memory: Sequence[float], *, capacity: float, rate: float
) -> dict[str, Any]:
    """Return what is kept of a run."""
    accepted = [wait for m in minutes for wait in m.of(201)]
    away = [wait for m in minutes for wait in m.of(*TURNED_AWAY)]
    return {
        "made": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": machine(),
        "minutes": len(minutes),
        "capacity": round(capacity),
        "rate": round(rate),
        "answers": sum((m.counts() for m in minutes), Counter[int]()),
        "not_sent": sum(m.not_sent for m in minutes),
        "accepted_s": [round(median(accepted), 3), round(p99(accepted), 3)],
        "turned_away_s": [round(median(away), 3), round(p99(away), 3)],
        "memory_mb": [round(m) for m in memory],
        "faults": faults(minutes, memory),
    }


def words(kept: dict[str, Any] | None) -> str:
    """Say for the documentation what a run showed; None where none was kept."""
    if kept is None:
        return "No run of half an hour has been kept yet."
    accepted, away = kept["accepted_s"], kept["turned_away_s"]
    memory = kept["memory_mb"]
    answers = ", ".join(f"{n:,} times {s}" for s, n in sorted(kept["answers"].items()))
    judged = "; ".join(kept["faults"]) or "all as it should be"
    return (
        f"{kept['rate']:,} drawings a second for {kept['minutes']} minutes, where "
        f"{kept['capacity']:,} could be stored: {answers}. Accepted waited "
        f"{accepted[0]:.2f} s (99 % at most {accepted[1]:.2f} s), turned away "
        f"{away[0]:.3f} s (99 % at most {away[1]:.3f} s). Memory: {memory[0]} MB after "
        f"the first minute, {memory[-1]} after the last, {max(memory)} at most. "
        f"Judgement: {judged}.\n\n"
        f"`make soak`, {kept['made']}, {kept['machine']}; the sender had its share of "
        "the same cores."
    )


def write_words(page: Path, kept: dict[str, Any] | None) -> None:
    """Put them between their marks in the documentation."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n{words(kept)}\n{END}{after}")


def main() -> None:
    """Measure the capacity, then send more for long; print, keep, and judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=int, default=KEPT_MINUTES)
    parser.add_argument("--times", type=float, default=KEPT_TIMES, help="the capacity")
    told = parser.parse_args()
    if told.minutes < 1 or told.times <= 0:
        parser.error("--minutes is at least 1 and --times more than 0.")
    with tempfile.TemporaryDirectory() as var, serving(Path(var)) as server:
        address = urlsplit(server.url)
        host, port = str(address.hostname), int(address.port or 80)
        each_second = asyncio.run(capacity(Sender(host, port)))
        rate = told.times * each_second
        print(
            f"Capacity {each_second:.0f} drawings a second; sent are {rate:.0f}.",
            flush=True,
        )
        minutes: list[Minute] = []
        memory: list[float] = []
        for number in tqdm(range(1, told.minutes + 1), unit="min", disable=None):
            minutes.append(
                asyncio.run(flood(Sender(host, port), rate=rate, seconds=60))
            )
            memory.append(memory_mb(server))
            tqdm.write(line_of(number, minutes[-1], memory[-1]))
            sys.stdout.flush()
    kept = figures(minutes, memory, capacity=each_second, rate=rate)
    if told.minutes >= KEPT_MINUTES and told.times == KEPT_TIMES:
        FIGURES.write_text(json.dumps(kept, indent=1) + "\n")
        write_words(PAGE, json.loads(FIGURES.read_text()))
    if kept["faults"]:
        sys.exit("Not as it should be: " + "; ".join(kept["faults"]) + ".")
    print("All as it should be.")


if __name__ == "__main__":
    main()
