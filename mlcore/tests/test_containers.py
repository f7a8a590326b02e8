import random
import struct
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image

from mlcore.reading.containers import MAX_PARTS, PictureError, parts_of
from mlcore.reading.pictures import decode_picture
from mlcore.tests.making import encoded, picture_of, specimen

SEVEN = Image.fromarray(picture_of(specimen("7 crossed").strokes)).convert("RGB")
SECRET = b"SECRET" * 40


def with_exif(kind: str, **options: Any) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = SECRET.decode()
    exif[ExifTags.Base.Orientation] = 6
    return encoded(SEVEN, kind, exif=exif, **options)


def pixels_of(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(content)).convert("RGB"))


def with_scans(number: int, **options: Any) -> bytes:
    """A progressive JPEG whose last scan comes many times."""
    size = options.pop("size", SEVEN.size)
    jpeg = encoded(SEVEN.resize(size), "JPEG", progressive=True, **options)
    start, end = jpeg.rindex(b"\xff\xda"), jpeg.rindex(b"\xff\xd9")
    return jpeg[:start] + jpeg[start:end] * number + jpeg[end:]


def code_of(content: bytes) -> str:
    with pytest.raises(PictureError) as refused:
        decode_picture(content)
    return refused.value.code


class TestParts:
    @pytest.mark.parametrize(
        ("kind", "options"),
        [
            ("JPEG", {"comment": SECRET, "icc_profile": SECRET}),
            ("JPEG", {"progressive": True}),
            ("PNG", {"icc_profile": SECRET}),
            ("WEBP", {"icc_profile": SECRET, "lossless": True}),
            ("GIF", {"comment": SECRET}),
        ],
    )
    def test_hold_the_pixels_and_nothing_else(
        self, kind: str, options: dict[str, Any]
    ) -> None:
        whole = with_exif(kind, **options)

        kept = parts_of(whole).content

        assert len(kept) < len(whole)
        assert b"SECRET" not in kept
        assert np.array_equal(pixels_of(kept), pixels_of(whole))

    @pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
    def test_tell_the_orientation_of_exif(self, kind: str) -> None:
        assert parts_of(with_exif(kind)).orientation() == 6

    @pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
    def test_tell_the_orientation_of_xmp(self, kind: str) -> None:
        xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'

        assert parts_of(encoded(SEVEN, kind, xmp=xmp)).orientation() == 8

    @pytest.mark.parametrize(
        "exif",
        [
            b"",
            b"MM",
            b"MM\0*\0\0\0\x08",
            b"MM\0*\xff\xff\xff\xff",
            b"MM\0*\0\0\0\x08\xff\xff",
            b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x63\0\0\0",
        ],
    )
    def test_of_damaged_exif_leave_a_picture_as_it_is(self, exif: bytes) -> None:
        jpeg = encoded(SEVEN, "JPEG")
        data = b"Exif\0\0" + exif
        segment = b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data

        parts = parts_of(jpeg[:2] + segment + jpeg[2:])

        assert parts.orientation() == 1
        assert parts.content == jpeg

    def test_of_an_animation_are_its_first_frame(self) -> None:
        frames = [SEVEN.rotate(turn) for turn in range(0, 90, 10)]
        whole = encoded(SEVEN, "WEBP", save_all=True, append_images=frames)

        assert len(parts_of(whole).content) < len(whole) / 2

    def test_of_any_damage_are_parts_or_a_refusal(self) -> None:
        chance = random.Random(1)
        wholes = [with_exif(kind) for kind in ("JPEG", "PNG", "WEBP", "GIF")]
        wholes.append(encoded(SEVEN, "BMP"))
        refused = 0

        for _ in range(2000):
            content = bytearray(chance.choice(wholes))
            for _ in range(chance.randrange(1, 5)):
                content[chance.randrange(min(len(content), 400))] = chance.randrange(
                    256
                )
            del content[chance.randrange(12, len(content)) :]
            try:
                parts_of(bytes(content))
            except PictureError as error:
                refused += error.code == "damaged_image"

        assert 0 < refused < 2000


class TestCost:
    def test_of_scans_is_limited(self) -> None:
        assert code_of(with_scans(300, size=(2000, 1500))) == "too_costly"

    def test_of_usual_scans_is_allowed(self) -> None:
        assert decode_picture(with_scans(1)).shape == (*SEVEN.size[::-1], 3)

    def test_of_scans_is_paid_for(self) -> None:
        paid: list[int] = []

        decode_picture(with_scans(91), pay=paid.append)
        decode_picture(encoded(SEVEN, "JPEG"), pay=paid.append)

        pixels = SEVEN.width * SEVEN.height
        assert paid == [pixels + pixels * 99 // 10, pixels]

    def test_of_coefficients_is_limited(self) -> None:
        jpeg = with_scans(1, size=(64, 64), subsampling=0)
        at = jpeg.index(b"\xff\xc2") + 5

        huge = jpeg[:at] + struct.pack(">HH", 7000, 7000) + jpeg[at + 4 :]

        assert code_of(huge) == "too_costly"

    def test_of_tiny_parts_is_limited(self) -> None:
        png, jpeg = encoded(SEVEN, "PNG"), encoded(SEVEN, "JPEG")
        chunk = b"\0\0\0\0IDAT\x35\xaf\x06\x1e"

        assert code_of(png[:33] + chunk * (MAX_PARTS + 1) + png[33:]) == "too_costly"
        assert (
            code_of(jpeg[:2] + b"\xff\xfe\0\2" * (MAX_PARTS + 1) + jpeg[2:])
            == "too_costly"
        )

    def test_of_run_lengths_is_limited(self) -> None:
        header = struct.pack("<IiiHHIIiiII", 40, 50_000, 1, 1, 8, 1, 0, 1, 1, 2, 0)
        start = b"BM" + struct.pack("<IHHI", 0, 0, 0, 62) + header + bytes(8)

        assert code_of(start + b"\0\2\0\xff" * 1000) == "too_costly"

    def test_of_arithmetic_coding_is_not_taken(self) -> None:
        jpeg = encoded(SEVEN, "JPEG").replace(b"\xff\xc0", b"\xff\xc9", 1)

        assert code_of(jpeg) == "not_an_image"
