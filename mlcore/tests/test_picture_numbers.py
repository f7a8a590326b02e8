from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from mlcore import paths
from mlcore.judging.numbers import answer_of, figures
from mlcore.judging.picture_numbers import read_in_pictures
from mlcore.judging.rows import Paper, on_paper, row_of_boxes_from, rows
from mlcore.reading import picture_numbers
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.numbers import Expected
from mlcore.reading.pictures import Picture
from mlcore.reading.specimens import Specimen, specimens
from mlcore.tests.making import line, written
from mlcore.training.data import load_pen


def drawn(text: str, *, gap: float = 40.0, paper: Paper = "plain") -> Picture:
    """Draw a number on paper with the specimens."""
    return on_paper(written(text, gap=gap), np.random.default_rng(0), paper=paper)


def read(
    starter: Recogniser,
    picture: Picture,
    *,
    expect: Expected = "number",
    allowed: Sequence[str] = (),
) -> Reading:
    return picture_numbers.read_number_in_picture(
        starter, picture, expect=expect, allowed=allowed
    )


def boxed(text: str, *, gap_px: int = 0, side: int = 120) -> Picture:
    """Print boxes, and write the digits of a text into them; `_` leaves one empty."""
    page = np.full((side + 80, (side + gap_px) * len(text) + 80, 3), 255, np.uint8)
    for place, digit in enumerate(text):
        left = 40 + place * (side + gap_px)
        cv2.rectangle(page, (left, 40), (left + side, 40 + side), (20, 20, 20), 3)
        for stroke in written(digit) if digit != "_" else ():
            points = stroke * 0.7 + np.array([left + 30, 65])
            lines = [np.rint(points).astype(np.int32)]
            cv2.polylines(page, lines, False, (40, 40, 90), 6, cv2.LINE_AA)
    return page


class TestNumbersOnPaper:
    @pytest.mark.parametrize("expect", ["number", "auto"])
    @pytest.mark.parametrize("text", ["42", "2026", "10115", "987650"])
    def test_are_read(self, starter: Recogniser, text: str, expect: Expected) -> None:
        reading = read(starter, drawn(text), expect=expect)

        assert answer_of(reading) == text
        assert reading.digit is None
        assert reading.probabilities == (0.1,) * 10

    @pytest.mark.parametrize("paper", ["ruled", "squared"])
    def test_are_read_on_lines(self, starter: Recogniser, paper: Paper) -> None:
        assert answer_of(read(starter, drawn("2026", paper=paper))) == "2026"

    def test_may_be_light_on_dark_and_grey(self, starter: Recogniser) -> None:
        dark = 255 - drawn("2026")[..., 1]

        assert answer_of(read(starter, dark)) == "2026"

    def test_may_lie_in_a_shadow(self, starter: Recogniser) -> None:
        picture = drawn("2026").astype(float)
        middle = picture.shape[1] // 2
        soft = np.clip((np.arange(picture.shape[1]) - middle) / 60, -0.5, 0.5)
        shadow = np.rint(picture * (0.75 + 0.4 * soft)[:, np.newaxis]).astype(np.uint8)

        assert answer_of(read(starter, shadow)) == "2026"

    def test_have_each_digit_at_its_place(self, starter: Recogniser) -> None:
        picture = drawn("274")

        reading = read(starter, picture)

        assert reading.number is not None
        lefts = [digit.box[0] for digit in reading.number.digits]
        assert lefts == sorted(lefts)
        for digit in reading.number.digits:
            left, top, right, bottom = (round(side) for side in digit.box)
            assert picture[top:bottom, left:right].min() < 128
            assert digit.image is not None
            assert digit.pieces == ()

    def test_do_not_depend_on_the_pictures_size(self, starter: Recogniser) -> None:
        large = cv2.resize(drawn("274"), None, fx=3, fy=3)

        reading = read(starter, np.asarray(large, np.uint8))

        assert reading.number is not None
        assert reading.number.text == "274"
        assert reading.number.digits[-1].box[2] > 0.7 * large.shape[1]

    def test_leave_out_points_and_minuses(self, starter: Recogniser) -> None:
        minus = line((-90, 50), (-50, 50))
        point = line((75, 98), (78, 99))
        strokes = [minus, *written("38", gap=70), point]

        reading = read(starter, on_paper(strokes, np.random.default_rng(0)))

        assert reading.number_text == "38"
        assert reading.number is not None
        assert len(reading.number.ignored) == 2

    @pytest.mark.parametrize("made", specimens(), ids=lambda m: f"{m.digit} {m.style}")
    def test_of_one_digit_are_a_digit(
        self, starter: Recogniser, made: Specimen
    ) -> None:
        picture = on_paper(made.strokes, np.random.default_rng(0))
        plain = starter.read_picture(picture)

        auto = read(starter, picture, expect="auto")
        number = read(starter, picture, expect="number")

        assert (auto.digit, auto.refusal, auto.number) == (
            *(plain.digit, plain.refusal),
            None,
        )
        assert number.digit == plain.digit
        assert number.number_text == ("" if plain.digit is None else str(plain.digit))

    def test_are_refused_if_they_are_not_sure(self, starter: Recogniser) -> None:
        pile = written("38573", gap=-25)

        reading = read(starter, on_paper(pile, np.random.default_rng(0)))

        assert reading.digit is None
        assert reading.refusal == "several"

    def test_may_be_limited_to_a_list(self, starter: Recogniser) -> None:
        picture = drawn("274")

        right = read(starter, picture, expect="auto", allowed=["274", "999"])
        other = read(starter, picture, allowed=["100", "999"])

        assert answer_of(right) == "274"
        assert other.refusal == "several"

    def test_are_not_made_of_much_else(self, starter: Recogniser) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)
        white = np.full((300, 400, 3), 255, np.uint8)

        assert read(starter, noise).refusal is not None
        assert read(starter, white).refusal == "blank"


class TestRowsOfBoxes:
    @pytest.mark.parametrize("gap_px", [0, 25])
    @pytest.mark.parametrize("text", ["42", "20267", "31415926"])
    def test_are_read(self, starter: Recogniser, text: str, gap_px: int) -> None:
        reading = read(starter, boxed(text, gap_px=gap_px), expect="auto")

        assert answer_of(reading) == text

    @pytest.mark.parametrize("text", ["4_2", "__27", "27__"])
    def test_have_gaps_where_boxes_are_empty(
        self, starter: Recogniser, text: str
    ) -> None:
        reading = read(starter, boxed(text))

        assert reading.number_text == text
        assert reading.refusal is None
        assert reading.number is not None
        assert [digit.digit is None for digit in reading.number.digits] == [
            written == "_" for written in text
        ]

    def test_are_refused_with_a_box_that_is_not_sure(self, starter: Recogniser) -> None:
        picture = boxed("427")
        rng = np.random.default_rng(0)
        scribble = rng.integers(60, 140, (40, 2), np.int32)
        scribble[:, 0] += 120
        cv2.polylines(picture, [scribble], False, (0, 0, 0), 4)

        reading = read(starter, picture)

        assert reading.refusal == "several"
        assert len(reading.number_text) == 3

    def test_may_be_limited_to_a_list(self, starter: Recogniser) -> None:
        picture = boxed("427")

        assert answer_of(read(starter, picture, allowed=["427", "128"])) == "427"
        assert read(starter, picture, allowed=["42", "128"]).refusal == "several"

    def test_are_not_made_of_loops_and_several_rows(self, starter: Recogniser) -> None:
        table = np.vstack([boxed("42"), boxed("57")])

        assert answer_of(read(starter, drawn("00"))) == "00"
        assert read(starter, table).refusal is not None


@pytest.mark.long
class TestCalibrationWriters:
    __test__ = paths.pen_folder() is not None  # None: nothing to collect

    def test_are_read(self, starter: Recogniser) -> None:
        pen = load_pen().split("calibration")
        made = rows(pen.digits, number=150, seed=5, touch=0)
        rng = np.random.default_rng(5)
        pictures = [on_paper(row.strokes, rng) for row in made]

        found = figures(
            read_in_pictures(starter, pictures, expect="number"),
            [row.text for row in made],
        )

        assert found.right >= 0.85
        assert found.wrong <= 0.03


@pytest.mark.long
class TestRealBoxes:
    __test__ = paths.pictures_folder() is not None  # None: nothing to collect

    def test_are_read(self, starter: Recogniser) -> None:
        folder = paths.pictures_folder()
        assert folder is not None
        made = row_of_boxes_from(folder, number=60)

        found = figures(
            read_in_pictures(starter, [picture for picture, _ in made], expect="auto"),
            [text for _, text in made],
        )

        assert found.right >= 0.8
        assert found.wrong <= 0.02
