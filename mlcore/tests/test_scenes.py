"""Reading pictures as people send them: scenes, rows, and pictures without a digit."""

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mlcore.judging.scenes import EMPTY, SCENES, row
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.pictures import Picture, decode_picture, encode_png
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import draw_on_canvas
from mlcore.reading.specimens import Specimen, specimens
from mlcore.tests.making import as_rgb, picture_of, specimen

NOT_READ = ("cut off at an edge", "upside down")
"""Scenes in which a digit may be refused or read as another."""
SEEDS = 60
OF_EACH = {made.digit: made for made in specimens()}
"""One specimen of each digit."""


def drawn(made: Specimen) -> Bitmap:
    return draw_on_canvas(made.strokes, width=280, height=280, pen_width=18)


def is_sound(reading: Reading) -> bool:
    """Return whether a reading keeps to its form: a digit, or why there is none."""
    return (
        (reading.digit is None) != (reading.refusal is None)
        and sum(reading.probabilities) == pytest.approx(1, abs=1e-5)
        and 0 <= reading.digitness <= 1
    )


class TestScenes:
    @pytest.mark.parametrize("scene", SCENES)
    def test_are_colour_pictures_of_any_kind(self, scene: str) -> None:
        bitmap = drawn(specimen("3 round"))

        picture, same = (
            SCENES[scene](bitmap, np.random.default_rng(5)) for _ in range(2)
        )

        assert picture.dtype == np.uint8
        assert picture.shape[2:] == (3,)
        assert np.array_equal(picture, same)
        assert np.array_equal(bitmap, drawn(specimen("3 round")))

    @pytest.mark.parametrize("scene", sorted(set(SCENES) - set(NOT_READ)))
    def test_are_read(self, scene: str, starter: Recogniser) -> None:
        read = {
            digit: starter.read_picture(
                SCENES[scene](drawn(made), np.random.default_rng(digit))
            ).digit
            for digit, made in OF_EACH.items()
        }

        assert sum(digit == answer for digit, answer in read.items()) >= 9, read

    @pytest.mark.parametrize("scene", NOT_READ)
    def test_that_cannot_be_read_are_answered(
        self, scene: str, starter: Recogniser
    ) -> None:
        for digit, made in OF_EACH.items():
            picture = SCENES[scene](drawn(made), np.random.default_rng(digit))

            assert is_sound(starter.read_picture(picture))

    def test_cut_off_are_refused_with_the_reason(self, starter: Recogniser) -> None:
        readings = [
            starter.read_picture(
                SCENES["cut off at an edge"](drawn(made), np.random.default_rng(seed))
            )
            for seed, made in enumerate(specimens())
        ]

        refused = [reading for reading in readings if reading.refusal]
        reasons = [reading.doubt for reading in refused]
        assert len(refused) >= len(readings) / 2
        assert reasons.count("cut_off") >= 0.85 * len(refused)

    def test_upside_down_are_seldom_read_as_another_digit(
        self, starter: Recogniser
    ) -> None:
        scene = SCENES["upside down"]
        read = {
            f"{made.digit} {made.style}": starter.read_picture(
                scene(drawn(made), np.random.default_rng(seed))
            ).digit
            for seed, made in enumerate(specimens(rare=True))
            if made.digit not in (6, 9)  # each is the other upside down
        }

        wrong = {
            name: digit
            for name, digit in read.items()
            if digit is not None and str(digit) != name[0]
        }
        assert len(read) > 40
        assert wrong == {}


class TestEmpty:
    @pytest.mark.parametrize(
        "kind", [kind for kind in EMPTY if kind != "an empty cell"]
    )
    def test_pictures_are_refused(self, kind: str, starter: Recogniser) -> None:
        read = {
            seed: starter.read_picture(EMPTY[kind](np.random.default_rng(seed))).digit
            for seed in range(SEEDS)
        }

        assert set(read.values()) == {None}, read

    def test_cells_are_nearly_all_refused(self, starter: Recogniser) -> None:
        cells = [
            starter.read_picture(EMPTY["an empty cell"](np.random.default_rng(seed)))
            for seed in range(100)
        ]

        read = [cell.digit for cell in cells if cell.digit is not None]
        # Measured: 1. One broken line of a cell looks like a one.
        assert len(read) <= 3
        assert set(read) <= {1}


class TestRow:
    @pytest.mark.parametrize("count", [2, 3, 5])
    def test_is_refused(self, count: int, starter: Recogniser) -> None:
        for seed in range(8):
            rng = np.random.default_rng(seed)
            chosen = rng.choice(len(OF_EACH), count)

            reading = starter.read_picture(
                row([drawn(OF_EACH[digit]) for digit in chosen], rng)
            )

            assert reading.refusal in ("several", "not_a_digit"), (seed, chosen)

    def test_of_many_digits_is_called_several(self, starter: Recogniser) -> None:
        apart = np.hstack([drawn(OF_EACH[digit]) for digit in (2, 7, 3, 5, 1)])

        assert starter.read_picture(255 - apart).refusal == "several"


def flat(height: int, width: int, level: int = 255) -> Picture:
    return np.full((height, width, 3), level, np.uint8)


def frame_only() -> Picture:
    picture = flat(200, 160)
    cv2.rectangle(picture, (10, 10), (150, 190), (0, 0, 0), 4)
    return picture


class TestBadPictures:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: flat(300, 300, 0),
            lambda: flat(300, 300, 128),
            lambda: flat(1, 1),
            lambda: flat(1, 1, 0),
            lambda: flat(1, 1000),
            lambda: flat(1000, 1, 90),
            frame_only,
            lambda: 255 - frame_only(),
        ],
        ids=[
            *("black", "grey", "1 px", "1 black px", "1 row", "1 column"),
            *("frame", "light frame"),
        ],
    )
    def test_show_no_digit(
        self, make: Callable[[], Picture], starter: Recogniser
    ) -> None:
        reading = starter.read_picture(make())

        assert is_sound(reading)
        assert reading.digit is None

    @pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (2, 2), (300, 300)])
    def test_of_noise_show_no_digit(
        self, shape: tuple[int, int], starter: Recogniser
    ) -> None:
        for seed in range(10):
            noise = np.random.default_rng(seed).integers(0, 256, (*shape, 3))

            reading = starter.read_picture(noise.astype(np.uint8))

            assert is_sound(reading)
            assert reading.digit is None, seed

    def test_of_fifty_megapixels_are_read_like_small_ones(
        self, starter: Recogniser
    ) -> None:
        seven = picture_of(specimen("7 crossed").strokes)
        large = seven.repeat(25, axis=0).repeat(25, axis=1)  # 7000 px a side

        png = encode_png(np.asarray(large, np.uint8))
        reading = starter.read_picture(decode_picture(png))

        assert reading.digit == 7

    @given(
        arrays(
            np.uint8,
            st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3)),
            elements=st.sampled_from([0, 20, 128, 250, 255]),
        )
    )
    @example(np.zeros((1, 1, 3), np.uint8))
    def test_at_random_are_answered_in_form(
        self, starter: Recogniser, picture: Picture
    ) -> None:
        assert is_sound(starter.read_picture(picture))

    @given(arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))))
    def test_in_grey_are_read_as_in_colour(
        self, starter: Recogniser, grey: NDArray[np.uint8]
    ) -> None:
        reading = starter.read_picture(grey)

        assert is_sound(reading)
        assert reading.probabilities == starter.read_picture(as_rgb(grey)).probabilities
