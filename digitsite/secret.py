"""The data folder's rights, and the secret key of a site without SECRET_KEY."""

import os
import stat
from pathlib import Path

from django.core.management.utils import get_random_secret_key


def kept_private(folder: Path) -> bool:
    """Take other users' rights from a folder; return whether they have none.

    A folder made before, or by another program, may be open to all. Somebody else's
    folder stays as it is, and so does a shared one such as /tmp.
    """
    found = folder.stat()
    if not found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return True
    if found.st_uid != os.geteuid() or found.st_mode & stat.S_ISVTX:
        return False
    folder.chmod(0o700)
    return True


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
