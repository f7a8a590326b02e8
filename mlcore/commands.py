"""What commands share: the argument parser and the exit. Serving imports it."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def command_parser(description: str | None, **options: Any) -> argparse.ArgumentParser:
    """Make a parser whose help keeps the lines of a module's docstring."""
    return argparse.ArgumentParser(
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        **options,
    )


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
