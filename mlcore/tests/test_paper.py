import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mlcore.reading.paper import WORKING_SIDE_PX, Page, pages, quantile
from mlcore.reading.pictures import Picture
from mlcore.tests.making import as_rgb, picture_of, specimen

Colour = tuple[int, int, int]
WHITE = (255, 255, 255)
STROKE = np.s_[60:140, 95:105]
"""Where `page` has ink."""


def page(paper: Colour = WHITE, ink: Colour = (0, 0, 0), *, side: int = 200) -> Picture:
    """Return paper with one upright stroke of ink."""
    picture = np.full((side, side, 3), paper, np.uint8)
    picture[STROKE] = ink
    return picture


def first(picture: Picture) -> Page:
    return next(pages(picture))


def distances(one: Page) -> tuple[int, int]:
    """Return the least distance of the ink and the greatest of the paper."""
    is_ink = np.zeros(one.distance.shape, bool)
    is_ink[STROKE] = True
    return int(one.distance[is_ink].min()), int(one.distance[~is_ink].max())


class TestPages:
    @pytest.mark.parametrize("paper", [WHITE, (0, 0, 0), (250, 150, 170), (0, 130, 0)])
    def test_take_the_commonest_colour_for_paper(self, paper: Colour) -> None:
        one = first(page(paper, ink=(90, 90, 250)))

        assert (one.paper == paper).all()
        assert one.trust == 1
        assert distances(one)[1] == 0

    @pytest.mark.parametrize(
        ("paper", "ink"),
        [
            (WHITE, (250, 225, 20)),
            ((250, 150, 170), (90, 150, 250)),
            ((0, 130, 0), (220, 20, 20)),
        ],
    )
    def test_see_ink_that_differs_in_colour_only(
        self, paper: Colour, ink: Colour
    ) -> None:
        ink_from, paper_to = distances(first(page(paper, ink)))

        assert ink_from > 100
        assert paper_to == 0

    def test_see_ink_in_both_parts_of_a_hard_shadow(self) -> None:
        lit = page((200, 200, 200), ink=(40, 40, 40)).astype(float)
        lit[:100] *= 0.5
        lit += np.random.default_rng(1).normal(0, 9, lit.shape)  # no common colour

        found = [
            distances(one)
            for one in pages(np.clip(np.rint(lit), 0, 255).astype(np.uint8))
        ]

        assert max(ink_from - paper_to for ink_from, paper_to in found) > 50

    @pytest.mark.parametrize(
        ("paper", "ink"), [((40, 40, 40), WHITE), (WHITE, (40, 40, 40))]
    )
    def test_see_light_on_dark_as_well_as_dark_on_light(
        self, paper: Colour, ink: Colour
    ) -> None:
        ink_from, paper_to = distances(first(page(paper, ink)))

        assert (ink_from, paper_to) == (215, 0)

    def test_are_less_trusted_in_the_unlikely_polarity(self) -> None:
        grainy = page((200, 190, 180)).astype(float)
        grainy += np.random.default_rng(2).normal(0, 12, grainy.shape)

        trusts = [one.trust for one in pages(np.clip(grainy, 0, 255).astype(np.uint8))]

        assert trusts == sorted(trusts, reverse=True)
        assert trusts[0] == 1 > trusts[-1]

    def test_keep_a_desk_beside_the_paper_from_being_ink(self) -> None:
        beside = page()
        beside[:, :60] = (58, 44, 36)

        is_paper = [
            (one.distance[:, 5:50].max() < 24, one.distance[STROKE].min() > 100)
            for one in pages(beside)
        ]

        assert (True, True) in is_paper

    def test_have_no_ink_on_one_colour(self) -> None:
        assert all(
            not one.distance.any()
            for one in pages(as_rgb(np.full((90, 70), 130, np.uint8)))
        )

    def test_are_small_enough_to_search(self) -> None:
        large = page(side=1024)

        assert first(large).distance.shape == (WORKING_SIDE_PX, WORKING_SIDE_PX)

    def test_smooth_the_grain_of_a_photo_but_no_drawing(self) -> None:
        drawing = as_rgb(picture_of(specimen("8 one stroke").strokes))
        grain = np.random.default_rng(3).normal(0, 8, drawing.shape)
        photo = np.clip(200 - 150 * (drawing < 128) + grain, 0, 255).astype(np.uint8)

        assert np.array_equal(first(drawing).colours, drawing[..., :1])
        corner = np.s_[:20, :20]
        assert first(photo).colours[corner].std() < 0.7 * photo[corner].std()

    @given(
        arrays(np.uint8, st.tuples(st.integers(1, 30), st.integers(1, 30), st.just(3)))
    )
    def test_are_of_the_pictures_size(self, picture: Picture) -> None:
        for one in pages(picture):
            assert one.distance.shape == one.paper.shape[:2] == picture.shape[:2]
            assert one.colours.shape == one.paper.shape
            assert 0 < one.trust <= 1


class TestQuantile:
    @given(arrays(np.uint8, st.integers(1, 200)), st.floats(0, 1))
    def test_is_exceeded_by_no_more_than_the_rest(
        self, levels: np.ndarray, share: float
    ) -> None:
        level = quantile(levels, share)

        assert (levels <= level).mean() >= share - 1e-9
        assert (levels < level).mean() <= share + 1e-9
