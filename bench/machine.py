"""The machine of a measurement, and the memory and CPU time of processes."""

import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil


def machine() -> dict[str, Any]:
    """Return this machine's processors and Python version."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    models = [one.partition(": ")[2] for one in lines if one.startswith("model name")]
    return {
        "cpu": models[0] if models else platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }


def today() -> str:
    """Return today's date, UTC."""
    return f"{datetime.now(UTC):%Y-%m-%d}"


def family(pid: int) -> list[psutil.Process]:
    """Return a process and all its descendants."""
    parent = psutil.Process(pid)
    return [parent, *parent.children(recursive=True)]


def memory_mb(processes: Iterable[psutil.Process]) -> float:
    """Return the memory of processes: PSS, so that shared pages count once."""
    return float(sum(one.memory_full_info().pss for one in processes)) / 1e6


def cpu_s(processes: Iterable[psutil.Process]) -> float:
    """Return the CPU time that processes have used, in seconds."""
    times = (one.cpu_times() for one in processes)
    return float(sum(one.user + one.system for one in times))
