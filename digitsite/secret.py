"""The secret key of an installation that was given none."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def kept_secret_key(path: Path) -> str:
    """Return the key kept in this file, made at the first call.

    Processes that start together agree on one: the file is linked into place only if
    it is not there yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        own = path.with_name(f".{path.name}.{os.getpid()}")
        own.touch(mode=0o600)
        own.write_text(get_random_secret_key())
        try:
            path.hardlink_to(own)
        except FileExistsError:
            pass  # another process was quicker: its key counts
        finally:
            own.unlink()
    return path.read_text().strip()
