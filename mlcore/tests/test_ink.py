import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from mlcore.reading.ink import FAINTEST_CONTRAST, find_ink
from mlcore.reading.pictures import decode_picture
from mlcore.reading.preprocess import Bitmap, normalize
from mlcore.reading.rasterise import draw_on_canvas
from mlcore.tests.making import (
    DRAWING_SOURCES,
    ONE_OF_EACH,
    drawings_of,
    encoded,
    framed,
    gap,
    picture_of,
    specimen,
)

GREY = picture_of(specimen("6 curved").strokes)
"""A six, black on white."""


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
