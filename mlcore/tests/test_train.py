"""A real training, tiny: it learns little, and all of its parts run."""

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from mlcore import train as training
from mlcore.bundle import KERAS_WEIGHTS, SERVED_WEIGHTS, Bundle, open_bundle
from mlcore.calibrate import DIGITS, KINDS, ONE_DIGIT, SEVERAL
from mlcore.checkpoint import Checkpoint
from mlcore.data import MNIST_SHA256, DataError, Mnist, PenData, PenDrawing
from mlcore.inference import Recogniser
from mlcore.judge import read_mnist
from mlcore.model import FusedBatchNormalization, Soften, build_network
from mlcore.pool import mnist_pool
from mlcore.snapshot import line_of, write_snapshot
from mlcore.tests.making import KERAS_3_ON_NUMPY_2
from mlcore.train import (
    TrainConfig,
    digit_and_kind_loss,
    restate,
    take_weights,
    training_pool,
    without,
)

pytestmark = pytest.mark.filterwarnings(KERAS_3_ON_NUMPY_2)

TINY = TrainConfig(epochs=1, batch_size=64, non_digits=50, seed=3)


@pytest.fixture(scope="module")
def few(mnist: Mnist) -> Mnist:
    return Mnist(
        train=mnist.train.take(np.arange(400)),
        validation=mnist.validation.take(np.arange(100)),
        test=mnist.test.take(np.arange(100)),
    )


@pytest.fixture(scope="module")
def var(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("var")


@pytest.fixture(scope="module")
def trained(few: Mnist, var: Path) -> Iterator[Bundle]:
    """The bundle of a run on a few hundred digits, in a data folder of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training, "load_mnist", lambda: few)
        patch.setenv("DIGITSITE_VAR", str(var))
        yield training.train(TINY)


class TestTrain:
    def test_writes_a_bundle_that_opens(self, trained: Bundle, var: Path) -> None:
        assert trained.folder == var / "bundles" / trained.digest
        assert open_bundle(trained.folder) == trained

    def test_writes_a_bundle_that_reads(self, trained: Bundle, few: Mnist) -> None:
        recogniser = Recogniser(trained)

        for image in few.test.images[:20]:
            assert sum(recogniser.read(image).probabilities) == pytest.approx(1)

    def test_writes_the_same_network_twice(self, trained: Bundle, few: Mnist) -> None:
        network = keras.models.load_model(trained.folder / KERAS_WEIGHTS)
        recogniser = Recogniser(trained)

        given = few.test.images[..., np.newaxis].astype(np.float32) / 255
        kept = training.network_logits(network, few.test)
        served = np.stack([recogniser.network.logits(image) for image in given])

        assert kept.shape == served.shape == (100, DIGITS + KINDS)
        # The served weights have 8 bits.
        assert served == pytest.approx(kept, abs=0.1 * float(np.ptp(kept)))
        assert np.corrcoef(served.ravel(), kept.ravel())[0, 1] > 0.99

    def test_serves_small_weights(self, trained: Bundle) -> None:
        assert (trained.folder / SERVED_WEIGHTS).stat().st_size < 600_000

    def test_judges_through_the_serving_path(self, trained: Bundle, few: Mnist) -> None:
        told = trained.metrics["mnist_test"]

        assert told == read_mnist(Recogniser(trained), few.test).figures()
        assert trained.metrics["mnist_validation"]["digits"] == 100

    def test_says_where_the_model_comes_from(self, trained: Bundle) -> None:
        provenance = trained.manifest["provenance"]

        assert provenance["config"]["seed"] == 3
        assert "out" not in provenance["config"]
        assert provenance["data_sha256"] == MNIST_SHA256
        assert provenance["commit"] == training.source_commit()
        assert set(provenance["versions"]) == {
            "python",
            "tensorflow",
            "keras",
            "numpy",
            "opencv",
        }

    def test_records_the_run(self, trained: Bundle, var: Path) -> None:
        (record,) = (var / "runs").glob("*/run.json")

        run: dict[str, Any] = json.loads(record.read_text())

        assert run["bundle"] == trained.digest
        assert run["config"]["batch_size"] == 64
        assert [set(epoch) for epoch in run["history"]] == [{"loss", "mnist"}]
        assert run["metrics"] == trained.metrics


class TestFromABundle:
    def test_takes_its_weights(self, trained: Bundle) -> None:
        network = build_network()
        kept = keras.models.load_model(trained.folder / KERAS_WEIGHTS)

        take_weights(network, trained)

        for ours, theirs in zip(network.get_weights(), kept.get_weights(), strict=True):
            assert np.array_equal(ours, theirs)

    def test_of_another_network_is_refused(self, trained: Bundle) -> None:
        image = keras.Input((28, 28, 1))
        other = keras.Model(image, keras.layers.Flatten()(image))

        with pytest.raises(DataError, match="without --start-from"):
            take_weights(other, trained)


class TestResume:
    def test_goes_on_after_the_last_whole_epoch(
        self,
        trained: Bundle,
        few: Mnist,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """A training of three epochs on a snapshot, killed in its second."""
        monkeypatch.setattr(training, "load_mnist", lambda: few)
        monkeypatch.setenv("DIGITSITE_VAR", str(tmp_path))
        write_snapshot(
            tmp_path / "snapshot",
            digest="s" * 64,
            lines=[
                line_of(
                    id="one",
                    kind="digit",
                    digit=7,
                    split="train",
                    strokes=[[[70, 70], [205, 66], [125, 225]]],
                    image=None,
                    is_borne_out=False,
                )
            ],
        )
        config = replace(
            TINY,
            epochs=3,
            start_from=str(trained.folder),
            snapshot=str(tmp_path / "snapshot"),
            checkpoint=str(tmp_path / "kept"),
        )
        measured = training.network_logits
        seen: list[int] = []

        def die_in_the_second(*args: Any) -> Any:
            seen.append(1)
            if len(seen) == 2:
                raise KeyboardInterrupt
            return measured(*args)

        monkeypatch.setattr(training, "network_logits", die_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            training.train(config)
        first = capsys.readouterr().out

        bundle = training.train(config)

        said = capsys.readouterr().out
        assert "epoch   1/3" in first
        assert "Goes on after epoch 1." in said
        assert "epoch   1/3" not in said
        assert "epoch   3/3" in said
        told = bundle.manifest["provenance"]["config"]
        assert told["snapshot"] == "s" * 64
        assert told["start_from"] == trained.digest
        progress = json.loads((tmp_path / "kept" / "progress.json").read_text())
        assert progress["doing"] == "epoch 3 of 3"

    def test_of_another_config_begins_anew(self, tmp_path: Path) -> None:
        network, rng = build_network(), np.random.default_rng(1)
        optimizer = keras.optimizers.AdamW()
        Checkpoint(tmp_path, key={"epochs": 3}).resume(network, optimizer, rng)
        Checkpoint(tmp_path, key={"epochs": 3}).keep(
            network, optimizer, rng, [{"loss": 1.0}]
        )

        same = Checkpoint(tmp_path, key={"epochs": 3})
        other = Checkpoint(tmp_path, key={"epochs": 4})

        assert same.resume(network, optimizer, rng) == [{"loss": 1.0}]
        assert other.resume(network, optimizer, rng) == []


class TestCommand:
    def test_turns_every_field_into_a_flag(
        self,
        trained: Bundle,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        told: list[TrainConfig] = []

        def record(config: TrainConfig) -> Bundle:
            told.append(config)
            return trained

        monkeypatch.setattr(training, "train", record)
        monkeypatch.setattr(
            sys,
            "argv",
            ["train", "--epochs", "2", "--learning-rate", "0.1", "--out", "/try"],
        )

        training.main()

        assert told == [TrainConfig(epochs=2, learning_rate=0.1, out="/try")]
        assert f"Bundle {trained.short_digest} in" in capsys.readouterr().out


class TestTrainingPool:
    def test_joins_digits_with_made_non_digits(self, few: Mnist) -> None:
        pool = training_pool(few, None, config=TINY, rng=np.random.default_rng(1))

        assert len(pool) == 450
        assert np.array_equal(pool.images[:400], few.train.images)

    def test_of_pen_drawings_needs_some(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("PEN_DIR", raising=False)

        with pytest.raises(DataError, match="--pen needs PEN_DIR"):
            training.pen_data()


class TestWithout:
    @pytest.mark.parametrize(
        ("left_out", "kept"),
        [("", {"X", "house"}), ("letters", {"house"}), ("sketches", {"X"})],
    )
    def test_drops_one_kind_of_non_digits(self, left_out: str, kept: set[str]) -> None:
        strokes = [np.zeros((2, 2), np.float32)]
        drawn = PenData(
            digits=[PenDrawing("a", "7", "ann", strokes)],
            non_digits=[
                PenDrawing("b", "X", "ann", strokes),
                PenDrawing("c", "house", None, strokes),
            ],
        )

        left = without(drawn, left_out)

        assert left.digits == drawn.digits
        assert {drawing.label for drawing in left.non_digits} == kept

    def test_knows_no_other_kind(self) -> None:
        with pytest.raises(DataError, match="letters or sketches, not 'horses'"):
            without(PenData([], []), "horses")


class TestLoss:
    def test_is_zero_where_everything_is_right(self) -> None:
        targets = np.zeros((1, DIGITS + KINDS), np.float32)
        targets[0, [4, DIGITS + ONE_DIGIT]] = 1

        loss = digit_and_kind_loss(0.3)(targets, targets * 1000)

        assert loss.numpy() == pytest.approx([0], abs=1e-5)

    def test_asks_a_non_digit_for_its_kind_only(self) -> None:
        targets = np.zeros((2, DIGITS + KINDS), np.float32)
        targets[:, DIGITS + SEVERAL] = 1
        logits = np.zeros_like(targets)
        logits[1, :DIGITS] = np.arange(10)

        loss = digit_and_kind_loss(0.3)(targets, logits)

        assert loss.numpy() == pytest.approx([0.3 * np.log(3)] * 2, rel=1e-5)


class TestSoften:
    def test_blurs_what_is_read(self) -> None:
        dot = np.zeros((1, 5, 5, 1), np.float32)
        dot[0, 2, 2] = 1

        soft = Soften(variance=0.25)(dot).numpy()[0, ..., 0]

        assert soft[2].tolist() == pytest.approx([0, 0.09375, 0.5625, 0.09375, 0])
        assert soft.sum() == pytest.approx(1)

    def test_leaves_training_alone(self) -> None:
        images = np.random.default_rng(1).random((2, 28, 28, 1)).astype(np.float32)

        assert np.array_equal(Soften()(images, training=True), images)


class TestNetwork:
    def test_gives_thirteen_logits(self) -> None:
        network = build_network()

        logits = network(np.zeros((5, 28, 28, 1), np.float32)).numpy()

        assert logits.shape == (5, DIGITS + KINDS)

    def test_normalises_as_keras_own_layer_does(self) -> None:
        rng = np.random.default_rng(1)
        batch = rng.normal(3, 2, (64, 6, 6, 4)).astype(np.float32)
        ours = FusedBatchNormalization(momentum=0.9)
        theirs = keras.layers.BatchNormalization(momentum=0.9)

        for _ in range(3):
            in_training = ours(batch, training=True).numpy()
            expected = theirs(batch, training=True).numpy()

            assert in_training == pytest.approx(expected, abs=1e-3)
        assert ours(batch).numpy() == pytest.approx(theirs(batch).numpy(), abs=0.01)


class TestRestate:
    def test_takes_the_mean_over_all_softened_digits(self, few: Mnist) -> None:
        network = build_network()
        first = next(
            layer
            for layer in network.layers
            if isinstance(layer, FusedBatchNormalization)
        )
        into_first = keras.Model(network.input, first.input)

        restate(network, mnist_pool(few.train), batch_size=100)

        served = into_first.predict(few.train.images[..., None] / 255, verbose=0)
        mean = served.mean(axis=(0, 1, 2))
        assert first.mean.numpy() == pytest.approx(mean, abs=1e-4)
        variance = served.var(axis=(0, 1, 2))
        assert first.variance.numpy() == pytest.approx(variance, rel=0.05)
        assert first.momentum == 0.95

    def test_manages_with_less_than_a_batch(self, few: Mnist) -> None:
        network = build_network()
        before = network.get_weights()

        restate(network, mnist_pool(few.train), batch_size=10_000)

        after = network.get_weights()
        assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
