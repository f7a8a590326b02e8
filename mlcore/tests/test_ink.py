import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from mlcore.reading.inference import PICTURE_DIGITNESS_BELOW, Recogniser
from mlcore.reading.ink import Candidate, candidates
from mlcore.reading.pictures import Picture, decode_picture
from mlcore.reading.preprocess import Bitmap, normalize
from mlcore.reading.rasterise import draw_on_canvas
from mlcore.tests.making import (
    DRAWING_SOURCES,
    ONE_OF_EACH,
    drawings_of,
    encoded,
    framed,
    gap,
    ink_in,
    picture_of,
    specimen,
)

GREY = picture_of(specimen("6 curved").strokes)
"""A six, black on white."""


def first(picture: Picture | NDArray[np.uint8]) -> Candidate:
    return next(candidates(picture))


def gap_framed(one: Bitmap, other: Bitmap) -> float:
    """Return the gap of two digit images, where they agree most.

    Size and place are rounded to pixels, so either may be one pixel off. One pixel of
    size makes a gap of 0.024.
    """
    still = normalize(other)
    return min(
        gap(np.roll(normalize(one), (y, x), (0, 1)), still)
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    )


def drawn_by_pen(name: str, pen_width: float) -> Bitmap:
    strokes = specimen(name).strokes
    return draw_on_canvas(strokes, width=280, height=280, pen_width=pen_width)


def with_grain(
    picture: NDArray[np.uint8], deviation: float, seed: int = 3
) -> NDArray[np.uint8]:
    grain = np.random.default_rng(seed).normal(0, deviation, picture.shape)
    return np.asarray(np.clip(np.rint(picture + grain), 0, 255), np.uint8)


class TestLikeliestInk:
    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_is_the_drawing_itself(self, name: str) -> None:
        grey = picture_of(specimen(name).strokes)

        assert gap_framed(ink_in(grey), 255 - grey) < 0.03

    @given(
        name=st.sampled_from(ONE_OF_EACH),
        paper=st.integers(150, 255),
        contrast=st.integers(60, 150),
    )
    def test_is_the_same_in_either_polarity(
        self, name: str, paper: int, contrast: int
    ) -> None:
        strokes = specimen(name).strokes
        dark_on_light = picture_of(strokes, paper=paper, pen=paper - contrast)

        bitmap = ink_in(dark_on_light)

        assert np.array_equal(ink_in(255 - dark_on_light), bitmap)
        assert bitmap.max() == 255
        assert gap_framed(bitmap, 255 - picture_of(strokes)) < 0.03

    @pytest.mark.parametrize("level", [0, 1, 90, 127, 128, 200, 254, 255])
    @pytest.mark.parametrize("shape", [(280, 280), (1, 1), (2, 500), (500, 1)])
    def test_is_none_on_blank_paper(self, level: int, shape: tuple[int, int]) -> None:
        assert list(candidates(np.full(shape, level, np.uint8))) == []

    @pytest.mark.parametrize("paper", [40, 128, 220])
    def test_is_none_in_the_grain_of_paper(self, paper: int) -> None:
        paper_alone = np.full((400, 400), paper, np.uint8)

        assert list(candidates(with_grain(paper_alone, 3))) == []

    @pytest.mark.parametrize("paper", [40, 128, 220])
    @pytest.mark.parametrize(("contrast", "is_seen"), [(8, False), (30, True)])
    def test_is_seen_where_a_person_sees_it(
        self, paper: int, contrast: int, is_seen: bool, starter: Recogniser
    ) -> None:
        pen = paper + contrast * (1 if paper < 128 else -1)
        faint = picture_of(specimen("3 round").strokes, paper=paper, pen=pen)

        reading = starter.read_picture(faint)

        assert reading.refusal != "blank" if is_seen else reading.refusal == "blank"
        if is_seen:
            assert np.argmax(reading.probabilities) == 3

    @pytest.mark.parametrize("grain", [1, 2])
    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_is_seen_through_the_grain_of_paper(self, name: str, grain: float) -> None:
        clean = picture_of(specimen(name).strokes, paper=210, pen=40)

        bitmap = ink_in(with_grain(clean, grain))

        assert gap_framed(bitmap, ink_in(clean)) < 0.03

    @pytest.mark.parametrize("quality", [70, 80, 95])
    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_leaves_out_the_ringing_of_jpeg(self, name: str, quality: int) -> None:
        grey = picture_of(specimen(name).strokes)

        sent = decode_picture(encoded(Image.fromarray(grey), "JPEG", quality=quality))

        # Of some 200 px: less than half a pixel of the digit image.
        clean, found = (cv2.boundingRect(ink_in(seen))[2:] for seen in (grey, sent))
        assert np.abs(np.subtract(found, clean)).max() <= 5

    def test_is_seen_through_the_noise_of_a_camera(self) -> None:
        large = [3 * stroke for stroke in specimen("7 crossed").strokes]
        clean = picture_of(large, side=840, pen_width=54, paper=200, pen=40)

        bitmap = ink_in(with_grain(clean, 8))

        assert gap_framed(bitmap, ink_in(clean)) < 0.05

    def test_is_seen_under_a_lamp_from_one_side(self) -> None:
        clean = picture_of(specimen("7 crossed").strokes, paper=180, pen=20)
        light = np.linspace(-35, 35, clean.shape[1])

        bitmap = ink_in(np.rint(np.maximum(clean + light, 0)).astype(np.uint8))

        assert gap_framed(bitmap, ink_in(clean)) < 0.05

    @pytest.mark.parametrize("name", ONE_OF_EACH)
    @pytest.mark.parametrize("pen_width", [1, 2, 3, 6])
    def test_is_thickened_where_it_would_vanish(
        self, name: str, pen_width: int
    ) -> None:
        strokes = specimen(name).strokes
        thin = picture_of(strokes, pen_width=pen_width)

        image = normalize(ink_in(thin))

        assert gap(image, framed(strokes)) < 0.09
        assert image.mean() > 0.5 * framed(strokes).mean()

    def test_is_found_where_it_touches_the_edges(self) -> None:
        cropped = np.ascontiguousarray(GREY[40:240, 72:208])

        bitmap = ink_in(cropped)

        assert gap_framed(bitmap, 255 - cropped) < 0.01

    def test_is_cropped_to_the_ink(self) -> None:
        _, _, width, height = cv2.boundingRect(255 - GREY)

        assert np.abs(np.subtract(ink_in(GREY).shape, (height, width))).max() <= 4

    @given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))))
    def test_is_looked_for_in_any_grey_levels(self, grey: NDArray[np.uint8]) -> None:
        for candidate in candidates(grey):
            assert candidate.bitmap.dtype == np.uint8
            assert candidate.bitmap.ndim == 2
            assert candidate.bitmap.max() == 255
            assert 0 <= candidate.trust <= 1

    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    def test_is_what_the_strokes_show(self, source: str) -> None:
        gaps = [
            gap(normalize(ink_in(picture_of(drawn.strokes))), framed(drawn.strokes))
            for drawn in drawings_of(source)
        ]

        # The canvas's pen is thinner than the reading pen.
        assert np.mean(gaps) < 0.035


class TestRuledPaper:
    @staticmethod
    def on_lines(bitmap: Bitmap, level: int, *, squared: bool) -> Bitmap:
        lines = np.zeros_like(bitmap)
        for offset in (12, 13):
            lines[offset::40] = level
            if squared:
                lines[:, offset::40] = level
        return np.asarray(255 - np.maximum(lines, bitmap), np.uint8)

    @pytest.mark.parametrize("level", [100, 255])
    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_does_not_keep_a_digit_from_being_read(
        self, name: str, level: int, starter: Recogniser
    ) -> None:
        drawn = drawn_by_pen(name, 18)

        reading = starter.read_picture(self.on_lines(drawn, level, squared=False))

        assert reading.digit == int(name[0])

    @pytest.mark.parametrize("level", [100, 255])
    def test_may_be_squared(self, level: int, starter: Recogniser) -> None:
        read = {
            name: starter.read_picture(
                self.on_lines(drawn_by_pen(name, 18), level, squared=True)
            ).digit
            for name in ONE_OF_EACH
        }

        # A stem that covers a printed line may look cut off at the edge.
        assert {name for name, digit in read.items() if digit is None} <= {
            "4 open",
            "9 straight tail",
        }
        assert all(digit in (None, int(name[0])) for name, digit in read.items())

    @pytest.mark.parametrize(
        ("name", "squared"),
        [
            ("2 plain", False),
            ("2 plain", True),
            ("3 flat-topped", False),
            ("3 flat-topped", True),
            ("4 open", False),
            ("7 crossed", False),
            ("7 crossed", True),
        ],
    )
    def test_is_told_from_a_thin_pen(self, name: str, squared: bool) -> None:
        drawn = drawn_by_pen(name, 9)

        found = ink_in(self.on_lines(drawn, 100, squared=squared))

        assert gap_framed(found, ink_in(255 - drawn)) < 0.03

    def test_is_not_seen_in_strokes_from_edge_to_edge(
        self, starter: Recogniser
    ) -> None:
        seven = drawn_by_pen("7 plain", 18)
        left, top, width, height = cv2.boundingRect(seven)
        cut = np.ascontiguousarray(seven[top : top + height, left : left + width])

        assert starter.read_picture(255 - cut).digit == 7


class TestTrust:
    def test_is_full_in_a_plain_digit(self) -> None:
        plain = first(GREY)

        assert (plain.trust, plain.doubt) == (1.0, "")

    @pytest.mark.parametrize("radius", [12, 40, 90])
    def test_is_no_help_to_a_blot(self, radius: int, starter: Recogniser) -> None:
        page = np.full((280, 280), 255, np.uint8)
        cv2.circle(page, (140, 140), radius, 0, -1)

        reading = starter.read_picture(page)

        assert reading.refusal == "not_a_digit"
        assert reading.digitness < PICTURE_DIGITNESS_BELOW

    def test_is_lost_by_ink_that_is_cut_off(self) -> None:
        page = picture_of(
            [stroke - (0, 110) for stroke in specimen("6 curved").strokes]
        )

        cut_off = first(page)

        assert cut_off.trust < 1
        assert cut_off.doubt == "cut_off"

    def test_is_kept_where_the_picture_is_cut_at_the_ink(self) -> None:
        left, top, width, height = cv2.boundingRect(255 - GREY)
        cropped = GREY[top : top + height, left : left + width]

        assert first(np.ascontiguousarray(cropped)).trust > 0.8

    def test_is_lost_by_tiny_ink(self) -> None:
        page = np.full((1000, 1000), 255, np.uint8)
        page[500:560, 500:560] = cv2.resize(
            GREY, (60, 60), interpolation=cv2.INTER_AREA
        )

        tiny = first(page)

        assert tiny.trust < 1
        assert tiny.doubt == "small"

    def test_is_lost_by_light_gaps_in_a_dark_line(self) -> None:
        rng = np.random.default_rng(1)
        page = np.full((130, 110), 255.0)
        line = page[:, 8:14]
        line[:] = np.where(rng.random(line.shape) < 0.1, 255, 100)
        page = cv2.GaussianBlur(page, (0, 0), 0.8)

        light = list(candidates(page.astype(np.uint8)))

        assert light
        assert all(found.trust < 0.5 for found in light)

    def test_is_lost_by_a_line_that_spans_the_picture(self) -> None:
        page = np.full((200, 200), 255, np.uint8)
        page[10:190, 98:102] = 0

        assert all(candidate.trust < 0.5 for candidate in candidates(page))

    @pytest.mark.parametrize("turns", range(4))
    def test_is_lost_by_a_piece_of_a_line_along_an_edge(self, turns: int) -> None:
        page = np.full((150, 120), 255, np.uint8)
        page[30:120, 14:22] = 0

        pieces = list(candidates(np.rot90(page, turns).copy()))

        assert pieces
        assert all(piece.trust < 0.5 for piece in pieces)

    def test_is_kept_by_a_bar_in_the_middle(self) -> None:
        page = np.full((150, 120), 255, np.uint8)
        page[30:120, 50:58] = 0

        assert first(page).trust == 1.0

    @pytest.mark.parametrize("seed", [3, 4, 9])
    def test_is_lost_by_two_broken_lines_of_a_cell(self, seed: int) -> None:
        page = np.full((100, 90), 255, np.uint8)
        page[12:15] = page[:, 74:77] = 60
        page[np.random.default_rng(seed).random(page.shape) < 0.4] = 255

        assert all(piece.trust < 0.5 for piece in candidates(page))
