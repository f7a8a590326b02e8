"""The loop's own pieces; whole trainings are in test_train.py."""

import threading
from collections.abc import Iterator

import keras
import numpy as np
import pytest
import tensorflow as tf

from mlcore.fit import ahead, digit_and_kind_loss, optimizer_of, training_step
from mlcore.model import build_network
from mlcore.recipe import TrainConfig


class TestParts:
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
            optimizer_of(TrainConfig(epochs=1), steps=steps),
            loss=digit_and_kind_loss(0.3),
            spread=tf.distribute.get_strategy(),
            parts=parts,
        )
        return [step(images, targets) for _ in range(steps)]


class TestAhead:
    def test_gives_the_same_in_the_same_order(self) -> None:
        assert list(ahead(iter(range(5)))) == [0, 1, 2, 3, 4]

    def test_makes_the_next_while_one_is_used(self) -> None:
        second_is_made = threading.Event()

        def items() -> Iterator[str]:
            yield "first"
            second_is_made.set()
            yield "second"

        for item in ahead(items()):
            assert item != "first" or second_is_made.wait(timeout=10)

    def test_passes_on_what_goes_wrong(self) -> None:
        def items() -> Iterator[int]:
            yield 1
            raise ValueError("no more ink")

        given = ahead(items())

        assert next(given) == 1
        with pytest.raises(ValueError, match="no more ink"):
            next(given)
