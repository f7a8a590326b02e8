"""A ZIP archive written while it is sent.

The standard library's zipfile writes it; it keeps 0.6 kB of each entry until the end.
"""

from collections.abc import Iterable, Iterator
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo


class _Buffer:
    """A file that cannot be sought in: what was written is taken away again."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes, /) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


class ZipStream:
    """Yields an archive piece by piece: `add` each entry, then `finish`."""

    def __init__(self) -> None:
        self._buffer = _Buffer()
        self._archive = ZipFile(self._buffer, "w")

    def add(self, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
        """Compress one entry while its content arrives."""
        entry = ZipInfo(name)  # dated 1980, the format's zero: who drew when is inside
        entry.compress_type = ZIP_DEFLATED
        with self._archive.open(entry, "w", force_zip64=True) as file:
            for piece in content:
                file.write(piece)
                yield self._buffer.take()
        yield self._buffer.take()

    def finish(self) -> Iterator[bytes]:
        """Send the directory of all entries and end the archive."""
        self._archive.close()
        yield self._buffer.take()
