"""What must not change a reading: place, size, pen, polarity, strokes or picture.

The drawings are our own specimens, each by several hands, and other people's where
PEN_DIR names them.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mlcore.reading.inference import Recogniser
from mlcore.reading.pictures import decode_picture, encode_png
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import (
    DEFAULT_PEN_WIDTH_PX,
    Points,
    draw_on_canvas,
    rasterise,
)
from mlcore.reading.specimens import jittered, specimens
from mlcore.tests.making import DRAWING_SOURCES, SPECIMENS, drawings_of

HANDS = 3
PAGE_PX = 280

Probabilities = NDArray[np.float64]


def drawn_by_several(source: str) -> list[list[Points]]:
    if source != SPECIMENS:
        return [drawn.strokes for drawn in drawings_of(source)[::2]]
    rng = np.random.default_rng(3)
    return [
        jittered(specimen, rng).strokes
        for specimen in specimens()
        for _ in range(HANDS)
    ]


def as_picture(
    strokes: list[Points],
    *,
    scale: float = 1.0,
    pen_width: float = DEFAULT_PEN_WIDTH_PX,
    shift: tuple[int, int] = (0, 0),
) -> Bitmap:
    """Draw on a page half as wide again as the canvas, dark on light."""
    side = round(1.5 * PAGE_PX * max(scale, 1))
    middle = side / 2 + np.array(shift)
    placed = [(s - PAGE_PX / 2) * scale + middle for s in strokes]
    drawn = draw_on_canvas(
        [stroke.astype(np.float32) for stroke in placed],
        width=side,
        height=side,
        pen_width=pen_width * scale,
    )
    return np.asarray(255 - drawn, np.uint8)


def read_pictures(recogniser: Recogniser, pictures: list[Bitmap]) -> Probabilities:
    return np.array(
        [
            recogniser.read_picture(decode_picture(encode_png(picture))).probabilities
            for picture in pictures
        ]
    )


def read_strokes(recogniser: Recogniser, drawings: list[list[Points]]) -> Probabilities:
    return np.array(
        [recogniser.read(rasterise(strokes)).probabilities for strokes in drawings]
    )


def assert_reads_alike(one: Probabilities, other: Probabilities) -> None:
    same = one.argmax(axis=1) == other.argmax(axis=1)
    assert same.mean() >= 0.99
    assert np.median(np.abs(one - other).max(axis=1)) < 0.02


@pytest.fixture(scope="module", params=DRAWING_SOURCES)
def drawings(request: pytest.FixtureRequest) -> list[list[Points]]:
    return drawn_by_several(request.param)


class TestMoved:
    @settings(max_examples=10)
    @given(x=st.floats(-500, 500), y=st.floats(-500, 500))
    def test_strokes_are_read_the_same(
        self, starter: Recogniser, x: float, y: float
    ) -> None:
        drawings = drawn_by_several(SPECIMENS)
        away = np.array([x, y], np.float32)

        moved = read_strokes(starter, [[s + away for s in d] for d in drawings])

        assert np.abs(moved - read_strokes(starter, drawings)).max() <= 0.02

    @settings(max_examples=5)
    @given(x=st.integers(-60, 60), y=st.integers(-60, 60))
    def test_pictures_are_read_the_same(
        self, starter: Recogniser, x: int, y: int
    ) -> None:
        drawings = [specimen.strokes for specimen in specimens()]

        moved = read_pictures(starter, [as_picture(d, shift=(x, y)) for d in drawings])

        at_rest = read_pictures(starter, [as_picture(d) for d in drawings])
        assert np.abs(moved - at_rest).max() <= 0.02


class TestInverted:
    def test_pictures_are_read_the_same(
        self, starter: Recogniser, drawings: list[list[Points]]
    ) -> None:
        pictures = [as_picture(strokes) for strokes in drawings[::2]]
        negatives = [np.asarray(255 - picture, np.uint8) for picture in pictures]

        change = read_pictures(starter, pictures) - read_pictures(starter, negatives)

        assert np.abs(change).max() <= 0.02


class TestScaled:
    @pytest.mark.parametrize("scale", [0.5, 0.7, 1.4, 2.0])
    def test_strokes_are_read_alike(
        self, starter: Recogniser, drawings: list[list[Points]], scale: float
    ) -> None:
        scaled = [[s * np.float32(scale) for s in strokes] for strokes in drawings]

        assert_reads_alike(
            read_strokes(starter, scaled), read_strokes(starter, drawings)
        )

    @settings(max_examples=4)
    @given(scale=st.floats(0.5, 2.0))
    @pytest.mark.long
    def test_pictures_are_read_alike(self, starter: Recogniser, scale: float) -> None:
        drawings = drawn_by_several(SPECIMENS)

        scaled = [as_picture(strokes, scale=scale) for strokes in drawings]

        assert_reads_alike(
            read_pictures(starter, scaled),
            read_pictures(starter, [as_picture(strokes) for strokes in drawings]),
        )


class TestOtherPen:
    @pytest.mark.parametrize("pen_width", [8, 12, 24])
    def test_pictures_are_read_alike(
        self, starter: Recogniser, drawings: list[list[Points]], pen_width: int
    ) -> None:
        with_ours = [as_picture(strokes) for strokes in drawings]
        with_theirs = [as_picture(s, pen_width=pen_width) for s in drawings]

        assert_reads_alike(
            read_pictures(starter, with_theirs), read_pictures(starter, with_ours)
        )

    @settings(max_examples=10)
    @given(pen_width=st.floats(8, 24))
    def test_strokes_are_read_the_same(
        self, starter: Recogniser, pen_width: float
    ) -> None:
        drawings = drawn_by_several(SPECIMENS)

        def read_with(pen: float) -> Probabilities:
            bitmaps = [rasterise(strokes, pen_width=pen) for strokes in drawings]
            return np.array([starter.read(bitmap).probabilities for bitmap in bitmaps])

        assert np.abs(read_with(pen_width) - read_with(18)).max() <= 0.02


class TestStrokesAgainstTheirPicture:
    def test_are_read_alike(
        self, starter: Recogniser, drawings: list[list[Points]]
    ) -> None:
        pictures = [as_picture(strokes) for strokes in drawings]

        assert_reads_alike(
            read_pictures(starter, pictures), read_strokes(starter, drawings)
        )
