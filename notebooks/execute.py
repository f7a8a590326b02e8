"""Execute the notebook: its text becomes an .ipynb with outputs, whole or not at all.

    python -m notebooks.execute
    python -m notebooks.execute --budget small --out try.ipynb

The first takes 4.9 minutes of processor time, the second 31 to 40 s, as measured on
two Xeon cores that did much else. The text (how-the-model-is-made.py, jupytext's
percent format) is what one edits; the .ipynb beside it is made by this command alone. A
cell that breaks is named with its reason, and nothing is written. What differs from run
to run without meaning anything (times of execution, random ids, what TensorFlow logs)
is left out of the file.
"""

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

import jupytext
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from tqdm import tqdm

from mlcore import paths
from mlcore.files import replaced

TEXT = Path(__file__).resolve().parent / "how-the-model-is-made.py"
EXECUTED = TEXT.with_suffix(".ipynb")

Budget = Literal["full", "small"]
BUDGET = "NOTEBOOK_BUDGET"
"""The variable that tells the notebook how much it may train."""

_METADATA = {
    # Not the version of Python: it is no news in a diff.
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "name": "python"},
    "jupytext": {"formats": "ipynb,py:percent"},
}
_LOGGED = re.compile(r"[IWE]\d{4} |WARNING: All log messages before absl|INFO:")
"""How TensorFlow's log begins its lines: what lacks, where scratch files lie."""


class NotebookError(RuntimeError):
    """A notebook that cannot be executed to its end: says where and why."""


def cells_of(text: Path) -> NotebookNode:
    """Read a notebook from its text; a cell's id is its content's digest.

    Raises:
        NotebookError: it is not there, or two cells are the same.
    """
    try:
        read = jupytext.read(text)
    except OSError as error:
        raise NotebookError(f"{text} cannot be read: {error.strerror}.") from error
    cells = []
    for cell in read.cells:
        digest = hashlib.sha256(f"{cell.cell_type} {cell.source}".encode()).hexdigest()
        tags = {key: value for key, value in cell.metadata.items() if key == "tags"}
        cells.append(NotebookNode({**cell, "id": digest[:12], "metadata": tags}))
    if len({cell.id for cell in cells}) < len(cells):
        raise NotebookError(f"{text.name} has two cells that are the same: join them.")
    notebook: NotebookNode = nbformat.v4.new_notebook(cells=cells, metadata=_METADATA)
    return notebook


def execute(notebook: NotebookNode, *, budget: Budget) -> None:
    """Execute each cell in order, in a kernel of this interpreter; outputs stay in it.

    Raises:
        NotebookError: names the cell that broke, and the reason.
    """
    with tempfile.TemporaryDirectory(prefix="notebook-") as scratch:
        client = NotebookClient(
            notebook,
            km=AsyncKernelManager(
                # No folders: the kernel that goes with this interpreter, whichever
                # others the machine has.
                kernel_spec_manager=KernelSpecManager(kernel_dirs=[]),
                transport="ipc",  # no port that others could listen at
                connection_file=f"{scratch}/kernel.json",
            ),
            timeout=None,
            record_timing=False,
            coalesce_streams=True,
            resources={"metadata": {"path": str(paths.REPOSITORY)}},
        )
        environment = {
            **os.environ,
            "IPYTHONDIR": scratch,  # no history in anybody's home
            "TMPDIR": scratch,  # what cells leave goes with it
            "OPENBLAS_NUM_THREADS": "1",  # as in mlcore.training.train
            "TF_CPP_MIN_LOG_LEVEL": "3",
            BUDGET: budget,
        }
        # What cells say is kept; besides, C++ would talk into the progress bar.
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with client.setup_kernel(cleanup_kc=True, env=environment, **quiet):
            cells = tqdm(notebook.cells, unit="cell", leave=False, disable=None)
            for place, cell in enumerate(cells):
                try:
                    client.execute_cell(cell, place)
                except (CellExecutionError, DeadKernelError) as error:
                    raise NotebookError(_told_of(error, notebook, place)) from error
    _forget_what_means_nothing(notebook)


def _heading(notebook: NotebookNode, place: int) -> str:
    """Return the last heading at or before a cell."""
    text = "\n".join(
        cell.source
        for cell in notebook.cells[: place + 1]
        if cell.cell_type == "markdown"
    )
    headings: list[str] = re.findall(r"^#+ (.+)$", text, re.M)
    return headings[-1] if headings else "the beginning"


def _told_of(error: Exception, notebook: NotebookNode, place: int) -> str:
    reason = (
        f"{error.ename}: {error.evalue}"
        if isinstance(error, CellExecutionError)
        else "its kernel died, as one that is out of memory does"
    )
    last = [line for line in notebook.cells[place].source.splitlines() if line][-1]
    return (
        f"Cell {place + 1} of {len(notebook.cells)}, under "
        f"“{_heading(notebook, place)}” and ending in “{last.strip()}”, broke: "
        f"{reason.rstrip('.')}. Nothing was written."
    )


def _forget_what_means_nothing(notebook: NotebookNode) -> None:
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "stream":
                lines = output.text.splitlines(keepends=True)
                output.text = "".join(x for x in lines if not _LOGGED.match(x))
        cell.outputs = [output for output in cell.outputs if output.get("text") != ""]


def main() -> None:
    """Execute the notebook and write it, or say which cell broke."""
    parser = argparse.ArgumentParser(
        prog="python -m notebooks.execute",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--budget", choices=("full", "small"), default="full")
    parser.add_argument("--text", type=Path, default=TEXT, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=EXECUTED)
    told = parser.parse_args()
    try:
        if not told.out.parent.is_dir():  # now, not after minutes
            raise NotebookError(f"There is no folder {told.out.parent} to write into.")
        notebook = cells_of(told.text)
        execute(notebook, budget=told.budget)
        with replaced(told.out) as partial:
            partial.write_text(nbformat.writes(notebook) + "\n")
    except KeyboardInterrupt:
        print("\nStopped. Nothing was written.", file=sys.stderr)
        sys.exit(130)
    except (RuntimeError, OSError) as error:  # of ours, or of a kernel that won't start
        sys.exit(str(error))
    print(f"{told.out}: {told.out.stat().st_size / 1e3:,.0f} kB, every cell executed.")


if __name__ == "__main__":
    main()
