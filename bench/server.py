"""Compare the site with a peer that also stores drawings, with wrk on loopback.

    make bench                              # ten minutes; needs wrk
    make bench ARGS="--rounds 1 --seconds 1"

Each round starts both servers in turn, measures the time to the first stored drawing,
calls them from 1, 8 and 64 connections, and measures their memory. A run of at least
five rounds writes docs/performance/server.json and docs/performance.md.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import requests
from tqdm import tqdm

from bench import report
from bench.load import DRAWINGS, LoadError, load, write_bodies
from bench.machine import cpu_s, family, machine, memory_mb, today
from mlcore import paths
from mlcore.commands import command_parser

PORT = 8765
URL = f"http://127.0.0.1:{PORT}"
CONNECTIONS = (1, 8, 64)
KEPT_ROUNDS = 5  # fewest rounds of a run whose figures are saved
PEERS = Path(
    os.environ.get("PEERS_PYTHON", paths.REPOSITORY / ".venv-peers/bin/python")
)


@dataclass(frozen=True)
class Contender:
    """A server under measurement.

    calls: path and kind of body, by name; the first one also times the start.
    """

    prepare: Sequence[str]
    command: Sequence[str]
    calls: Mapping[str, tuple[str, str]]


CONTENDERS = {
    "digitsite": Contender(
        [sys.executable, "manage.py", "prepare"],
        [sys.executable, "manage.py", "serve"],
        {
            "strokes, stored": ("/api/v1/submissions/", "strokes"),
            "PNG, stored": ("/api/v1/submissions/", "png"),
            "strokes, read": ("/api/v1/readings/", "reading"),
        },
    ),
    "peer": Contender(
        [str(PEERS), "-m", "bench.peers.network", "."],
        [
            *(str(PEERS), "-m", "uvicorn", "bench.peers.app:app", "--workers", "2"),
            *("--port", str(PORT), "--log-level", "warning", "--no-access-log"),
        ],
        {
            "strokes, stored": ("/strokes", "strokes"),
            "PNG, stored": ("/png", "png"),
        },
    ),
}


@contextmanager
def running(
    contender: Contender, *, folder: Path, body: bytes
) -> Iterator[tuple[int, float, str]]:
    """Run a server on a new data folder.

    Yields:
        Its process id, the seconds to its first stored drawing, and its cookie.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": str(paths.REPOSITORY),
        "DIGITSITE_VAR": str(folder),
        "DIGITSITE_THROTTLE": "999999999/min",  # on, and never reached
        "PEER_FOLDER": str(folder),
        "PORT": str(PORT),
        "WORKERS": "2",
    }
    command = [str(folder) if word == "." else word for word in contender.prepare]
    with (folder / "log").open("w") as log:
        told: dict[str, Any] = {
            "cwd": paths.REPOSITORY,
            "env": environment,
            "stdout": log,
            "stderr": log,
        }
        subprocess.run(command, check=True, **told)
        started = time.monotonic()
        process = subprocess.Popen(contender.command, **told)
    path, _ = next(iter(contender.calls.values()))
    try:
        while not (answer := ask(path, body)):
            if process.poll() is not None or time.monotonic() - started > 120:
                raise LoadError(f"No answer: {(folder / 'log').read_text()[-2000:]}")
            time.sleep(0.005)
        seconds = time.monotonic() - started
        yield process.pid, seconds, answer.headers.get("Set-Cookie", "").split(";")[0]
    finally:
        process.terminate()
        process.wait(timeout=60)


def ask(path: str, body: bytes) -> requests.Response | None:
    """Call once; return the response, None if the server is not up yet."""
    headers = {"Content-Type": "application/json"}
    try:
        answer = requests.post(f"{URL}{path}", body, headers=headers, timeout=60)
    except requests.ConnectionError:
        return None
    answer.raise_for_status()
    return answer


def measure(
    contender: Contender, *, bodies: Mapping[str, Path], seconds: int
) -> dict[str, Any]:
    """Start one server, make all calls, and stop it."""
    calls: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        with bodies["strokes"].open("rb") as lines:
            body = lines.readline()
        with running(contender, folder=Path(scratch), body=body) as (
            pid,
            start,
            cookie,
        ):
            for name, (path, kind) in contender.calls.items():
                url, file = f"{URL}{path}", bodies[kind]
                # Warm: every thread has its database connection.
                load(url, bodies=file, connections=64, seconds=1, cookie=cookie)
                time.sleep(1)  # until the last run's queue is empty
                calls[name] = {}
                for connections in CONNECTIONS:
                    before = cpu_s(family(pid))
                    found = load(
                        url,
                        bodies=file,
                        connections=connections,
                        seconds=seconds,
                        cookie=cookie,
                    )
                    cpu_ms = (cpu_s(family(pid)) - before) * 1e3 / found.answers
                    time.sleep(0.5)
                    calls[name][str(connections)] = {**asdict(found), "cpu_ms": cpu_ms}
            return {
                "first_answer_s": start,
                "memory_mb": memory_mb(family(pid)),
                "calls": calls,
            }


def versions() -> dict[str, str]:
    """Return the versions of both servers' libraries."""
    ours = ("django", "djangorestframework", "ai-edge-litert")
    theirs = ("fastapi", "uvicorn", "onnxruntime", "sqlalchemy")
    code = (
        "import sys; from importlib.metadata import version;"
        "print(*map(version, sys.argv[1:]))"
    )
    done = subprocess.run(
        [str(PEERS), "-c", code, *theirs], capture_output=True, text=True, check=True
    )
    return {
        **{name: version(name) for name in ours},
        **dict(zip(theirs, done.stdout.split(), strict=True)),
    }


def main() -> None:
    """Measure and print the tables; save the figures of a full run."""
    parser = command_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=int, default=4, help="of each run of wrk")
    given = parser.parse_args()
    if not PEERS.exists():
        sys.exit("The peer's environment is missing: make bench installs it.")
    rounds: list[dict[str, Any]] = []
    load_before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        bodies = write_bodies(Path(scratch))
        for number in tqdm(range(given.rounds), unit=" round"):
            # The order changes every round.
            order = list(CONTENDERS) if number % 2 else list(reversed(CONTENDERS))
            rounds.append(
                {
                    name: measure(
                        CONTENDERS[name], bodies=bodies, seconds=given.seconds
                    )
                    for name in order
                }
            )
    figures = {
        "made": today(),
        "machine": machine(),
        "load_before": round(load_before, 1),
        "versions": versions(),
        "drawings": DRAWINGS,
        "seconds": given.seconds,
        "rounds": rounds,
    }
    sys.stdout.write(report.server_part(figures))
    if given.rounds >= KEPT_ROUNDS:
        report.keep("server", figures)


if __name__ == "__main__":
    main()
