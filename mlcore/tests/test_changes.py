import cv2
import numpy as np
import pytest

from mlcore.judging.changes import CHANGES, Change
from mlcore.reading.inference import Recogniser
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import draw_on_canvas
from mlcore.tests.making import ink_in, specimen


def drawn(name: str) -> Bitmap:
    strokes = specimen(name).strokes
    return draw_on_canvas(strokes, width=280, height=280, pen_width=18)


def changed(change: Change, bitmap: Bitmap, seed: int = 1) -> Bitmap:
    return change(bitmap, np.random.default_rng(seed))


@pytest.mark.parametrize("way", CHANGES)
class TestChanges:
    def test_give_a_picture_with_ink(self, way: str) -> None:
        picture = changed(CHANGES[way], drawn("3 round"))

        assert picture.dtype == np.uint8
        assert picture.ndim == 2
        assert ink_in(picture).max() == 255

    def test_leave_the_drawing_itself_alone(self, way: str) -> None:
        bitmap = drawn("3 round")

        changed(CHANGES[way], bitmap)

        assert np.array_equal(bitmap, drawn("3 round"))

    def test_depend_on_the_generator_only(self, way: str) -> None:
        one, same = (changed(CHANGES[way], drawn("3 round")) for _ in range(2))

        assert np.array_equal(one, same)

    def test_leave_a_plain_digit_readable(self, way: str, starter: Recogniser) -> None:
        reading = starter.read_picture(changed(CHANGES[way], drawn("3 round")))

        assert int(np.argmax(reading.probabilities)) == 3


class TestSomeChanges:
    def test_are_none_where_none_is_meant(self) -> None:
        bitmap = drawn("3 round")

        assert np.array_equal(changed(CHANGES["unchanged"], bitmap), 255 - bitmap)

    @pytest.mark.parametrize(
        ("way", "share"), [("half the size", 0.5), ("tiny, an eighth", 0.125)]
    )
    def test_of_size_keep_the_page(self, way: str, share: float) -> None:
        bitmap = drawn("3 round")

        picture = changed(CHANGES[way], bitmap)

        assert picture.shape == bitmap.shape
        height = cv2.boundingRect(255 - picture)[3]
        assert height == pytest.approx(share * cv2.boundingRect(bitmap)[3], abs=2)

    @pytest.mark.parametrize(
        ("way", "change"), [("thinner by 8 px", -8), ("thicker by 8 px", 8)]
    )
    def test_of_the_pen_are_as_wide_as_they_say(self, way: str, change: int) -> None:
        bitmap = np.zeros((280, 280), np.uint8)
        bitmap[40:240, 130:150] = 255

        picture = changed(CHANGES[way], bitmap)

        assert cv2.boundingRect(255 - picture)[2] == 20 + change
