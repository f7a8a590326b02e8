"""Overload the site for a long time: does it stay fast, and does memory stay small?

    python -m bench.soak                    # 30 minutes at twice the capacity
    python -m bench.soak --minutes 5

First measures the capacity with 64 senders that each wait for their response. Then
sends drawings at a fixed rate without waiting (an open loop), and prints the responses
once a minute. Exits with 1 in any of these cases:

- a response was neither 201 nor 503;
- the 99th percentile of the waits exceeds 3 s for accepted or 0.6 s for refused calls;
- `/livez` took over 1 s;
- memory grew by over 5 % from the first fifth of the run to the last.

A run of at least 5 minutes at twice the capacity is saved in docs/performance/. The
sender uses the same cores, so the measured capacity is lower than the server's own.
"""

import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bench import report
from bench.machine import family, machine, memory_mb, today
from bench.samples import as_body
from mlcore.commands import command_parser
from mlcore.reading.specimens import specimens
from tools.server import serving

BODY = json.dumps(as_body(specimens()[0].strokes)).encode()
SENDERS, CAPACITY_S = 64, 8.0
LONGEST_S = 30.0
MOST_OPEN = 2000  # connections; drawings beyond that are counted as unsent
KEPT_S = 5.0  # for an idle connection; the server keeps it longer
STORED, REFUSED = 201, 503
KEPT_MINUTES, KEPT_TIMES = 5, 2.0  # fewest, to save the figures of a run


@dataclass
class Minute:
    """Responses to the drawings sent in a minute: seconds waited, by status."""

    waits: dict[int, list[float]] = field(default_factory=dict)
    livez_s: list[float] = field(default_factory=list)
    not_sent: int = 0

    def add(self, status: int, seconds: float) -> None:
        """Add a response; status 0 means that there was none."""
        self.waits.setdefault(status, []).append(seconds)


def session_to(url: str) -> aiohttp.ClientSession:
    """Open a session that reuses connections, as a proxy does, without cookies."""
    return aiohttp.ClientSession(
        url,
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=KEPT_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(LONGEST_S),
        headers={"Content-Type": "application/json"},
    )


async def send(session: aiohttp.ClientSession) -> int:
    """Send one drawing; return the response's status, 0 if there was none."""
    try:
        async with session.post("/api/v1/submissions/", data=BODY) as answer:
            await answer.read()
            return answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        print(f"No answer: {error!r}")
        return 0


async def measure_capacity(url: str) -> float:
    """Return drawings stored per second while each sender waits for its response."""
    stop_at = time.monotonic() + CAPACITY_S

    async def one_after_the_other() -> int:
        stored = 0
        while time.monotonic() < stop_at:
            stored += await send(session) == STORED
        return stored

    async with session_to(url) as session:
        stored = await asyncio.gather(*(one_after_the_other() for _ in range(SENDERS)))
    return sum(stored) / CAPACITY_S


async def flood(
    session: aiohttp.ClientSession, minute: Minute, *, rate: float, seconds: float
) -> None:
    """Send at a fixed rate; each wait counts from when the drawing was due."""
    began = time.monotonic()
    unanswered = 0

    async def one(due: float) -> None:
        nonlocal unanswered
        status = await send(session)
        unanswered -= 1
        minute.add(status, time.monotonic() - due)

    async with asyncio.TaskGroup() as group:
        for number in range(round(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            if unanswered >= MOST_OPEN:
                minute.not_sent += 1
                continue
            unanswered += 1
            group.create_task(one(due))


async def soak(url: str, *, rate: float) -> Minute:
    """Overload the site for a minute, and call `/livez` meanwhile."""
    minute = Minute()

    async def ask() -> None:
        while True:
            await asyncio.sleep(1)
            began = time.monotonic()
            async with session.get("/livez") as answer:
                answer.raise_for_status()
            minute.livez_s.append(time.monotonic() - began)

    async with session_to(url) as session, asyncio.TaskGroup() as group:
        asking = group.create_task(ask())
        await flood(session, minute, rate=rate, seconds=60)
        asking.cancel()
    return minute


def figures(minutes: Sequence[Minute], memory: Sequence[float]) -> dict[str, Any]:
    """Return the figures of all minutes, and of the memory in MB after each."""

    def waits(status: int) -> list[float]:
        found = sorted(wait for one in minutes for wait in one.waits.get(status, []))
        if not found:
            return [0.0, 0.0]
        p99 = found[int(0.99 * len(found))]
        return [round(statistics.median(found), 3), round(p99, 3)]

    answers: Counter[int] = Counter()
    for one in minutes:
        answers.update({status: len(waits) for status, waits in one.waits.items()})
    found = {
        "answers": dict(answers),
        "not_sent": sum(one.not_sent for one in minutes),
        "accepted_s": waits(STORED),
        "turned_away_s": waits(REFUSED),
        "livez_s": round(max(wait for one in minutes for wait in one.livez_s), 3),
        "memory_mb": [round(one) for one in memory],
    }
    return {**found, "faults": faults(found)}


def faults(found: dict[str, Any]) -> list[str]:
    """Return which limits were exceeded."""
    wrong = []
    odd = {s: n for s, n in found["answers"].items() if s not in (STORED, REFUSED)}
    if odd:
        wrong.append(f"other answers: {odd}")
    for what, p99, bar in (
        ("accepted", found["accepted_s"][1], 3.0),
        ("refused", found["turned_away_s"][1], 0.6),
        ("of /livez", found["livez_s"], 1.0),
    ):
        if p99 > bar:
            wrong.append(f"answers {what} took {p99:.2f} s, more than {bar:g} s")
    memory = found["memory_mb"]
    few = max(1, len(memory) // 5)
    first, last = statistics.mean(memory[:few]), statistics.mean(memory[-few:])
    if last > 1.05 * first:
        wrong.append(f"memory grew from {first:.0f} to {last:.0f} MB")
    return wrong


def main() -> None:
    """Measure the capacity, overload the site, and report the result."""
    parser = command_parser(__doc__)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--times", type=float, default=KEPT_TIMES, help="the capacity")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as var, serving(Path(var)) as server:
        capacity = asyncio.run(measure_capacity(server.url))
        rate = given.times * capacity
        print(f"Capacity {capacity:.0f} drawings a second; sent are {rate:.0f}.")
        minutes: list[Minute] = []
        memory: list[float] = []
        for number in range(given.minutes):
            minutes.append(asyncio.run(soak(server.url, rate=rate)))
            memory.append(memory_mb(family(server.processes()[0])))
            print(number + 1, figures(minutes[-1:], memory[-1:]), flush=True)
    kept = {
        "made": today(),
        "machine": machine(),
        "minutes": given.minutes,
        "capacity": round(capacity),
        "rate": round(rate),
        **figures(minutes, memory),
    }
    if given.minutes >= KEPT_MINUTES and given.times == KEPT_TIMES:
        report.keep("overload", kept)
    if kept["faults"]:
        sys.exit("Not as it should be: " + "; ".join(kept["faults"]) + ".")
    print("All as it should be.")


if __name__ == "__main__":
    main()
