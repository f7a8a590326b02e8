"""What docs/ says of fast training is what was measured; trainings are not repeated."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from bench import pilots, training
from bench.pilots import load_pilots
from bench.training import (
    NAMES,
    PAGE,
    bars,
    load_figures,
    measure,
    of,
    page_with,
    part,
)
from mlcore.training import recipe


def a_run(name: str, seed: int, **_: Any) -> dict[str, float]:
    """Ten times the time, and less accurate."""
    times, accuracy = (10, 0.991) if name == "example" else (1, 0.9945)
    seconds = {"fit_s": 18.0 * times, "all_s": 20.0 * times, "cpu_s": 30.0 * times}
    rest = dict.fromkeys(("import_s", "load_s", "finish_s"), 1.0)
    told = {"seed": seed, "accuracy": accuracy, "load_before": 0.1, **seconds}
    return told | rest if name == "fast" else told


class TestPage:
    def test_says_what_its_figures_say(self) -> None:
        page = PAGE.read_text()

        assert page == page_with(part(load_figures()), page)
        assert page == page_with(pilots.part(load_pilots()), page, of="pilots")

    def test_tells_bars_that_hold_from_those_that_do_not(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(training, "train", a_run)
        five = measure(5, folder=tmp_path)
        two = measure(2, folder=tmp_path)

        assert [holds for *_, holds in bars(five)] == [True, True, True]
        assert [holds for *_, holds in bars(two)] == [True, False, True]
        assert "| example / fast | 10.0 | 10.0 | 10.0 |  |" in part(five)


class TestRecipe:
    def test_says_in_its_header_what_was_measured(self) -> None:
        figures = load_figures()
        assert figures is not None
        header = " ".join((recipe.__doc__ or "").split())

        for name in NAMES:
            seconds = statistics.median(of(figures, name, "all_s"))
            accuracies = of(figures, name, "accuracy")
            spread = 100 * statistics.stdev(accuracies)
            assert f"{seconds:.1f} s" in header
            assert f"{100 * statistics.mean(accuracies):.2f} % ± {spread:.2f}" in header
        assert f"of {len(accuracies)} seeds" in header
        assert figures["finished"][:10] in header


class TestMeasure:
    def test_goes_on_where_it_was_stopped(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        done: list[tuple[str, int]] = []

        def stopped_at_the_fourth(name: str, seed: int, **_: Any) -> dict[str, float]:
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
        monkeypatch.setattr(training, "train", a_run)
        measure(1, folder=tmp_path)
        path = tmp_path / "fast-1.json"
        kept = json.loads(path.read_text())
        kept["held"]["fast"]["epochs"] = 99
        path.write_text(json.dumps(kept | {"run": {"accuracy": 0}}))

        assert measure(1, folder=tmp_path)["runs"]["fast"] == [a_run("fast", 1)]
