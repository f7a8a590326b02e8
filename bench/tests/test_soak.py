"""What is found wrong with a soak, and how drawings are sent."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from bench import soak
from bench.soak import Minute


def minute(
    *, accepted: float = 0.5, refused: float = 0.01, other: int = 503, livez: float = 0
) -> Minute:
    """Return a minute of two hundred answers."""
    made = Minute(livez_s=[livez])
    for _ in range(100):
        made.add(201, accepted)
        made.add(other, refused)
    return made


class TestFaults:
    def test_are_none_of_a_good_run(self) -> None:
        found = soak.figures([minute()] * 5, [250, 251, 250, 252, 253])

        assert found["faults"] == []
        assert found["answers"] == {201: 500, 503: 500}
        assert found["accepted_s"] == [0.5, 0.5]

    @pytest.mark.parametrize(
        ("bad", "memory", "named"),
        [
            (minute(accepted=4), [250.0] * 5, "accepted"),
            (minute(refused=0.7), [250.0] * 5, "refused"),
            (minute(livez=1.2), [250.0] * 5, "livez"),
            (minute(other=500), [250.0] * 5, "500"),
            (minute(), [250.0, 254, 258, 260, 264], "grew"),
        ],
    )
    def test_are_named(self, bad: Minute, memory: list[float], named: str) -> None:
        faults = soak.figures([bad] * 5, memory)["faults"]

        assert len(faults) == 1
        assert named in faults[0]


class TestSend:
    def test_returns_the_status_or_0_where_no_answer_came(self) -> None:
        async def serve(r: asyncio.StreamReader, w: asyncio.StreamWriter) -> None:
            for part in (
                b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}",
                b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n",
            ):
                await r.readuntil(b"\r\n\r\n")
                await r.readexactly(len(soak.BODY))
                w.write(part)
            await r.readuntil(b"\r\n\r\n")
            w.close()

        async def ask() -> list[int]:
            server = await asyncio.start_server(serve, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async with server, soak.session_to(f"http://127.0.0.1:{port}") as session:
                return [await soak.send(session) for _ in range(3)]

        # In a thread: the browser's tests leave a loop that runs in this one.
        with ThreadPoolExecutor(1) as thread:
            assert thread.submit(asyncio.run, ask()).result() == [201, 503, 0]
