"""Pictures that cost careless readers time or memory, made from seeds.

They vary format, dimensions, scans, chunks, metadata and frames. `costly(seed)` makes
the same file again.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

from PIL import Image

MOST_BYTES = 10_000_000
_SIDES = [
    (64, 64),
    (1000, 700),
    (3000, 2000),
    (3535, 3535),
    (4000, 4000),
    (8000, 6200),
    (7071, 7071),
]
_NARROW = [(60_000, 16), (16, 60_000), (65_500, 760), (760, 65_500)]


@lru_cache(maxsize=2)  # of up to 250 MB each
def _noise(width: int, height: int, mode: str) -> Image.Image:
    """A picture with some ink in it; large ones repeat a small one."""
    small = Image.effect_noise((256, 256), 90).resize((128, 128))
    picture = Image.new("L", (width, height), 255)
    for x in range(0, min(width, 2048), 256):
        for y in range(0, min(height, 2048), 256):
            picture.paste(small, (x, y))
    return picture.convert(mode)


@cache
def saved(kind: str, size: tuple[int, int], mode: str, **options: Any) -> bytes:
    file = io.BytesIO()
    _noise(*size, mode).save(file, kind, **options)
    return file.getvalue()


def with_scans(jpeg: bytes, number: int) -> bytes:
    """Repeat the last scan of a JPEG."""
    start, end = jpeg.rindex(b"\xff\xda"), jpeg.rindex(b"\xff\xd9")
    scan = jpeg[start:end]
    number = min(number, (MOST_BYTES - len(jpeg)) // len(scan) + 1)
    return jpeg[:start] + scan * max(1, number) + jpeg[end:]


def segment(code: int, data: bytes) -> bytes:
    return bytes((0xFF, code)) + struct.pack(">H", len(data) + 2) + data


def exif_bomb(entries: int, length: int) -> bytes:
    """A directory whose entries all name the same bytes, as many as there are."""
    head = b"MM\0*" + struct.pack(">IH", 8, entries)
    directory = b"".join(
        struct.pack(">HHII", 0x9000 + tag % 0x2000, 7, length, 10)
        for tag in range(entries)
    )
    return (head + directory).ljust(length + 10, b"x")


def chunk(kind: bytes, data: bytes = b"") -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + checksum


def _jpeg(chance: random.Random) -> bytes:
    sides = [*_SIDES, *_NARROW]
    options: dict[str, Any] = {"quality": chance.choice((20, 75))}
    if chance.random() < 0.7:
        options["progressive"] = True
    mode = chance.choice(("L", "RGB", "RGB", "CMYK"))
    if mode == "RGB":
        options["subsampling"] = chance.choice((0, 2))
    whole = saved("JPEG", chance.choice(sides), mode, **options)
    match chance.randrange(6):
        case 0:
            return whole
        case 1:  # the first scans alone
            return whole[: whole.index(b"\xff\xda") + chance.randrange(20, 4000)]
        case 2:
            return whole[:-2] + b"\xff\xd9" + whole[2:200]
        case _:
            return with_scans(whole, chance.choice((2, 5, 12, 40, 200, 3000)))


def _jpeg_segments(chance: random.Random) -> bytes:
    whole = saved("JPEG", (1000, 700), "RGB")
    piece = chance.choice(
        (
            segment(0xFE, b""),
            segment(0xE1, b"Exif\0\0MM"),
            segment(0xE1, b"Exif\0\0" + exif_bomb(1000, 50_000)),
            segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(60_000)),
            segment(0xED, b"Photoshop 3.0\x008BIM" + bytes(40)),
            segment(0xC4, b"\0" + b"\1" + bytes(15) + b"\0"),
            segment(0xDB, b"\0" + bytes([1] * 64)),
            b"\xff",
            b"\0",
            b"\xff\0",
        )
    )
    number = chance.choice((1, 10, 1000, 10**7))
    number = min(number, (MOST_BYTES - len(whole)) // len(piece))
    at = chance.choice((2, whole.index(b"\xff\xda"), len(whole) - 2))
    return whole[:at] + piece * number + whole[at:]


@cache
def _png_of(
    width: int, height: int, depth: int, colour: int, filtering: int, interlaced: int
) -> bytes:
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    row = bytes((filtering,)) + bytes((width * channels * depth + 7) // 8)
    packer, packed = zlib.compressobj(1), []
    for _ in range(height + (7 if interlaced else 0)):
        packed.append(packer.compress(row))
    data = b"".join(packed) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    palette = chunk(b"PLTE", bytes(range(256)) * 3) if colour == 3 else b""
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + palette
    return start + chunk(b"IDAT", data) + chunk(b"IEND")


def _png(chance: random.Random) -> bytes:
    width, height = chance.choice(
        [*_SIDES, *_NARROW, (16_000_000, 1), (1, 16_000_000), (4100, 4100)]
    )
    if height > 100_000:  # making so many rows would take longer than reading them
        width, height = 16, 1_000_000
    depth, colour = chance.choice(
        ((8, 0), (16, 0), (1, 0), (8, 2), (16, 2), (8, 3), (8, 4), (16, 4), (16, 6))
    )
    return _png_of(
        width, height, depth, colour, chance.randrange(5), chance.randrange(2)
    )


def _png_chunks(chance: random.Random) -> bytes:
    whole = saved("PNG", (1000, 700), "RGBA")
    zeros = zlib.compress(bytes(1_000_000), 9)
    piece = chance.choice(
        (
            chunk(b"IDAT"),
            chunk(b"tEXt", b"a\0b"),
            chunk(b"zTXt", b"a\0\0" + zeros),
            chunk(b"iTXt", b"a\0\1\0\0\0" + zeros),
            chunk(b"iCCP", b"a\0\0" + zeros),
            chunk(b"eXIf", exif_bomb(60_000, 800_000)),
            chunk(b"acTL", struct.pack(">II", 10_000, 0)),
            chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 9, 9, 0, 0, 1, 1, 0, 0)),
            chunk(b"PLTE", bytes(768)),
            chunk(b"tRNS", bytes(6)),
        )
    )
    number = chance.choice((1, 10, 1000, 10**6))
    number = min(number, (MOST_BYTES - len(whole)) // len(piece))
    at = chance.choice((33, whole.index(b"IDAT") - 4, len(whole) - 12))
    return whole[:at] + piece * number + whole[at:]


def _gif(chance: random.Random) -> bytes:
    size = chance.choice([(16, 16), (1000, 700), (3535, 3535), (5000, 5000)])
    whole = saved("GIF", size, "P", interlace=chance.randrange(2))
    at = 13 + 3 * 2 ** ((whole[10] & 7) + 1)
    piece = chance.choice((b"\1x", b"\xff" + b"x" * 255))
    number = chance.choice((1, 1000, 10**7))
    number = max(0, min(number, (MOST_BYTES - len(whole)) // len(piece) - 20))
    match chance.randrange(5):
        case 0:
            return whole
        case 1:  # one comment of many blocks
            return whole[:at] + b"!\xfe" + piece * number + b"\0" + whole[at:]
        case 2:
            return whole[:at] + (b"!\xfe\1x\0" * (number // 3)) + whole[at:]
        case 3:
            return whole[:at] + b"\0" * number + whole[at:]
        case _:  # many frames
            frame = whole[at:-1]
            return whole[:at] + frame * max(1, MOST_BYTES // len(frame)) + b";"


def _webp(chance: random.Random) -> bytes:
    size = chance.choice([(64, 64), (1000, 700), (3535, 3535), (16_000, 780)])
    mode = chance.choice(("RGB", "RGBA"))
    is_lossless = chance.random() < 0.5
    whole = saved("WEBP", size, mode, lossless=is_lossless, method=0, quality=30)
    match chance.randrange(4):
        case 0:
            return whole
        case 1:
            whole = saved("WEBP", (64, 64), mode, exif=exif_bomb(9000, 200_000))
        case 2:
            more = b"XXXX" + bytes(4)
            whole += more * ((MOST_BYTES - len(whole)) // len(more))
        case _:
            frames = [_noise(64, 64, "RGB")] * 100
            file = io.BytesIO()
            frames[0].save(file, "WEBP", save_all=True, append_images=frames, method=0)
            whole = file.getvalue()
    return b"RIFF" + struct.pack("<I", len(whole) - 8) + whole[8:]


def bmp_header(width: int, height: int, bits: int, packing: int) -> bytes:
    colours = {4: 16, 8: 256}.get(bits, 0)
    start = 54 + 4 * colours
    sizes = struct.pack("<IiiHHII", 40, width, height, 1, bits, packing, 0)
    return (
        b"BM"
        + struct.pack("<IHHI", 0, 0, 0, start)
        + sizes
        + struct.pack("<iiII", 1, 1, colours, 0)
        + bytes(range(256)) * (4 * colours // 256)
        + bytes(4 * colours % 256)
    )


def _bmp(chance: random.Random) -> bytes:
    width, height = chance.choice(
        ((64, 64), (900, 900), (4000, 4000), (50_000, 300), (10_000_000, 1), (1, 10**7))
    )
    bits = chance.choice((1, 4, 8, 16, 24, 32))
    packing = {4: 2, 8: 1}.get(bits, 0) * chance.randrange(2)
    body = chance.choice((bytes(2), b"\0\2\xff\xff", b"\1\0", b"\xff\1", b"\0\3abc\0"))
    most = chance.choice((1000, 900_000, MOST_BYTES - 2000))
    return bmp_header(width, height, bits, packing) + body * (most // len(body))


_MAKERS: tuple[Callable[[random.Random], bytes], ...] = (
    _jpeg,
    _jpeg,
    _jpeg_segments,
    _png,
    _png_chunks,
    _gif,
    _webp,
    _bmp,
)


def costly(seed: int) -> bytes:
    """Return a file that a careless reader is slow with, the same for each seed."""
    chance = random.Random(seed)
    return _MAKERS[seed % len(_MAKERS)](chance)[:MOST_BYTES]
