from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from mlcore import paths
from mlcore.judging.judge import outcomes_of_numbers
from mlcore.judging.numbers import (
    answer_of,
    figures,
    identifiers,
    judge_numbers,
    logistic_regression,
    read_rows,
)
from mlcore.judging.report import numbers as picture_of_numbers
from mlcore.judging.rows import HEIGHT_PX, letters, rows
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.numbers import (
    MOST_DIGITS,
    MOST_STROKES,
    Expected,
    of_strokes,
    read_number,
)
from mlcore.reading.rasterise import Points, rasterise
from mlcore.reading.specimens import Specimen, specimens
from mlcore.tests.making import STYLES, line, written
from mlcore.training.data import PenData, PenDrawing, load_pen

CROSSED = next(m.strokes for m in specimens() if (m.digit, m.style) == (7, "crossed"))


def read(
    starter: Recogniser,
    strokes: Sequence[Points],
    *,
    expect: Expected = "number",
    allowed: Sequence[str] = (),
) -> Reading:
    return read_number(starter, strokes, pen_width=8, expect=expect, allowed=allowed)


class TestReadNumber:
    @pytest.mark.parametrize("expect", ["number", "auto"])
    @pytest.mark.parametrize("text", ["42", "2026", "10115", "987650", "38"])
    def test_reads_digits_side_by_side(
        self, starter: Recogniser, text: str, expect: Expected
    ) -> None:
        reading = read(starter, written(text), expect=expect)

        assert answer_of(reading) == text
        assert reading.digit is None
        assert reading.refusal is None

    def test_reads_twenty_digits(self, starter: Recogniser) -> None:
        text = "31415926535897932384"

        reading = read(starter, written(text))

        assert len(text) == MOST_DIGITS
        assert reading.number is not None
        assert reading.number.text == text

    def test_says_what_it_knows_of_each_digit(self, starter: Recogniser) -> None:
        reading = read(starter, written("274"))

        assert reading.number is not None
        assert reading.probabilities == (0.1,) * 10
        assert reading.second is None
        assert reading.confidence == reading.number.confidence
        lefts = []
        for digit in reading.number.digits:
            assert sum(digit.probabilities) == pytest.approx(1)
            assert digit.confidence == max(digit.probabilities)
            assert digit.second != digit.digit
            assert digit.image is not None
            assert digit.image.shape == (28, 28, 1)
            assert digit.box[0] <= digit.box[2]
            lefts.append(digit.box[0])
        assert lefts == sorted(lefts)
        pieces = [piece for digit in reading.number.digits for piece in digit.pieces]
        assert sorted(pieces) == list(range(len(written("274"))))

    def test_finds_a_bar_that_came_late(self, starter: Recogniser) -> None:
        first = [stroke.copy() for stroke in CROSSED]
        other = [stroke + np.array([260, 0], np.float32) for stroke in CROSSED]

        reading = read(starter, [*first[:-1], *other, first[-1]])

        assert answer_of(reading) == "77"
        assert reading.number is not None
        assert reading.number.digits[0].pieces == (0, len(first) + len(other) - 1)

    def test_leaves_out_points_and_minuses(self, starter: Recogniser) -> None:
        point = line((120, 98), (123, 99))
        minus = line((-90, 50), (-50, 50))

        reading = read(starter, [minus, *written("38", gap=70), point])

        assert reading.number is not None
        assert reading.number.text == "38"
        assert (-90.0, 50.0, -50.0, 50.0) in reading.number.ignored

    @pytest.mark.parametrize("made", specimens(), ids=lambda m: f"{m.digit} {m.style}")
    def test_answers_one_digit_as_a_digit(
        self, starter: Recogniser, made: Specimen
    ) -> None:
        plain = starter.read(rasterise(made.strokes, pen_width=8))

        auto = read(starter, made.strokes, expect="auto")
        number = read(starter, made.strokes, expect="number")

        assert (auto.digit, auto.number) == (plain.digit, None)
        assert number.digit == plain.digit
        assert number.number_text == ("" if plain.digit is None else str(plain.digit))

    def test_keeps_an_unsure_number_beside_its_refusal(
        self, starter: Recogniser
    ) -> None:
        rng = np.random.default_rng(1)
        scribble = (rng.random((30, 2)) * 100).astype(np.float32)

        reading = read(starter, [*written("4", left=150), scribble])

        assert reading.refusal == "several"
        assert reading.digit is None
        assert reading.number is not None
        assert reading.number.text.endswith("4")

    def test_refuses_more_than_it_can_take(self, starter: Recogniser) -> None:
        too_many = written("1234567890" * 3)

        for strokes in (too_many, too_many * 4):
            reading = read(starter, strokes)

            assert (reading.refusal, reading.doubt) == ("several", "long")
            assert reading.number is None
        assert len(too_many * 4) > MOST_STROKES

    def test_takes_strokes_on_top_of_each_other(self, starter: Recogniser) -> None:
        (seven,) = STYLES[7]
        pile = [seven + np.array([at * 31 % 90, at * 57 % 70]) for at in range(60)]

        reading = read(starter, pile)

        assert len(reading.number_text) <= 1 or reading.refusal == "several"


class TestAllowed:
    def test_answers_the_likeliest_of_the_list(self, starter: Recogniser) -> None:
        reading = read(starter, written("10234567"), allowed=["10234567", "10234561"])

        assert answer_of(reading) == "10234567"

    def test_settles_a_digit_that_cannot_be_read(self, starter: Recogniser) -> None:
        answers = []
        for seed in range(10):
            strokes = written("123456", gap=60)
            scribble = np.random.default_rng(seed).random((30, 2)) * 100
            strokes[0] = scribble.astype(np.float32) - np.array([80, 0], np.float32)
            allowed = ["123456", "987654", "523457"]
            answers.append(answer_of(read(starter, strokes, allowed=allowed)))

        assert set(answers) <= {"123456", None}
        assert answers.count("123456") >= 9

    def test_refuses_what_is_not_on_the_list(self, starter: Recogniser) -> None:
        reading = read(starter, written("42"), allowed=["17", "99"])

        assert reading.refusal == "several"

    def test_refuses_other_lengths(self, starter: Recogniser) -> None:
        assert read(starter, written("42"), allowed=["4", "421"]).refusal == "several"

    def test_may_be_one_digit(self, starter: Recogniser) -> None:
        assert read(starter, written("4"), allowed=["4", "9"]).digit == 4
        assert read(starter, written("4"), allowed=["7", "1"]).digit is None


class TestOfStrokes:
    def test_gives_no_number_for_too_many(self, starter: Recogniser) -> None:
        assert of_strokes(starter, written("1") * 81, pen_width=8) is None


def two_writers() -> list[PenDrawing]:
    return [
        PenDrawing(f"{writer}-{made.digit}", str(made.digit), writer, made.strokes)
        for writer in ("one", "two")
        for made in specimens()
    ]


class TestRows:
    def test_are_made_again_the_same(self) -> None:
        first, second = (rows(two_writers(), number=9, seed=4) for _ in range(2))

        for one, other in zip(first, second, strict=True):
            assert one.text == other.text
            for a, b in zip(one.strokes, other.strokes, strict=True):
                assert np.array_equal(a, b)

    def test_have_two_to_six_digits_and_touch_at_times(self) -> None:
        made = rows(two_writers(), number=60)

        assert {len(row.text) for row in made} == set(range(2, 7))
        assert sum(row.touches for row in made) == 20

    def test_go_from_left_to_right(self) -> None:
        for row in rows(two_writers(), number=30, touch=0):
            width = max(float(s[:, 0].max()) for s in row.strokes)

            assert width > 0.5 * HEIGHT_PX * len(row.text) / 2

    def test_may_be_letters(self) -> None:
        others = [PenDrawing("X", "X", "one", [line((0, 0), (90, 100))])]

        assert all(row.text == "" for row in letters(others, number=5))


class TestJudgeNumbers:
    def test_counts_by_length_source_and_gap(self, starter: Recogniser) -> None:
        letter = PenDrawing("X", "X", "one", [line((0, 0), (90, 100))])
        digits = [
            replace(drawing, collection=f"by {drawing.writer}")
            for drawing in two_writers()
        ]

        judged = judge_numbers(starter, PenData(digits, [letter]), number=40)

        assert list(judged.by_kind) == [
            *(f"{length} digits" for length in range(2, 7)),
            *("digits of by one", "digits of by two"),
            *("natural gaps", "touching or overlapping", "all"),
        ]
        for kinds in (["2", "3", "4", "5", "6"], ["of by one", "of by two"]):
            of_kinds = [
                found.drawings
                for kind, found in judged.by_kind.items()
                if any(kind in (f"{name} digits", f"digits {name}") for name in kinds)
            ]
            assert sum(of_kinds) == 40
        of_all = judged.by_kind["all"]
        assert of_all.right > 0.5
        assert len(judged.mistakes) == round(40 * of_all.wrong)
        assert judged.auto["digits as with digit"] > 0.99

    def test_is_told_in_shares_and_a_picture(self, starter: Recogniser) -> None:
        judged = judge_numbers(starter, PenData(two_writers(), two_writers()), number=9)

        for shares in outcomes_of_numbers(judged.by_kind).values():
            whole = shares["right"] + shares["refused"] + shares["wrong"]
            assert whole == pytest.approx(1)
        row = rows(two_writers(), number=1)[0]
        (reading,) = read_rows(starter, [row], expect="number")
        figure = picture_of_numbers([(row, reading)])
        shown = [axes.get_title(loc="center") for axes in figure.axes]
        assert shown[0].startswith(f"{row.text} as ")


class TestFigures:
    def test_count_right_wrong_and_refused(self, starter: Recogniser) -> None:
        made = rows(two_writers(), number=12, touch=0, lengths=range(2, 4))

        read = read_rows(starter, made, expect="number")
        found = figures(
            read, ["no" if place < 3 else r.text for place, r in enumerate(made)]
        )

        assert found.drawings == 12
        assert found.right >= 0.5
        assert found.wrong > 0
        assert found.line("rows").startswith("rows")

    def test_fit_takes_what_separates(self) -> None:
        given = np.array([[-4.0, 0.0], [-3.0, 0.1], [0.0, -4.0], [-0.1, -3.0]])

        offset, of_digits, of_score = logistic_regression(
            given, np.array([1.0, 1.0, 0.0, 0.0])
        )

        assert of_digits < 0 < of_score
        assert offset == pytest.approx(0, abs=5)


@pytest.mark.long
class TestCalibrationWriters:
    __test__ = paths.pen_folder() is not None  # None: nothing to collect

    def test_are_read(self, starter: Recogniser) -> None:
        pen = load_pen().split("calibration")
        made = rows(pen.digits, number=300, seed=5)

        found = figures(
            read_rows(starter, made, expect="number"), [row.text for row in made]
        )

        assert found.right >= 0.93
        assert found.wrong <= 0.04

    def test_find_an_unreadable_digit_by_a_list(self, starter: Recogniser) -> None:
        pen = load_pen().split("calibration")

        assert identifiers(starter, pen).right >= 0.9
