"""A ZIP archive that is written while it is sent.

The standard library's zipfile keeps 0.6 kB per entry in memory until the end.
"""

from collections.abc import Iterable, Iterator
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from recognizer.drawings.stream_buffer import StreamBuffer


class ZipStream:
    """Yields an archive piece by piece: `add` each entry, then `finish`."""

    def __init__(self) -> None:
        self._buffer = StreamBuffer()
        self._archive = ZipFile(self._buffer, "w")

    def add(self, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
        """Yield one entry, compressed while its content arrives."""
        entry = ZipInfo(name)  # dated 1980, the earliest date of the format
        entry.compress_type = ZIP_DEFLATED
        with self._archive.open(entry, "w", force_zip64=True) as file:
            for piece in content:
                file.write(piece)
                yield self._buffer.take()
        yield self._buffer.take()

    def finish(self) -> Iterator[bytes]:
        """Yield the central directory, which ends the archive."""
        self._archive.close()
        yield self._buffer.take()
