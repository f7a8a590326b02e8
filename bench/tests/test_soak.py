"""What is said of a soak, and what is found wrong with one."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench import soak
from bench.soak import Minute, Sender


def minute(*, accepted: float = 0.5, away: float = 0.01, other: int = 503) -> Minute:
    """Return a minute of two hundred answers."""
    made = Minute()
    for _ in range(100):
        made.add(201, accepted)
        made.add(other, away)
    return made


class TestFaults:
    def test_are_none_of_a_good_run(self) -> None:
        assert soak.faults([minute()] * 5, [250, 251, 250, 252, 253]) == []

    @pytest.mark.parametrize(
        ("bad", "memory", "named"),
        [
            (minute(accepted=6), [250.0] * 5, "accepted"),
            (minute(away=1.2), [250.0] * 5, "turned away"),
            (minute(other=500), [250.0] * 5, "500"),
            (minute(), [250.0, 260, 270, 280, 290], "grew"),
        ],
    )
    def test_are_named(self, bad: Minute, memory: list[float], named: str) -> None:
        found = soak.faults([bad] * 5, memory)

        assert len(found) == 1
        assert named in found[0]


class TestDocumentation:
    def test_says_what_was_kept(self) -> None:
        kept = json.loads(soak.FIGURES.read_text()) if soak.FIGURES.exists() else None

        assert f"{soak.BEGIN}\n{soak.words(kept)}\n{soak.END}" in soak.PAGE.read_text()

    def test_is_written_from_the_figures(self, tmp_path: Path) -> None:
        page = tmp_path / "page.md"
        page.write_text(f"before {soak.BEGIN}\nold\n{soak.END} after")
        run = soak.figures([minute()] * 2, [250, 251], capacity=300, rate=600)

        soak.write_words(page, json.loads(json.dumps(run)))

        said = page.read_text()
        assert said.startswith("before")
        assert said.endswith("after")
        assert "old" not in said
        assert "600 drawings a second for 2 minutes" in said
        assert "200 times 201, 200 times 503" in said


class TestSender:
    def test_waits_for_the_whole_answer_and_keeps_the_connection(self) -> None:
        connections = 0

        async def serve(r: asyncio.StreamReader, w: asyncio.StreamWriter) -> None:
            nonlocal connections
            connections += 1
            for parts in (
                (b"HTTP/1.1 201 Created\r\nContent-", b"Length: 2\r\n\r\n{", b"}"),
                (b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n",),
            ):
                head = await r.readuntil(b"\r\n\r\n")
                await r.readexactly(int(head.lower().split(b"length: ")[1].split()[0]))
                for part in parts:
                    w.write(part)
                    await w.drain()
                    await asyncio.sleep(0)
            await r.readuntil(b"\r\n\r\n")
            w.close()

        async def ask() -> list[int]:
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            async with server:
                sender = Sender(*server.sockets[0].getsockname()[:2])
                return [await sender.send() for _ in range(3)]

        # In a thread: the browser's tests leave a loop that runs in this one.
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(asyncio.run, ask()).result() == [201, 503, 0]
        assert connections == 1
