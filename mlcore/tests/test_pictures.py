import base64
import struct
import time
import tracemalloc
from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mlcore.reading.containers import MAX_COLOUR_PIXELS, MAX_PIXELS
from mlcore.reading.pictures import (
    MAX_STORED_SIDE_PX,
    Picture,
    PictureError,
    decode_data_url,
    decode_picture,
    decode_stored_png,
    encode_png,
)
from mlcore.reading.preprocess import normalize
from mlcore.tests.making import (
    as_rgb,
    encoded,
    gap,
    ink_in,
    picture_of,
    png_claiming,
    specimen,
)

SIDES = st.integers(1, 40)


GREY = picture_of(specimen("6 curved").strokes)
"""A six, black on white: every file below shows it."""
RGB = as_rgb(GREY)
PICTURE = Image.fromarray(GREY)
INK = Image.fromarray(255 - GREY)
SIX = normalize(ink_in(GREY))


COLOURS = np.array(
    [
        [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0]],
        [[0, 255, 255], [255, 0, 255], [10, 90, 170], [200, 120, 40]],
    ],
    np.uint8,
)
SQUARES = COLOURS.repeat(16, axis=0).repeat(16, axis=1)
RAINBOW = Image.fromarray(SQUARES)
"""Eight squares, each in a colour of its own."""


def coloured(ink_level: int) -> Image.Image:
    """Return the six in that grey on nothing: transparent paper."""
    flat = Image.new("L", PICTURE.size, ink_level)
    return Image.merge("RGBA", [flat, flat, flat, INK])


def deep(bits: int) -> Image.Image:
    """Return the six in 16 bits, of which only that many are used."""
    return Image.fromarray(np.rint(GREY / 255 * (2**bits - 1)).astype(np.uint16))


def bmp(
    rgba: NDArray[np.uint8], *, has_opacity: bool = False, is_top_down: bool = False
) -> bytes:
    """Make a 32-bit BMP: a plain one, or one that declares its opacity."""
    height, width = rgba.shape[:2]
    rows = rgba[..., [2, 1, 0, 3]][:: 1 if is_top_down else -1].tobytes()
    masks = struct.pack("<4I4s48x", 0xFF0000, 0xFF00, 0xFF, 0xFF000000, b"BGRs")
    more = masks if has_opacity else b""
    header = struct.pack(
        "<IiiHHIIiiII",
        40 + len(more),
        width,
        -height if is_top_down else height,
        *(1, 32, 3 if has_opacity else 0),
        *(len(rows), 0, 0, 0, 0),
    )
    start = 14 + len(header) + len(more)
    return (
        struct.pack("<2sIII", b"BM", start + len(rows), 0, start) + header + more + rows
    )


BLACK_ON_WHITE = {
    "grey PNG": encoded(PICTURE, "PNG"),
    "grey and alpha PNG": encoded(PICTURE.convert("LA"), "PNG"),
    "RGB PNG": encoded(PICTURE.convert("RGB"), "PNG"),
    "RGBA PNG": encoded(PICTURE.convert("RGBA"), "PNG"),
    "palette PNG": encoded(PICTURE.convert("P"), "PNG"),
    "1-bit PNG": encoded(
        PICTURE.convert("1", dither=Image.Dither.NONE), "PNG", optimize=True
    ),
    "16-bit PNG": encoded(deep(16), "PNG"),
    "10 bits in a 16-bit PNG": encoded(deep(10), "PNG"),
    "12 bits in a 16-bit PNG": encoded(deep(12), "PNG"),
    "8 bits in a 16-bit PNG": encoded(deep(8), "PNG"),
    "grey JPEG": encoded(PICTURE, "JPEG"),
    "RGB JPEG": encoded(PICTURE.convert("RGB"), "JPEG"),
    "progressive JPEG": encoded(PICTURE, "JPEG", progressive=True),
    "CMYK JPEG": encoded(PICTURE.convert("CMYK"), "JPEG"),
    "two-picture JPEG": encoded(
        PICTURE, "MPO", save_all=True, append_images=[INK.copy()]
    ),
    "lossy WebP": encoded(PICTURE.convert("RGB"), "WEBP"),
    "lossless WebP": encoded(PICTURE.convert("RGB"), "WEBP", lossless=True),
    "GIF": encoded(PICTURE, "GIF"),
    "1-bit BMP": encoded(PICTURE.convert("1", dither=Image.Dither.NONE), "BMP"),
    "grey BMP": encoded(PICTURE, "BMP"),
    "24-bit BMP": encoded(PICTURE.convert("RGB"), "BMP"),
    "32-bit BMP": encoded(PICTURE.convert("RGBA"), "BMP"),
    "32-bit BMP with a zero fourth byte": bmp(np.dstack([RGB, 0 * GREY])),
    "32-bit BMP with zero opacity": bmp(np.dstack([RGB, 0 * GREY]), has_opacity=True),
    "32-bit BMP with the ink in its fourth byte": bmp(np.dstack([0 * RGB, 255 - GREY])),
    "upside-down 32-bit BMP with the ink in its fourth byte": bmp(
        np.dstack([0 * RGB, 255 - GREY]), is_top_down=True
    ),
    "32-bit BMP with opacity": bmp(np.dstack([0 * RGB, 255 - GREY]), has_opacity=True),
    "transparent GIF": encoded(
        PICTURE.convert("1", dither=Image.Dither.NONE).convert("P"),
        "GIF",
        transparency=1,
    ),
    "transparent dark ink, PNG": encoded(coloured(0), "PNG"),
    "transparent dark ink, WebP": encoded(coloured(0), "WEBP", lossless=True),
    "transparent paper colour, PNG": encoded(PICTURE, "PNG", transparency=255),
    "palette with transparency, PNG": encoded(
        PICTURE.convert("P", palette=Image.Palette.ADAPTIVE, colors=8),
        "PNG",
        transparency=0,
    ),
}

ORIENTATION = 0x0112


class TestDecodePicture:
    @pytest.mark.parametrize("kind", BLACK_ON_WHITE)
    def test_shows_what_a_person_sees(self, kind: str) -> None:
        picture = decode_picture(BLACK_ON_WHITE[kind])

        assert picture.dtype == np.uint8
        assert picture.shape == RGB.shape
        assert gap(picture, RGB) < 1.5

    def test_lays_transparent_light_ink_on_black(self) -> None:
        picture = decode_picture(encoded(coloured(255), "PNG"))

        assert gap(picture, 255 - RGB) < 0.5

    def test_lays_an_empty_transparent_picture_on_white(self) -> None:
        nothing = Image.new("RGBA", (40, 30), (0, 0, 0, 0))

        picture = decode_picture(encoded(nothing, "PNG"))

        assert (picture == 255).all()

    def test_keeps_light_on_dark_as_sent(self) -> None:
        picture = decode_picture(encoded(INK, "PNG"))

        assert gap(picture, 255 - RGB) < 0.5

    @pytest.mark.parametrize("kind", ["PNG", "lossless WebP", "palette", "RGBA"])
    def test_keeps_colours(self, kind: str) -> None:
        files = {
            "PNG": encoded(RAINBOW, "PNG"),
            "lossless WebP": encoded(RAINBOW, "WEBP", lossless=True),
            "palette": encoded(RAINBOW.quantize(), "PNG"),
            "RGBA": encoded(RAINBOW.convert("RGBA"), "PNG"),
        }

        picture = decode_picture(files[kind])

        assert np.array_equal(picture, SQUARES)

    @pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
    def test_keeps_colours_about_where_the_file_does(self, kind: str) -> None:
        picture = decode_picture(encoded(RAINBOW, kind, quality=95))

        # In the squares' centres: both formats blur colours at edges.
        assert gap(picture[8::16, 8::16], COLOURS) < 3

    def test_tells_coloured_ink_from_paper(self) -> None:
        white = Image.new("L", PICTURE.size, 255)
        blue = Image.merge("RGB", [PICTURE, PICTURE, white])

        picture = decode_picture(encoded(blue, "PNG"))

        assert gap(normalize(ink_in(picture)), SIX) < 0.01

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize(
        ("orientation", "seen"),
        [
            (1, RGB),
            (2, np.fliplr(RGB)),
            (3, np.rot90(RGB, 2)),
            (4, np.flipud(RGB)),
            (5, RGB.swapaxes(0, 1)),
            (6, np.rot90(RGB, -1)),
            (7, np.rot90(RGB, 2).swapaxes(0, 1)),
            (8, np.rot90(RGB)),
        ],
    )
    def test_turns_a_photo_upright(
        self, kind: str, orientation: int, seen: NDArray[np.uint8]
    ) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation

        picture = decode_picture(encoded(PICTURE.convert("RGB"), kind, exif=exif))

        assert gap(picture, seen) < 1.5

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
    def test_takes_the_first_frame_of_an_animation(self, kind: str) -> None:
        dark = Image.new("RGB", PICTURE.size, (0, 0, 0))

        picture = decode_picture(
            encoded(
                PICTURE.convert("RGB"),
                kind,
                save_all=True,
                append_images=[dark],
                duration=100,
            )
        )

        assert gap(picture, RGB) < 1.5

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_shrinks_a_large_picture_to_what_is_kept(self, kind: str) -> None:
        large = PICTURE.resize((2800, 2100), Image.Resampling.BILINEAR)

        picture = decode_picture(encoded(large, kind))

        assert picture.shape == (768, MAX_STORED_SIDE_PX, 3)

    def test_leaves_a_small_picture_its_size(self) -> None:
        picture = decode_picture(encoded(Image.new("L", (1, 1), 200), "PNG"))

        assert picture.tolist() == [[[200, 200, 200]]]

    def test_keeps_a_very_long_picture_a_pixel_high(self) -> None:
        picture = decode_picture(encoded(Image.new("L", (9000, 2), 255), "PNG"))

        assert picture.shape == (1, MAX_STORED_SIDE_PX, 3)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
    @pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.8, 0.95, 0.99])
    def test_refuses_a_file_that_was_cut_off(self, kind: str, share: float) -> None:
        whole = encoded(PICTURE.convert("RGB"), kind)

        with pytest.raises(PictureError) as refused:
            decode_picture(whole[: int(share * len(whole))])

        assert refused.value.code in {"damaged_image", "not_an_image"}

    @pytest.mark.parametrize("cut", [1, 2, 3])
    @pytest.mark.parametrize(
        "options",
        [{}, {"progressive": True}, {"restart_marker_rows": 1}],
        ids=["baseline", "progressive", "with restarts"],
    )
    def test_reads_a_jpeg_that_lacks_its_end(
        self, options: dict[str, Any], cut: int
    ) -> None:
        whole = encoded(PICTURE.convert("RGB"), "JPEG", **options)

        picture = decode_picture(whole[:-cut])

        assert gap(picture, decode_picture(whole)) < 0.1

    @pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.95, 0.98])
    @pytest.mark.parametrize(
        "options",
        [{"progressive": True}, {"restart_marker_rows": 1}],
        ids=["progressive", "with restarts"],
    )
    def test_refuses_a_jpeg_that_lacks_more(
        self, options: dict[str, Any], share: float
    ) -> None:
        whole = encoded(PICTURE.convert("RGB"), "JPEG", **options)

        with pytest.raises(PictureError, match="damaged or cut off"):
            decode_picture(whole[: int(share * len(whole))])

    @pytest.mark.parametrize("kind", ["PNG", "JPEG"])
    def test_says_that_a_cut_file_is_damaged(self, kind: str) -> None:
        whole = encoded(PICTURE, kind)

        with pytest.raises(PictureError, match="damaged or cut off") as refused:
            decode_picture(whole[: len(whole) // 2])

        assert refused.value.code == "damaged_image"

    @pytest.mark.parametrize("kind", ["TIFF", "ICO", "PPM"])
    def test_refuses_other_kinds_of_picture(self, kind: str) -> None:
        with pytest.raises(
            PictureError, match="PNG, JPEG, WebP, GIF or BMP"
        ) as refused:
            decode_picture(encoded(PICTURE, kind))

        assert refused.value.code == "not_an_image"

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC (iPhone)"),
            (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "HEIC (iPhone)"),
            (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf", "AVIF"),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avifmiaf", "AVIF"),
            (encoded(PICTURE, "TIFF"), "TIFF"),
            (encoded(PICTURE, "PDF"), "PDF"),
            (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
            (b"<?xml version='1.0'?>\n<!-- a seven --><SVG></SVG>", "SVG"),
        ],
    )
    def test_names_what_people_send_for_a_picture(
        self, content: bytes, name: str
    ) -> None:
        with pytest.raises(PictureError) as refused:
            decode_picture(content)

        assert refused.value.code == "not_an_image"
        assert refused.value.kind == name
        assert f"of type {name}: send a PNG, JPEG," in str(refused.value)

    @pytest.mark.parametrize(
        "content", [b"", b"\0", b"<svg/>", b"%PDF-1.7", b"\x89PNG\r\n\x1a\n"]
    )
    def test_refuses_what_is_no_picture(self, content: bytes) -> None:
        with pytest.raises(PictureError) as refused:
            decode_picture(content)

        assert refused.value.code == "not_an_image"

    @given(st.binary(max_size=200))
    def test_meets_garbage_with_its_own_error_only(self, content: bytes) -> None:
        with pytest.raises(PictureError):
            decode_picture(content)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
    @given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
    def test_meets_damage_with_its_own_error_only(
        self, kind: str, place: float, change: int
    ) -> None:
        content = bytearray(encoded(PICTURE.resize((40, 40)), kind))
        content[int(place * len(content))] ^= change

        try:
            picture = decode_picture(bytes(content))
        except PictureError:
            return

        assert picture.ndim == 3
        assert max(picture.shape[:2]) <= MAX_STORED_SIDE_PX


class TestWindow:
    """A screenshot of one window: a see-through margin, often with its shadow."""

    @staticmethod
    def shot(
        window: Picture, *, margin: int = 30, shadow: int = 0, corner: int = 0
    ) -> bytes:
        """Save a window as macOS does."""
        height, width = window.shape[:2]
        opacity = Image.new("L", (width + 2 * margin, height + 2 * margin), 0)
        pen = ImageDraw.Draw(opacity)
        low, right, bottom = margin, margin + width - 1, margin + height - 1
        for grown in range(min(margin, shadow), 0, -1):
            pen.rounded_rectangle(
                (low - grown, low - grown, right + grown, bottom + grown),
                corner + grown,
                fill=100 * (shadow - grown) // shadow,
            )
        pen.rounded_rectangle((low, low, right, bottom), corner, fill=255)
        rgba = np.zeros((*np.asarray(opacity).shape, 4), np.uint8)
        rgba[margin : margin + height, margin : margin + width, :3] = window
        rgba[..., 3] = np.asarray(opacity)
        return encode_png(rgba)

    @pytest.mark.parametrize("window", [RGB, 255 - RGB, SQUARES])
    @pytest.mark.parametrize("shadow", [0, 25])
    def test_is_cut_out_of_its_margin(self, window: Picture, shadow: int) -> None:
        picture = decode_picture(self.shot(window, shadow=shadow))

        assert np.array_equal(picture, window)

    def test_loses_its_rounded_corners(self) -> None:
        picture = decode_picture(self.shot(255 - RGB, shadow=25, corner=20))

        lost = (280 - picture.shape[0]) // 2
        assert 5 <= lost <= 7
        assert np.array_equal(picture, 255 - RGB[lost:-lost, lost:-lost])

    def test_is_not_seen_in_a_bar_of_ink(self) -> None:
        one = np.zeros((100, 12, 3), np.uint8)

        picture = decode_picture(self.shot(one))

        assert picture.shape == (160, 72, 3)
        assert (picture[30:130, 30:42] == 0).all()
        assert (picture == 255).mean() > 0.8

    def test_is_not_seen_in_ink_that_is_no_rectangle(self) -> None:
        picture = decode_picture(encoded(coloured(0), "PNG"))

        assert picture.shape == RGB.shape

    def test_is_not_seen_in_paper_that_is_hardly_see_through(self) -> None:
        rgba = np.dstack([RGB, np.full_like(GREY, 200)])
        rgba[40:240, 40:240, 3] = 255

        assert decode_picture(encode_png(rgba)).shape == RGB.shape


class TestPixelBomb:
    @pytest.mark.parametrize(
        ("width", "height"),
        [
            (MAX_PIXELS + 1, 1),
            (7_072, 7_071),
            (12_000, 12_000),
            (30_000, 30_000),
            (2**31 - 1, 2**31 - 1),
        ],
    )
    def test_is_refused_before_it_is_decoded(self, width: int, height: int) -> None:
        # It holds no pixels: had decoding begun, it would be called damaged.
        bomb = png_claiming(width, height)
        began = time.monotonic()
        tracemalloc.start()

        with pytest.raises(PictureError, match=f"{width * height:,}") as refused:
            decode_picture(bomb)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert refused.value.code == "too_many_pixels"
        assert peak < 2_000_000
        assert time.monotonic() - began < 1.0

    def test_with_colours_may_have_a_quarter_of_the_pixels(self) -> None:
        with pytest.raises(PictureError, match="PNG with colours") as refused:
            decode_picture(png_claiming(MAX_COLOUR_PIXELS + 1, 1, colour=2))

        assert refused.value.code == "too_many_pixels"

    def test_at_the_limit_is_decoded(self) -> None:
        grey = png_claiming(MAX_PIXELS, 1)
        for png in (grey, png_claiming(MAX_COLOUR_PIXELS, 1, colour=2)):
            with pytest.raises(PictureError) as refused:
                decode_picture(png)

            assert refused.value.code == "damaged_image"


class TestDecodeDataUrl:
    @pytest.mark.parametrize(
        ("kind", "head"),
        [
            ("PNG", "data:image/png;base64,"),
            ("JPEG", "data:image/jpeg;base64,"),
            ("WEBP", "data:image/webp;base64,"),
            ("PNG", "DATA:image/PNG;BASE64,"),
        ],
    )
    def test_decodes_what_a_canvas_gives(self, kind: str, head: str) -> None:
        content = encoded(PICTURE.convert("RGB"), kind)

        picture = decode_data_url(head + base64.b64encode(content).decode())

        assert np.array_equal(picture, decode_picture(content))

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda text: text.rstrip("="), id="no padding"),
            pytest.param(
                lambda text: text.replace("+", "-").replace("/", "_"), id="URL-safe"
            ),
            pytest.param(quote, id="percent-escaped"),
            pytest.param(lambda text: quote(text, safe=""), id="all escaped"),
            pytest.param(lambda text: text[:50] + "\r\n" + text[50:], id="lines"),
        ],
    )
    def test_reads_base64_as_programs_write_it(
        self, change: Callable[[str], str]
    ) -> None:
        content = encoded(PICTURE, "JPEG") + b"\xfb\xff"  # trailing bytes are ignored
        text = base64.b64encode(content).decode()
        assert "+" in text
        assert "/" in text
        assert text.endswith("=")

        picture = decode_data_url("data:image/jpeg;base64," + change(text))

        assert np.array_equal(picture, decode_picture(content))

    @pytest.mark.parametrize(
        "parameters", [";name=seven.png", ";name=a%20b (1).png", ";charset=utf-8;a=b"]
    )
    def test_skips_parameters(self, parameters: str) -> None:
        text = base64.b64encode(encoded(PICTURE, "PNG")).decode()

        picture = decode_data_url(f"data:image/png{parameters};base64,{text}")

        assert np.array_equal(picture, RGB)

    @pytest.mark.parametrize(
        "url",
        [
            "",
            "iVBORw0KGgo=",
            "https://example.org/7.png",
            "data:text/html;base64,PGI+",
            "data:image/png,plain",
            "data:image/png;base64",
            " data:image/png;base64,iVBORw0KGgo=",
        ],
    )
    def test_refuses_what_is_no_data_url(self, url: str) -> None:
        with pytest.raises(PictureError, match="must be a data URL") as refused:
            decode_data_url(url)

        assert refused.value.code == "not_a_data_url"

    @pytest.mark.parametrize("text", ["iVBO*", "iVBOR", "ä"])
    def test_refuses_damaged_base64(self, text: str) -> None:
        with pytest.raises(PictureError, match="base64 text is damaged") as refused:
            decode_data_url("data:image/png;base64," + text)

        assert refused.value.code == "not_a_data_url"

    def test_refuses_what_is_no_picture(self) -> None:
        url = "data:image/png;base64," + base64.b64encode(b"hello").decode()

        with pytest.raises(PictureError) as refused:
            decode_data_url(url)

        assert refused.value.code == "not_an_image"


class TestStoredPng:
    @given(arrays(np.uint8, st.tuples(SIDES, SIDES, st.just(3))))
    def test_comes_back_as_it_was(self, picture: Picture) -> None:
        assert np.array_equal(decode_stored_png(encode_png(picture)), picture)

    @given(arrays(np.uint8, st.tuples(SIDES, SIDES)))
    def test_of_grey_levels_comes_back_as_rgb(self, grey: NDArray[np.uint8]) -> None:
        assert np.array_equal(decode_stored_png(encode_png(grey)), as_rgb(grey))

    def test_of_rgb_without_colour_is_as_small_as_one_of_grey_levels(self) -> None:
        assert encode_png(RGB) == encode_png(GREY)

    def test_keeps_see_through_parts(self) -> None:
        rgba = np.array([[[255, 0, 0, 255], [0, 0, 255, 0]]], np.uint8)

        assert np.array_equal(np.asarray(Image.open(BytesIO(encode_png(rgba)))), rgba)

    def test_is_a_picture_like_any_other(self) -> None:
        for picture in (RGB, SQUARES):
            assert np.array_equal(decode_picture(encode_png(picture)), picture)

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param(
                b"",
            ),
            b"not a png",
            encode_png(GREY)[:60],
        ],
    )
    def test_says_when_it_is_damaged(self, content: bytes) -> None:
        with pytest.raises(PictureError, match="damaged") as refused:
            decode_stored_png(content)

        assert refused.value.code == "damaged_image"
