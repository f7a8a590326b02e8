"""What commands share: a parser of flags, a progress bar, and how they end."""

import argparse
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


def command_parser(description: str | None, **options: Any) -> argparse.ArgumentParser:
    """Make a parser whose help keeps the lines of a module's docstring."""
    return argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )


def progress(items: Iterable[T], what: str) -> Iterable[T]:
    """Show how far a loop is, where a terminal is."""
    shown: Iterable[T] = tqdm(items, desc=what, leave=False, disable=None)
    return shown


@contextmanager
def ends_with_a_sentence(
    *errors: type[Exception], stopped: str = "Stopped."
) -> Iterator[None]:
    """Exit with the message of one of these errors, or with 130 after Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"\n{stopped}\n")
        sys.exit(130)
    except errors as error:
        sys.exit(str(error))
