import numpy as np
import pytest

from mlcore.reading.calibrate import DIGITS, KINDS, ONE_DIGIT, SEVERAL, SOMETHING_ELSE
from mlcore.reading.preprocess import normalize
from mlcore.reading.rasterise import rasterise
from mlcore.reading.specimens import specimens
from mlcore.tests.making import DRAWING_SOURCES, drawings_of, line, specimen
from mlcore.training.augment import redrawn, rendered, written_side_by_side
from mlcore.training.data import Digits, Mnist, PenDrawing
from mlcore.training.dataset import (
    MADE_SHARES,
    NO_DIGIT,
    Dataset,
    as_served,
    joined,
    made_non_digits,
    mnist_dataset,
    pen_digits,
    pen_non_digits,
)


@pytest.fixture(scope="module")
def few(mnist: Mnist) -> Digits:
    return mnist.train.take(np.arange(60))


def pen_drawings() -> list[PenDrawing]:
    return [
        PenDrawing(made.style, str(made.digit), None, made.strokes)
        for made in specimens()
    ]


class TestPool:
    def test_aims_at_digit_and_kind(self, few: Digits) -> None:
        made = made_non_digits(few, 20, np.random.default_rng(1))
        dataset = joined([mnist_dataset(few), made])

        targets = dataset.targets(label_smoothing=0.03)

        assert targets.shape == (80, DIGITS + KINDS)
        assert targets.dtype == np.float32
        digits, others = targets[:60], targets[60:]
        assert np.array_equal(digits[:, :DIGITS].argmax(axis=1), few.labels)
        assert digits[:, :DIGITS].sum(axis=1) == pytest.approx(1, abs=1e-6)
        assert digits[:, :DIGITS].max(axis=1) == pytest.approx(0.973, abs=1e-6)
        assert (digits[:, DIGITS + ONE_DIGIT] == 1).all()
        assert not others[:, :DIGITS].any()
        assert others[:, DIGITS:].sum(axis=1).tolist() == [1] * 20

    def test_of_made_non_digits_holds_a_third_of_several(self, few: Digits) -> None:
        made = made_non_digits(few, 1_000, np.random.default_rng(1))

        assert made.images.shape == (1_000, 28, 28)
        assert (made.digits == NO_DIGIT).all()
        kinds = np.bincount(made.kinds, minlength=KINDS)
        assert kinds[ONE_DIGIT] == 0
        assert kinds[SEVERAL] == pytest.approx(1_000 * MADE_SHARES["several"], abs=50)

    def test_shares_of_made_non_digits_sum_to_one(self) -> None:
        assert sum(MADE_SHARES.values()) == pytest.approx(1)

    @pytest.mark.parametrize("count", [0, 1])
    def test_of_hardly_any_holds_so_many(self, count: int, few: Digits) -> None:
        assert len(made_non_digits(few, count, np.random.default_rng(1))) == count

    def test_leaves_non_digits_out(self, few: Digits) -> None:
        made = made_non_digits(few, 20, np.random.default_rng(1))

        digits = joined([made, mnist_dataset(few), made]).only_digits()

        assert np.array_equal(digits.images, few.images)
        assert np.array_equal(digits.digits, few.labels)

    def test_keeps_drawing_and_digit_together_in_another_order(
        self, few: Digits
    ) -> None:
        dataset = mnist_dataset(few)

        again = dataset.shuffled(np.random.default_rng(1))

        def told(dataset: Dataset) -> list[tuple[int, bytes]]:
            return [
                (int(digit), image.tobytes())
                for digit, image in zip(dataset.digits, dataset.images, strict=True)
            ]

        assert told(again) != told(dataset)
        assert sorted(told(again)) == sorted(told(dataset))

    def test_of_pen_digits_draws_each_several_times(self) -> None:
        drawings = pen_drawings()

        dataset = pen_digits(drawings, renderings=3, rng=np.random.default_rng(1))

        assert dataset.images.shape == (3 * len(drawings), 28, 28)
        assert (dataset.kinds == ONE_DIGIT).all()
        assert np.bincount(dataset.digits).tolist() == [
            3 * sum(int(drawing.label) == digit for drawing in drawings)
            for digit in range(10)
        ]
        assert len({image.tobytes() for image in dataset.images}) == len(dataset)

    def test_of_pen_non_digits_knows_no_digit(self) -> None:
        drawings = pen_drawings()

        dataset = pen_non_digits(
            drawings[:5],
            drawings,
            renderings=2,
            several=7,
            rng=np.random.default_rng(1),
        )

        assert len(dataset) == 17
        assert (dataset.digits == NO_DIGIT).all()
        assert dataset.kinds.tolist() == [SOMETHING_ELSE] * 10 + [SEVERAL] * 7

    def test_depends_on_the_generator_only(self, few: Digits) -> None:
        def pool_of(seed: int) -> Dataset:
            return made_non_digits(few, 20, np.random.default_rng(seed))

        assert np.array_equal(pool_of(1).images, pool_of(1).images)
        assert not np.array_equal(pool_of(1).images, pool_of(2).images)


class TestAsServed:
    def test_frames_as_serving_does(self) -> None:
        drawings = pen_drawings()

        digits = as_served(drawings)

        for image, label, drawing in zip(
            digits.images, digits.labels, drawings, strict=True
        ):
            served = normalize(rasterise(drawing.strokes))[..., 0]
            assert np.array_equal(image, np.rint(served * 255))
            assert int(label) == int(drawing.label)


class TestRedrawn:
    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    def test_stays_about_as_large_and_as_dense(self, source: str) -> None:
        rng = np.random.default_rng(1)

        for drawn in drawings_of(source):
            again = redrawn(drawn.strokes, rng)

            assert len(again) == len(drawn.strokes)
            assert np.isfinite(np.concatenate(again)).all()
            assert 50 < np.ptp(np.concatenate(again), axis=0).max() < 200

    def test_trembles(self) -> None:
        # A straight line only stays straight where the hand's tremor is missing.
        straight = [line(*[(0, y) for y in range(0, 101, 5)])]
        rng = np.random.default_rng(1)

        bends = []
        for _ in range(20):
            (again,) = redrawn(straight, rng)
            across = (
                again
                - again[0]
                - np.linspace(0, 1, len(again))[:, np.newaxis] * (again[-1] - again[0])
            )
            bends.append(float(np.abs(across).max()))

        assert max(bends) > 1.0

    def test_depends_on_the_generator_only(self) -> None:
        strokes = specimen("2 looped").strokes

        once, again, other = (
            redrawn(strokes, np.random.default_rng(seed)) for seed in (1, 1, 2)
        )

        assert np.array_equal(once[0], again[0])
        assert not np.array_equal(once[0][:3], other[0][:3])


class TestRendered:
    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    def test_is_framed_as_digits_are(self, source: str) -> None:
        rng = np.random.default_rng(1)

        for drawn in drawings_of(source)[:100]:
            image = rendered(drawn.strokes, rng)

            assert image.shape == (28, 28)
            assert image.dtype == np.uint8
            rows, columns = np.nonzero(image)
            assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20

    def test_draws_a_dot(self) -> None:
        assert rendered([line((3, 4))], np.random.default_rng(1)).any()


class TestWrittenSideBySide:
    def test_keeps_every_drawing_apart_from_the_next(self) -> None:
        rng = np.random.default_rng(1)
        seven, nine = specimen("7 crossed").strokes, specimen("9 curled tail").strokes

        for _ in range(20):
            row = written_side_by_side([seven, nine], rng)

            left = np.concatenate(row[: len(seven)])
            right = np.concatenate(row[len(seven) :])
            assert len(row) == len(seven) + len(nine)
            assert 3.9 < right[:, 0].min() - left[:, 0].max() < 60.1
