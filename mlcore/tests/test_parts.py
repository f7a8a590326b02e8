from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from mlcore.reading.paper import pages
from mlcore.reading.parts import (
    Box,
    Kinds,
    Mask,
    box_of,
    kinds_of,
    kinds_of_one_part,
    mask_of,
    masks,
)
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import draw_on_canvas
from mlcore.tests.making import ONE_OF_EACH, as_rgb, line, picture_of, specimen

SIDE = 280
ALL = (0, 0, SIDE, SIDE)


def seven() -> Bitmap:
    """Return a seven in the middle of an empty bitmap: 100 px wide, 140 px high."""
    strokes = [line((90, 70), (190, 70), (120, 210))]
    return draw_on_canvas(strokes, width=SIDE, height=SIDE, pen_width=14)


SEVEN = seven()


def with_ink(draw: Callable[[Bitmap], object]) -> Bitmap:
    """Return the seven with more ink."""
    bitmap = seven()
    draw(bitmap)
    return bitmap


def masks_of(bitmap: Bitmap) -> list[Mask]:
    return masks(next(pages(as_rgb(np.asarray(255 - bitmap, np.uint8)))))


def kinds_in(bitmap: Bitmap) -> Kinds:
    page = next(pages(as_rgb(np.asarray(255 - bitmap, np.uint8))))
    return kinds_of(masks(page)[0], page)


def ink_of(kinds: Kinds) -> Mask:
    return mask_of(kinds.ink, kinds.labels, ALL)


def is_seven(mask: NDArray[np.uint8]) -> bool:
    """Return whether a mask is the seven, give or take soft edges."""
    return bool(((mask > 0) != (SEVEN > 127)).mean() < 0.005)


def put(left: int, top: int, right: int, bottom: int) -> Callable[[Bitmap], object]:
    """Fill a box with ink."""

    def fill(bitmap: Bitmap) -> None:
        bitmap[top:bottom, left:right] = 255

    return fill


class TestMasks:
    def test_are_one_where_there_are_no_lines(self) -> None:
        (mask,) = masks_of(SEVEN)

        assert is_seven(mask)

    def test_are_none_without_ink(self) -> None:
        assert masks_of(np.zeros((SIDE, SIDE), np.uint8)) == []

    @pytest.mark.parametrize("way", ["level", "upright"])
    def test_lose_a_printed_line_but_not_a_stroke_that_crosses_it(
        self, way: str
    ) -> None:
        across = put(0, 140, SIDE, 143) if way == "level" else put(140, 0, 143, SIDE)

        bare, whole = masks_of(with_ink(across))

        assert is_seven(bare)
        assert whole.sum() > bare.sum() + 300

    def test_keep_the_bar_of_a_digit(self) -> None:
        (mask,) = masks_of(SEVEN)

        assert mask[70, 95:185].all()

    def test_end_a_part_where_its_ink_gets_faint(self) -> None:
        smeared = seven()
        smeared[100:200, 60:200] = np.maximum(smeared[100:200, 60:200], 50)

        assert is_seven(masks_of(smeared)[0])


class TestKinds:
    def test_of_a_digit_alone_are_ink(self) -> None:
        kinds = kinds_in(SEVEN)

        assert is_seven(ink_of(kinds))
        assert kinds.edge == kinds.extra == []

    @pytest.mark.parametrize(
        "frame",
        [
            lambda bitmap: cv2.rectangle(bitmap, (30, 30), (250, 250), 255, 3),
            lambda bitmap: cv2.circle(bitmap, (140, 140), 120, 255, 5),
            lambda bitmap: cv2.ellipse(
                bitmap, (140, 140), (115, 130), 8, 0, 360, 255, 7
            ),
            lambda bitmap: cv2.rectangle(bitmap, (0, 0), (279, 279), 255, 4),
        ],
        ids=["box", "circle", "ellipse", "border"],
    )
    def test_leave_a_frame_out(self, frame: Callable[[Bitmap], object]) -> None:
        kinds = kinds_in(with_ink(frame))

        assert is_seven(ink_of(kinds))
        assert kinds.edge == kinds.extra == []

    def test_keep_a_round_digit_with_nothing_inside(self) -> None:
        zero = np.zeros((SIDE, SIDE), np.uint8)
        cv2.ellipse(zero, (140, 140), (60, 90), 0, 0, 360, 255, 14)

        (part,) = kinds_in(zero).ink

        assert (part.width, part.height) == pytest.approx((135, 195), abs=3)

    @pytest.mark.parametrize(
        "more",
        [put(75, 232, 205, 240), put(205, 195, 229, 219)],
        ids=["underline", "full stop"],
    )
    def test_set_apart_what_may_be_none_of_the_digit(
        self, more: Callable[[Bitmap], object]
    ) -> None:
        kinds = kinds_in(with_ink(more))

        assert is_seven(ink_of(kinds))
        assert len(kinds.extra) == 1

    @pytest.mark.parametrize("size", [1, 3, 8])
    def test_leave_specks_out(self, size: int) -> None:
        kinds = kinds_in(with_ink(put(40, 40, 40 + size, 40 + size)))

        assert is_seven(ink_of(kinds))
        assert kinds.extra == []

    def test_set_apart_ink_at_an_edge(self) -> None:
        kinds = kinds_in(with_ink(put(0, 100, 40, 150)))

        assert is_seven(ink_of(kinds))
        assert [part.box for part in kinds.edge] == [(0, 100, 40, 150)]

    def test_are_ink_if_all_of_it_touches_an_edge(self) -> None:
        left, top, width, height = cv2.boundingRect(SEVEN)
        cut = np.ascontiguousarray(SEVEN[top : top + height, left : left + width])

        kinds = kinds_in(cut)

        assert len(kinds.ink) == 1
        assert kinds.edge == []

    def test_join_the_pieces_of_a_broken_stroke(self) -> None:
        broken = seven()
        broken[68:73] = 0

        kinds = kinds_in(broken)

        assert len(kinds.ink) == 1

    @pytest.mark.parametrize("gap", [4, 30])
    def test_count_shapes_of_about_one_size(self, gap: int) -> None:
        page = np.zeros((100, 1000), np.uint8)
        for place in range(8):
            left = 150 + place * (60 + gap)
            page[20:80, left : left + 60] = 255

        assert kinds_in(page).shapes == 8
        assert kinds_in(SEVEN).shapes == 1

    def test_keep_a_second_stroke_apart_from_the_first(self) -> None:
        kinds = kinds_in(with_ink(put(60, 120, 74, 200)))

        assert len(kinds.ink) == 2


class TestBoxOf:
    def test_holds_all_parts(self) -> None:
        kinds = kinds_in(with_ink(put(60, 120, 74, 200)))

        box: Box = box_of(kinds.ink)

        assert box == pytest.approx((60, 63, 197, 217), abs=3)


class TestOnePart:
    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_is_sorted_as_any_other(self, name: str) -> None:
        strokes = [0.7 * specimen(name).strokes[0] + 42]
        page = next(pages(as_rgb(picture_of(strokes, paper=230, pen=60))))

        alone, kinds = kinds_of_one_part(page), kinds_of(masks(page)[0], page)

        assert alone is not None
        assert np.array_equal(alone.labels, kinds.labels)
        assert (alone.ink, alone.edge, alone.extra, alone.shapes) == (
            *(kinds.ink, kinds.edge, kinds.extra, kinds.shapes),
        )

    @pytest.mark.parametrize(
        "box",
        [(130, 230, 150, 250), (0, 140, 280, 142), (150, 0, 153, 70), (20, 9, 24, 13)],
        ids=["a full stop", "a line through it", "a line from the edge", "a speck"],
    )
    def test_is_not_all_there_is(self, box: Box) -> None:
        bitmap = with_ink(put(*box))
        page = next(pages(as_rgb(np.asarray(255 - bitmap, np.uint8))))

        assert kinds_of_one_part(page) is None

    def test_is_none_where_the_ink_is_too_faint(self) -> None:
        page = next(pages(as_rgb(picture_of([line((90, 70), (190, 200))], pen=240))))

        assert kinds_of_one_part(page) is None
