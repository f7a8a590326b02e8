"""The harness, on a toy budget: it answers little, and all of its parts run."""

import json
import sys
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlcore.judging import experiments
from mlcore.judging.experiments import QUESTIONS, Setting, answer, build
from mlcore.tests.making import KERAS_3_ON_NUMPY_2
from mlcore.training.data import Mnist, mnist_folder

pytestmark = pytest.mark.filterwarnings(KERAS_3_ON_NUMPY_2)


def differing(setting: Setting) -> set[str]:
    base = asdict(Setting())
    return {name for name, value in asdict(setting).items() if value != base[name]}


class TestQuestions:
    def test_change_one_thing_each_and_all_hold_the_base(self) -> None:
        for question, answers in QUESTIONS.items():
            may = {"network"} if question == "layers" else {question}
            if question == "optimizer":
                may.add("learning_rate")  # each has a scale of its own

            assert Setting() in answers.values(), question
            for setting in answers.values():
                assert differing(setting) <= may, question

    def test_are_asked_of_every_field(self) -> None:
        asked = {
            name
            for answers in QUESTIONS.values()
            for setting in answers.values()
            for name in differing(setting)
        }

        assert asked == {field.name for field in fields(Setting)}


class TestBuild:
    @pytest.mark.parametrize("setting", QUESTIONS["layers"].values(), ids=str)
    def test_gives_ten_logits(self, setting: Setting) -> None:
        logits = build(setting)(np.zeros((2, 28, 28, 1), np.float32))

        assert logits.shape == (2, 10)


@pytest.mark.long
class TestAnswer:
    def test_learns_and_is_the_same_for_the_same_seed(self, mnist: Mnist) -> None:
        few = mnist.train.take(np.arange(600))
        setting = Setting(epochs=3, batch_size=32)

        first, again, other = (
            answer(setting, seed, train=few, validation=few) for seed in (1, 1, 2)
        )

        assert len(first["accuracy"]) == 3
        assert first["accuracy"][-1] > 0.7
        assert first["loss"] == again["loss"] != other["loss"]


class TestCommand:
    def test_goes_on_where_it_was_stopped(
        self,
        tmp_path: Path,
        mnist: Mnist,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("DIGITSITE_VAR", str(tmp_path))
        monkeypatch.setattr(experiments, "load_mnist", lambda: mnist)
        out = tmp_path / "results.json"
        flags = "--only dropout --only epochs --seeds 2 --digits 100 --epochs 1"
        monkeypatch.setattr(sys, "argv", ["", *flags.split(), "--out", str(out)])
        trained: list[tuple[Setting, int]] = []

        def stopped_at_the_fourth(setting: Setting, seed: int, **_: Any) -> Any:
            if len(trained) == 3:
                raise KeyboardInterrupt
            return counted(setting, seed)

        def counted(setting: Setting, seed: int, **_: Any) -> Any:
            trained.append((setting, seed))
            return {"seed": seed, "accuracy": [0.98], "loss": [0.1]}

        monkeypatch.setattr(experiments, "answer", stopped_at_the_fourth)
        with pytest.raises(SystemExit, match="130"):
            experiments.main()
        first = list(trained)
        trained.clear()
        monkeypatch.setattr(experiments, "answer", counted)

        experiments.main()

        # Five dropouts; of one epoch, all epochs are the base.
        assert len(first) == 3
        assert len(trained) == 2 * 5 - 3
        assert not set(first) & set(trained)
        results = json.loads(out.read_text())
        runs = results["questions"]["dropout"]["0.5"]["runs"]
        assert [run["seed"] for run in runs] == [1, 2]
        assert results["digits"] == [100, 100]
        assert "98.00 % ± 0.00   log-loss 0.1000" in capsys.readouterr().out

    @pytest.mark.long
    def test_trains_with_each_seed(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("MNIST_DIR", str(mnist_folder()))
        monkeypatch.setenv("DIGITSITE_VAR", str(tmp_path))
        out = tmp_path / "results.json"
        flags = "--only epochs --seeds 2 --digits 200 --epochs 1"
        monkeypatch.setattr(sys, "argv", ["", *flags.split(), "--out", str(out)])

        experiments.main()

        runs = json.loads(out.read_text())["questions"]["epochs"]["1"]["runs"]
        assert [run["seed"] for run in runs] == [1, 2]
        assert runs[0]["loss"] != runs[1]["loss"]
        assert "epochs" in capsys.readouterr().out
