import cv2
import numpy as np

from mlcore.reading.cuts import MOST_LOST, WIDEST_CUT, Cuts, cuts_of
from mlcore.reading.paper import pages
from mlcore.reading.parts import row_mask
from mlcore.reading.pictures import Picture


def rings(*centres: int, high: int = 200) -> Picture:
    """Draw rings with a radius of 50, side by side."""
    picture = np.full((high, max(centres) + 120, 3), 255, np.uint8)
    for x in centres:
        cv2.circle(picture, (x, 100), 50, (0, 0, 0), 8)
    return picture


def cut(picture: Picture) -> Cuts:
    page = next(pages(picture))
    mask = row_mask(page)
    assert mask is not None
    cuts = cuts_of(mask, page)
    assert cuts is not None
    return cuts


def middle_of(cuts: Cuts, at: int) -> float:
    """Return where a cut lies in the picture."""
    return float(cuts.paths[at].mean()) * cuts.scale + cuts.corner[0]


class TestCuts:
    def test_run_through_gaps_without_cutting_ink(self) -> None:
        cuts = cut(rings(100, 240))

        within = [at for at in range(1, len(cuts.paths) - 1) if cuts.widths[at] == 0]

        assert len(within) == 1
        assert 150 < middle_of(cuts, within[0]) < 190

    def test_run_where_digits_touch(self) -> None:
        cuts = cut(rings(100, 205))

        between = [
            at
            for at in range(1, len(cuts.paths) - 1)
            if abs(middle_of(cuts, at) - 152) < 6
        ]

        assert between
        assert min(cuts.runs[between]) == 1
        assert 0 < min(cuts.widths[between]) <= WIDEST_CUT

    def test_lie_between_one_before_all_ink_and_one_behind(self) -> None:
        cuts = cut(rings(100, 205))

        inks = cuts.inks[0]

        assert (np.diff(inks) > 0).all()
        assert (cuts.paths[0] == 0).all()
        assert (cuts.paths[-1] == cuts.levels.shape[1]).all()

    def test_have_regions_between_them(self) -> None:
        cuts = cut(rings(100, 240))
        gap = next(at for at in range(1, len(cuts.paths)) if cuts.widths[at] == 0)

        found = cuts.bitmap_between(0, gap)

        assert found is not None
        bitmap, box = found
        assert bitmap.shape == (box[3] - box[1], box[2] - box[0])
        assert np.mean(box[::2]) * cuts.scale + cuts.corner[0] - 100 < 2
        assert cuts.lost[0, gap] < MOST_LOST

    def test_leave_no_region_wider_than_a_digit(self) -> None:
        cuts = cut(rings(100, 240, 380))

        assert cuts.bitmap_between(0, len(cuts.paths) - 1) is None

    def test_of_nothing_are_none(self) -> None:
        page = next(pages(rings(100)))

        assert cuts_of(np.zeros(page.distance.shape, np.uint8), page) is None
