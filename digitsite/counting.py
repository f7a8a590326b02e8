"""Let the processes of `manage.py serve` count together; see `recognizer.metrics`."""

import atexit
import os
import shutil
import tempfile

MEMORY = "/dev/shm"  # noqa: S108  # mkdtemp makes a folder of our own in it


def share_counts() -> None:
    """Name a folder that holds the counts of this process and of those it forks.

    Call it before prometheus_client is imported, which looks for the folder only then.
    The folder is in memory if possible: on a full disk, a process that writes to a
    memory-mapped file is ended by SIGBUS.
    """
    parent = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    folder = tempfile.mkdtemp(prefix="digitsite-metrics-", dir=parent)
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
