"""Files that harm careless readers of pictures: some by hand, many from seeds.

Each is named, so that a failing one can be made again: `by_hand()[name]()`, or
`mutated(seed)`.
"""

import io
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, PngImagePlugin

MUTANTS = 560
_SIDE = 96


def _digit(mode: str = "RGB", side: int = _SIDE) -> Image.Image:
    picture = Image.new("L", (side, side), 255)
    pen = ImageDraw.Draw(picture)
    line = [(0.25, 0.2), (0.75, 0.2), (0.45, 0.85)]
    pen.line([(x * side, y * side) for x, y in line], fill=0, width=side // 10)
    return picture.convert(mode)


def _saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def png(
    width: int, height: int, *, rows: bytes, before: bytes = b"", depth: int = 8
) -> bytes:
    """A greyscale PNG whose header and compressed rows need not agree."""
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + before
        + _chunk(b"IDAT", zlib.compress(rows, 9))
        + _chunk(b"IEND", b"")
    )


def _text_bomb() -> bytes:
    packed = zlib.compress(bytes(100_000_000), 9)
    return png(8, 8, rows=bytes(72), before=_chunk(b"zTXt", b"a\0\0" + packed))


def _profile_bomb() -> bytes:
    packed = zlib.compress(bytes(100_000_000), 9)
    return png(8, 8, rows=bytes(72), before=_chunk(b"iCCP", b"a\0\0" + packed))


def _zip(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("picture.png", content)
    return file.getvalue()


def _with_exif(orientation: int, *, size: int = 0) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "SECRET-CAMERA"
    exif[0x8825] = {1: "N", 2: (48.0, 12.0, 30.0), 3: "E", 4: (16.0, 22.0, 0.0)}
    if size:
        exif[0x9286] = "x" * size
    return _saved(_digit(), "JPEG", exif=exif)


def _frames(kind: str, number: int) -> bytes:
    frames = [_digit("RGB", 16) for _ in range(number)]
    options = {"save_all": True, "append_images": frames[1:], "duration": 10}
    return _saved(frames[0], kind, **options)


def _deep() -> bytes:
    grey = np.asarray(_digit("L"), np.uint16) * 257
    return _saved(Image.fromarray(grey), "PNG")


def _huge(mode: str, kind: str, width: int, height: int) -> bytes:
    return _saved(Image.new(mode, (width, height)), kind)


_LAUGHS = b"".join(
    b'<!ENTITY l%d "%s">' % (level, b"&l%d;" % (level - 1) * 10)
    for level in range(1, 10)
)
_SVG = (
    b'<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY l0 "ha">' + _LAUGHS + b"]>"
    b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script>&l9;</svg>'
)
_HTML = b"<html><script>alert(document.cookie)</script></html>"


def by_hand() -> dict[str, Callable[[], bytes]]:
    """Return makers of files that are known to trip readers, by name."""
    some_png = _saved(_digit(), "PNG")
    some_jpeg = _saved(_digit(), "JPEG")
    return {
        "nothing": lambda: b"",
        "one byte": lambda: b"\x89",
        "zeros": lambda: bytes(100_000),
        "a PNG's signature alone": lambda: some_png[:8],
        "SVG with script and a billion laughs": lambda: _SVG,
        "HTML": lambda: _HTML,
        "a ZIP": lambda: _zip(some_png),
        "a ZIP bomb": lambda: _zip(bytes(50_000_000)),
        "PDF": lambda: b"%PDF-1.7\n" + bytes(2000),
        "PostScript that Pillow would run": lambda: (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(%pipe%id) (w) file\n"
        ),
        "GIF": lambda: _saved(_digit(), "GIF"),
        "GIF with HTML in its comment": lambda: _saved(
            _digit("P"), "GIF", comment=_HTML
        ),
        "BMP": lambda: _saved(_digit(), "BMP"),
        "GIF at the limit": lambda: _huge("P", "GIF", 3535, 3535),
        "GIF over the limit": lambda: _huge("P", "GIF", 7100, 7100),
        "32-bit BMP": lambda: _saved(_digit("RGBA"), "BMP"),
        "32-bit BMP without its pixels": lambda: _saved(_digit("RGBA"), "BMP")[:60],
        "JPEG at the limit, cut off": lambda: _huge("RGB", "JPEG", 7071, 7071)[:-2],
        "TIFF": lambda: _saved(_digit(), "TIFF"),
        "ICO": lambda: _saved(_digit(), "ICO"),
        "PNG, then ZIP": lambda: some_png + _zip(_HTML),
        "PNG, then HTML": lambda: some_png + _HTML,
        "PNG with HTML in its text": lambda: _saved(
            _digit(), "PNG", pnginfo=_text_of(_HTML.decode())
        ),
        "JPEG with HTML in its comment": lambda: _saved(
            _digit(), "JPEG", comment=_HTML
        ),
        "JPEG that begins as GIF": lambda: b"GIF89a" + some_jpeg,
        "PNG of 0x0": lambda: png(0, 0, rows=b""),
        "PNG of 2^31 - 1 squared": lambda: png(2**31 - 1, 2**31 - 1, rows=bytes(99)),
        "PNG one pixel high and endless": lambda: png(50_000_000, 1, rows=bytes(99)),
        "PNG over the limit": lambda: png(50_000_001, 1, rows=bytes(99)),
        "PNG with too few rows": lambda: png(4000, 4000, rows=bytes(99)),
        "PNG with far too many rows": lambda: png(8, 8, rows=bytes(90_000_000)),
        "PNG with a text bomb": _text_bomb,
        "PNG with a profile bomb": _profile_bomb,
        "PNG of 50,000 chunks": lambda: png(
            8, 8, rows=bytes(72), before=_chunk(b"tEXt", b"a\0b") * 50_000
        ),
        "PNG of 16 bits": _deep,
        "PNG of 1 bit": lambda: _saved(_digit("1"), "PNG"),
        "PNG with a palette": lambda: _saved(_digit("P"), "PNG", transparency=0),
        "PNG at the limit": lambda: _huge("LA", "PNG", 3535, 3535),
        "PNG at the limit, 16 bits": lambda: _huge("I;16", "PNG", 3535, 3535),
        "PNG at the limit, grey": lambda: _huge("L", "PNG", 7071, 7071),
        "WebP at the limit": lambda: _huge("RGBA", "WEBP", 16383, 762),
        "JPEG at the limit": lambda: _huge("CMYK", "JPEG", 7071, 7071),
        "JPEG over the limit": lambda: _huge("L", "JPEG", 7100, 7100),
        "JPEG of CMYK": lambda: _saved(_digit("CMYK"), "JPEG"),
        "JPEG, progressive": lambda: _saved(_digit(), "JPEG", progressive=True),
        "JPEG of huge EXIF": lambda: _with_exif(1, size=60_000),
        "JPEG of an unknown orientation": lambda: _with_exif(99),
        "JPEG upside down": lambda: _with_exif(3),
        "JPEG claiming 65500x65500": lambda: _claiming(some_jpeg, 65_500),
        "WebP of 300 frames": lambda: _frames("WEBP", 300),
        "PNG of 300 frames": lambda: _frames("PNG", 300),
        "GIF of 300 frames": lambda: _frames("GIF", 300),
        "MPO of two pictures": lambda: _frames("MPO", 2),
    }


def _text_of(text: str) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", text, zip=True)
    return info


def _claiming(jpeg: bytes, side: int) -> bytes:
    at = jpeg.index(b"\xff\xc0") + 5
    return jpeg[:at] + struct.pack(">HH", side, side) + jpeg[at + 4 :]


@cache
def _whole() -> tuple[bytes, ...]:
    """Good files of many kinds, to be damaged."""
    return (
        _saved(_digit(), "PNG"),
        _saved(_digit("RGBA"), "PNG"),
        _saved(_digit("P"), "PNG", transparency=0),
        _deep(),
        _saved(_digit(), "JPEG"),
        _saved(_digit("CMYK"), "JPEG"),
        _saved(_digit(), "JPEG", progressive=True),
        _with_exif(6),
        _saved(_digit(), "WEBP"),
        _saved(_digit("RGBA"), "WEBP", lossless=True),
        _frames("WEBP", 3),
        _frames("PNG", 3),
        _saved(_digit(), "GIF"),
        _saved(_digit(), "BMP"),
        _saved(_digit(), "TIFF"),
        _SVG,
    )


def mutated(seed: int) -> bytes:
    """Return a good file that was damaged, the same for the same seed."""
    chance = random.Random(seed)
    content = bytearray(chance.choice(_whole()))
    for _ in range(chance.choice((1, 1, 1, 4))):
        _damage(content, chance)
    return bytes(content)


def _damage(content: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(content) + 1)
    # Headers decide what a reader does: a good part of all damage is there.
    if chance.random() < 0.2:
        at = min(at, chance.randrange(64))
    match chance.randrange(6):
        case 0:  # cut off
            del content[max(1, at) :]
        case 1:  # one bit
            at = min(at, len(content) - 1)
            content[at] ^= 1 << chance.randrange(8)
        case 2:  # a number that is too large
            content[at : at + 4] = chance.choice(
                (b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0")
            )
        case 3:  # a piece twice
            content[at:at] = content[at : at + chance.randrange(1, 400)]
        case 4:  # a piece missing
            del content[at : at + chance.randrange(1, 200)]
            content.extend(b"\0" * (not content))
        case 5:  # noise
            content[at : at + 16] = chance.randbytes(16)
