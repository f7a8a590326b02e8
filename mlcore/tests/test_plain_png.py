"""The quick decoder finds what Pillow finds, or leaves a picture to it."""

import struct
import zlib
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mlcore.reading.plain_png import decode_plain_png

MOST = 2048
INK = (20, 40, 160)
TOO_LITTLE = zlib.compress(b"\0")


def drawn(mode: str = "RGBA", size: tuple[int, int] = (60, 40)) -> Image.Image:
    """A seven in blue on white."""
    picture = Image.new("RGBA", size, "white")
    ImageDraw.Draw(picture).line([(10, 8), (45, 8), (25, 34)], INK, 5)
    return picture.convert(mode)


def png(picture: Image.Image, **options: Any) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def by_pillow(content: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(content)).convert("L"), np.uint8)


def chunk(name: bytes, content: bytes) -> bytes:
    length, checksum = len(content), zlib.crc32(name + content)
    return struct.pack(">I", length) + name + content + struct.pack(">I", checksum)


def with_chunk(content: bytes, name: bytes, data: bytes) -> bytes:
    """Put a chunk behind the header."""
    return content[:33] + chunk(name, data) + content[33:]


class TestDecodePlainPng:
    @pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
    @pytest.mark.parametrize("level", [0, 1, 9])
    def test_finds_what_pillow_finds(self, mode: str, level: int) -> None:
        content = png(drawn(mode), compress_level=level)

        found = decode_plain_png(content, most_side=MOST)

        assert found is not None
        assert found.dtype == np.uint8
        assert np.abs(found.astype(int) - by_pillow(content)).max() <= 1

    @given(arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20))))
    def test_finds_the_very_same_in_grey_pixels(self, grey: NDArray[np.uint8]) -> None:
        for mode in ("L", "RGB", "RGBA"):
            content = png(Image.fromarray(grey).convert(mode))
            found = decode_plain_png(content, most_side=MOST)
            assert found is not None
            assert np.array_equal(found, grey)

    @pytest.mark.parametrize(
        "filters",
        [
            cv2.IMWRITE_PNG_FILTER_NONE,
            cv2.IMWRITE_PNG_FILTER_SUB,
            cv2.IMWRITE_PNG_FILTER_UP,
            cv2.IMWRITE_PNG_FILTER_AVG,
            cv2.IMWRITE_PNG_FILTER_PAETH,
        ],
    )
    def test_undoes_every_filter(self, filters: int) -> None:
        pixels = np.asarray(drawn("RGB"))
        _, file = cv2.imencode(".png", pixels, (cv2.IMWRITE_PNG_FILTER, filters))
        content = file.tobytes()

        found = decode_plain_png(content, most_side=MOST)

        assert found is not None
        assert np.abs(found.astype(int) - by_pillow(content)).max() <= 1

    def test_minds_no_remark_on_colours_or_size(self) -> None:
        content = with_chunk(png(drawn()), b"sRGB", b"\0")
        content = with_chunk(content, b"pHYs", struct.pack(">IIB", 3780, 3780, 1))

        assert decode_plain_png(content, most_side=MOST) is not None

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(png(drawn("RGB").convert("P")), id="palette"),
            pytest.param(png(drawn("1")), id="one bit"),
            pytest.param(png(drawn("LA")), id="grey and alpha"),
            pytest.param(png(Image.new("I;16", (9, 9), 40_000)), id="16 bits"),
            pytest.param(png(Image.new("RGBA", (9, 9), (0, 0, 0, 254))), id="glass"),
            pytest.param(png(drawn("RGB"), transparency=(0, 0, 0)), id="tRNS"),
            pytest.param(
                png(drawn(), exif=Image.Exif().tobytes() or b"Exif\0\0MM\0*"), id="EXIF"
            ),
            pytest.param(
                png(drawn(), save_all=True, append_images=[drawn().rotate(9)]),
                id="animation",
            ),
            pytest.param(with_chunk(png(drawn()), b"tEXt", b"a\0b"), id="words"),
            pytest.param(png(drawn(size=(MOST + 1, 3))), id="wide"),
            pytest.param(png(drawn(size=(3, MOST + 1))), id="high"),
        ],
    )
    def test_leaves_what_is_not_plain_to_pillow(self, content: bytes) -> None:
        assert by_pillow(content).size
        assert decode_plain_png(content, most_side=MOST) is None

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"\x89PNG\r\n\x1a\n",
            png(drawn())[:-1],
            png(drawn())[:60],
            png(drawn()) + b"more",
            png(drawn())[:8] + chunk(b"IHDR", b"") + chunk(b"IEND", b""),
            png(drawn())[:8] + chunk(b"IEND", b""),
            png(drawn())[:33] + chunk(b"IEND", b""),
            png(drawn())[:33] + chunk(b"IDAT", b"no zlib") + chunk(b"IEND", b""),
            png(drawn())[:33] + chunk(b"IDAT", TOO_LITTLE) + chunk(b"IEND", b""),
        ],
        ids=range(10),
    )
    def test_leaves_what_is_damaged_to_pillow(self, content: bytes) -> None:
        assert decode_plain_png(content, most_side=MOST) is None

    @given(st.integers(0, len(png(drawn())) - 1), st.integers(1, 255))
    def test_notices_any_changed_byte(self, place: int, change: int) -> None:
        content = bytearray(png(drawn()))
        content[place] ^= change

        assert decode_plain_png(bytes(content), most_side=MOST) is None

    def test_reads_no_endless_row_of_chunks(self) -> None:
        content = png(drawn())
        content = content[:33] + 5000 * chunk(b"IDAT", b"") + content[33:]

        assert np.array_equal(by_pillow(content), by_pillow(png(drawn())))
        assert decode_plain_png(content, most_side=MOST) is None

    @given(st.floats(0, 1), st.integers(1, 255), st.sampled_from(["L", "RGB", "RGBA"]))
    def test_sees_nothing_else_than_pillow_in_what_was_made_damaged(
        self, place: float, change: int, mode: str
    ) -> None:
        """The picture's own data are damaged, and the chunks' checksums are right."""
        picture = drawn(mode)
        rows = np.asarray(picture).reshape(picture.height, -1)
        filtered = b"".join(b"\0" + row.tobytes() for row in rows)
        packed = bytearray(zlib.compress(filtered))
        packed[int(place * (len(packed) - 1))] ^= change
        header = png(picture)[:33]
        content = header + chunk(b"IDAT", bytes(packed)) + chunk(b"IEND", b"")

        found = decode_plain_png(content, most_side=MOST)

        assert found is None or found.shape == (picture.height, picture.width)
        try:
            expected = by_pillow(content)
        except OSError:
            return  # which refuses more
        if found is not None:
            assert np.abs(found.astype(int) - expected).max() <= 1
