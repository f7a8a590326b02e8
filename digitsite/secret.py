"""The secret key of an installation without SECRET_KEY."""

import os
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def kept_secret_key(path: Path) -> str:
    """Return the key in this file; the first call creates it.

    Processes that start together get the same key: the file is linked into place only
    if none is there yet.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        own = path.with_name(f".{path.name}.{os.getpid()}")
        own.touch(mode=0o600)
        own.write_text(get_random_secret_key())
        try:
            path.hardlink_to(own)
        except FileExistsError:
            pass  # another process was faster: its key counts
        finally:
            own.unlink()
    return path.read_text().strip()
