import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlcore import paths
from mlcore.judging import study
from mlcore.judging.study import (
    MAIN,
    RECIPES,
    Training,
    best_seed,
    judged_once,
    trainings,
)
from mlcore.training.data import DataError, Mnist


@pytest.fixture
def var(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DIGITSITE_VAR", str(tmp_path / "var"))
    return tmp_path / "var"


@pytest.fixture
def commands(var: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that were run; each leaves the starter where it was told to."""
    ran: list[list[str]] = []

    really = subprocess.Popen

    def start(command: list[str], **how: Any) -> subprocess.Popen[bytes]:
        ran.append(command)
        out = Path(command[command.index("--out") + 1])
        shutil.copytree(paths.STARTER_BUNDLE, out / "bundle")
        return really([sys.executable, "-c", ""], **how)

    monkeypatch.setattr(subprocess, "Popen", start)
    return ran


class TestTrainings:
    def test_begin_with_the_main_recipes(self) -> None:
        planned = [(t.recipe, t.seed) for t in trainings(2)]

        assert planned[:4] == [("mnist", 1), ("pen", 1), ("mnist", 2), ("pen", 2)]
        assert {recipe for recipe, _ in planned[4:]} == RECIPES.keys() - set(MAIN)
        assert len(planned) == 2 * len(RECIPES)

    def test_are_told_recipe_seed_and_place(self, commands: list[list[str]]) -> None:
        training = Training("pen-without-letters", 3, ("--epochs", "1"))

        training.run()

        (command,) = commands
        assert command[1:4] == ["-m", "mlcore.training.train", "--watched"]
        told = " ".join(command[4:])
        assert told == (
            f"--seed 3 --out {training.folder} --pen --leave-out letters --epochs 1"
        )

    def test_are_not_done_twice(self, commands: list[list[str]]) -> None:
        Training("mnist", 1).run()
        Training("mnist", 1).run()

        assert len(commands) == 1

    @pytest.mark.long
    def test_that_fail_say_so(self, var: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(RECIPES, "broken", ("--no-such-flag",))
        training = Training("broken", 1)

        with pytest.raises(DataError, match=r"ended with 2: .*--no-such-flag"):
            training.run()


class TestJudging:
    def test_needs_a_trained_network(self, var: Path) -> None:
        with pytest.raises(DataError, match="holds no bundle"):
            judged_once(Training("mnist", 1))


@pytest.mark.long
class TestCommand:
    def test_writes_figures_by_seed(
        self,
        commands: list[list[str]],
        mnist: Mnist,
        tmp_path: Path,
        pen_folder: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name in set(RECIPES) - {*MAIN, "small"}:  # they would take minutes
            monkeypatch.delitem(RECIPES, name)
        some = np.arange(30)
        few = Mnist(mnist.train, mnist.validation.take(some), mnist.test.take(some))
        monkeypatch.setattr(study, "load_mnist", lambda: few)
        monkeypatch.setenv("PEN_DIR", str(pen_folder))
        out = tmp_path / "study.json"
        monkeypatch.setattr(sys, "argv", ["study", "--seeds", "2", "--out", str(out)])

        study.held_out_digits.cache_clear()

        study.main()

        study.held_out_digits.cache_clear()
        found = json.loads(out.read_text())
        assert set(found) == set(RECIPES)
        assert len(commands) == 2 * len(RECIPES) == 6
        assert len(found["mnist"]["MNIST test, as pixels: accuracy"]) == 2
        assert len(found["pen"]["sketches: auroc"]) == 2
        losses = found["pen"]["held-out digits: log-loss"]
        assert len(losses) == 2
        assert 0 < losses[0] < 0.5


class TestChoice:
    def test_falls_on_the_least_loss_on_held_out_digits(self) -> None:
        assert best_seed([0.014, 0.013, 0.015]) == 1
