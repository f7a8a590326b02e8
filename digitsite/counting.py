"""Let the processes of `manage.py serve` share metrics; see `recognizer.metrics`."""

import atexit
import os
import shutil
import tempfile

MEMORY = "/dev/shm"  # noqa: S108  # mkdtemp makes a private folder in it


def share_counts() -> None:
    """Make a folder for the counts of this process and its child processes.

    Call it before importing prometheus_client, which looks for the folder only then.
    The folder is in memory if possible: on a full disk, SIGBUS would end a process
    that writes to a memory-mapped file.
    """
    parent = MEMORY if os.access(MEMORY, os.W_OK | os.X_OK) else None
    folder = tempfile.mkdtemp(prefix="digitsite-metrics-", dir=parent)
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
