"""A file in memory that writers fill and a stream empties."""

import io
from typing import Any


class StreamBuffer(io.RawIOBase):
    """A write-only file that cannot seek. `take` empties it."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._written = 0

    def write(self, piece: Any, /) -> int:
        """Keep a copy of some bytes."""
        self._pieces.append(bytes(piece))
        self._written += len(self._pieces[-1])
        return len(self._pieces[-1])

    def writable(self) -> bool:
        """It takes bytes."""
        return True

    def take(self) -> bytes:
        """Return what was written since the last call."""
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class CountingBuffer(StreamBuffer):
    """A buffer that says how many bytes it has taken in all, as Parquet needs."""

    def tell(self) -> int:
        """Return the number of bytes written so far."""
        return self._written
