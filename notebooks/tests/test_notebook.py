"""The notebook is executed, true of its text, and its words hold no typed-in figure."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

from mlcore import paths
from mlcore.reading.bundle import open_bundle
from mlcore.training.data import mnist_folder
from notebooks.execute import EXECUTED, TEXT, NotebookError, cells_of, execute

WORDS = [cell.source for cell in cells_of(TEXT).cells if cell.cell_type == "markdown"]
MEASURED = re.compile(
    r"\d[ \u202f]?%|\d[.,]\d|\d(?:\.\d+)? (?:ms|s|min|minutes|kB|MB)\b"
)
"""Percentages, decimals, thousands, times, sizes: 28x28, 8 bits and 1998 are none."""


@pytest.fixture(scope="session")
def executed() -> NotebookNode:
    read: NotebookNode = nbformat.read(EXECUTED, as_version=4)
    return read


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the whole notebook comes to on few digits; 31 to 40 s of processor time."""
    out = tmp_path_factory.mktemp("notebook") / "small.ipynb"
    done = run(out, "--budget", "small", PEN_DIR="")
    assert done.returncode == 0, done.stderr
    return figures_of(nbformat.read(out, as_version=4))


def run(out: Path, *flags: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Execute a notebook by the command, its data in a folder of its own."""
    return subprocess.run(
        [sys.executable, "-m", "notebooks.execute", *flags, "--out", str(out)],
        cwd=paths.REPOSITORY,
        env={
            **os.environ,
            "MNIST_DIR": str(mnist_folder()),
            "DIGITSITE_VAR": str(out.parent),
            **variables,
        },
        capture_output=True,
        text=True,
        check=False,
    )


def figures_of(notebook: NotebookNode) -> dict[str, Any]:
    (cell,) = (c for c in notebook.cells if "figures" in c.metadata.get("tags", []))
    told: dict[str, Any] = json.loads(cell.outputs[0].text)
    return told


def text_of(folder: Path, *cells: str) -> Path:
    path = folder / "trial.py"
    path.write_text("\n".join(f"# %%{cell}" for cell in cells))
    return path


class TestWords:
    @pytest.mark.parametrize(
        "typed", ["99.7 %", "99 %", "0.0123", "55,000 images", "12 ms", "3 minutes"]
    )
    def test_that_hold_a_figure_are_told(self, typed: str) -> None:
        assert MEASURED.search(f"It came to {typed} then.")

    @pytest.mark.parametrize("words", WORDS, ids=lambda words: words[:30])
    def test_hold_none(self, words: str) -> None:
        assert not MEASURED.findall(words)

    def test_lead_to_files_that_exist(self) -> None:
        targets = re.findall(r"\]\(([^)#]+)\)", "\n".join(WORDS))

        assert targets
        for target in targets:
            assert (TEXT.parent / target).exists(), target


class TestExecuted:
    def test_has_the_cells_of_its_text(self, executed: NotebookNode) -> None:
        written, made = (
            [(cell.id, cell.cell_type, cell.source) for cell in notebook.cells]
            for notebook in (cells_of(TEXT), executed)
        )

        assert made == written, "run `make notebook`: its text has changed since"

    def test_ran_from_first_to_last_without_an_error(
        self, executed: NotebookNode
    ) -> None:
        code = [cell for cell in executed.cells if cell.cell_type == "code"]
        outputs = [output for cell in code for output in cell.outputs]

        assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
        assert {output.output_type for output in outputs} == {"stream", "display_data"}
        assert {o.name for o in outputs if o.output_type == "stream"} == {"stdout"}

    def test_ran_on_the_full_budget(self, executed: NotebookNode) -> None:
        assert figures_of(executed)["test_digits"] == 10_000

    def test_speaks_of_the_bundle_that_ships(self, executed: NotebookNode) -> None:
        noted = open_bundle(paths.STARTER_BUNDLE).metrics["mnist_test"]["accuracy"]

        assert figures_of(executed)["accuracy_of_shipped"] == noted

    def test_keeps_nothing_that_changes_by_itself(self, executed: NotebookNode) -> None:
        text = EXECUTED.read_text()

        assert executed.metadata.keys() >= {"jupytext", "kernelspec"}
        assert "iopub" not in text
        assert "/tmp/" not in text  # noqa: S108  # looked for, not used
        assert str(paths.REPOSITORY) not in text

    def test_is_a_small_file(self) -> None:
        assert EXECUTED.stat().st_size < 2_000_000


@pytest.mark.long
class TestSmallBudget:
    def test_reads_the_bytes_as_the_project_does(self, figures: dict[str, Any]) -> None:
        assert figures["by_hand_is_the_same"]
        assert figures["unchanged_by_normalize"] > 0.99

    def test_shows_why_drawings_are_framed(self, figures: dict[str, Any]) -> None:
        assert figures["resized_anywhere"] < 0.7
        assert figures["framed_from_strokes"] > 0.95

    def test_learns(self, figures: dict[str, Any]) -> None:
        assert 0.85 < figures["accuracy"] < figures["accuracy_of_shipped"]
        assert figures["bundle_keeps_the_temperature"]

    def test_answers_alike_where_it_serves(self, figures: dict[str, Any]) -> None:
        assert figures["same_digit_as_keras"] > 0.99
        assert figures["strokes_read_as"] == figures["picture_read_as"] == 7


class TestCommand:
    def test_names_the_cell_that_fails_and_writes_nothing(self, tmp_path: Path) -> None:
        text = text_of(tmp_path, " [markdown]\n# # Sums", "\nx = 1\n", "\nx / 0\n")
        out = tmp_path / "trial.ipynb"

        done = run(out, "--text", str(text))

        assert done.returncode == 1
        assert done.stderr.strip().splitlines()[-1] == (
            "Cell 3 of 3, which ends in “x / 0”, failed: "
            "ZeroDivisionError: division by zero. Nothing was written."
        )
        assert {path.name for path in tmp_path.iterdir()} == {"trial.py"}

    def test_says_at_once_that_it_cannot_write_there(self, tmp_path: Path) -> None:
        done = run(tmp_path / "there" / "trial.ipynb")

        assert done.returncode == 1
        assert f"No such file or directory: '{tmp_path / 'there'}" in done.stderr

    def test_says_which_text_is_missing(self, tmp_path: Path) -> None:
        done = run(tmp_path / "x.ipynb", "--text", str(tmp_path / "none.py"))

        assert done.returncode == 1
        assert f"No such file or directory: '{tmp_path / 'none.py'}'" in done.stderr


class TestExecute:
    def test_runs_in_this_interpreter_beside_the_project(self, tmp_path: Path) -> None:
        text = text_of(
            tmp_path,
            "\nimport os, sys\n",
            '\nprint(sys.executable, os.getcwd(), os.environ["NOTEBOOK_BUDGET"])\n',
        )
        notebook = cells_of(text)

        execute(notebook, budget="small")

        (told,) = notebook.cells[1].outputs
        assert told.text.split() == [sys.executable, str(paths.REPOSITORY), "small"]

    def test_forgets_what_tensorflow_logs_and_nothing_else(
        self, tmp_path: Path
    ) -> None:
        text = text_of(
            tmp_path,
            '\nimport sys\nprint("I0000 00:00:1 port.cc:1] oneDNN", file=sys.stderr)\n',
            '\nprint("INFO: Created a delegate\\nsaid", file=sys.stderr)\n',
        )
        notebook = cells_of(text)

        execute(notebook, budget="small")

        assert notebook.cells[0].outputs == []
        assert [output.text for output in notebook.cells[1].outputs] == ["said\n"]

    def test_says_that_its_kernel_died(self, tmp_path: Path) -> None:
        notebook = cells_of(text_of(tmp_path, "\nimport os\nos._exit(9)\n"))

        with pytest.raises(NotebookError, match=r"Cell 1 of 1.*its kernel died"):
            execute(notebook, budget="small")


class TestCells:
    def test_keep_their_ids_when_others_come_in_between(self, tmp_path: Path) -> None:
        before = cells_of(text_of(tmp_path, "\nx = 1\n", "\nx = 3\n"))
        after = cells_of(text_of(tmp_path, "\nx = 1\n", "\nx = 2\n", "\nx = 3\n"))

        assert [c.id for c in before.cells] == [after.cells[0].id, after.cells[2].id]


class TestFullBudget:
    def test_comes_near_the_shipped_model_in_minutes(
        self, tmp_path: Path, executed: NotebookNode, is_full: bool
    ) -> None:
        """The committed one is looked at; at full length, it is executed anew."""
        notebook = executed
        if is_full:
            done = run(tmp_path / "full.ipynb")
            assert done.returncode == 0, done.stderr
            notebook = nbformat.read(tmp_path / "full.ipynb", as_version=4)

        figures = figures_of(notebook)

        noted = open_bundle(paths.STARTER_BUNDLE).metrics["mnist_test"]["accuracy"]
        assert figures["accuracy"] > 0.99
        assert figures["accuracy_of_shipped"] == noted
        assert figures["same_digit_as_keras"] > 0.999
