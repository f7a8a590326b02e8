"""Keep only those parts of a picture file that its pixels need; bound their cost.

Decoders parse comments, profiles, EXIF data and later frames in ways whose time and
memory can grow with the square of a file's size. What is dropped here never reaches
them. What is kept costs time in proportion to its bytes, or to its pixels times the
passes over them, and both are limited before decoding. So no decoder needs a timeout.
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

MAX_PIXELS = 50_000_000
"""Of JPEGs, which are decoded at a reduced size, and of grey pictures."""
MAX_COLOUR_PIXELS = 12_500_000
"""Of other pictures: a WebP of this size takes 240 MB to decode."""
MAX_PIXEL_PASSES = 500_000_000
"""Pixels times scans of a progressive JPEG; this many take about half a second."""
MAX_COEFFICIENTS = 80_000_000
"""Of a progressive JPEG, which is held whole in memory, two bytes for each."""
MAX_PARTS = 20_000
"""Chunks, segments or blocks of a file. Writers use 8 kB and more for each."""
MAX_RUN_LENGTH_PIXELS = 1_000_000
"""Of a BMP with run-length encoding, which Pillow decodes in Python."""


class PictureError(ValueError):
    """The bytes are not a picture that can be read.

    code: why. kind: the type of a file that is not read, if it is known.
    """

    def __init__(self, code: str, message: str, *, kind: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.kind = kind


class _DamagedError(Exception):
    """The file does not follow its format."""


@dataclass
class Parts:
    """What is kept of a file.

    metadata: pieces that may tell the orientation. passes: scans over the pixels.
    is_buffered: whether a decoder holds the whole JPEG before it yields pixels.
    """

    kept: list[bytes] = field(default_factory=list)
    metadata: list[bytes] = field(default_factory=list)
    passes: int = 1
    is_buffered: bool = False

    @property
    def content(self) -> bytes:
        """A file with the kept parts alone."""
        return b"".join(self.kept)

    def orientation(self) -> int:
        """Return the EXIF orientation, 1 to 8; 1 if none is told."""
        pieces = (data.removeprefix(b"Exif\0\0") for data in self.metadata)
        exif = next((piece for piece in pieces if piece[:4] in _TIFF), b"")
        if told := _exif_orientation(exif):
            return told
        for data in self.metadata:
            if found := _XMP_ORIENTATION.search(data):
                return int(found[1])
        return 1


_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_TIFF = {b"II*\0": "<", b"MM\0*": ">"}
_ORIENTATION_TAG = 0x0112
_INTEGER_BYTES = {1: 1, 3: 2, 4: 4}  # by EXIF type: byte, short, long


def parts_of(content: bytes) -> Parts:
    """Take a file apart; a file of another format is kept as it is.

    Raises:
        PictureError: damaged, too costly to decode, or a variant that is not read.
    """
    try:
        if content.startswith(b"\xff\xd8\xff"):
            return _jpeg(content)
        if content.startswith(_PNG):
            return _png(content)
        if content.startswith((b"GIF87a", b"GIF89a")):
            return _gif(content)
        if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
            return _webp(content)
        if content.startswith(b"BM"):
            _check_bmp(content)
    except (_DamagedError, struct.error, IndexError) as error:
        raise PictureError(
            "damaged_image",
            "The picture is damaged or cut off: save it again and send the new file.",
        ) from error
    return Parts([content])


def _steps() -> Iterator[int]:
    yield from range(MAX_PARTS)
    raise too_costly(f"it has more than {MAX_PARTS:,} parts")


def too_costly(reason: str) -> PictureError:
    """Return the error for a picture that would take too long to decode."""
    return PictureError(
        "too_costly",
        f"The picture takes too long to decode: {reason}. Save it as a plain PNG or a "
        "baseline JPEG and send that.",
    )


# --- JPEG ----------------------------------------------------------------------------

# A marker is 0xFF and a byte that is neither 0 (an escaped 0xFF) nor 0xFF (padding).
_MARKER = re.compile(rb"\xff([^\x00\xff])")
# Each scan's header has this form, wherever a decoder finds it.
_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
_SOI, _EOI, _SOS, _EXIF = 0xD8, 0xD9, 0xDA, 0xE1
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
# Frames, Huffman and quantization tables, restarts, JFIF, and Adobe's colour model.
_NEEDED = {_BASELINE, _EXTENDED, _PROGRESSIVE, 0xC4, 0xDB, 0xDD, 0xE0, 0xEE}


def _jpeg(content: bytes) -> Parts:
    parts, at, frame, is_progressive = Parts([content[:2]]), 2, b"", False
    for _ in _steps():
        marker = _MARKER.search(content, at)
        if marker is None:
            raise _DamagedError
        code, at = marker[1][0], marker.end()
        if code < min(_FRAMES) or 0xD0 <= code <= _SOI:
            continue  # these have no length
        end = at + int.from_bytes(content[at : at + 2])
        data = content[at + 2 : end]
        if code == _EOI or end < at + 2:
            raise _DamagedError
        if code == _SOS:
            parts.kept.append(content[marker.start() :])
            break
        if code in _FRAMES:
            if frame:
                raise _DamagedError
            frame, is_progressive = data, code == _PROGRESSIVE
            if code not in _NEEDED:
                kind = "JPEG with arithmetic or lossless coding"
                raise PictureError(
                    "not_an_image",
                    f"This file is a {kind}: save it as a baseline JPEG and send that.",
                    kind=kind,
                )
        if code in _NEEDED:
            parts.kept.append(content[marker.start() : end])
        elif code == _EXIF:
            parts.metadata.append(data)
        at = end
    has_all_components = bool(frame and data) and data[0] == frame[5]
    if is_progressive or not has_all_components:
        parts.is_buffered = True
        parts.passes = len(_SCAN.findall(parts.kept[-1]))
        _check_scans(frame, parts.passes)
    return parts


def _check_scans(frame: bytes, passes: int) -> None:
    """Refuse what takes long or fills memory: all scans are gone over and kept."""
    height, width, number = struct.unpack_from(">HHB", frame, 1)
    samplings = [frame[7 + 3 * index] for index in range(number)]
    across = [max(1, sampling >> 4) for sampling in samplings]
    down = [max(1, sampling & 15) for sampling in samplings]
    if not number:
        raise _DamagedError
    unit = 64 * max(across) * max(down)
    units = -(-width // (8 * max(across))) * -(-height // (8 * max(down)))
    blocks = sum(a * d for a, d in zip(across, down, strict=True))
    if units * blocks * 64 > MAX_COEFFICIENTS:
        raise too_costly(
            f"a progressive JPEG may have {MAX_COEFFICIENTS:,} coefficients, and this "
            f"one has {units * blocks * 64:,}"
        )
    if units * unit * passes > MAX_PIXEL_PASSES:
        raise too_costly(f"its {width * height:,} pixels have {passes:,} scans")


# --- PNG -----------------------------------------------------------------------------

_PNG = b"\x89PNG\r\n\x1a\n"


def _png(content: bytes) -> Parts:
    parts, at, needed = Parts([_PNG]), len(_PNG), {b"IHDR", b"PLTE", b"tRNS", b"IDAT"}
    for _ in _steps():
        if at + 8 > len(content):
            break
        length, kind = struct.unpack_from(">I4s", content, at)
        end = at + 12 + length
        if kind in needed or kind == b"IEND":
            parts.kept.append(content[at:end])
        elif kind in (b"eXIf", b"iTXt"):
            parts.metadata.append(content[at + 8 : end - 4])
        if kind == b"IDAT":
            needed = {b"IDAT"}
        if kind == b"IEND":
            break
        at = end
    return parts


# --- GIF -----------------------------------------------------------------------------

_IMAGE, _EXTENSION, _CONTROL = 0x2C, 0x21, 0xF9


def _gif(content: bytes) -> Parts:
    """Keep the header, the first frame's control block, and what follows it."""
    flags = content[10]
    at = 13 + (3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0)
    head, control = content[:at], b""
    is_block = False
    for _ in _steps():
        if is_block:  # of a length, then its data; the last one is empty
            is_block = content[at] > 0
            at += 1 + content[at]
        elif content[at] == _IMAGE:
            break
        elif content[at] == _EXTENSION:
            if content[at + 1 : at + 3] == bytes((_CONTROL, 4)):
                control = content[at : at + 7] + b"\0"
            at, is_block = at + 2, True
        else:
            at += 1
    return Parts([head, control, content[at:]])


# --- WebP ----------------------------------------------------------------------------


def _webp(content: bytes) -> Parts:
    parts, at = Parts(), 12
    needed = {b"VP8X", b"ALPH", b"VP8 ", b"VP8L", b"ANIM", b"ANMF"}
    for _ in _steps():
        if at + 8 > len(content):
            break
        kind, length = struct.unpack_from("<4sI", content, at)
        end = at + 8 + length + length % 2
        if kind in needed:
            parts.kept.append(content[at:end])
        elif kind in (b"EXIF", b"XMP "):
            parts.metadata.append(content[at + 8 : at + 8 + length])
        if kind in (b"VP8 ", b"VP8L", b"ANMF"):
            needed = set()  # EXIF data may still follow
        at = end
    size = struct.pack("<I", 4 + sum(map(len, parts.kept)))
    parts.kept.insert(0, b"RIFF" + size + b"WEBP")
    return parts


# --- BMP -----------------------------------------------------------------------------


def _check_bmp(content: bytes) -> None:
    header = struct.unpack_from("<I", content, 14)[0]
    if header < 40:
        return
    width, height = (abs(side) for side in struct.unpack_from("<ii", content, 18))
    is_run_length = struct.unpack_from("<I", content, 30)[0] in (1, 2)
    # A jump moves by up to 255 rows, whatever the picture's height.
    most = max(width * height, width * 256, len(content))
    if is_run_length and most > MAX_RUN_LENGTH_PIXELS:
        raise too_costly("it is a large BMP with run-length encoding")


# --- orientation ---------------------------------------------------------------------


def _exif_orientation(tiff: bytes) -> int | None:
    """Read one tag of the first directory.

    Pillow would load each tag's data, and 5,000 tags may all name the same 60 kB.
    """
    order = _TIFF.get(tiff[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (number,) = struct.unpack_from(f"{order}H", tiff, start)
        for index in range(number):
            at = start + 2 + 12 * index
            tag, kind = struct.unpack_from(f"{order}HH", tiff, at)
            if tag == _ORIENTATION_TAG and kind in _INTEGER_BYTES:
                value = tiff[at + 8 : at + 8 + _INTEGER_BYTES[kind]]
                told = int.from_bytes(value, "little" if order == "<" else "big")
                return told if 1 <= told <= 8 else None
    except struct.error:  # cut off
        pass
    return None
