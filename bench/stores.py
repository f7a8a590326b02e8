"""What storing costs: each degree of durability, and each part of a larger site.

make bench-stores      # writes docs/stores.json, and the tables in docs/*.md from it

Rounds are interleaved and medians quoted: figures drift from hour to hour on a shared
machine, ratios hardly. PostgreSQL really writes to the disk here, unlike in the tests.
"""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import redis
from tqdm import tqdm

from mlcore import paths
from recognizer.tests.drawings import SEVEN
from recognizer.tests.live import Server, one_of_many
from recognizer.tests.machines import Machine, machines, nginx_before
from recognizer.tests.services import postgres, program, redis_server

DOCS = paths.REPOSITORY / "docs"
FIGURES = DOCS / "stores.json"
ROUNDS = 5
DRAWINGS = 300  # a round, one after the other
SECONDS = 4  # a round under load
CONNECTIONS = 8

# --- how durable ----------------------------------------------------------------------

DURABILITIES = {
    "SQLite, synchronous=FULL": "PRAGMA synchronous=FULL",
    "SQLite, synchronous=NORMAL": "PRAGMA synchronous=NORMAL",
    "SQLite, synchronous=OFF": "PRAGMA synchronous=OFF",
    "PostgreSQL, synchronous_commit=on": "SET synchronous_commit=on",
    "PostgreSQL, synchronous_commit=off": "SET synchronous_commit=off",
}


def store_some(statement: str) -> None:
    """Store drawings one after the other on the database we were started with.

    Writes the median milliseconds a drawing, and those from its first tally to its
    end: for so long nobody else may add to the same numbers.
    """
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "digitsite.settings")
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    from recognizer import services, tallies
    from recognizer.drawing import StrokeDrawing
    from recognizer.models import Visitor

    call_command("prepare", stdout=sys.stderr)
    drawing = StrokeDrawing(SEVEN["strokes"], 280, 280, 18)
    visitor = Visitor.objects.create()
    with connection.cursor() as cursor:
        cursor.execute(statement)
    tallied_at = 0.0
    add = tallies.add

    def note_and_add(counts: Counter[str]) -> None:
        nonlocal tallied_at
        tallied_at = time.perf_counter()
        add(counts)

    tallies.add = note_and_add
    took, held = [], []
    for _ in range(DRAWINGS):
        began = time.perf_counter()
        services.submit_drawing(drawing=drawing, visitor=visitor, source="api")
        ended = time.perf_counter()
        took.append(1000 * (ended - began))
        held.append(1000 * (ended - tallied_at))
    medians = {"ms": statistics.median(took), "held ms": statistics.median(held)}
    sys.stdout.write(json.dumps(medians))


def durabilities(folder: Path, database: str) -> dict[str, list[dict[str, float]]]:
    """Return each round's milliseconds, by how durable a drawing is."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in DURABILITIES}
    for _ in tqdm(range(ROUNDS), desc="durability", disable=None):
        for name, statement in DURABILITIES.items():
            is_postgresql = name.startswith("PostgreSQL")
            variables = {
                "DIGITSITE_VAR": str(folder),
                "DIGITSITE_THROTTLE": "off",
                "DATABASE_URL": database if is_postgresql else "",
            }
            done = subprocess.run(
                [sys.executable, "-m", "bench.stores", statement],
                env={**os.environ, **variables},
                cwd=paths.REPOSITORY,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                check=True,
            )
            found[name].append(json.loads(done.stdout))
    return found


# --- one machine or two ---------------------------------------------------------------

LUA = """
wrk.method = "POST"
wrk.body = [==[{body}]==]
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "{bearer}"
wrk.headers["X-Forwarded-Proto"] = "https"
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{{"requests": %d, "us": %d, "p50": %f, "p99": %f, "bad": %d}}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""


@dataclass(frozen=True)
class Layout:
    """A site under load: where to send, and whose processor time to count."""

    urls: Sequence[str]
    bearer: str
    roles: dict[str, Sequence[int]]


def processor_s(roots: Sequence[int]) -> float:
    """Return the seconds that processes and all below them have computed."""
    ticks = 0
    pids = list(roots)
    while pids:
        pid = pids.pop()
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(map(int, stat[11:15]))  # own and ended children's
        for task in Path(f"/proc/{pid}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    return ticks / os.sysconf("SC_CLK_TCK")


def load(layout: Layout, folder: Path) -> dict[str, Any]:
    """Send drawings from all connections; return rate, latencies and costs."""
    script = folder / "post.lua"
    script.write_text(LUA.format(body=json.dumps(SEVEN), bearer=layout.bearer))
    wrk = [
        *(program("wrk", package="wrk"), "-t1", f"-d{SECONDS}s", "--timeout", "30s"),
        *(f"-c{CONNECTIONS // len(layout.urls)}", "-s", str(script)),
    ]
    before = {name: processor_s(roots) for name, roots in layout.roles.items()}
    senders = [
        subprocess.Popen(
            [*wrk, f"{url}/api/v1/submissions/"], stdout=subprocess.PIPE, text=True
        )
        for url in layout.urls
    ]
    told = []
    for sender in senders:
        said, _ = sender.communicate(timeout=10 * SECONDS)
        told.append(json.loads(said[said.rindex("{") :]))
    requests = sum(one["requests"] for one in told)
    if any(one["bad"] for one in told):
        sys.exit(f"Some requests were not answered with 201: {told}")
    costs = {
        f"{name} ms": 1000 * (processor_s(roots) - before[name]) / requests
        for name, roots in layout.roles.items()
    }
    return {
        "per second": sum(one["requests"] / one["us"] * 1e6 for one in told),
        "p50 ms": max(one["p50"] for one in told) / 1000,
        "p99 ms": max(one["p99"] for one in told) / 1000,
        **costs,
    }


def token(server: Server) -> str:
    """Make a token of a new user."""
    server.make_user("bench")
    return f"Bearer {server.make_token('bench', 'read,write')}"


def web(servers: Sequence[Server]) -> list[int]:
    """Return the processes that serve."""
    return [server.process.pid for server in servers if server.process]


@contextmanager
def alone(folder: Path, services: "Services") -> Iterator[Layout]:
    """One process, SQLite, no Redis."""
    variables = {"DATABASE_URL": "", "REDIS_URL": "", "WORKERS": "1"}
    with one_of_many(folder / "alone", DIGITSITE_THROTTLE=LIMIT, **variables) as server:
        yield Layout([server.url], token(server), {"web": web([server])})


@contextmanager
def two(folder: Path, services: "Services") -> Iterator[Layout]:
    """Two processes with one PostgreSQL and one Redis."""
    with machines(folder, DIGITSITE_THROTTLE=LIMIT) as servers:
        roles = {"web": web(servers), **services.roles}
        yield Layout([one.url for one in servers], token(servers[0]), roles)


@contextmanager
def two_behind_nginx(folder: Path, services: "Services") -> Iterator[Layout]:
    """The same behind nginx, which ends TLS."""
    with (
        machines(folder, DIGITSITE_THROTTLE=LIMIT) as servers,
        nginx_before(servers, folder) as nginx,
    ):
        (pid,) = Path(f"{folder}/nginx.pid").read_text().split()
        roles = {"web": web(servers), "nginx": [int(pid)], **services.roles}
        yield Layout([nginx.url], token(servers[0]), roles)


LIMIT = "1000000/s"  # counted with each call, and never reached
LAYOUTS: dict[str, Callable[..., Any]] = {
    "one process, SQLite": alone,
    "two processes, PostgreSQL and Redis": two,
    "the same behind nginx with TLS": two_behind_nginx,
}


@dataclass(frozen=True)
class Services:
    """PostgreSQL and Redis, and their processes."""

    database: str
    roles: dict[str, Sequence[int]]


def layouts(folder: Path, services: Services) -> dict[str, list[dict[str, Any]]]:
    """Return each round's figures by layout."""
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in LAYOUTS}
    for number in tqdm(range(ROUNDS), desc="layouts", disable=None):
        for place, (name, layout) in enumerate(LAYOUTS.items()):
            here = folder / f"{number}-{place}"
            here.mkdir()
            with layout(here, services) as site:
                found[name].append(load(site, here))
    return found


def wal_per_drawing(services: Services, folder: Path) -> dict[str, float]:
    """Return the bytes a drawing adds to PostgreSQL, and to its log."""
    with machines(folder) as servers:
        bearer = {"Authorization": token(servers[0])}
        database = dict(servers[0].variables)["DATABASE_URL"]
        machine = Machine(servers[0].url)
        with psycopg.connect(database, autocommit=True) as connection:

            def now() -> tuple[int, int]:
                found = connection.execute(
                    "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn,"
                    " pg_database_size(current_database())"
                )
                ((log, rows),) = found
                return int(log), int(rows)

            before = now()
            for _ in range(WEIGHED):
                machine.call("POST", "submissions/", SEVEN, **bearer)
            connection.execute("CHECKPOINT")
            after = now()
    log, rows = (
        (late - early) / WEIGHED for early, late in zip(before, after, strict=True)
    )
    return {"log": log, "rows": rows}


WEIGHED = 2000

# --- writing down ---------------------------------------------------------------------


ROLES = ("web", "nginx", "postgresql", "redis")  # whose processor time is counted


def medians(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """Return the median of each figure over the rounds."""
    return {name: statistics.median(one[name] for one in rounds) for name in rounds[0]}


def durability_table(figures: dict[str, Any]) -> str:
    """Write what each degree of durability costs."""
    ms = {n: medians(rounds)["ms"] for n, rounds in figures["durability"].items()}
    least = ms["SQLite, synchronous=FULL"]
    lines = ["| setting | ms a drawing | against FULL |", "|---|---|---|"]
    lines += [f"| {n} | {one:.2f} | {one / least:.2f} |" for n, one in ms.items()]
    return "\n".join([*lines, "", _measured(figures)])


def layouts_table(figures: dict[str, Any]) -> str:
    """Write what each layout does, and whose time it takes."""
    found = {name: medians(rounds) for name, rounds in figures["layouts"].items()}
    base = found["one process, SQLite"]["per second"]
    named = " | ".join(f"{role} ms" for role in ROLES)
    lines = [
        f"| layout | drawings/s | against the first | p50 | p99 | {named} |",
        "|---" * (5 + len(ROLES)) + "|",
    ]
    for name, one in found.items():
        costs = [f"{one[f'{r} ms']:.2f}" if f"{r} ms" in one else "" for r in ROLES]
        lines.append(
            f"| {name} | {one['per second']:.0f} | {one['per second'] / base:.2f} | "
            f"{one['p50 ms']:.1f} ms | {one['p99 ms']:.1f} ms | {' | '.join(costs)} |"
        )
    bytes_each = figures["bytes"]
    weighed = (
        f"A drawing of five points adds {bytes_each['rows']:,.0f} bytes to PostgreSQL "
        f"with its rows and indexes, and {bytes_each['log']:,.0f} bytes to its log."
    )
    return "\n".join([*lines, "", weighed, "", _measured(figures)])


PLANNED = (100, 1000)  # drawings stored a second
BUSY = 0.6  # of a processor: above that queues grow long


def plan_table(figures: dict[str, Any]) -> str:
    """Reckon the processors of each part from what a drawing costs it."""
    one = medians(figures["layouts"]["the same behind nginx with TLS"])
    lines = [
        "| stored a second | "
        + " | ".join(f"{r} processors" for r in ROLES)
        + " | log of PostgreSQL |",
        "|---" * (2 + len(ROLES)) + "|",
    ]
    for rate in PLANNED:
        needed = [f"{rate * one[f'{r} ms'] / 1000 / BUSY:.1f}" for r in ROLES]
        log = rate * figures["bytes"]["log"] / 1e6
        lines.append(f"| {rate:,} | {' | '.join(needed)} | {log:.1f} MB/s |")
    held = medians(figures["durability"]["PostgreSQL, synchronous_commit=on"])
    tallied = (
        f"A transaction holds the numbers it adds to for {held['held ms']:.2f} ms: "
        f"at most {1000 / held['held ms']:,.0f} transactions a second can add to the "
        "same. Drawings that reach a process together share one."
    )
    return "\n".join([*lines, "", tallied])


def _measured(figures: dict[str, Any]) -> str:
    return (
        f"`make bench-stores`, {figures['made']}, {figures['machine']}; medians of "
        f"{figures['rounds']} interleaved rounds."
    )


def write_tables(figures: dict[str, Any]) -> None:
    """Put each table between its marks in the documentation."""
    for page, mark, table in (
        ("operations.md", "durability", durability_table(figures)),
        ("scaling.md", "layouts", layouts_table(figures)),
        ("scaling.md", "plan", plan_table(figures)),
    ):
        path = DOCS / page
        before, begin, rest = path.read_text().partition(f"<!-- {mark} -->\n")
        _, end, after = rest.partition(f"<!-- end of {mark} -->")
        if not (begin and end):
            sys.exit(f"{path} has no place for {mark}.")
        path.write_text(f"{before}{begin}{table}\n{end}{after}")


def machine() -> str:
    """Name this machine's processors."""
    info = Path("/proc/cpuinfo").read_text()
    found = re.search(r"model name\s*: (.*)", info)
    return f"{os.cpu_count()} cores of {found[1] if found else platform.machine()}"


def main() -> None:
    """Measure all, write it down, and say where."""
    with ExitStack() as stack:
        # Not in the data folder, which no other user may look into, such as the one
        # that PostgreSQL runs as. TMPDIR has to be on the disk that is measured.
        folders = [
            Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(3)
        ]
        url = stack.enter_context(postgres(folders[0], options=()))
        redis_url = stack.enter_context(redis_server(folders[1]))
        os.environ |= {"DATABASE_URL": url, "REDIS_URL": redis_url}
        postmaster = (folders[0] / "postgres" / "postmaster.pid").read_text().split()[0]
        redis_pid = redis.Redis.from_url(redis_url).info()["process_id"]
        services = Services(
            url, {"postgresql": [int(postmaster)], "redis": [redis_pid]}
        )
        figures = {
            "made": f"{datetime.now(UTC):%Y-%m-%d}",
            "machine": machine(),
            "rounds": ROUNDS,
            "durability": durabilities(folders[2] / "var", url),
            "layouts": layouts(folders[2], services),
            "bytes": wal_per_drawing(services, folders[2]),
        }
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    write_tables(figures)
    sys.stdout.write(f"{durability_table(figures)}\n\n{layouts_table(figures)}\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        store_some(sys.argv[1])
    else:
        main()
