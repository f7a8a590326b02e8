"""Measure the site against its peers and its limits, over loopback, by wrk.

    make bench-peers                        # once: what the peers need, in .venv-peers
    make bench                              # everything, about a quarter of an hour
    make bench ARGS="--rounds 1 --seconds 1 --only digitsite fastapi"
    make bench ARGS=--words-only            # docs/performance.md from its figures

Each round starts every server in turn, takes the time to its first answer, lets wrk
call it from 1, 8 and 64 connections, and weighs its processes. Only a whole run, with
every server and at least five rounds, writes docs/performance.md and server.json.
"""

import argparse
import http.client
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from bench import performance
from bench.load import BATCH, DRAWINGS, LoadError, load, write_bodies
from mlcore import paths

PORT = 8765
CONNECTIONS = (1, 8, 64)
ROUNDS = 5
LEAST_ROUNDS = 5  # for figures that are kept
OURS = ("digitsite", "recognizer", "mlcore", "bench")
PEERS = paths.REPOSITORY / ".venv-peers" / "bin" / "python"


@dataclass(frozen=True)
class Call:
    """One kind of call that is measured: where to, and the kind of bodies."""

    name: str
    path: str
    bodies: str
    drawings: int = 1
    connections: Sequence[int] = CONNECTIONS


@dataclass(frozen=True)
class Contender:
    """A server to measure; the first call is also the one it is started for."""

    name: str
    command: Sequence[str]
    calls: Sequence[Call]
    prepare: Sequence[str] = ()
    is_timed: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)


def contenders() -> list[Contender]:
    """Return all servers, ours first."""
    ours, peers = sys.executable, str(PEERS)
    png = [Call("png", "/predict", "png")]
    return [
        Contender(
            "digitsite",
            [ours, "manage.py", "serve"],
            [
                Call("strokes, stored", "/api/v1/submissions/", "strokes"),
                Call("PNG, stored", "/api/v1/submissions/", "png"),
                Call("strokes, read", "/api/v1/readings/", "reading"),
                Call(
                    f"{BATCH} strokes, read",
                    "/api/v1/readings/",
                    "batch",
                    drawings=BATCH,
                    connections=(8,),
                ),
            ],
            prepare=[ours, "manage.py", "prepare"],
        ),
        Contender(
            "fastapi",
            [
                *(peers, "-m", "uvicorn", "bench.peers.fastapi_onnx:app"),
                *("--workers", "2", "--port", str(PORT)),
                *("--log-level", "warning", "--no-access-log"),
            ],
            png,
        ),
        Contender(
            "flask",
            [
                *(peers, "-m", "gunicorn", "bench.peers.flask_keras:app"),
                *("--workers", "2", "--bind", f"127.0.0.1:{PORT}", "--timeout", "120"),
            ],
            png,
        ),
        Contender(
            "limits",
            [ours, "-m", "bench.bare", "--drf"],
            [
                Call("constant", "/constant/", "strokes"),
                Call("one INSERT", "/insert/", "strokes"),
            ],
        ),
        Contender(
            "django",
            [ours, "-m", "bench.bare"],
            [Call("word", "/", "", connections=(8,))],
        ),
    ]


# --- one server ------------------------------------------------------------------


@contextmanager
def running(
    contender: Contender, var: Path, models: Path
) -> Iterator[tuple[int, float]]:
    """Run a server; yield its process and the seconds to its first answer."""
    environment = {
        **os.environ,
        "DIGITSITE_VAR": str(var),
        "DIGITSITE_THROTTLE": "999999999/min",  # on, and never reached
        "MODELS": str(models),
        "PORT": str(PORT),
        "WORKERS": "2",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    if contender.prepare:
        subprocess.run(
            contender.prepare,
            cwd=paths.REPOSITORY,
            env=environment,
            stdout=subprocess.DEVNULL,
            check=True,
        )
    with (var / "log").open("w") as log:
        started = time.monotonic()
        process = subprocess.Popen(
            contender.command,
            cwd=paths.REPOSITORY,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for_answer(process, contender.calls[0], log=var / "log")
        yield process.pid, time.monotonic() - started
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def wait_for_answer(process: "subprocess.Popen[bytes]", call: Call, log: Path) -> None:
    """Wait for a server's first answer to a call of ours.

    Raises:
        LoadError: it stopped instead, or was not there after two minutes.
    """
    stop_at = time.monotonic() + 120
    while time.monotonic() < stop_at:
        try:
            status, _ = ask(call.path, _FIRST[call.bodies])
        except (OSError, http.client.HTTPException):
            if process.poll() is not None:
                break
            time.sleep(0.005)
            continue
        if status < 300:
            return
        raise LoadError(f"{call.path} answered {status}: {log.read_text()[-2000:]}")
    raise LoadError(f"{process.args} does not serve: {log.read_text()[-2000:]}")


_FIRST: dict[str, bytes] = {"": b""}  # of each kind of bodies


def ask(path: str, body: bytes) -> tuple[int, str]:
    """Call once; return the status and the cookie that came."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("POST" if body else "GET", path, body or None, headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, (answer.getheader("Set-Cookie") or "").split(";")[0]
    finally:
        connection.close()


def settle(path: str, body: bytes) -> None:
    """Call until it is answered: what a former run left in the queue goes before.

    Raises:
        LoadError: it is turned away for half a minute.
    """
    stop_at = time.monotonic() + 30
    while (status := ask(path, body)[0]) >= 300:
        if time.monotonic() > stop_at:
            raise LoadError(f"{path} goes on answering {status} between two runs.")
        time.sleep(0.1)


def processes_of(session: int) -> list[int]:
    """Return the processes of a session, which a server was started as."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and session_of(int(entry.name)) == session:
            found.append(int(entry.name))
    return found


def session_of(pid: int) -> int | None:
    """Return a process's session; None where it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return None


def pss_mb(session: int) -> float:
    """Return what a session's processes take of memory, shared pages divided fairly."""
    kilobytes = 0
    for pid in processes_of(session):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1000


def cpu_s(session: int) -> float:
    """Return the seconds of processor time that a session's processes have taken."""
    ticks = 0
    for pid in processes_of(session):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # in the program and in the kernel
    return ticks / os.sysconf("SC_CLK_TCK")


# --- rounds ----------------------------------------------------------------------


def measure(
    contender: Contender, *, bodies: Mapping[str, Path], models: Path, seconds: int
) -> dict[str, Any]:
    """Start one server, call it in all ways, and stop it."""
    calls: dict[str, dict[str, Any]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as var,
        running(contender, Path(var), models) as (session, first_answer_s),
    ):
        _, cookie = ask(contender.calls[0].path, _FIRST[contender.calls[0].bodies])
        for call in contender.calls:
            of_call: dict[str, Any] = {}
            # Warm: every thread has its database connection and its interpreter.
            load(
                f"http://127.0.0.1:{PORT}{call.path}",
                bodies=bodies.get(call.bodies),
                connections=max(call.connections),
                seconds=seconds,
                cookie=cookie,
            )
            for connections in call.connections:
                settle(call.path, _FIRST[call.bodies])
                cpu_before = cpu_s(session)
                measured = load(
                    f"http://127.0.0.1:{PORT}{call.path}",
                    bodies=bodies.get(call.bodies),
                    connections=connections,
                    seconds=seconds,
                    cookie=cookie,
                )
                answered = measured.per_second * measured.seconds
                if not answered:
                    raise LoadError(f"{call.path} answered nothing in {seconds} s.")
                cpu_ms = (cpu_s(session) - cpu_before) * 1e3 / answered
                of_call[str(connections)] = {**asdict(measured), "cpu_ms": cpu_ms}
            calls[call.name] = of_call
        return {
            "first_answer_s": first_answer_s,
            "pss_mb": pss_mb(session),
            "calls": calls,
        }


def machine() -> dict[str, Any]:
    """Return what the figures were measured on, and of which versions."""
    cpu = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        ),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }


def versions_of(python: str, names: Sequence[str]) -> dict[str, str]:
    """Return the versions of packages in an environment."""
    code = (
        "import sys; from importlib.metadata import version;"
        "print(*map(version, sys.argv[1:]))"
    )
    done = subprocess.run(
        [python, "-c", code, *names], capture_output=True, text=True, check=True
    )
    return dict(zip(names, done.stdout.split(), strict=True))


def main() -> None:
    """Measure, print the tables, and keep them where the run was whole."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seconds", type=int, default=3, help="of each run of wrk")
    parser.add_argument("--only", nargs="+", default=[], help="servers by name")
    parser.add_argument("--words-only", action="store_true")
    given = parser.parse_args()
    if given.words_only:
        performance.write_page()
        return
    if not PEERS.exists():
        raise SystemExit("The peers' environment is missing: run make bench-peers.")
    chosen = [c for c in contenders() if not given.only or c.name in given.only]
    rounds: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
        folder = Path(scratch)
        bodies = write_bodies(folder)
        for kind, path in bodies.items():
            with path.open("rb") as lines:
                _FIRST[kind] = lines.readline().rstrip()
        subprocess.run(
            [str(PEERS), "-m", "bench.peers.network", str(folder)],
            cwd=paths.REPOSITORY,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
            check=True,
        )
        # As in an environment that `make run` has made, whatever the caller's has.
        subprocess.run(
            [*(sys.executable, "-m", "compileall", "-q"), *OURS],
            cwd=paths.REPOSITORY,
            check=True,
        )
        bar = tqdm(total=given.rounds * len(chosen), unit="server")
        for number in range(given.rounds):
            # Another goes first each time: what warms up or tires spares none.
            turn = number % len(chosen)
            figures = {}
            for contender in chosen[turn:] + chosen[:turn]:
                bar.set_description(contender.name)
                figures[contender.name] = measure(
                    contender, bodies=bodies, models=folder, seconds=given.seconds
                )
                bar.update()
            rounds.append(figures)
        bar.close()
        sizes = {
            kind: round(statistics.mean(map(len, path.read_bytes().splitlines())))
            for kind, path in bodies.items()
        }
    measured = {
        "finished": datetime.now(UTC).isoformat(timespec="minutes"),
        "machine": machine(),
        "versions": {
            name: version(name)
            for name in ("django", "djangorestframework", "granian", "ai-edge-litert")
        }
        | versions_of(
            str(PEERS),
            ["fastapi", "uvicorn", "onnxruntime", "flask", "keras", "tensorflow"],
        ),
        "drawings": DRAWINGS,
        "body_bytes": sizes,
        "seconds": given.seconds,
        "rounds": rounds,
    }
    # First of all: a run takes a quarter of an hour.
    last = paths.data_folder() / "bench-server.json"
    last.parent.mkdir(exist_ok=True)
    last.write_text(json.dumps(measured, indent=1))
    sys.stdout.write(performance.tables(measured))
    if given.only or given.rounds < LEAST_ROUNDS:
        sys.stdout.write("Not the whole run: docs/performance.md stays as it is.\n")
        return
    subprocess.run(
        [sys.executable, "-m", "bench.pieces"], cwd=paths.REPOSITORY, check=True
    )
    performance.keep(measured)


if __name__ == "__main__":
    main()
