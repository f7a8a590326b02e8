import json
import sys
from pathlib import Path

import pytest

from mlcore.judging import baselines
from mlcore.judging.baselines import keras_example, lenet_5, nearest_neighbour
from mlcore.judging.benchmark import open_benchmark
from mlcore.tests.making import KERAS_3_ON_NUMPY_2, make_benchmark
from mlcore.training.data import Mnist

pytestmark = pytest.mark.filterwarnings(KERAS_3_ON_NUMPY_2)


class TestNearestNeighbour:
    def test_takes_the_digit_of_the_nearest_training_image(self, mnist: Mnist) -> None:
        train, test = mnist.train.first(300), mnist.test.first(40)

        answers = nearest_neighbour(train)(test.images)

        for image, answer in zip(test.images, answers, strict=True):
            away = ((train.images.astype(float) - image) ** 2).sum(axis=(1, 2))
            assert answer == train.labels[away.argmin()]

    def test_knows_what_it_has_seen(self, mnist: Mnist) -> None:
        train = mnist.train.first(700)

        assert (nearest_neighbour(train)(train.images) == train.labels).all()


class TestNetworks:
    def test_have_the_weights_that_are_published(self) -> None:
        # LeNet-5 with a full third layer; the example's page prints 34,826.
        assert lenet_5().count_params() == 61_706
        assert keras_example().count_params() == 34_826


class TestCommand:
    def test_writes_figures_and_a_table_into_the_folder(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        made = make_benchmark(tmp_path)
        asked = [str(made.folder), "--digits", "400", "--epochs", "1"]
        monkeypatch.setattr(sys, "argv", ["baselines", *asked])

        baselines.main()
        measured = json.loads((made.folder / "baselines.json").read_text())
        baselines.write_baselines(made, measured)

        assert open_benchmark(made.folder).digest == measured["benchmark"]
        assert list(measured["results"])[:3] == [
            *("nearest neighbour", "LeNet-5", "Keras' mnist_convnet")
        ]
        parts = ["MNIST test", "test", "test: pens", "train", "train: site"]
        for found in measured["results"].values():
            assert list(found) == parts
            for part in found.values():
                low, high = part["interval"]
                assert 0 <= low <= part["accuracy"] <= high <= 1
                assert part["accuracy"] == round(part["right"] / part["drawings"], 5)
        (ours,) = (
            found for name, found in measured["results"].items() if "ours" in name
        )
        assert ours["MNIST test"]["accuracy"] > 0.98
        sheet = (made.folder / "datasheet.md").read_text()
        assert sheet.count("| nearest neighbour |") == 1
        assert "| nearest neighbour |" in capsys.readouterr().out

    def test_names_a_folder_that_is_no_benchmark(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "argv", ["baselines", str(tmp_path)])

        with pytest.raises(SystemExit, match="is not a benchmark"):
            baselines.main()
