"""Execute the notebook: its text becomes an .ipynb with outputs, whole or not at all.

    python -m notebooks.execute
    python -m notebooks.execute --budget small --out try.ipynb

The first takes 4.9 minutes of processor time on two Xeon cores, the second 31 to 40 s.
Edit the text (how-the-model-is-made.py, jupytext's percent format). This command makes
the .ipynb beside it. It leaves out what differs from run to run: times of execution,
random ids, and what TensorFlow logs.
"""

import argparse
import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import Literal

import jupytext
import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from tqdm import tqdm

from mlcore import paths
from mlcore.commands import command_parser, ends_with_a_sentence
from mlcore.files import replaced

TEXT = Path(__file__).resolve().parent / "how-the-model-is-made.py"
EXECUTED = TEXT.with_suffix(".ipynb")

Budget = Literal["full", "small"]
BUDGET = "NOTEBOOK_BUDGET"
"""Environment variable: how much the notebook may train."""

_LOGGED = re.compile(r"[IWE]\d{4} |WARNING: All log messages before absl|INFO:")
"""How TensorFlow's log lines begin."""


class NotebookError(RuntimeError):
    """A cell failed; the message says which one and why."""


def cells_of(text: Path) -> NotebookNode:
    """Read a notebook from its text; each cell's id is a digest of its content."""
    notebook: NotebookNode = jupytext.read(text)
    for cell in notebook.cells:
        digest = hashlib.sha256(f"{cell.cell_type} {cell.source}".encode()).hexdigest()
        cell.id = digest[:12]
    return notebook


def execute(notebook: NotebookNode, *, budget: Budget) -> None:
    """Execute the cells in order, with this interpreter; store outputs in them.

    Raises:
        NotebookError: names the cell that failed, and the reason.
    """
    client = NotebookClient(
        notebook,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(paths.REPOSITORY)}},
    )
    environment = {
        **os.environ,
        "OPENBLAS_NUM_THREADS": "1",  # as in mlcore.training.train
        "TF_CPP_MIN_LOG_LEVEL": "3",
        BUDGET: budget,
    }
    # This hides only what C++ prints, which would break the progress bar.
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with client.setup_kernel(cleanup_kc=True, env=environment, **quiet):
        cells = tqdm(notebook.cells, unit="cell", leave=False, disable=None)
        for place, cell in enumerate(cells):
            try:
                client.execute_cell(cell, place)
            except (CellExecutionError, DeadKernelError) as error:
                reason = (
                    f"{error.ename}: {error.evalue}"
                    if isinstance(error, CellExecutionError)
                    else "its kernel died, perhaps out of memory"
                )
                last = cell.source.strip().splitlines()[-1].strip()
                raise NotebookError(
                    f"Cell {place + 1} of {len(notebook.cells)}, which ends in "
                    f"“{last}”, failed: {reason.rstrip('.')}. Nothing was written."
                ) from error
            if cell.cell_type == "code":
                cell.outputs = _without_logs(cell.outputs)


def _without_logs(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Remove TensorFlow's log lines, and outputs with nothing else."""
    for output in outputs:
        if output.output_type == "stream":
            lines = output.text.splitlines(keepends=True)
            output.text = "".join(line for line in lines if not _LOGGED.match(line))
    return [output for output in outputs if output.get("text") != ""]


def main() -> None:
    """Execute the notebook and write it, or say which cell failed."""
    parser = command_parser(__doc__, prog="python -m notebooks.execute")
    parser.add_argument("--budget", choices=("full", "small"), default="full")
    parser.add_argument("--text", type=Path, default=TEXT, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=EXECUTED)
    told = parser.parse_args()
    stopped = "Stopped. Nothing was written."
    with (
        ends_with_a_sentence(NotebookError, OSError, stopped=stopped),
        replaced(told.out) as partial,
    ):
        partial.touch()  # if it cannot be written, fail now, not after minutes
        notebook = cells_of(told.text)
        execute(notebook, budget=told.budget)
        partial.write_text(nbformat.writes(notebook) + "\n")
    print(f"{told.out}: {told.out.stat().st_size / 1e3:,.0f} kB, every cell executed.")


if __name__ == "__main__":
    main()
