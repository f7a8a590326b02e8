"""A real training, tiny: it learns little, and all of its parts run."""

import errno
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from mlcore import paths
from mlcore.reading.bundle import KERAS_WEIGHTS, SERVED_WEIGHTS, Bundle, open_bundle
from mlcore.reading.calibrate import DIGITS, KINDS, ONE_DIGIT, SEVERAL
from mlcore.reading.inference import Recogniser
from mlcore.reading.specimens import specimens
from mlcore.tests.making import KERAS_3_ON_NUMPY_2
from mlcore.training import fit as fitting
from mlcore.training import train as training
from mlcore.training.checkpoint import STATE, Checkpoint, Kept
from mlcore.training.data import (
    MNIST_SHA256,
    DataError,
    Mnist,
    PenData,
    PenDrawing,
    load_mnist,
)
from mlcore.training.dataset import mnist_dataset
from mlcore.training.figures import read_mnist
from mlcore.training.fit import digit_and_kind_loss, restate
from mlcore.training.model import (
    NETWORKS,
    FusedBatchNormalization,
    Soften,
    build_network,
    in_stock_layers,
)
from mlcore.training.recipe import PRESETS, TrainConfig, native_precision
from mlcore.training.snapshot import line_of, write_snapshot
from mlcore.training.train import Given, Trained, take_weights, training_set, without

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
        yield training.train(TINY).bundle


class TestNativePrecision:
    @pytest.mark.parametrize(
        ("facts", "precision"),
        [
            ("flags : fpu avx2 avx512_bf16 amx_bf16", "mixed_bfloat16"),
            ("Features : fp asimd bf16", "mixed_bfloat16"),
            ("flags : fpu avx2 avx512f", "float32"),
        ],
        ids=["x86", "ARM", "without"],
    )
    def test_is_what_the_processor_computes(
        self, tmp_path: Path, facts: str, precision: str
    ) -> None:
        processor = tmp_path / "cpuinfo"
        processor.write_text(facts)

        assert native_precision(processor) == precision

    def test_is_float32_where_nothing_is_known(self, tmp_path: Path) -> None:
        assert native_precision(tmp_path / "nothing") == "float32"


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
        kept = fitting.network_logits(network, few.test)
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
        assert [set(epoch) for epoch in run["history"]] == [
            {"loss", "learning_rate", "mnist", "mnist_loss", "seconds"}
        ]
        assert (record.parent / "metrics.csv").read_text().startswith("epoch,loss,")
        assert not (record.parent / STATE).exists()
        assert run["metrics"] == trained.metrics


class TestFromABundle:
    def test_takes_its_weights(self, trained: Bundle) -> None:
        network = build_network()
        kept = keras.models.load_model(trained.folder / KERAS_WEIGHTS)

        take_weights(network, trained)

        softening, *weights = kept.get_weights()
        assert softening.shape == (3, 3, 1, 1)
        for ours, theirs in zip(network.get_weights(), weights, strict=True):
            assert np.array_equal(ours, theirs)

    def test_of_another_network_is_refused(self, trained: Bundle) -> None:
        image = keras.Input((28, 28, 1))
        other = keras.Model(image, keras.layers.Dense(3)(image))

        with pytest.raises(DataError, match="without --start-from"):
            take_weights(other, trained)


class KilledError(BaseException):
    """Stands for a kill: nothing of the training's own may catch it."""


def break_off(
    patch: pytest.MonkeyPatch, *, at_epoch: int, by: type[BaseException] = KilledError
) -> None:
    """Have the next training end in the middle of an epoch, once."""
    really, epochs = fitting.batches, []

    def batches(*args: Any, **how: Any) -> Iterator[Any]:
        epochs.append(1)
        for number, batch in enumerate(really(*args, **how)):
            if len(epochs) == at_epoch and number == 2:
                raise by
            yield batch

    patch.setattr(fitting, "batches", batches)


@pytest.fixture
def small(few: Mnist, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainConfig:
    """A training of three short epochs in a data folder of its own."""
    monkeypatch.setattr(training, "load_mnist", lambda: few)
    monkeypatch.setenv("DIGITSITE_VAR", str(tmp_path / "var"))
    return replace(TINY, epochs=3, network="small")


def runs(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "var" / "runs").glob("*"))


@pytest.mark.long
class TestResume:
    @pytest.mark.parametrize("hardest", [1, 0.5])
    def test_after_a_kill_ends_as_if_there_had_been_none(
        self,
        hardest: float,
        small: TrainConfig,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        config = replace(small, hardest=hardest)
        whole = training.train(config)
        with monkeypatch.context() as patch:
            break_off(patch, at_epoch=3)
            with pytest.raises(KilledError):
                training.train(config)
        capsys.readouterr()

        resumed = training.train(config)

        said = capsys.readouterr().out
        assert said.startswith("Goes on after epoch 2.")
        assert "epoch   2/3" not in said
        assert "epoch   3/3" in said
        assert weights_of(resumed) == weights_of(whole)
        assert [run.name for run in runs(tmp_path)] == [
            whole.folder.name,
            resumed.folder.name,
        ]

    def test_of_another_seed_does_not_take_it_up(
        self,
        small: TrainConfig,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        with monkeypatch.context() as patch:
            break_off(patch, at_epoch=2)
            with pytest.raises(KilledError):
                training.train(small)

        training.train(replace(small, epochs=1, seed=4))
        afresh = training.train(replace(small, fresh=True))

        assert "Goes on" not in capsys.readouterr().out
        assert len(afresh.fitted.history) == 3

    def test_in_a_given_folder_goes_on_with_a_snapshot(
        self,
        trained: Bundle,
        small: TrainConfig,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """As the site's worker asks for it."""
        config = replace(
            small,
            network="large",
            start_from=str(trained.folder),
            snapshot=str(write_a_snapshot(tmp_path / "snapshot")),
            checkpoint=str(tmp_path / "kept"),
            allow_missing_digits=True,
        )
        with monkeypatch.context() as patch:
            break_off(patch, at_epoch=2)
            with pytest.raises(KilledError):
                training.train(config)

        bundle = training.train(config).bundle

        said = capsys.readouterr().out
        assert "no drawing of 0, 1, 2, 3, 4, 5, 6, 8, 9: those are learnt" in said
        assert "Goes on after epoch 1." in said
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
        kept = Kept([{"loss": 1.0}], None)
        Checkpoint(tmp_path, key={"epochs": 3}).keep(network, optimizer, rng, kept)

        same = Checkpoint(tmp_path, key={"epochs": 3})
        other = Checkpoint(tmp_path, key={"epochs": 4})

        assert same.resume(network, optimizer, rng) == kept
        assert other.resume(network, optimizer, rng) == Kept([], None)

    def test_from_a_damaged_state_begins_anew(self, tmp_path: Path) -> None:
        network, rng = build_network(), np.random.default_rng(1)
        (tmp_path / STATE).write_bytes(b"PK cut off")

        kept = Checkpoint(tmp_path, key={}).resume(
            network, keras.optimizers.AdamW(), rng
        )

        assert kept == Kept([], None)


def weights_of(trained: Trained) -> str:
    return str(trained.bundle.manifest["provenance"]["weights_sha256"])


def write_a_snapshot(folder: Path) -> Path:
    """A snapshot of one drawing, a seven."""
    write_snapshot(
        folder,
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
    return folder


@pytest.mark.long
class TestInterrupt:
    def test_saves_the_best_weights_and_goes_on_later(
        self,
        small: TrainConfig,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        with monkeypatch.context() as patch:
            break_off(patch, at_epoch=3, by=KeyboardInterrupt)
            stopped = training.train(small)
        best = min(
            range(2), key=lambda place: stopped.fitted.history[place]["mnist_loss"]
        )

        went_on = training.train(small)

        assert stopped.fitted.stopped == best + 1
        told = stopped.bundle.manifest["provenance"]["stopped"]
        assert told == f"by hand, with epoch {best + 1}'s weights"
        assert sum(
            Recogniser(stopped.bundle)
            .read(np.eye(28, dtype=np.uint8) * 255)
            .probabilities
        ) == pytest.approx(1)
        assert "the same command goes on from here" in training.told_of(stopped)
        assert went_on.fitted.stopped is None
        assert went_on.folder == stopped.folder
        assert "Goes on after epoch 2." in capsys.readouterr().out

    def test_before_the_first_epoch_is_over_leaves_nothing(
        self, small: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        break_off(monkeypatch, at_epoch=1, by=KeyboardInterrupt)

        with pytest.raises(KeyboardInterrupt):
            training.train(small)

        assert runs(tmp_path) == []
        assert not (tmp_path / "var" / "bundles").exists()

    def test_of_a_watched_training_makes_no_bundle(
        self, small: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        break_off(monkeypatch, at_epoch=3, by=KeyboardInterrupt)

        with pytest.raises(KeyboardInterrupt):
            training.train(replace(small, watched=True))

        assert not (tmp_path / "var" / "bundles").exists()


class TestCommand:
    def test_turns_every_field_into_a_flag(self) -> None:
        told = ["--epochs", "2", "--learning-rate", "0.1", "--out", "/try", "--pen"]

        config = training.config_from(told)

        assert config == TrainConfig(epochs=2, learning_rate=0.1, out="/try", pen=True)

    def test_takes_a_preset_with_flags_over_it(self) -> None:
        config = training.config_from(["--preset", "fast", "--epochs", "2"])

        assert config == TrainConfig(**{**PRESETS["fast"], "epochs": 2})

    def test_sums_up_and_says_where_everything_lies(
        self,
        small: TrainConfig,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        flags = "--epochs 1 --batch-size 64 --non-digits 0 --network small"

        run_command(monkeypatch, flags)

        said = capsys.readouterr().out
        (run,), (bundle,) = runs(tmp_path), (tmp_path / "var" / "bundles").iterdir()
        assert f"Bundle {bundle.name[:12]} in {bundle}" in said
        assert f"Run in {run}" in said
        assert list((run / "tensorboard").glob("events.out.tfevents.*"))

    @pytest.mark.long
    def test_on_trial_writes_nothing(
        self,
        small: TrainConfig,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        run_command(monkeypatch, "--dry-run --epochs 2 --batch-size 64")

        said = capsys.readouterr().out
        assert "378 steps of 64 in 2 epochs, seed 1, 478,509 weights" in said
        assert "Nothing was written." in said
        assert not (tmp_path / "var").exists()

    @pytest.mark.long
    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            ("--epochs 0", "--epochs is at least 1, not 0."),
            ("--batch-size 99999", "more than the 12,120 drawings of an epoch"),
            ("--learning-rate nan", "--learning-rate is more than 0, not nan."),
            ("--dropout 1", "--dropout lies between 0 and 1, not 1.0."),
            ("--unsure-share 2", "--unsure-share is a share from 0 to 1, not 2.0."),
            ("--hardest 0", "--hardest is a share above 0, up to 1, not 0.0."),
            ("--parts 300", "--parts is at most --batch-size 128, not 300."),
            ("--network huge", "--network takes large or small, not 'huge'."),
            ("--variety wild", "--variety takes hand or affine or none, not 'wild'."),
            ("--leave-out horses", "--leave-out takes letters or sketches"),
            ("--start-from /nowhere", "/nowhere is not a bundle"),
            ("--snapshot /nowhere", "/nowhere is not a snapshot"),
            ("--snapshot {sevens}", "of 0, 1, 2, 3, 4, 5, 6, 8, 9: label some, or"),
            ("--pen", "PEN_DIR names no pen drawings"),
            ("--out /dev/null/x --epochs 1 --non-digits 0", "Not a directory"),
            ("--learning-rate 1e30 --non-digits 0 --epochs 9", "no number any more"),
        ],
    )
    def test_says_what_is_wrong_in_one_sentence(
        self,
        flags: str,
        said: str,
        small: TrainConfig,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("PEN_DIR", raising=False)
        flags = flags.format(sevens=write_a_snapshot(tmp_path / "snapshot"))

        with pytest.raises(SystemExit, match=re.escape(said)) as ended:
            run_command(monkeypatch, flags)

        assert "\n" not in str(ended.value.code)
        assert not (tmp_path / "var" / "bundles").exists()
        assert all((run / STATE).exists() for run in runs(tmp_path))

    @pytest.mark.parametrize(
        ("flags", "said"),
        [
            ("--preset faster", "invalid choice: 'faster' (choose from"),
            ("--epoch 3", "unrecognized arguments: --epoch 3"),
            ("--epochs many", "invalid int value: 'many'"),
        ],
    )
    def test_knows_no_other_flag(
        self,
        flags: str,
        said: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        with pytest.raises(SystemExit, match="2"):
            run_command(monkeypatch, flags)

        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 2

    def test_needs_mnist_where_it_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(training, "load_mnist", load_mnist)
        monkeypatch.setenv("MNIST_DIR", str(tmp_path))

        with pytest.raises(SystemExit, match=r"put MNIST's four raw files there\."):
            run_command(monkeypatch, "--epochs 1")

    def test_stops_at_a_file_that_is_not_mnist(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(training, "load_mnist", load_mnist)
        monkeypatch.setenv("MNIST_DIR", str(tmp_path))
        for name in MNIST_SHA256:
            (tmp_path / name).write_bytes(b"something else")

        with pytest.raises(SystemExit, match=r"is not MNIST's: sha256 .* Delete it"):
            run_command(monkeypatch, "--epochs 1")

    @pytest.mark.long
    def test_on_a_full_disk_keeps_the_former_epoch(
        self,
        small: TrainConfig,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        flags = "--epochs 3 --batch-size 64 --non-digits 0 --network small"
        really, times = np.savez, []

        def full_the_second_time(file: Any, **arrays: Any) -> None:
            times.append(1)
            really(file, **arrays)
            if len(times) == 2:
                file.write(b"half")
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patch:
            patch.setattr(np, "savez", full_the_second_time)
            with pytest.raises(SystemExit, match=r"^The disk of .* is full"):
                run_command(monkeypatch, flags)
        (run,) = runs(tmp_path)
        left = {path.name for path in run.iterdir()}

        run_command(monkeypatch, flags)

        assert left == {STATE, "metrics.csv", "tensorboard"}
        assert "Goes on after epoch 1." in capsys.readouterr().out


def run_command(patch: pytest.MonkeyPatch, flags: str) -> None:
    patch.setattr(sys, "argv", ["train", *flags.split()])
    training.main()


@pytest.mark.long
class TestSeveralDevices:
    def test_learn_as_one_does(self) -> None:
        """Two halves of the processor for two GPUs: the losses are equal."""
        losses = [losses_on(devices) for devices in (1, 2)]

        assert losses[1] == pytest.approx(losses[0], rel=0.02)
        assert losses[0][-1] < losses[0][0] / 2


def losses_on(devices: int) -> list[float]:
    """Run twelve steps in a process of its own: TensorFlow splits a CPU only once."""
    told = subprocess.run(
        [sys.executable, "-c", ON_DEVICES, str(devices)],
        cwd=paths.REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    losses: list[float] = json.loads(told.stdout.splitlines()[-1])
    return losses


ON_DEVICES = """
import json, sys
import keras, numpy as np, tensorflow as tf
from mlcore.training import fit
from mlcore.training.data import load_mnist
from mlcore.training.model import build_network
from mlcore.training.dataset import mnist_dataset
from mlcore.training.recipe import TrainConfig

halves = [tf.config.LogicalDeviceConfiguration()] * 2
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, halves)
count = int(sys.argv[1])
fit.devices = lambda: ["CPU:0", "CPU:1"][:count]
spread = fit.strategy()
assert spread.num_replicas_in_sync == count
keras.utils.set_random_seed(1)
config = TrainConfig(batch_size=256, epochs=1, dropout=0, variety="none")
digits = load_mnist().train.take(np.arange(3072))
with spread.scope():
    network = build_network(dropout=0, layers_of="small")
    optimizer = fit.optimizer_of(config, steps=[12])
    optimizer.build(network.trainable_variables)
step = fit.training_step(
    network, optimizer, loss=fit.digit_and_kind_loss(0.3), spread=spread
)
rng = np.random.default_rng(1)
dataset = mnist_dataset(digits)
order = rng.permutation(len(dataset))
losses = [
    float(step(images, targets).mean())
    for _, images, targets in fit.batches(dataset, order, config, rng)
]
with fit.averaged(network, optimizer, dataset):
    fit.measured(network, {"mnist": digits})
print(json.dumps(losses))
"""


class TestTrainingSet:
    def test_joins_digits_with_made_non_digits(self, few: Mnist) -> None:
        given = Given(few, None, None, None, {})

        dataset = training_set(given, config=TINY, rng=np.random.default_rng(1))

        styles = TINY.style_renderings * len(specimens(rare=True))
        assert len(dataset) == 450 + styles
        assert np.array_equal(dataset.images[:400], few.train.images)


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

        soft = Soften()(dot).numpy()[0, ..., 0]

        assert soft[2].tolist() == pytest.approx([0, 0.09375, 0.5625, 0.09375, 0])
        assert soft.sum() == pytest.approx(1)

    def test_leaves_training_alone(self) -> None:
        images = np.random.default_rng(1).random((2, 28, 28, 1)).astype(np.float32)

        assert np.array_equal(Soften()(images, training=True), images)


LOAD_WITHOUT_THE_CODE = """
import importlib.util, sys
import keras, numpy as np
assert importlib.util.find_spec("mlcore") is None
network = keras.saving.load_model(sys.argv[1], compile=False)
images = np.load(sys.argv[2])
np.save(sys.argv[2], network.predict(images, verbose=0))
print(*{type(layer).__module__.split(".")[0] for layer in network.layers})
"""


class TestInStockLayers:
    @pytest.mark.parametrize("name", NETWORKS)
    def test_reads_the_same(self, name: str) -> None:
        keras.utils.set_random_seed(2)
        network = build_network(layers_of=name)
        images = np.random.default_rng(1).random((9, 28, 28, 1), np.float32)
        network(images, training=True)  # moves the running statistics

        stock = in_stock_layers(network)

        assert stock.predict(images, verbose=0) == pytest.approx(
            network.predict(images, verbose=0), abs=1e-4
        )

    def test_of_stock_layers_is_the_same_again(self) -> None:
        stock = in_stock_layers(build_network(layers_of="small"))

        again = in_stock_layers(stock)

        for ours, theirs in zip(stock.get_weights(), again.get_weights(), strict=True):
            assert np.array_equal(ours, theirs)

    @pytest.mark.long
    def test_loads_where_there_is_no_code_of_ours(
        self, starter_bundle: Bundle, mnist: Mnist, tmp_path: Path
    ) -> None:
        exchanged = tmp_path / "images.npy"
        images = mnist.test.images[:100]
        np.save(exchanged, images[..., np.newaxis].astype(np.float32) / 255)

        done = subprocess.run(
            [
                *(sys.executable, "-I", "-c", LOAD_WITHOUT_THE_CODE),
                *(starter_bundle.folder / KERAS_WEIGHTS, exchanged),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )

        assert done.stdout.split() == ["keras"]
        served = Recogniser(starter_bundle).network.logits_of(images)
        # The served weights have 8 bits.
        assert np.load(exchanged) == pytest.approx(served, abs=0.1)


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

        restate(network, mnist_dataset(few.train), batch_size=100)

        served = into_first.predict(few.train.images[..., None] / 255, verbose=0)
        mean = served.mean(axis=(0, 1, 2))
        assert first.mean.numpy() == pytest.approx(mean, abs=1e-4)
        variance = served.var(axis=(0, 1, 2))
        assert first.variance.numpy() == pytest.approx(variance, rel=0.05)
        assert first.momentum == 0.95

    def test_manages_with_less_than_a_batch(self, few: Mnist) -> None:
        network = build_network()
        before = network.get_weights()

        restate(network, mnist_dataset(few.train), batch_size=10_000)

        after = network.get_weights()
        assert any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
