"""Measure how fast stored drawings are read again, on PostgreSQL.

    tools/services.sh .venv/bin/python -m bench.rescore --submissions 200000
    ... --against ../older-checkout      # an older commit, one process against one
    ... --kills 3                        # also kill workers and count the readings

A synthetic history (`bench.history`) is read by new model versions: by one process and
by two in turn, so that other work on the machine slows both. Each measurement reads all
drawings once. PostgreSQL shares the processors. Saves its figures in
docs/performance/rescore.json.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import psycopg
from psycopg import sql

from bench.machine import machine, today
from mlcore import paths
from mlcore.commands import command_parser
from tools.server import Server, data_alone

REGISTER = """
import tempfile, time
from pathlib import Path
from django.conf import settings
from mlcore.reading.bundle import open_bundle, write_bundle
from recognizer.learning.promotion import register_model
starter = open_bundle(settings.STARTER_BUNDLE)
with tempfile.TemporaryDirectory() as folder:
    files = {n: (starter.folder / n).read_bytes() for n in starter.manifest["files"]}
    print(register_model(origin="trained", bundle=write_bundle(
        Path(folder), files=files, calibration=starter.calibration,
        metrics=starter.metrics, provenance={"made": time.time_ns()})).digest)
"""
COUNT = """
from django.db import connection
from recognizer.models import Submission
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*), count(DISTINCT submission_id) "
        "FROM recognizer_prediction p JOIN recognizer_modelversion m "
        "ON m.id = p.model_version_id WHERE m.digest = %s", ["{digest}"])
    stored, distinct = cursor.fetchone()
print(Submission.objects.count() - distinct, stored - distinct)
"""
STARTS_UP_S = 8  # so long until workers of a new command read


def shell(site: Server, checkout: Path, code: str) -> list[str]:
    """Run code in a checkout; return the words of its last line."""
    done = run(site, checkout, "shell", "--no-imports", "-c", code)
    return done.strip().splitlines()[-1].split()


def run(site: Server, checkout: Path, *arguments: str) -> str:
    """Run a manage.py command of a checkout; return its output."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=checkout,
        env=environment(site),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    ).stdout


def environment(site: Server) -> dict[str, str]:
    """Return the environment of a command on a site's data."""
    return {**os.environ, "DIGITSITE_VAR": str(site.var), **dict(site.variables)}


def drawings_per_s(site: Server, checkout: Path, drawings: int, *options: str) -> float:
    """Let a new version read drawings; return the rate, without the command's start.

    Its readings are deleted afterwards, so that each measurement finds the same.
    """
    (digest,) = shell(site, checkout, REGISTER)
    seconds = []
    for most in (1, drawings):
        began = time.perf_counter()
        run(site, checkout, "rescore", digest, "--most", str(most), *options)
        seconds.append(time.perf_counter() - began)
    took = seconds[1] - seconds[0]
    with psycopg.connect(dict(site.variables)["DATABASE_URL"], autocommit=True) as rows:
        rows.execute("DELETE FROM recognizer_prediction WHERE role = 'rescore'")
        rows.execute("VACUUM recognizer_prediction")
    return drawings / took


def after_kills(site: Server, kills: int) -> dict[str, Any]:
    """Kill a worker process several times, and start the command again each time."""
    (digest,) = shell(site, paths.REPOSITORY, REGISTER)
    done = 0
    while True:
        command = subprocess.Popen(
            [sys.executable, "manage.py", "rescore", digest, "--workers", "2"],
            cwd=paths.REPOSITORY,
            env=environment(site),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if done == kills:
            command.wait()
            break
        time.sleep(STARTS_UP_S)
        workers = [
            child
            for child in psutil.Process(command.pid).children(recursive=True)
            if "spawn_main" in " ".join(child.cmdline())
        ]
        if command.poll() is None and workers:
            os.kill(workers[0].pid, signal.SIGKILL)
            done += 1
        command.wait()
    missing, double = shell(site, paths.REPOSITORY, COUNT.format(digest=digest))
    return {"kills": done, "missing": int(missing), "double": int(double)}


def copy_of(site: Server, folder: Path) -> Server:
    """Copy a site's database."""
    address, _, name = dict(site.variables)["DATABASE_URL"].rpartition("/")
    copy = f"{name}_older"
    with psycopg.connect(f"{address}/postgres", autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(
                sql.Identifier(copy), sql.Identifier(name)
            )
        )
    folder.mkdir()
    return Server("", folder, (("DATABASE_URL", f"{address}/{copy}"),))


def in_turn(rounds: int, *calls: Callable[[], float]) -> list[list[float]]:
    """Measure in turn; return the rates of each call, rounded."""
    found: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, rates in zip(calls, found, strict=True):
            rates.append(round(call(), 1))
            print(f"{rates[-1]} drawings/s", flush=True)
    return found


def ratio(slow: list[float], fast: list[float]) -> float:
    """Return the median of the rounds' ratios."""
    return round(statistics.median(f / s for s, f in zip(slow, fast, strict=True)), 2)


def main() -> None:
    """Make a history, measure, and save the figures."""
    parser = command_parser(__doc__)
    parser.add_argument("--submissions", type=int, default=200_000)
    parser.add_argument("--read", type=int, help="drawings per measurement; all")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--against", type=Path, help="an older checkout")
    parser.add_argument("--kills", type=int, default=3)
    given = parser.parse_args()
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        sys.exit("Needs PostgreSQL: run it by tools/services.sh.")
    most = given.read or given.submissions
    here = paths.REPOSITORY
    out = here / "docs" / "performance" / "rescore.json"
    figures: dict[str, Any] = {
        "made": today(),
        "machine": machine(),
        "drawings": given.submissions,
        "read per measurement": most,
    }
    with (
        tempfile.TemporaryDirectory() as scratch,
        data_alone(Path(scratch) / "var") as site,
    ):
        site.var.mkdir()
        history = [sys.executable, "-m", "bench.history"]
        history += ["--submissions", str(given.submissions), "--visitors", "1000"]
        subprocess.run(
            history, cwd=given.against or here, env=environment(site), check=True
        )
        older = copy_of(site, Path(scratch) / "older") if given.against else None
        run(site, here, "migrate", "--verbosity", "0")
        one, two = in_turn(
            given.rounds,
            lambda: drawings_per_s(site, here, most),
            lambda: drawings_per_s(site, here, most, "--workers", "2"),
        )
        figures |= {"one": one, "two": two, "two to one": ratio(one, two)}
        if older is not None:
            before, now = in_turn(
                given.rounds,
                lambda: drawings_per_s(older, given.against, most),
                lambda: drawings_per_s(site, here, most),
            )
            figures |= {
                "before": before,
                "now": now,
                "now to before": ratio(before, now),
            }
        if given.kills:
            figures["killed"] = after_kills(site, given.kills)
    out.write_text(json.dumps(figures, indent=1) + "\n")
    print(out.read_text())


if __name__ == "__main__":
    main()
