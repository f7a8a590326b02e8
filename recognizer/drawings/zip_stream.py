"""A ZIP archive written while it is sent, in memory that does not grow with it.

The standard library's zipfile keeps each entry's record until the end, 0.6 kB a piece:
600 MB at a million drawings. Here the records wait in a temporary file, and all sizes
are written as ZIP64, so that nothing has to be known beforehand.

Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3.
"""

import struct
import tempfile
import zlib
from collections.abc import Iterable, Iterator

_NEEDS_ZIP64 = 45
_FLAGS = 0x0808  # sizes follow the content; names are UTF-8
_DEFLATED = 8
_DATE = (1 << 5) | 1  # 1 January 1980, the format's zero: who drew when is inside
_IN_ZIP64 = 0xFFFFFFFF


class ZipStream:
    """Yields an archive piece by piece: `add` each entry, then `finish`."""

    def __init__(self) -> None:
        self._records = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `finish`
        self._entries = 0
        self._offset = 0

    def add(self, name: str, content: Iterable[bytes]) -> Iterator[bytes]:
        """Compress one entry while its content arrives."""
        start, encoded = self._offset, name.encode()
        yield self._sent(
            struct.pack(
                "<IHHHHHIIIHH",
                *(0x04034B50, _NEEDS_ZIP64, _FLAGS, _DEFLATED, 0, _DATE),
                *(0, _IN_ZIP64, _IN_ZIP64, len(encoded), 20),
            )
            + encoded
            + struct.pack("<HHQQ", 1, 16, 0, 0)
        )
        packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        checksum = size = 0
        body = self._offset
        for piece in content:
            checksum = zlib.crc32(piece, checksum)
            size += len(piece)
            if packed := packer.compress(piece):
                yield self._sent(packed)
        yield self._sent(packer.flush())
        packed_size = self._offset - body
        yield self._sent(struct.pack("<IIQQ", 0x08074B50, checksum, packed_size, size))
        self._records.write(
            struct.pack(
                "<IHHHHHHIIIHHHHHII",
                *(0x02014B50, _NEEDS_ZIP64, _NEEDS_ZIP64, _FLAGS, _DEFLATED, 0, _DATE),
                *(checksum, _IN_ZIP64, _IN_ZIP64, len(encoded), 28),
                *(0, 0, 0, 0, _IN_ZIP64),
            )
            + encoded
            + struct.pack("<HHQQQ", 1, 24, size, packed_size, start)
        )
        self._entries += 1

    def finish(self) -> Iterator[bytes]:
        """Send the directory of all entries and end the archive."""
        start = self._offset
        with self._records as records:
            records.seek(0)
            while piece := records.read(1 << 16):
                yield self._sent(piece)
        end = self._offset
        yield struct.pack(
            "<IQHHIIQQQQ",
            *(0x06064B50, 44, _NEEDS_ZIP64, _NEEDS_ZIP64, 0, 0),
            *(self._entries, self._entries, end - start, start),
        )
        yield struct.pack("<IIQI", 0x07064B50, 0, end, 1)
        yield struct.pack(
            "<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, _IN_ZIP64, _IN_ZIP64, 0
        )

    def _sent(self, piece: bytes) -> bytes:
        self._offset += len(piece)
        return piece
