import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mlcore.reading.preprocess import (
    BOX_PX,
    FAINTEST_INK,
    SIDE_PX,
    Bitmap,
    BlankDrawingError,
    DigitImage,
    at_full_contrast,
    normalize,
)
from mlcore.reading.rasterise import rasterise
from mlcore.tests.making import DRAWING_SOURCES, drawings_of
from mlcore.training.data import Mnist

inked_bitmaps = st.tuples(st.integers(1, 60), st.integers(1, 60)).flatmap(
    lambda shape: arrays(np.uint8, shape).filter(lambda bitmap: bool(bitmap.any()))
)


def extent_px(image: DigitImage) -> int:
    rows, columns = np.nonzero(image[..., 0])
    return int(max(np.ptp(rows), np.ptp(columns))) + 1


def centre_of_mass(image: DigitImage) -> tuple[float, float]:
    weights = image[..., 0].astype(np.float64)
    places = np.arange(SIDE_PX)
    total = weights.sum()
    return (
        float(places @ weights.sum(axis=1) / total),
        float(places @ weights.sum(axis=0) / total),
    )


def as_bytes(image: DigitImage) -> NDArray[np.uint8]:
    return np.rint(image[..., 0] * 255).astype(np.uint8)


class TestNormalizeOfMnist:
    def test_changes_hardly_any_digit(self, mnist: Mnist) -> None:
        # Measured: 9,996 of the 10,000 test images and 4,999 of the 5,000 for
        # validation pass byte for byte; the others have a box of 19 px, or lie a
        # pixel off.
        unchanged = [
            np.array_equal(as_bytes(normalize(image)), image)
            for digits in (mnist.test, mnist.validation)
            for image in digits.images
        ]

        assert sum(unchanged) == 9_996 + 4_999


class TestAtFullContrast:
    def test_changes_no_digit_of_mnist(self, mnist: Mnist) -> None:
        everything = (mnist.train, mnist.validation, mnist.test)

        for digits in everything:
            for image in digits.images:
                assert at_full_contrast(image) is image
        assert min(part.images.max(axis=(1, 2)).min() for part in everything) == 254

    def test_gives_a_mask_of_0_and_1_full_ink(self, mnist: Mnist) -> None:
        mask = (mnist.test.images[0] > 127).astype(np.uint8)

        assert np.array_equal(at_full_contrast(mask), 255 * mask)

    @pytest.mark.parametrize("strongest", [FAINTEST_INK, 16, 100, 253])
    def test_gives_faint_ink_the_contrast_it_lacks(
        self, mnist: Mnist, strongest: int
    ) -> None:
        image = mnist.test.images[0]
        faint = np.rint(image * (strongest / image.max())).astype(np.uint8)

        stretched = at_full_contrast(faint)

        assert stretched.max() == 255
        off_by = np.abs(stretched - np.rint(image * (255 / image.max())))
        assert off_by.max() <= 255 / strongest / 2 + 1

    def test_takes_the_faintest_level_for_paper(self, mnist: Mnist) -> None:
        image = mnist.test.images[0]
        raised = np.maximum(image, 55)

        stretched = at_full_contrast(raised)

        assert (stretched.min(), stretched.max()) == (0, 255)
        assert np.array_equal(stretched > 0, image > 55)

    @pytest.mark.parametrize("level", [100, 255])
    def test_of_one_level_is_blank(self, level: int) -> None:
        plain = np.full((SIDE_PX, SIDE_PX), level, np.uint8)

        assert not at_full_contrast(plain).any()

    @pytest.mark.parametrize("strongest", [0, 2, 3, FAINTEST_INK - 1])
    def test_takes_what_nobody_sees_for_blank(self, strongest: int) -> None:
        faint = np.full((SIDE_PX, SIDE_PX), strongest, np.uint8)

        assert not at_full_contrast(faint).any()


class TestNormalizeOfDrawings:
    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    def test_fits_the_longest_side_into_20_px(self, source: str) -> None:
        for drawn in drawings_of(source):
            assert extent_px(normalize(rasterise(drawn.strokes))) == BOX_PX

    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    def test_centres_by_mass_within_half_a_pixel(self, source: str) -> None:
        for drawn in drawings_of(source):
            y, x = centre_of_mass(normalize(rasterise(drawn.strokes)))

            assert abs(y - SIDE_PX / 2) <= 0.5
            assert abs(x - SIDE_PX / 2) <= 0.5

    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    def test_carries_about_as_much_ink_as_mnist(self, source: str) -> None:
        images = [normalize(rasterise(drawn.strokes)) for drawn in drawings_of(source)]

        assert 0.10 < float(np.mean(images)) < 0.16  # MNIST: 0.13


class TestNormalize:
    @given(inked_bitmaps)
    def test_gives_a_digit_image_or_says_blank(self, bitmap: Bitmap) -> None:
        try:
            image = normalize(bitmap)
        except BlankDrawingError:
            return  # ink so faint that it was averaged away

        assert image.shape == (SIDE_PX, SIDE_PX, 1)
        assert image.dtype == np.float32
        assert image.min() >= 0
        assert 0 < image.max() <= 1
        assert extent_px(image) <= BOX_PX

    @given(inked_bitmaps, st.tuples(*[st.integers(0, 40)] * 4))
    def test_does_not_care_where_the_ink_lies(
        self, bitmap: Bitmap, margins: tuple[int, int, int, int]
    ) -> None:
        top, bottom, left, right = margins
        moved = np.pad(bitmap, ((top, bottom), (left, right)))

        try:
            expected = normalize(bitmap)
        except BlankDrawingError:
            with pytest.raises(BlankDrawingError):
                normalize(moved)
        else:
            assert np.array_equal(normalize(moved), expected)

    @given(st.integers(2, 12))
    def test_does_not_care_how_large_the_ink_is(self, times: int) -> None:
        small = np.zeros((20, 20), np.uint8)
        small[2:18, 9:12] = 255
        small[2:5, 4:12] = 255
        large = np.kron(small, np.ones((times, times), np.uint8)).astype(np.uint8)

        assert float(np.abs(normalize(large) - normalize(small)).mean()) < 0.003

    def test_keeps_the_aspect(self) -> None:
        wide = np.full((30, 120), 255, np.uint8)

        rows, columns = np.nonzero(normalize(wide)[..., 0])

        assert (int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1) == (5, 20)

    @pytest.mark.parametrize("quarter_turns", range(4))
    def test_keeps_lopsided_ink_inside(self, quarter_turns: int) -> None:
        # A heavy bar at one end and a hair to the other: centred by mass, the hair
        # would leave the picture.
        lopsided = np.zeros((20, 20), np.uint8)
        lopsided[:2, :] = 255
        lopsided[:, 10] = 255
        bitmap = np.ascontiguousarray(np.rot90(lopsided, quarter_turns))

        image = normalize(bitmap)

        assert as_bytes(image).sum(dtype=int) == bitmap.sum(dtype=int)

    def test_draws_a_single_pixel_as_a_square(self) -> None:
        dot = np.zeros((50, 50), np.uint8)
        dot[3, 40] = 255

        image = normalize(dot)

        assert image.sum() == pytest.approx(BOX_PX**2)

    def test_makes_a_fresh_array(self) -> None:
        bitmap = np.zeros((28, 28), np.uint8)
        bitmap[4:24, 10:18] = 255
        bitmap.flags.writeable = False

        normalize(bitmap)[:] = 0

        assert bitmap.any()

    @pytest.mark.parametrize("shape", [(28, 28), (1, 1), (3, 900)])
    def test_refuses_blank_paper(self, shape: tuple[int, int]) -> None:
        with pytest.raises(BlankDrawingError, match="no ink"):
            normalize(np.zeros(shape, np.uint8))

    def test_refuses_specks_that_average_away(self) -> None:
        specks = np.zeros((4000, 4000), np.uint8)
        specks[0, 0] = specks[-1, -1] = 1

        with pytest.raises(BlankDrawingError, match="no ink"):
            normalize(specks)
