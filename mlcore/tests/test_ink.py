import base64
import time
import tracemalloc

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from mlcore.reading.ink import FAINTEST_CONTRAST, find_ink
from mlcore.reading.pictures import (
    MAX_PIXELS,
    MAX_STORED_SIDE_PX,
    PictureError,
    decode_data_url,
    decode_picture,
    decode_stored_png,
    encode_png,
)
from mlcore.reading.preprocess import Bitmap, DigitImage, normalize
from mlcore.reading.rasterise import RASTER_PX, Points, draw_on_canvas, rasterise
from mlcore.tests.making import (
    DRAWING_SOURCES,
    ONE_OF_EACH,
    drawings_of,
    encoded,
    line,
    picture_of,
    png_claiming,
    specimen,
)

coordinates = st.floats(-100_000, 100_000, width=32)
strokes_of_any_kind = st.lists(
    arrays(np.float32, st.tuples(st.integers(1, 30), st.just(2)), elements=coordinates),
    min_size=1,
    max_size=5,
)


def framed(strokes: list[Points], *, pen_width: float = 18.0) -> DigitImage:
    return normalize(rasterise(strokes, pen_width=pen_width))


def gap(one: NDArray, other: NDArray) -> float:
    """Return the mean difference of two pictures, in their own units."""
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).mean())


class TestRasterise:
    @given(strokes_of_any_kind, st.floats(0.5, 100))
    def test_fills_its_frame_whatever_was_drawn(
        self, strokes: list[Points], pen_width: float
    ) -> None:
        bitmap = rasterise(strokes, pen_width=pen_width)

        assert bitmap.dtype == np.uint8
        assert max(bitmap.shape) in (RASTER_PX + 2, RASTER_PX + 3)
        assert bitmap.max() == 255
        for edge in (bitmap[:3], bitmap[-3:], bitmap[:, :3], bitmap[:, -3:]):
            assert edge.any()

    def test_draws_one_point_as_a_round_dot(self) -> None:
        dot = framed([line((140, 140))])[..., 0]

        y, x = np.mgrid[:28, :28]
        disc = np.hypot(y - 13.5, x - 13.5) < 10
        assert gap(dot, disc) < 0.06

    def test_draws_a_trembling_dot_as_a_dot(self) -> None:
        dot = framed([line((140, 140))])

        tremble = framed([line((140, 140), (140.4, 140.2), (140.1, 140.6))])

        assert gap(tremble, dot) < 0.06

    def test_draws_two_dots_apart(self) -> None:
        bitmap = rasterise([line((0, 0)), line((100, 0))])

        assert bitmap[:, :12].any()
        assert bitmap[:, -12:].any()
        assert not bitmap[:, 30:-30].any()

    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    @given(scale=st.floats(0.3, 100), x=st.floats(-1e5, 1e5), y=st.floats(-1e5, 1e5))
    def test_does_not_care_where_or_how_large_somebody_drew(
        self, source: str, scale: float, x: float, y: float
    ) -> None:
        drawn = drawings_of(source)[int(abs(x)) % len(drawings_of(source))]
        offset = np.array([x, y], np.float32)

        moved = [
            (stroke * scale + offset).astype(np.float32) for stroke in drawn.strokes
        ]

        assert gap(framed(moved), framed(drawn.strokes)) < 0.004

    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    @pytest.mark.parametrize("pen_width", [1.0, 8.0, 40.0])
    def test_does_not_care_how_wide_the_pen_was(
        self, source: str, pen_width: float
    ) -> None:
        for drawn in drawings_of(source):
            usual = rasterise(drawn.strokes)

            assert np.array_equal(rasterise(drawn.strokes, pen_width=pen_width), usual)

    def test_keeps_the_pen_of_a_drawing_smaller_than_it(self) -> None:
        hook = [line((0, 0), (8, 0), (8, 8))]

        with_thick_pen = framed(hook, pen_width=18)
        with_thin_pen = framed(hook, pen_width=1)

        assert with_thick_pen.mean() > 2 * with_thin_pen.mean()

    def test_counts_ink_outside_the_canvas(self) -> None:
        seven = specimen("7 plain").strokes

        outside = [stroke - np.float32(500) for stroke in seven]

        assert gap(framed(outside), framed(seven)) < 0.001

    def test_draws_a_flat_line_flat(self) -> None:
        bitmap = rasterise([line((0, 50), (200, 50))])

        assert bitmap.shape[0] < 0.15 * bitmap.shape[1]

    def test_does_not_change_the_strokes(self) -> None:
        strokes = specimen("2 looped").strokes
        before = [stroke.copy() for stroke in strokes]

        rasterise(strokes)

        for stroke, kept in zip(strokes, before, strict=True):
            assert np.array_equal(stroke, kept)


class TestDrawOnCanvas:
    @given(strokes_of_any_kind, st.integers(1, 300), st.integers(1, 300))
    def test_has_the_size_of_the_canvas(
        self, strokes: list[Points], width: int, height: int
    ) -> None:
        bitmap = draw_on_canvas(strokes, width=width, height=height, pen_width=18)

        assert bitmap.shape == (height, width)
        assert bitmap.dtype == np.uint8

    def test_draws_where_and_as_wide_as_it_was_drawn(self) -> None:
        bitmap = draw_on_canvas(
            [line((40, 100), (160, 100))], width=200, height=200, pen_width=18
        )

        rows, columns = np.nonzero(bitmap > 127)
        assert rows.mean() == pytest.approx(100, abs=0.5)
        assert columns.min() == pytest.approx(40 - 9, abs=2)
        assert columns.max() == pytest.approx(160 + 9, abs=2)
        assert np.ptp(rows) + 1 == pytest.approx(18, abs=2)

    def test_draws_what_passes_through_from_far_outside(self) -> None:
        bitmap = draw_on_canvas(
            [line((-100_000, 140), (100_000, 140))],
            width=280,
            height=280,
            pen_width=18,
        )

        assert (bitmap[140] == 255).all()

    def test_draws_nothing_of_what_lies_outside(self) -> None:
        bitmap = draw_on_canvas(
            [line((500, 500)), line((-90, -90), (-40, -50))],
            width=280,
            height=280,
            pen_width=18,
        )

        assert not bitmap.any()


GREY = picture_of(specimen("6 curved").strokes)
"""A six, black on white: every file below shows it."""
PICTURE = Image.fromarray(GREY)
INK = Image.fromarray(255 - GREY)
SIX = normalize(find_ink(GREY))


def coloured(ink_level: int) -> Image.Image:
    """Return the six in that grey on nothing: transparent paper."""
    flat = Image.new("L", PICTURE.size, ink_level)
    return Image.merge("RGBA", [flat, flat, flat, INK])


def sixteen_bits() -> Image.Image:
    return Image.fromarray(GREY.astype(np.uint16) * 257)


BLACK_ON_WHITE = {
    "grey PNG": encoded(PICTURE, "PNG"),
    "grey and alpha PNG": encoded(PICTURE.convert("LA"), "PNG"),
    "RGB PNG": encoded(PICTURE.convert("RGB"), "PNG"),
    "RGBA PNG": encoded(PICTURE.convert("RGBA"), "PNG"),
    "palette PNG": encoded(PICTURE.convert("P"), "PNG"),
    "1-bit PNG": encoded(
        PICTURE.convert("1", dither=Image.Dither.NONE), "PNG", optimize=True
    ),
    "16-bit PNG": encoded(sixteen_bits(), "PNG"),
    "grey JPEG": encoded(PICTURE, "JPEG"),
    "RGB JPEG": encoded(PICTURE.convert("RGB"), "JPEG"),
    "progressive JPEG": encoded(PICTURE, "JPEG", progressive=True),
    "CMYK JPEG": encoded(PICTURE.convert("CMYK"), "JPEG"),
    "two-picture JPEG": encoded(
        PICTURE, "MPO", save_all=True, append_images=[INK.copy()]
    ),
    "lossy WebP": encoded(PICTURE.convert("RGB"), "WEBP"),
    "lossless WebP": encoded(PICTURE.convert("RGB"), "WEBP", lossless=True),
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
        grey = decode_picture(BLACK_ON_WHITE[kind])

        assert grey.dtype == np.uint8
        assert grey.shape == GREY.shape
        assert gap(grey, GREY) < 1.5

    def test_lays_transparent_light_ink_on_black(self) -> None:
        grey = decode_picture(encoded(coloured(255), "PNG"))

        assert gap(grey, 255 - GREY) < 0.5

    def test_lays_an_empty_transparent_picture_on_white(self) -> None:
        nothing = Image.new("RGBA", (40, 30), (0, 0, 0, 0))

        grey = decode_picture(encoded(nothing, "PNG"))

        assert (grey == 255).all()

    def test_keeps_light_on_dark_as_sent(self) -> None:
        grey = decode_picture(encoded(INK, "PNG"))

        assert gap(grey, 255 - GREY) < 0.5

    def test_tells_coloured_ink_from_paper(self) -> None:
        white = Image.new("L", PICTURE.size, 255)
        blue = Image.merge("RGB", [PICTURE, PICTURE, white])

        grey = decode_picture(encoded(blue, "PNG"))

        assert gap(normalize(find_ink(grey)), SIX) < 0.01

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize(
        ("orientation", "seen"),
        [
            (1, GREY),
            (2, np.fliplr(GREY)),
            (3, np.rot90(GREY, 2)),
            (4, np.flipud(GREY)),
            (5, GREY.T),
            (6, np.rot90(GREY, -1)),
            (7, np.rot90(GREY, 2).T),
            (8, np.rot90(GREY)),
        ],
    )
    def test_turns_a_photo_upright(
        self, kind: str, orientation: int, seen: NDArray[np.uint8]
    ) -> None:
        exif = Image.Exif()
        exif[ORIENTATION] = orientation

        grey = decode_picture(encoded(PICTURE.convert("RGB"), kind, exif=exif))

        assert gap(grey, seen) < 1.5

    @pytest.mark.parametrize("kind", ["PNG", "WEBP"])
    def test_takes_the_first_frame_of_an_animation(self, kind: str) -> None:
        dark = Image.new("RGB", PICTURE.size, (0, 0, 0))

        grey = decode_picture(
            encoded(
                PICTURE.convert("RGB"),
                kind,
                save_all=True,
                append_images=[dark],
                duration=100,
            )
        )

        assert gap(grey, GREY) < 1.5

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    def test_shrinks_a_large_picture_to_what_is_kept(self, kind: str) -> None:
        large = PICTURE.resize((2800, 2100), Image.Resampling.BILINEAR)

        grey = decode_picture(encoded(large, kind))

        assert grey.shape == (768, MAX_STORED_SIDE_PX)

    def test_leaves_a_small_picture_its_size(self) -> None:
        grey = decode_picture(encoded(Image.new("L", (1, 1), 200), "PNG"))

        assert grey.tolist() == [[200]]

    def test_keeps_a_very_long_picture_a_pixel_high(self) -> None:
        grey = decode_picture(encoded(Image.new("L", (9000, 2), 255), "PNG"))

        assert grey.shape == (1, MAX_STORED_SIDE_PX)

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    @pytest.mark.parametrize("share", [0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.8, 0.95, 0.99])
    def test_refuses_a_file_that_was_cut_off(self, kind: str, share: float) -> None:
        whole = encoded(PICTURE.convert("RGB"), kind)

        with pytest.raises(PictureError) as refused:
            decode_picture(whole[: int(share * len(whole))])

        assert refused.value.code in {"damaged_image", "not_an_image"}

    @pytest.mark.parametrize("kind", ["PNG", "JPEG"])
    def test_says_that_a_cut_file_is_damaged(self, kind: str) -> None:
        whole = encoded(PICTURE, kind)

        with pytest.raises(PictureError, match="damaged or cut off") as refused:
            decode_picture(whole[: len(whole) // 2])

        assert refused.value.code == "damaged_image"

    @pytest.mark.parametrize("kind", ["GIF", "BMP", "TIFF", "ICO", "PPM"])
    def test_refuses_other_kinds_of_picture(self, kind: str) -> None:
        with pytest.raises(PictureError, match="PNG, JPEG or WebP") as refused:
            decode_picture(encoded(PICTURE, kind))

        assert refused.value.code == "not_an_image"

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

    @pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
    @given(place=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
    def test_meets_damage_with_its_own_error_only(
        self, kind: str, place: float, change: int
    ) -> None:
        content = bytearray(encoded(PICTURE.resize((40, 40)), kind))
        content[int(place * len(content))] ^= change

        try:
            grey = decode_picture(bytes(content))
        except PictureError:
            return

        assert grey.ndim == 2
        assert max(grey.shape) <= MAX_STORED_SIDE_PX


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

    def test_at_the_limit_is_decoded(self) -> None:
        with pytest.raises(PictureError) as refused:
            decode_picture(png_claiming(MAX_PIXELS, 1))

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

        grey = decode_data_url(head + base64.b64encode(content).decode())

        assert np.array_equal(grey, decode_picture(content))

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


class TestFindInk:
    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_finds_the_drawing_itself(self, name: str) -> None:
        grey = picture_of(specimen(name).strokes)

        bitmap = find_ink(grey)

        assert gap(bitmap, 255 - grey) < 0.2

    @given(
        name=st.sampled_from(ONE_OF_EACH),
        paper=st.integers(150, 255),
        contrast=st.integers(60, 150),
    )
    def test_gives_the_same_bitmap_in_either_polarity(
        self, name: str, paper: int, contrast: int
    ) -> None:
        strokes = specimen(name).strokes
        dark_on_light = picture_of(strokes, paper=paper, pen=paper - contrast)

        bitmap = find_ink(dark_on_light)

        assert np.array_equal(find_ink(255 - dark_on_light), bitmap)
        assert bitmap.max() == 255
        assert gap(bitmap, 255 - picture_of(strokes)) < 1.0

    @pytest.mark.parametrize("level", [0, 1, 90, 127, 128, 200, 254, 255])
    @pytest.mark.parametrize("shape", [(280, 280), (1, 1), (2, 500)])
    def test_finds_nothing_on_blank_paper(
        self, level: int, shape: tuple[int, int]
    ) -> None:
        bitmap = find_ink(np.full(shape, level, np.uint8))

        assert bitmap.shape == shape
        assert not bitmap.any()

    @pytest.mark.parametrize("paper", [40, 128, 220])
    def test_finds_nothing_in_the_grain_of_paper(self, paper: int) -> None:
        grain = np.random.default_rng(1).normal(paper, 3, (400, 400))

        bitmap = find_ink(np.clip(np.rint(grain), 0, 255).astype(np.uint8))

        assert not bitmap.any()

    @pytest.mark.parametrize("paper", [40, 128, 220])
    def test_finds_ink_from_the_faintest_contrast_on(self, paper: int) -> None:
        strokes = specimen("3 round").strokes
        toward = 1 if paper < 128 else -1

        fainter = picture_of(
            strokes, paper=paper, pen=paper + toward * (FAINTEST_CONTRAST - 1)
        )
        faintest = picture_of(
            strokes, paper=paper, pen=paper + toward * FAINTEST_CONTRAST
        )

        assert not find_ink(fainter).any()
        assert find_ink(faintest).max() == 255

    @pytest.mark.parametrize("grain", [1, 2])
    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_reads_through_the_grain_of_paper(self, name: str, grain: float) -> None:
        strokes = specimen(name).strokes
        clean = picture_of(strokes, paper=210, pen=40)
        noise = np.random.default_rng(3).normal(0, grain, clean.shape)

        bitmap = find_ink(np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8))

        assert gap(normalize(bitmap), normalize(find_ink(clean))) < 0.02

    @pytest.mark.parametrize("quality", [70, 80, 95])
    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_takes_the_ringing_of_jpeg_for_paper(self, name: str, quality: int) -> None:
        grey = picture_of(specimen(name).strokes)

        sent = decode_picture(encoded(Image.fromarray(grey), "JPEG", quality=quality))

        # Of some 200 px: less than half a pixel of the digit image.
        clean, found = (cv2.boundingRect(find_ink(seen)) for seen in (grey, sent))
        assert np.abs(np.subtract(found, clean)).max() <= 5

    def test_reads_through_the_noise_of_a_camera(self) -> None:
        large = [3 * stroke for stroke in specimen("7 crossed").strokes]
        clean = picture_of(large, side=840, pen_width=54, paper=200, pen=40)
        noise = np.random.default_rng(3).normal(0, 8, clean.shape)

        bitmap = find_ink(np.clip(np.rint(clean + noise), 0, 255).astype(np.uint8))

        assert gap(normalize(bitmap), normalize(find_ink(clean))) < 0.05

    def test_reads_under_a_lamp_from_one_side(self) -> None:
        clean = picture_of(specimen("7 crossed").strokes, paper=180, pen=20)
        light = np.linspace(-35, 35, clean.shape[1])

        bitmap = find_ink(np.rint(np.maximum(clean + light, 0)).astype(np.uint8))

        assert gap(normalize(bitmap), normalize(find_ink(clean))) < 0.05

    @pytest.mark.parametrize("name", ONE_OF_EACH)
    @pytest.mark.parametrize("pen_width", [1, 2, 3, 6])
    def test_thickens_lines_that_would_vanish(self, name: str, pen_width: int) -> None:
        strokes = specimen(name).strokes
        thin = picture_of(strokes, pen_width=pen_width)

        image = normalize(find_ink(thin))

        assert gap(image, framed(strokes)) < 0.09
        assert image.mean() > 0.5 * framed(strokes).mean()

    def test_leaves_solid_lines_as_they_are(self) -> None:
        bitmap = find_ink(GREY)

        assert bitmap.shape == GREY.shape
        assert gap(bitmap, 255 - GREY) < 0.2

    def test_finds_ink_that_touches_the_edge(self) -> None:
        cropped = GREY[40:240, 72:208]

        bitmap = find_ink(np.ascontiguousarray(cropped))

        assert gap(bitmap, 255 - cropped) < 0.2

    def test_keeps_a_single_dark_pixel(self) -> None:
        grey = np.full((60, 60), 255, np.uint8)
        grey[20, 30] = 0

        bitmap = find_ink(grey)

        assert bitmap.any()

    @given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))))
    def test_takes_any_grey_levels(self, grey: NDArray[np.uint8]) -> None:
        bitmap = find_ink(grey)

        assert bitmap.dtype == np.uint8
        assert bitmap.ndim == 2
        assert bitmap.max() in (0, 255)

    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    def test_sees_in_a_picture_what_the_strokes_show(self, source: str) -> None:
        gaps = [
            gap(normalize(find_ink(picture_of(drawn.strokes))), framed(drawn.strokes))
            for drawn in drawings_of(source)
        ]

        # Measured: 0.022 to 0.029. The canvas's pen is thinner than the reading pen.
        assert np.mean(gaps) < 0.035


class TestRuledPaper:
    @staticmethod
    def on_lines(bitmap: Bitmap, *, level: int, squared: bool) -> Bitmap:
        lines = np.zeros_like(bitmap)
        for offset in (12, 13):
            lines[offset::40] = level
            if squared:
                lines[:, offset::40] = level
        return np.asarray(255 - np.maximum(lines, bitmap), np.uint8)

    @pytest.mark.parametrize("squared", [False, True])
    @pytest.mark.parametrize(
        "name", ["2 plain", "3 flat-topped", "4 open", "7 crossed"]
    )
    def test_is_told_from_ink(self, name: str, squared: bool) -> None:
        drawn = draw_on_canvas(
            specimen(name).strokes, width=280, height=280, pen_width=9
        )

        found = find_ink(self.on_lines(drawn, level=100, squared=squared))

        bare = find_ink(255 - drawn)
        assert (found[bare == 0] == 0).mean() > 0.97
        assert (found[bare > 200] > 128).mean() > 0.97

    def test_of_lines_as_dark_as_ink_is_left_alone(self) -> None:
        drawn = draw_on_canvas(
            specimen("3 round").strokes, width=280, height=280, pen_width=9
        )

        found = find_ink(self.on_lines(drawn, level=255, squared=False))

        assert (found > 0).sum() > 2 * (find_ink(255 - drawn) > 0).sum()

    def test_is_not_seen_in_a_stroke_from_edge_to_edge(self) -> None:
        bitmap = np.zeros((100, 80), np.uint8)
        bitmap[2:5] = 255  # the bar of a seven, cut out at its ends
        bitmap[2:100, 76:79] = 255

        found = find_ink(255 - bitmap)

        assert (found[: len(found) // 4] > 0).any(axis=0).mean() > 0.8


class TestStoredPng:
    @given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))))
    def test_comes_back_as_it_was(self, grey: NDArray[np.uint8]) -> None:
        assert np.array_equal(decode_stored_png(encode_png(grey)), grey)

    def test_is_a_picture_like_any_other(self) -> None:
        assert np.array_equal(decode_picture(encode_png(GREY)), GREY)

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
