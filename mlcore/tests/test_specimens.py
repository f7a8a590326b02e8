from collections import Counter

import numpy as np
import pytest

from mlcore.reading.specimens import CANVAS_PX, jittered, specimens
from mlcore.tests.making import ONE_OF_EACH, specimen

WITH_RARE = [f"{one.digit} {one.style}" for one in specimens(rare=True)]


class TestSpecimens:
    @pytest.mark.parametrize("rare", [False, True])
    def test_cover_every_digit_in_order(self, *, rare: bool) -> None:
        digits = [made.digit for made in specimens(rare=rare)]

        assert digits == sorted(digits)
        assert set(digits) == set(range(10))

    def test_show_a_digit_in_each_style_once(self) -> None:
        named = Counter((made.digit, made.style) for made in specimens(rare=True))

        assert set(named.values()) == {1}
        assert len(named) == 62

    def test_hold_the_styles_that_readers_stumble_over(self) -> None:
        hard = {
            "0 slashed",
            "1 flag and foot",
            "2 looped",
            "4 closed",
            "5 separate hat",
            "7 crossed",
            "8 two circles",
            "9 curled tail",
        }

        assert hard <= set(ONE_OF_EACH)

    @pytest.mark.parametrize("name", WITH_RARE)
    def test_lie_on_the_canvas_with_room_for_the_pen(self, name: str) -> None:
        points = np.concatenate(specimen(name).strokes)

        assert points.min() > 18
        assert points.max() < CANVAS_PX - 18

    @pytest.mark.parametrize("name", WITH_RARE)
    def test_are_as_dense_as_a_hand_draws(self, name: str) -> None:
        for stroke in specimen(name).strokes:
            steps = np.hypot(*np.diff(stroke, axis=0).T)

            assert stroke.dtype == np.float32
            assert steps.max() <= 8.0
            assert np.median(steps) >= 4.0

    def test_are_made_anew_on_each_call(self) -> None:
        specimens()[0].strokes[0][:] = 0

        assert specimens()[0].strokes[0].max() > 0


class TestJittered:
    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_keeps_digit_style_and_the_number_of_points(self, name: str) -> None:
        original = specimen(name)

        again = jittered(original, np.random.default_rng(1))

        assert (again.digit, again.style) == (original.digit, original.style)
        assert [len(stroke) for stroke in again.strokes] == [
            len(stroke) for stroke in original.strokes
        ]

    def test_depends_on_the_generator_only(self) -> None:
        original = specimen("2 looped")

        once = jittered(original, np.random.default_rng(5))
        again = jittered(original, np.random.default_rng(5))
        other = jittered(original, np.random.default_rng(6))

        assert np.array_equal(once.strokes[0], again.strokes[0])
        assert not np.array_equal(once.strokes[0], other.strokes[0])

    def test_leaves_the_original_alone(self) -> None:
        original = specimen("7 crossed")

        jittered(original, np.random.default_rng(1))

        for kept, fresh in zip(
            original.strokes, specimen("7 crossed").strokes, strict=True
        ):
            assert np.array_equal(kept, fresh)

    def test_without_any_jitter_changes_nothing(self) -> None:
        original = specimen("5 separate hat")

        same = jittered(
            original,
            np.random.default_rng(1),
            slant=0,
            rotation_deg=0,
            scale=0,
            shift_px=0,
            wobble_px=0,
        )

        for stroke, before in zip(same.strokes, original.strokes, strict=True):
            assert stroke == pytest.approx(before, abs=1e-4)

    @pytest.mark.parametrize("name", ONE_OF_EACH)
    def test_is_modest(self, name: str) -> None:
        original = np.concatenate(specimen(name).strokes)
        rng = np.random.default_rng(2)

        for _ in range(20):
            again = np.concatenate(jittered(specimen(name), rng).strokes)

            assert np.hypot(*(again - original).T).max() < 80
            assert -20 < again.min() < again.max() < CANVAS_PX + 20
