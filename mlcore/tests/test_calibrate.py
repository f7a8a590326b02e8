from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from mlcore.reading.calibrate import (
    DIGITS,
    KINDS,
    ONE_DIGIT,
    SEVERAL,
    SOMETHING_ELSE,
    SUREST_THRESHOLD,
    Calibration,
    HeldOut,
    Logits,
    RefusedShares,
    expected_calibration_error,
    fit_calibration,
    fit_temperature,
    kind_probabilities,
    softmax,
)
from mlcore.tests.making import make_calibration

rows_of_logits = arrays(
    np.float32,
    st.tuples(st.integers(1, 8), st.just(DIGITS + KINDS)),
    elements=st.floats(-1000, 1000, width=32),
)
temperatures = st.floats(0.2, 5.0)


def made_logits(
    count: int, *, seed: int = 0, spread: float = 3.0
) -> tuple[Logits, NDArray[np.uint8]]:
    """Make logits that mean what they say: each label is drawn by its softmax."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (count, DIGITS + KINDS)).astype(np.float32)
    shares = softmax(logits[:, :DIGITS]).cumsum(axis=1)
    labels = (rng.random((count, 1)) > shares).sum(axis=1)
    return logits, np.minimum(labels, DIGITS - 1).astype(np.uint8)


def kinds_of(*, several: float = 0.0, something_else: float = 0.0) -> NDArray:
    kinds = np.zeros(KINDS)
    kinds[SEVERAL], kinds[SOMETHING_ELSE] = several, something_else
    kinds[ONE_DIGIT] = 1 - several - something_else
    return kinds


def sure_of(digit: int, *, confidence: float = 0.99) -> NDArray:
    probabilities = np.full(DIGITS, (1 - confidence) / (DIGITS - 1))
    probabilities[digit] = confidence
    return probabilities


class TestSoftmax:
    @given(rows_of_logits)
    def test_sums_to_one(self, logits: Logits) -> None:
        probabilities = softmax(logits)

        assert probabilities.shape == logits.shape
        assert probabilities.min() >= 0
        assert probabilities.sum(axis=-1) == pytest.approx(1, abs=1e-12)

    @given(rows_of_logits, st.floats(-1e6, 1e6))
    def test_depends_on_differences_only(self, logits: Logits, shift: float) -> None:
        wide = logits.astype(np.float64)

        assert softmax(wide + shift) == pytest.approx(softmax(wide), abs=1e-6)

    def test_is_exact_on_a_known_case(self) -> None:
        assert softmax(np.log(np.array([1.0, 2.0, 5.0]))) == pytest.approx(
            [1 / 8, 2 / 8, 5 / 8]
        )

    @pytest.mark.parametrize("shape", [(13,), (2, 13), (2, 3, 13)])
    def test_goes_along_the_last_axis(self, shape: tuple[int, ...]) -> None:
        assert softmax(np.zeros(shape)) == pytest.approx(np.full(shape, 1 / 13))


class TestCalibration:
    @given(rows_of_logits, temperatures)
    def test_gives_probabilities_that_sum_to_one(
        self, logits: Logits, temperature: float
    ) -> None:
        calibration = make_calibration(temperature=temperature)

        probabilities = calibration.digit_probabilities(logits)

        assert probabilities.shape == (len(logits), DIGITS)
        assert probabilities.sum(axis=1) == pytest.approx(1, abs=1e-12)
        assert kind_probabilities(logits).sum(axis=1) == pytest.approx(1, abs=1e-12)

    @given(st.permutations(range(DIGITS)), st.floats(0.01, 30), temperatures)
    def test_temperature_never_changes_the_argmax(
        self, order: list[int], step: float, temperature: float
    ) -> None:
        logits = np.zeros(DIGITS + KINDS, np.float32)
        logits[:DIGITS] = np.array(order) * step

        probabilities = make_calibration(temperature=temperature).digit_probabilities(
            logits
        )

        assert probabilities.argmax() == logits[:DIGITS].argmax()

    @given(rows_of_logits, rows_of_logits)
    def test_digits_and_kinds_do_not_mix(self, one: Logits, other: Logits) -> None:
        calibration = make_calibration()
        count = min(len(one), len(other))
        mixed = one[:count].copy()
        mixed[:, DIGITS:] = other[:count, DIGITS:]

        assert np.array_equal(
            calibration.digit_probabilities(mixed),
            calibration.digit_probabilities(one[:count]),
        )
        assert np.array_equal(
            kind_probabilities(mixed), kind_probabilities(other[:count])
        )

    def test_a_higher_temperature_is_humbler(self) -> None:
        logits, _ = made_logits(50)

        cool = make_calibration(temperature=0.5).digit_probabilities(logits)
        warm = make_calibration(temperature=2.0).digit_probabilities(logits)

        assert (warm.max(axis=1) < cool.max(axis=1)).all()

    def test_comes_back_from_its_numbers(self) -> None:
        calibration = make_calibration(temperature=1.7)

        assert Calibration(**asdict(calibration)) == calibration


class TestRefusal:
    @pytest.mark.parametrize(
        ("several", "something_else", "confidence", "refusal"),
        [
            (0.7, 0.1, 0.2, "several"),
            (0.7, 0.1, 0.99, "several"),
            (0.1, 0.7, 0.2, "not_a_digit"),
            (0.1, 0.7, 0.99, "not_a_digit"),
            (0.5, 0.2, 0.99, "not_a_digit"),
            (0.1, 0.1, 0.2, "unsure"),
            (0.1, 0.1, 0.99, None),
        ],
    )
    def test_goes_several_then_not_a_digit_then_unsure(
        self,
        several: float,
        something_else: float,
        confidence: float,
        refusal: str | None,
    ) -> None:
        calibration = make_calibration()

        given_kinds = kinds_of(several=several, something_else=something_else)

        assert (
            calibration.refusal(sure_of(3, confidence=confidence), given_kinds)
            == refusal
        )

    def test_needs_more_than_the_threshold(self) -> None:
        calibration = make_calibration(
            several_above=0.5, digitness_below=0.5, confidence_below=0.5
        )

        refusal = calibration.refusal(
            np.array([0.5, 0.5, *[0.0] * 8]), kinds_of(several=0.5)
        )

        assert refusal is None


def alike(share: float) -> RefusedShares:
    return RefusedShares(several=share, not_a_digit=share, unsure=share)


class TestFitTemperature:
    @pytest.mark.parametrize("temperature", [0.4, 1.0, 2.5, 4.0])
    def test_recovers_a_known_one(self, temperature: float) -> None:
        logits, labels = made_logits(8_000)

        fitted = fit_temperature([HeldOut(logits * np.float32(temperature), labels)])

        assert fitted == pytest.approx(temperature, rel=0.05)

    def test_makes_a_boastful_network_honest(self) -> None:
        logits, labels = made_logits(8_000)
        boastful = logits * np.float32(3)

        before = softmax(boastful[:, :DIGITS])
        temperature = fit_temperature([HeldOut(boastful, labels)])
        after = softmax(boastful[:, :DIGITS] / temperature)

        assert expected_calibration_error(before, labels) > 0.1
        assert expected_calibration_error(after, labels) < 0.02

    def test_stays_finite_where_every_answer_is_right(self) -> None:
        labels = np.arange(10, dtype=np.uint8)
        logits = np.zeros((10, DIGITS + KINDS), np.float32)
        logits[labels, labels] = 2000

        assert 0.2 <= fit_temperature([HeldOut(logits, labels)]) <= 5.0


class TestFitCalibration:
    @pytest.mark.parametrize("share", [0.002, 0.02])
    def test_refuses_at_most_the_share_that_each_refusal_may_take(
        self, share: float
    ) -> None:
        logits, labels = made_logits(5_000, seed=4)
        logits[:, DIGITS + ONE_DIGIT] += 4  # held-out digits look like digits

        calibration = fit_calibration([HeldOut(logits, labels)], shares=alike(share))

        probabilities = calibration.digit_probabilities(logits)
        refusals = [
            calibration.refusal(*row)
            for row in zip(probabilities, kind_probabilities(logits), strict=True)
        ]
        for code in ("several", "not_a_digit", "unsure"):
            assert refusals.count(code) <= share * len(labels) + 1
        assert refusals.count("unsure") > 0.5 * share * len(labels)

    def test_refuses_no_set_more_than_its_share(self) -> None:
        clear, labels = made_logits(4_000, seed=5)
        clear[:, DIGITS + ONE_DIGIT] += 9
        doubtful, true = made_logits(500, seed=6)
        doubtful[:, DIGITS + ONE_DIGIT] += 2

        calibration = fit_calibration(
            [HeldOut(clear, labels), HeldOut(doubtful, true)], shares=alike(0.02)
        )

        digitness = kind_probabilities(doubtful)[:, ONE_DIGIT]
        assert (digitness < calibration.digitness_below).mean() <= 0.02

    def test_lets_no_large_set_drown_a_small_one(self) -> None:
        honest, labels = made_logits(8_000, seed=7)
        boastful, true = made_logits(400, seed=8)
        small = HeldOut(boastful * np.float32(4), true)

        among_many = fit_temperature([HeldOut(honest, labels), small])
        among_few = fit_temperature([HeldOut(honest[:400], labels[:400]), small])

        assert among_many == pytest.approx(among_few, rel=0.15)
        assert among_many > 1.5

    def test_never_refuses_the_surest(self) -> None:
        logits, labels = made_logits(2_000, seed=5)
        logits[:, DIGITS + ONE_DIGIT] += 40  # every one is surely one digit

        calibration = fit_calibration([HeldOut(logits, labels)], shares=alike(0.01))

        assert calibration.several_above == 0.5
        assert calibration.digitness_below == SUREST_THRESHOLD

    def test_fits_the_temperature_too(self) -> None:
        logits, labels = made_logits(2_000)

        calibration = fit_calibration([HeldOut(logits, labels)], shares=alike(0.01))

        assert calibration.temperature == fit_temperature([HeldOut(logits, labels)])

    def test_gives_plain_numbers(self) -> None:
        logits, labels = made_logits(500)

        calibration = fit_calibration([HeldOut(logits, labels)], shares=alike(0.01))

        assert {type(value) for value in asdict(calibration).values()} == {float}


class TestExpectedCalibrationError:
    def test_is_near_zero_where_probabilities_mean_what_they_say(self) -> None:
        logits, labels = made_logits(50_000, spread=2.0)

        error = expected_calibration_error(softmax(logits[:, :DIGITS]), labels)

        assert error < 0.01

    def test_is_the_gap_of_a_known_case(self) -> None:
        probabilities = np.stack([sure_of(1, confidence=0.9)] * 10)
        half_right = np.array([1] * 5 + [2] * 5, np.uint8)

        error = expected_calibration_error(probabilities, half_right)

        assert error == pytest.approx(0.4)

    def test_weighs_bins_by_how_many_fall_in(self) -> None:
        probabilities = np.stack(
            [sure_of(1, confidence=1.0)] * 3 + [sure_of(1, confidence=0.5)]
        )
        labels = np.array([1, 1, 1, 2], np.uint8)

        error = expected_calibration_error(probabilities, labels)

        assert error == pytest.approx(0.5 / 4)

    @given(rows_of_logits, st.integers(1, 30))
    def test_is_a_share(self, logits: Logits, bins: int) -> None:
        labels = np.zeros(len(logits), np.uint8)

        error = expected_calibration_error(
            softmax(logits[:, :DIGITS]), labels, bins=bins
        )

        assert 0 <= error <= 1
