import numpy as np
import pytest

from mlcore.reading.preprocess import SIDE_PX
from mlcore.training.corrupt import (
    CORRUPTIONS,
    ONLY_JUDGED,
    WITHOUT_A_DIGIT,
    Image,
    corrupted,
)
from mlcore.training.data import Mnist

BLANK = np.zeros((SIDE_PX, SIDE_PX), np.float32)


@pytest.fixture(scope="module")
def digits(mnist: Mnist) -> list[Image]:
    return list(mnist.validation.images[:20] / np.float32(255))


@pytest.mark.parametrize("kind", [*CORRUPTIONS, *ONLY_JUDGED])
class TestCorrupted:
    def test_gives_another_image_in_range(self, kind: str, digits: list[Image]) -> None:
        rng = np.random.default_rng(1)

        for strength in (0.1, 0.5, 1.0):
            for digit in digits:
                image = corrupted(digit, kind, strength, rng)

                assert image.shape == (SIDE_PX, SIDE_PX)
                assert image.dtype == np.float32
                assert 0 <= image.min() < image.max() <= 1

    def test_changes_more_the_stronger_it_is(
        self, kind: str, digits: list[Image]
    ) -> None:
        rng = np.random.default_rng(1)

        weak, strong = (
            np.mean(
                [
                    np.abs(corrupted(digit, kind, strength, rng) - digit).mean()
                    for digit in digits * 10
                ]
            )
            for strength in (0.15, 1.0)
        )

        assert strong > 1.1 * weak > 0

    def test_depends_on_the_generator_only(
        self, kind: str, digits: list[Image]
    ) -> None:
        original = digits[0].copy()

        once, again = (
            corrupted(digits[0], kind, 0.7, np.random.default_rng(4)) for _ in range(2)
        )

        assert np.array_equal(once, again)
        assert np.array_equal(digits[0], original)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_only_the_listed_kinds_make_something_of_blank_paper(kind: str) -> None:
    rng = np.random.default_rng(1)

    inked = [np.ptp(corrupted(BLANK, kind, 0.8, rng)) > 0 for _ in range(20)]

    makes_lines = kind in ("lines across", "patch")
    assert any(inked) == (kind in WITHOUT_A_DIGIT or makes_lines)
