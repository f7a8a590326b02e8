"""A progress bar for loops over drawings."""

from collections.abc import Iterable
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], what: str) -> Iterable[T]:
    """Show the progress of a loop on a terminal."""
    shown: Iterable[T] = tqdm(items, desc=what, leave=False, disable=None)
    return shown
