import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore.reading.rasterise import (
    DEFAULT_PEN_WIDTH_PX,
    RASTER_PX,
    Points,
    default_pen_width,
    draw_on_canvas,
    rasterise,
)
from mlcore.tests.making import (
    DRAWING_SOURCES,
    drawings_of,
    framed,
    gap,
    line,
    specimen,
)

coordinates = st.floats(-100_000, 100_000, width=32)
strokes_of_any_kind = st.lists(
    arrays(np.float32, st.tuples(st.integers(1, 30), st.just(2)), elements=coordinates),
    min_size=1,
    max_size=5,
)


class TestRasterise:
    @given(strokes_of_any_kind, st.floats(0.5, 100))
    def test_fills_its_frame_whatever_was_drawn(
        self, strokes: list[Points], pen_width: float
    ) -> None:
        bitmap = rasterise(strokes, pen_width=pen_width)

        assert bitmap.dtype == np.uint8
        assert RASTER_PX <= max(bitmap.shape) <= RASTER_PX + 2
        for edge in (bitmap[0], bitmap[-1], bitmap[:, 0], bitmap[:, -1]):
            assert edge.any()

    @given(strokes_of_any_kind, st.floats(0.5, 100))
    def test_draws_whole_pixels(self, strokes: list[Points], pen_width: float) -> None:
        bitmap = rasterise(strokes, pen_width=pen_width)

        assert set(np.unique(bitmap)) <= {0, 255}

    def test_draws_what_another_implementation_can_repeat(self) -> None:
        upright = [line((0, 0), (0, 100))]

        bitmap = rasterise(upright, pen_share=0.02)

        # A pen of 3.1 px has a disc of radius 2.07 px around each pixel of the line.
        tip = [[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [1, 1, 1, 1, 1]]
        assert bitmap.shape == (162, 5)
        assert np.array_equal(bitmap[:3] > 0, tip)
        assert np.array_equal(bitmap, bitmap[::-1])
        assert bitmap[3:-3].all()

    @pytest.mark.parametrize("pen_share", np.linspace(0.01, 0.6, 30))
    def test_draws_a_disc_around_each_pixel_of_the_line(self, pen_share: float) -> None:
        bitmap = rasterise([line((0, 0), (0, 100))], pen_share=pen_share)

        radius = (RASTER_PX * pen_share / (1 + pen_share) + 1) / 2
        margin = math.floor(radius)
        y, x = np.ogrid[-margin : bitmap.shape[0] - margin, -margin : margin + 1]
        beyond = np.maximum(np.maximum(-y, y - (bitmap.shape[0] - 1 - 2 * margin)), 0)
        assert np.array_equal(bitmap > 0, beyond**2 + x**2 <= radius**2)

    def test_draws_one_point_as_a_round_dot(self) -> None:
        dot = framed([line((140, 140))])[..., 0]

        y, x = np.mgrid[:28, :28]
        # 20 px wide, so its middle lies half a pixel from that of the image.
        disc = np.hypot(y - 14.5, x - 14.5) < 10
        assert gap(dot, disc) < 0.06

    def test_draws_a_trembling_dot_as_a_dot(self) -> None:
        dot = framed([line((140, 140))])

        tremble = framed([line((140, 140), (140.4, 140.2), (140.1, 140.6))])

        assert gap(tremble, dot) < 0.06

    def test_draws_two_dots_apart(self) -> None:
        bitmap = rasterise([line((0, 0)), line((100, 0))])

        assert bitmap[:, :12].any()
        assert bitmap[:, -12:].any()
        assert not bitmap[:, 30:-30].any()

    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    @given(scale=st.floats(0.3, 100), x=st.floats(-1e5, 1e5), y=st.floats(-1e5, 1e5))
    def test_does_not_care_where_or_how_large_somebody_drew(
        self, source: str, scale: float, x: float, y: float
    ) -> None:
        drawn = drawings_of(source)[int(abs(x)) % len(drawings_of(source))]
        offset = np.array([x, y], np.float32)

        moved = [
            (stroke * scale + offset).astype(np.float32) for stroke in drawn.strokes
        ]

        assert gap(framed(moved), framed(drawn.strokes)) < 0.004

    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    @pytest.mark.parametrize("pen_width", [1.0, 8.0, 40.0])
    def test_does_not_care_how_wide_the_pen_was(
        self, source: str, pen_width: float
    ) -> None:
        for drawn in drawings_of(source):
            usual = rasterise(drawn.strokes)

            assert np.array_equal(rasterise(drawn.strokes, pen_width=pen_width), usual)

    def test_keeps_the_pen_of_a_drawing_smaller_than_it(self) -> None:
        hook = [line((0, 0), (8, 0), (8, 8))]

        with_thick_pen = framed(hook, pen_width=18)
        with_thin_pen = framed(hook, pen_width=1)

        assert with_thick_pen.mean() > 2 * with_thin_pen.mean()

    def test_counts_ink_outside_the_canvas(self) -> None:
        seven = specimen("7 plain").strokes

        outside = [stroke - np.float32(500) for stroke in seven]

        assert gap(framed(outside), framed(seven)) < 0.001

    def test_draws_a_flat_line_flat(self) -> None:
        bitmap = rasterise([line((0, 50), (200, 50))])

        assert bitmap.shape[0] < 0.15 * bitmap.shape[1]

    def test_does_not_change_the_strokes(self) -> None:
        strokes = specimen("2 looped").strokes
        before = [stroke.copy() for stroke in strokes]

        rasterise(strokes)

        for stroke, kept in zip(strokes, before, strict=True):
            assert np.array_equal(stroke, kept)


class TestDefaultPenWidth:
    @pytest.mark.parametrize("side", [1.0, 20.0, 28.0, 280.0])
    @pytest.mark.parametrize("source", DRAWING_SOURCES)
    def test_draws_the_same_digit_on_a_canvas_of_any_size(
        self, source: str, side: float
    ) -> None:
        for drawn in drawings_of(source):
            smaller = [stroke * np.float32(side / 280) for stroke in drawn.strokes]

            image = framed(smaller, pen_width=default_pen_width(side, side))

            assert gap(image, framed(drawn.strokes)) < 0.004

    def test_keeps_a_dot_a_dot(self) -> None:
        dot = [line((0.5, 0.5), (0.502, 0.501))]

        image = framed(dot, pen_width=default_pen_width(1, 1))

        assert gap(image, framed([line((140, 140))])) < 0.06

    def test_follows_the_longest_side_up_to_that_of_the_page(self) -> None:
        assert default_pen_width(28, 14) == pytest.approx(1.8)
        assert default_pen_width(14, 28) == pytest.approx(1.8)
        assert default_pen_width(1920, 1080) == DEFAULT_PEN_WIDTH_PX


class TestDrawOnCanvas:
    @given(strokes_of_any_kind, st.integers(1, 300), st.integers(1, 300))
    def test_has_the_size_of_the_canvas(
        self, strokes: list[Points], width: int, height: int
    ) -> None:
        bitmap = draw_on_canvas(strokes, width=width, height=height, pen_width=18)

        assert bitmap.shape == (height, width)
        assert bitmap.dtype == np.uint8

    def test_draws_where_and_as_wide_as_it_was_drawn(self) -> None:
        bitmap = draw_on_canvas(
            [line((40, 100), (160, 100))], width=200, height=200, pen_width=18
        )

        rows, columns = np.nonzero(bitmap > 127)
        assert rows.mean() == pytest.approx(100, abs=0.5)
        assert columns.min() == pytest.approx(40 - 9, abs=2)
        assert columns.max() == pytest.approx(160 + 9, abs=2)
        assert np.ptp(rows) + 1 == pytest.approx(18, abs=2)

    def test_draws_what_passes_through_from_far_outside(self) -> None:
        bitmap = draw_on_canvas(
            [line((-100_000, 140), (100_000, 140))],
            width=280,
            height=280,
            pen_width=18,
        )

        assert (bitmap[140] == 255).all()

    def test_draws_nothing_of_what_lies_outside(self) -> None:
        bitmap = draw_on_canvas(
            [line((500, 500)), line((-90, -90), (-40, -50))],
            width=280,
            height=280,
            pen_width=18,
        )

        assert not bitmap.any()
