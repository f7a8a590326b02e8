"""What docs/ says of fast training is what was measured; trainings are not repeated."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from bench import training
from bench.training import FIGURES, NAMES, PAGE, measure, of, part
from mlcore.training import recipe

KEPT = json.loads(FIGURES.read_text())


def a_run(name: str, seed: int) -> dict[str, float]:
    times, accuracy = (10, 0.991) if name == "example" else (1, 0.9945)
    seconds = {"fit_s": 18.0 * times, "all_s": 20.0 * times, "cpu_s": 30.0 * times}
    return {"seed": seed, "accuracy": accuracy, **seconds}


class TestPage:
    def test_says_what_its_figures_say(self) -> None:
        assert f"<!-- fast -->\n{part(KEPT)}<!-- end of fast -->" in PAGE.read_text()

    def test_tells_how_many_times_faster_it_is(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(training, "train", a_run)

        words = part(measure(5, folder=tmp_path))

        assert "| example / fast | 10.0 | 10.0 | 10.0 |  |" in words


class TestRecipe:
    def test_says_in_its_header_what_was_measured(self) -> None:
        header = " ".join((recipe.__doc__ or "").split())

        for name in NAMES:
            seconds = statistics.median(of(KEPT, name, "all_s"))
            accuracies = of(KEPT, name, "accuracy")
            spread = 100 * statistics.stdev(accuracies)
            assert f"{seconds:.1f} s" in header
            assert f"{100 * statistics.mean(accuracies):.2f} % ± {spread:.2f}" in header
        assert f"of {len(accuracies)} seeds" in header
        assert KEPT["finished"][:10] in header


class TestMeasure:
    def test_continues_where_it_was_stopped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[tuple[str, int]] = []

        def stopped_at_the_fourth(name: str, seed: int) -> dict[str, float]:
            if len(done) == 3:
                raise KeyboardInterrupt
            done.append((name, seed))
            return a_run(name, seed)

        monkeypatch.setattr(training, "train", stopped_at_the_fourth)
        with pytest.raises(KeyboardInterrupt):
            measure(2, folder=tmp_path)
        first = list(done)
        done.clear()

        figures = measure(2, folder=tmp_path)

        assert first == [("example", 1), ("fast", 1), ("example", 2)]
        assert done == [("fast", 2)]
        assert [len(figures["runs"][name]) for name in NAMES] == [2, 2]

    def test_takes_no_result_of_another_recipe(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def run_of(path: Path) -> Any:
            return json.loads(path.read_text())["run"]

        monkeypatch.setattr(training, "train", a_run)
        measure(1, folder=tmp_path)
        path = tmp_path / "fast-1.json"
        kept = json.loads(path.read_text())
        kept["held"]["fast"]["epochs"] = 99
        path.write_text(json.dumps(kept | {"run": {"accuracy": 0}}))

        assert measure(1, folder=tmp_path)["runs"]["fast"] == [a_run("fast", 1)]
        assert run_of(path) == a_run("fast", 1)
