import numpy as np
import pytest

from mlcore.judging import judge
from mlcore.judging.judge import (
    STRENGTHS,
    area_under_roc,
    outcomes_of,
    read_corrupted,
    read_decorated,
    read_enlarged,
    read_pen,
    read_styles,
)
from mlcore.reading.calibrate import RefusalCode
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.specimens import specimens
from mlcore.training.augment import DECORATIONS
from mlcore.training.corrupt import CORRUPTIONS, ONLY_JUDGED
from mlcore.training.data import Mnist, PenDrawing
from mlcore.training.figures import ReadDigits, read_mnist


def reading_of(
    digit: int, *, confidence: float = 0.8, refusal: RefusalCode | None = None
) -> Reading:
    probabilities = np.full(10, (1 - confidence) / 9)
    probabilities[digit] = confidence
    return Reading(
        digit=digit if refusal is None else None,
        probabilities=tuple(probabilities.tolist()),
        second=(digit + 1) % 10,
        digitness=0.9,
        refusal=refusal,
        image=None,
    )


def read_as(readings: list[Reading], labels: list[int]) -> ReadDigits:
    return ReadDigits(readings, np.array(labels, np.uint8))


class TestFigures:
    def test_sum_up_readings(self) -> None:
        readings = [
            reading_of(7),
            reading_of(3),
            reading_of(1, refusal="unsure"),
            reading_of(2, refusal="several"),
        ]

        summed = read_as(readings, [7, 4, 1, 5]).figures()

        assert summed["digits"] == 4
        assert summed["accuracy"] == 0.5  # by the largest, refused or not
        assert summed["refused"] == 0.5
        assert summed["accuracy_answered"] == 0.5
        assert summed["ece"] == pytest.approx(0.3)

    def test_can_be_had_where_everything_was_refused(self) -> None:
        summed = read_as([reading_of(7, refusal="unsure")], [7]).figures()

        assert summed["refused"] == 1.0
        assert summed["accuracy_answered"] is None


class TestReadDigits:
    def test_are_right_by_the_largest_probability(self) -> None:
        read = read_as([reading_of(7), reading_of(7, refusal="unsure")], [7, 1])

        assert read.right.tolist() == [True, False]

    def test_are_counted_by_digit(self) -> None:
        digits = [*range(10), 3]
        read = read_as([reading_of(d) for d in [*range(10), 8]], digits)

        assert read.by_digit() == [1, 1, 1, 0.5, 1, 1, 1, 1, 1, 1]

    def test_can_be_taken_in_part(self) -> None:
        read = read_as([reading_of(1), reading_of(2), reading_of(3)], [1, 5, 3])

        chosen = read.take([1, 2])

        assert chosen.labels.tolist() == [5, 3]
        assert chosen.right.tolist() == [False, True]


class TestAreaUnderRoc:
    def test_is_the_share_of_pairs_in_order(self) -> None:
        higher, lower = np.array([0.9, 0.4, 0.4]), np.array([0.1, 0.4])

        # Of six pairs four are in order and two tie.
        assert area_under_roc(higher, lower) == pytest.approx(5 / 6)
        assert area_under_roc(lower, higher) == pytest.approx(1 / 6)


class TestOutcomes:
    def test_count_answers_and_refusals(self) -> None:
        readings = [
            reading_of(7),
            reading_of(3),
            reading_of(1, refusal="unsure"),
            reading_of(2, refusal="several"),
        ]

        counted = outcomes_of(read_as(readings, [7, 4, 1, 5]))

        assert counted == {"pictures": 4, "right": 0.25, "refused": 0.5, "wrong": 0.25}


class TestKinds:
    def test_of_corruptions_are_read_at_each_strength(
        self, starter: Recogniser, mnist: Mnist
    ) -> None:
        few = mnist.test.take(np.arange(10))

        read = read_corrupted(starter, few)

        assert read.keys() == CORRUPTIONS.keys() | ONLY_JUDGED.keys()
        for by_strength in read.values():
            assert by_strength.keys() == {str(strength) for strength in STRENGTHS}
            assert all(len(found) == 10 for found in by_strength.values())

    def test_of_style_are_read_as_their_digit(
        self, starter: Recogniser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(judge, "OF_EACH_STYLE", 2)

        read = read_styles(starter)

        styles = {f"{one.digit} {one.style}" for one in specimens(rare=True)}
        assert read.keys() == styles
        assert all(
            str(label) == style[0]
            for style, found in read.items()
            for label in found.labels
        )
        assert np.mean([found.right.mean() for found in read.values()]) > 0.9

    def test_of_decoration_are_added_to_the_drawing(self, starter: Recogniser) -> None:
        drawings = [
            PenDrawing(made.style, str(made.digit), None, made.strokes)
            for made in specimens()
        ]

        read = read_decorated(starter, drawings)
        plain = read_pen(starter, drawings)

        assert read.keys() == DECORATIONS.keys()
        for found in read.values():
            assert found.labels.tolist() == plain.labels.tolist()
            assert not (found.probabilities == plain.probabilities).all(axis=1).any()


class TestEvaluations:
    def test_of_mnist_count_every_digit(
        self, starter: Recogniser, mnist: Mnist
    ) -> None:
        few = mnist.test.take(np.arange(40))

        assert len(read_mnist(starter, few).readings) == 40
        assert len(read_enlarged(starter, few).readings) == 40

    def test_of_mnist_compare_with_the_labels(
        self, starter: Recogniser, mnist: Mnist
    ) -> None:
        few = mnist.test.take(np.arange(200))
        by_hand = [
            int(np.argmax(starter.read(image).probabilities)) for image in few.images
        ]

        accuracy = read_mnist(starter, few).figures()["accuracy"]

        assert accuracy == pytest.approx(np.mean(by_hand == few.labels))

    def test_of_pen_drawings_scale_them_to_the_canvas(
        self, starter: Recogniser
    ) -> None:
        drawings = [
            PenDrawing(
                id=made.style,
                label=str(made.digit),
                writer=None,
                strokes=[stroke * 40 - 7000 for stroke in made.strokes],
            )
            for made in specimens()
        ]
        usual = [
            PenDrawing(made.style, str(made.digit), None, made.strokes)
            for made in specimens()
        ]

        far_and_large = read_pen(starter, drawings)

        assert len(far_and_large.readings) == len(drawings)
        assert far_and_large.right.tolist() == read_pen(starter, usual).right.tolist()
