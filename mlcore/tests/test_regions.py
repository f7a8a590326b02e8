from itertools import product

import numpy as np
import pytest

from mlcore.judging.region_fit import (
    TRAINED,
    Example,
    first_scorer,
    gradient,
    train,
)
from mlcore.judging.rows import on_paper
from mlcore.reading.inference import Recogniser
from mlcore.reading.picture_numbers import regions_in
from mlcore.reading.regions import Paths, RegionSearch, scorer
from mlcore.tests.making import written

PATHS = Paths(
    cuts=4,
    pairs=np.array([[0, 1], [1, 2], [0, 2], [2, 3], [1, 3]]),
    is_small=np.array([True, False, False, False, False]),
)
"""Two or three digits, of which the first may be a point."""


def example(text: str) -> Example:
    rng = np.random.default_rng(0)
    return Example(text, PATHS, rng.normal(size=(5, 6)), rng.normal(size=(5, 10)))


class TestPaths:
    def test_share_their_likelihood_among_all_numbers(self) -> None:
        scores = np.random.default_rng(0).normal(size=(5, 10))
        texts = [
            "".join(digits)
            for length in (1, 2, 3)
            for digits in product("0123456789", repeat=length)
        ]

        whole = PATHS.sum_of_all(scores, -1.0)
        parts = [PATHS.sum_of(text, scores, -1.0) for text in texts]

        assert np.logaddexp.reduce(parts) == pytest.approx(whole)

    def test_have_a_best_way_for_each_number_of_digits(self) -> None:
        scores = np.zeros((5, 10))
        scores[2, 7] = scores[3, 1] = 5.0

        ways = PATHS.ways(scores, -1.0)

        assert sorted(ways) == [1, 2, 3]
        assert ways[2].regions == (2, 3)
        assert ways[2].best == 10.0
        assert ways[1].regions == (-1, 4)


class TestRegionSearch:
    def test_is_sure_of_a_clear_number(self, starter: Recogniser) -> None:
        picture = on_paper(written("274"), np.random.default_rng(0))
        regions = regions_in(starter, picture)
        assert regions is not None
        search = RegionSearch(regions)

        ways = search.ways()
        number = search.number(max(ways.values(), key=lambda way: way.best))

        assert number.text == "274"
        assert search.share("274") > 0.8
        assert search.share("27") + search.share("275") < 0.2
        for digit in number.digits:
            assert sum(digit.probabilities) == pytest.approx(1)
            assert digit.digit == int(np.argmax(digit.probabilities))


class TestTraining:
    @pytest.mark.parametrize("name", TRAINED)
    def test_follows_the_gradient(self, name: str) -> None:
        known = example("42")
        network = first_scorer([known], np.random.default_rng(1))
        _, found = gradient(network, known)
        weights = getattr(network, name)
        place = np.unravel_index(np.abs(found[name]).argmax(), weights.shape)

        weights[place] += 1e-5
        above, _ = gradient(network, known)
        weights[place] -= 2e-5
        below, _ = gradient(network, known)

        assert found[name][place] == pytest.approx((above - below) / 2e-5, rel=1e-3)

    def test_makes_what_was_written_likelier(self) -> None:
        known = example("42")
        before, _ = gradient(first_scorer([known], np.random.default_rng(0)), known)

        after, _ = gradient(train([known] * 32), known)

        assert after < before / 2

    def test_fits_the_features_that_are_read(self, starter: Recogniser) -> None:
        picture = on_paper(written("27"), np.random.default_rng(0))
        regions = regions_in(starter, picture)

        assert regions is not None
        assert regions.features.shape[1] == len(scorer().mean)
