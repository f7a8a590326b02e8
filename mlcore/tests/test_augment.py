from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mlcore.reading.preprocess import BOX_PX, SIDE_PX
from mlcore.training.augment import (
    AFFINE,
    Variety,
    doodle,
    glyph,
    lying,
    outline,
    scribble,
    shuffled_quarters,
    side_by_side,
    tick,
    upside_down,
    vary,
)
from mlcore.training.data import Mnist

Image = NDArray[np.uint8]

MAKERS: dict[str, Callable[[Mnist, np.random.Generator], Image]] = {
    "side_by_side": lambda mnist, rng: side_by_side(some(mnist, rng, 2), rng),
    "three side_by_side": lambda mnist, rng: side_by_side(some(mnist, rng, 3), rng),
    "scribble": lambda mnist, rng: scribble(rng),
    "doodle": lambda mnist, rng: doodle(rng),
    "glyph": lambda mnist, rng: glyph(rng),
    "outline": lambda mnist, rng: outline(rng),
    "lying": lambda mnist, rng: lying(some(mnist, rng, 1)[0], rng),
    "upside_down": lambda mnist, rng: upside_down(some(mnist, rng, 1)[0]),
    "tick": lambda mnist, rng: tick(rng),
    "shuffled_quarters": lambda mnist, rng: shuffled_quarters(
        some(mnist, rng, 1)[0], rng
    ),
}


def some(mnist: Mnist, rng: np.random.Generator, count: int) -> Image:
    return mnist.train.images[rng.integers(len(mnist.train), size=count)]


def connected_parts(image: Image) -> int:
    found, _ = cv2.connectedComponents((image > 64).astype(np.uint8))
    return found - 1


STILL = Variety(
    rotation_deg=0,
    shear=0,
    scale=0,
    shift_px=0,
    elastic_px=0,
    pen_share=0,
    dirt_share=0,
)


class TestVary:
    def test_moves_alike_with_and_without_wobble(self, mnist: Mnist) -> None:
        """Two ways: by a frame for each image, and by a place for each pixel."""
        images = mnist.train.images[:100]
        hardly = replace(AFFINE, elastic_px=1e-9)

        quick = vary(images, AFFINE, np.random.default_rng(1))
        slow = vary(images, hardly, np.random.default_rng(1))

        assert np.abs(quick - slow).max() <= 2 / 255
        assert np.abs(quick * 255 - images).mean() > 5

    def test_of_none_changes_nothing(self, mnist: Mnist) -> None:
        images = mnist.train.images[:10]

        same = vary(images, None, np.random.default_rng(1))

        assert np.array_equal(np.rint(same * 255), images)

    def test_gives_one_image_in_range_for_each(self, mnist: Mnist) -> None:
        images = mnist.train.images[:300]

        varied = vary(images, Variety(), np.random.default_rng(1))

        assert varied.shape == images.shape
        assert varied.dtype == np.float32
        assert varied.min() >= 0
        assert varied.max() <= 1
        assert (varied.max(axis=(1, 2)) > 0.1).all()

    def test_depends_on_the_generator_only(self, mnist: Mnist) -> None:
        images = mnist.train.images[:50]

        once, again, other = (
            vary(images, Variety(), np.random.default_rng(seed)) for seed in (1, 1, 2)
        )

        assert np.array_equal(once, again)
        assert not np.array_equal(once, other)

    def test_draws_every_image_anew(self, mnist: Mnist) -> None:
        same = np.repeat(mnist.train.images[:1], 20, axis=0)

        varied = vary(same, Variety(), np.random.default_rng(1))

        assert len({image.tobytes() for image in varied}) == 20

    def test_without_variety_changes_nothing(self, mnist: Mnist) -> None:
        images = mnist.train.images[:50]

        varied = vary(images, STILL, np.random.default_rng(1))

        assert varied * 255 == pytest.approx(images, abs=0.01)

    def test_leaves_the_originals_alone(self, mnist: Mnist) -> None:
        images = mnist.train.images[:50].copy()

        vary(images, Variety(), np.random.default_rng(1))

        assert np.array_equal(images, mnist.train.images[:50])

    @pytest.mark.parametrize("share", [0.0, 1.0])
    def test_pen_and_dirt_keep_the_range(self, share: float, mnist: Mnist) -> None:
        variety = Variety(pen_share=share, dirt_share=1 - share)

        varied = vary(mnist.train.images[:200], variety, np.random.default_rng(3))

        assert 0 <= varied.min() < varied.max() <= 1

    def test_turns_to_both_sides(self) -> None:
        bar = np.zeros((400, 28, 28), np.uint8)
        bar[:, 4:24, 13:15] = 255
        variety = Variety(**{**vars(STILL), "rotation_deg": 14.0})

        varied = vary(bar, variety, np.random.default_rng(1))

        y, x = np.mgrid[:28, :28] - 13.5
        lean = (varied * x * y).sum(axis=(1, 2)) / (varied * y * y).sum(axis=(1, 2))
        assert np.rad2deg(np.arctan(np.abs(lean))).max() == pytest.approx(14, abs=1)
        assert abs(float(lean.mean())) < 0.02

    def test_of_no_images_gives_none(self) -> None:
        none = np.zeros((0, 28, 28), np.uint8)

        assert vary(none, Variety(), np.random.default_rng(1)).shape == (0, 28, 28)


class TestMadeNonDigits:
    @pytest.mark.parametrize("maker", MAKERS)
    def test_are_framed_as_digits_are(self, maker: str, mnist: Mnist) -> None:
        rng = np.random.default_rng(1)

        for _ in range(100):
            image = MAKERS[maker](mnist, rng)

            assert image.shape == (SIDE_PX, SIDE_PX)
            assert image.dtype == np.uint8
            rows, columns = np.nonzero(image)
            assert max(np.ptp(rows), np.ptp(columns)) + 1 <= BOX_PX
            assert image.max() > 25  # of one pixel, made small

    @pytest.mark.parametrize("maker", MAKERS)
    def test_depend_on_the_generator_only(self, maker: str, mnist: Mnist) -> None:
        once, again, other = (
            MAKERS[maker](mnist, np.random.default_rng(seed)) for seed in (1, 1, 2)
        )

        assert np.array_equal(once, again)
        assert not np.array_equal(once, other)


class TestSideBySide:
    def test_holds_two_separate_parts_mostly(self, mnist: Mnist) -> None:
        rng = np.random.default_rng(1)

        parts = [
            connected_parts(side_by_side(some(mnist, rng, 2), rng)) for _ in range(300)
        ]

        # Neighbours may touch, as people's do: measured, 88 % are apart.
        assert np.mean([count >= 2 for count in parts]) > 0.8

    def test_holds_every_digit_in_order(self) -> None:
        bars = np.zeros((3, 28, 28), np.uint8)
        for level, bar in zip((250, 160, 80), bars, strict=True):
            bar[4:24, 10:18] = level
        rng = np.random.default_rng(1)

        for _ in range(50):
            image = side_by_side(bars, rng)

            inked = image.max(axis=0)[image.any(axis=0)].astype(int)
            assert inked[1] > 200
            assert 60 < inked[-2] < 140
            assert ((inked > 130) & (inked < 190)).any()

    def test_is_wider_than_one_of_them(self, mnist: Mnist) -> None:
        rng = np.random.default_rng(1)

        for _ in range(50):
            rows, columns = np.nonzero(side_by_side(some(mnist, rng, 3), rng))

            assert np.ptp(columns) > 0.8 * np.ptp(rows)


class TestShuffledQuarters:
    def test_keeps_the_ink_and_loses_the_shape(self, mnist: Mnist) -> None:
        rng = np.random.default_rng(1)

        for image in mnist.train.images[:50]:
            shuffled = shuffled_quarters(image, rng)

            assert not np.array_equal(shuffled, image)
            assert shuffled.max() > 150
