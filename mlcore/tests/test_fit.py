"""The loop's own pieces; whole trainings are in test_train.py."""

import threading
from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlcore.training.dataset import NO_DIGIT, Dataset
from mlcore.training.fit import (
    chosen,
    digit_and_kind_loss,
    optimizer_of,
    prefetched,
    training_step,
)
from mlcore.training.model import build_network
from mlcore.training.recipe import TrainConfig


class TestParts:
    @pytest.mark.long
    def test_of_a_batch_learn_as_the_whole_does(self) -> None:
        # Two equal halves: each has the statistics that the whole batch has.
        rng = np.random.default_rng(1)
        half = rng.random((16, 28, 28, 1), np.float32)
        images = np.concatenate([half, half])
        targets = np.tile(np.eye(13, dtype=np.float32)[rng.integers(0, 10, 16)], (2, 1))

        whole = self.losses(images, targets, parts=1)
        in_parts = self.losses(images, targets, parts=2)

        assert whole[-1] < whole[0] / 2
        assert in_parts == pytest.approx(whole, rel=1e-3)

    @pytest.mark.long
    def test_may_be_uneven(self) -> None:
        images = np.zeros((5, 28, 28, 1), np.float32)
        targets = np.eye(13, dtype=np.float32)[:5]

        (loss,) = self.losses(images, targets, parts=3, steps=1)

        assert np.isfinite(loss)

    def losses(
        self, images: np.ndarray, targets: np.ndarray, *, parts: int, steps: int = 8
    ) -> list[float]:
        keras.utils.set_random_seed(1)
        network = build_network(dropout=0, layers_of="small")
        step = training_step(
            network,
            optimizer_of(TrainConfig(epochs=1), steps=[steps]),
            loss=digit_and_kind_loss(0.3),
            spread=tf.distribute.get_strategy(),
            parts=parts,
        )
        return [float(step(images, targets).mean()) for _ in range(steps)]


class TestChosen:
    def test_takes_the_worst_read_digits_and_what_is_no_digit(self) -> None:
        losses = np.array([0.1, 0.9, 0.2, 0.8, 0, 0, 0, 0, 0, 99], np.float32)
        dataset = a_dataset(10, no_digit=9)

        places = chosen(dataset, losses, count=4)

        assert sorted(places) == [1, 2, 3, 9]

    def test_shares_an_epoch_with_many_non_digits(self) -> None:
        places = chosen(a_dataset(12, no_digit=2), np.zeros(12, np.float32), count=4)

        assert sorted(places) == [0, 1, 2, 3]


def a_dataset(count: int, *, no_digit: int | None = None) -> Dataset:
    """Blank drawings, all of them noughts up to the first that is no digit."""
    digits = np.zeros(count, np.int64)
    if no_digit is not None:
        digits[no_digit:] = NO_DIGIT
    images = np.zeros((count, 28, 28), np.uint8)
    return Dataset(images, digits, np.zeros(count, np.int64))


class TestPrefetched:
    def test_gives_the_same_in_the_same_order(self) -> None:
        assert list(prefetched(iter(range(5)))) == [0, 1, 2, 3, 4]

    def test_makes_the_next_while_one_is_used(self) -> None:
        second_is_made = threading.Event()

        def items() -> Iterator[str]:
            yield "first"
            second_is_made.set()
            yield "second"

        for item in prefetched(items()):
            assert item != "first" or second_is_made.wait(timeout=10)

    def test_passes_on_what_goes_wrong(self) -> None:
        def items() -> Iterator[int]:
            yield 1
            raise ValueError("no more ink")

        given = prefetched(items())

        assert next(given) == 1
        with pytest.raises(ValueError, match="no more ink"):
            next(given)
