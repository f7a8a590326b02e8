"""Checkouts of this code with static files of their own."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from mlcore import paths
from tools.server import environment

FOLDERS = ("recognizer", "mlcore", "templates", "static", "locale", "docs")


def make_checkout(folder: Path, *, copied: Sequence[str] = ()) -> Path:
    """Link this code into a folder; what is copied may be changed there."""
    # Copied always: by these two it is known where the checkout is.
    shutil.copy(paths.REPOSITORY / "manage.py", folder)
    for name in ("digitsite", *copied):
        shutil.copytree(paths.REPOSITORY / name, folder / name)
    for name in FOLDERS:
        if name not in copied:
            (folder / name).symlink_to(paths.REPOSITORY / name)
    return folder


def collect(checkout: Path, *words: str) -> None:
    manage(checkout, "collectstatic", "--no-input", "--verbosity", "0", *words)


def manage(checkout: Path, *words: str) -> str:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=checkout,
        env=environment(checkout / "var", {}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    ).stdout
