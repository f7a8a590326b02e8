"""Folders and the cluster, from environment variables; only this module reads them."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
STARTER_BUNDLE = Path(__file__).resolve().parent / "starter"


def data_folder() -> Path:
    """Return the folder for created and fetched files: DIGITSITE_VAR, else var/."""
    return _named("DIGITSITE_VAR") or REPOSITORY / "var"


def named_mnist_folder() -> Path | None:
    """Return the folder that MNIST_DIR names."""
    return _named("MNIST_DIR")


def pen_folder() -> Path | None:
    """Return the folder of pen drawings that PEN_DIR names."""
    return _named("PEN_DIR")


def pictures_folder() -> Path | None:
    """Return the folder of real pictures that PICTURES_DIR names."""
    return _named("PICTURES_DIR")


def bundle_folder() -> Path:
    """Return the bundle to read with: BUNDLE, else the starter that ships."""
    return _named("BUNDLE") or STARTER_BUNDLE


def cluster() -> str:
    """Return the scheduler that CLUSTER names; empty if there is none."""
    return os.environ.get("CLUSTER", "").strip()


def _named(variable: str) -> Path | None:
    value = os.environ.get(variable)
    return Path(value) if value else None
