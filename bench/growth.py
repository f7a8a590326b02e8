"""Compare the pages of a site with ten million drawings to one with ten thousand.

    python -m bench.growth                      # SQLite: an hour, 12 GB
    python -m bench.growth --submissions 100000
    tools/services.sh .venv/bin/python -m bench.growth --submissions 1000000

Two sites with synthetic histories (`bench.history`) run side by side and are called in
turn, so that other work on the machine slows both. Uses PostgreSQL if DATABASE_URL
names it. Writes docs/performance/growth-*.json and docs/performance.md.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from tqdm import tqdm

from bench import report
from bench.machine import machine, today
from bench.samples import as_body
from mlcore import paths
from mlcore.commands import command_parser
from mlcore.reading.specimens import specimens
from tools.server import Server, serving

SMALL = {"submissions": 10_000, "visitors": 100, "most": 9_600}
LARGEST_VISITOR = 200_000
ROUNDS, WARM_UP = 15, 2
EXPORTED_BYTES = 4_000_000  # read from an export to measure its speed
EXPORT = "/api/v1/submissions/export/"
ADMIN = "/admin/recognizer/submission/"

# Links three visitors to the staff user; prints the values that the calls need.
FIRST_LOOK = """
import json
from django.contrib.auth import get_user_model
from django.core import signing
from django.db import connection
from recognizer.models import Submission, Visitor
first, *others = Visitor.objects.order_by("pk")[:4]
person = get_user_model().objects.get(username="bench")
Visitor.objects.filter(pk__in=[first.pk, *[one.pk for one in others[:2]]]).update(
    user=person)
own = Submission.objects.filter(visitor=first).order_by("-pk")
keys = own.values_list("pk", flat=True)
page = min(1000, own.count() // 24)
drawings = Submission.objects.count()
tables = {}
with connection.cursor() as cursor:
    for table in ("submission", "prediction", "feedback", "label"):
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sum(pgsize) FROM dbstat WHERE name IN "
                "(SELECT name FROM sqlite_master WHERE tbl_name = %s)",
                [f"recognizer_{table}"])
        else:
            cursor.execute("SELECT pg_total_relation_size(%s)", [f"recognizer_{table}"])
        tables[table] = round(cursor.fetchone()[0] / drawings)
print(json.dumps({
    "cookie": signing.Signer(salt="recognizer.visitor").sign(str(others[2].pk)),
    "page": page,
    "before": str(keys[24 * (page - 1) - 1]),
    "api_before": str(keys[100 * (page // 10) - 1]),
    "drawing": str(keys[0]),
    "drawings": drawings,
    "of_the_largest": own.count(),
    "bytes": tables,
}))
"""


@dataclass(frozen=True)
class Site:
    """A running site with its history, and two users.

    member: a staff user with three visitors, among them the one with most drawings.
    visitor: an ordinary visitor.
    """

    server: Server
    known: dict[str, Any]
    member: requests.Session
    visitor: requests.Session

    def get(self, path: str, *, who: str = "member") -> float:
        """Return the seconds until the last byte of a page."""
        return self._timed("GET", path, who=who)

    def claim(self) -> float:
        """Take drawings from the review queue."""
        return self._timed("POST", f"{ADMIN}review/claim/", who="member")

    def store(self) -> float:
        """Store a drawing."""
        return self._timed("POST", "/api/v1/submissions/", who="visitor", json=DRAWING)

    def export(self, *, most: int) -> tuple[float, float]:
        """Return the seconds to an export's first byte, and its MB/s after that."""
        began = time.perf_counter()
        with self.member.get(f"{self.server.url}{EXPORT}", stream=True) as answer:
            answer.raise_for_status()
            parts = answer.iter_content(1 << 16)
            read = len(next(parts))
            first = time.perf_counter()
            for part in parts:
                if read >= most:
                    break
                read += len(part)
            took = time.perf_counter() - first
        return first - began, read / took / 1e6

    def _timed(self, method: str, path: str, *, who: str, **sent: Any) -> float:
        session: requests.Session = getattr(self, who)
        began = time.perf_counter()
        answer = session.request(method, f"{self.server.url}{path}", timeout=60, **sent)
        took = time.perf_counter() - began
        answer.raise_for_status()
        return took


DRAWING = as_body(specimens()[0].strokes)

CALLS: dict[str, Callable[[Site], float]] = {
    "history, first page": lambda s: s.get("/history/"),
    "history, 1,000th page": lambda s: s.get(f"/history/?before={s.known['before']}"),
    "history, refused and unanswered": lambda s: s.get(
        "/history/?refused=true&feedback=none"
    ),
    "history of an ordinary visitor": lambda s: s.get("/history/", who="visitor"),
    "a drawing's page": lambda s: s.get(f"/history/{s.known['drawing']}/"),
    "API: list of 100": lambda s: s.get("/api/v1/submissions/?page_size=100"),
    "API: list of 100, far back": lambda s: s.get(
        f"/api/v1/submissions/?page_size=100&before={s.known['api_before']}"
    ),
    "API: read as 7": lambda s: s.get("/api/v1/submissions/?digit=7"),
    "API: called wrong": lambda s: s.get("/api/v1/submissions/?feedback=wrong"),
    "review queue, next drawings": lambda s: s.claim(),
    "review, sheet to approve": lambda s: s.get(f"{ADMIN}review/approve/"),
    "dashboard of figures": lambda s: s.get("/admin/recognizer/modelversion/figures/"),
    "admin's list of drawings": lambda s: s.get(ADMIN),
    "admin's list, filtered": lambda s: s.get(f"{ADMIN}?refusal__exact=unsure"),
    "API: stats": lambda s: s.get("/api/v1/stats/", who="visitor"),
    "page of the model": lambda s: s.get("/model/", who="visitor"),
    "export, first bytes": lambda s: s.export(most=1)[0],
    "store a drawing": lambda s: s.store(),
}


@contextmanager
def site(folder: Path, size: dict[str, int]) -> Iterator[Site]:
    """Serve a history; make it first if there is none."""
    with serving(folder, DIGITSITE_THROTTLE="off") as server:
        asked = [f"--{name}={value}" for name, value in size.items()]
        subprocess.run(
            [sys.executable, "-m", "bench.history", *asked],
            cwd=paths.REPOSITORY,
            env={**os.environ, "DIGITSITE_VAR": str(folder), **dict(server.variables)},
            check=True,
        )
        member, visitor = requests.Session(), requests.Session()
        member.cookies.update(server.sign_in("bench", group="Administrators"))
        member.headers["X-CSRFToken"] = member.cookies["csrftoken"] or ""
        known = json.loads(server.manage("shell", "--no-imports", "-c", FIRST_LOOK))
        visitor.cookies["visitor"] = known["cookie"]
        yield Site(server, known, member, visitor)


def measure(small: Site, large: Site) -> dict[str, Any]:
    """Call both sites in turn; return medians in ms and their ratios."""
    times: dict[str, tuple[list[float], list[float]]] = {n: ([], []) for n in CALLS}
    for number in tqdm(range(WARM_UP + ROUNDS), unit=" round"):
        for name, call in CALLS.items():
            for one, found in zip((small, large), times[name], strict=True):
                took = call(one) * 1000
                if number >= WARM_UP:
                    found.append(took)
    calls = {}
    for name, (few, many) in times.items():
        small_ms, large_ms = statistics.median(few), statistics.median(many)
        calls[name] = {
            "small_ms": round(small_ms, 2),
            "large_ms": round(large_ms, 2),
            "large_p90_ms": round(statistics.quantiles(many, n=10)[-1], 2),
            "ratio": round(large_ms / small_ms, 2),
        }
    speeds = [
        statistics.median(one.export(most=EXPORTED_BYTES)[1] for _ in range(3))
        for one in (small, large)
    ]
    told = ("drawings", "of_the_largest", "page")
    return {
        "made": today(),
        "machine": machine(),
        "rounds": ROUNDS,
        "small": {name: small.known[name] for name in told},
        "large": {name: large.known[name] for name in told},
        "calls": calls,
        "export_mb_per_s": [round(speed, 1) for speed in speeds],
        "bytes": large.known["bytes"],
    }


def main() -> None:
    """Make both histories, measure, and save the figures."""
    parser = command_parser(__doc__)
    parser.add_argument("--submissions", type=int, default=10_000_000)
    given = parser.parse_args()
    size = {
        "submissions": given.submissions,
        "visitors": max(100, given.submissions // 100),
        "most": min(LARGEST_VISITOR, given.submissions),
    }
    is_postgresql = os.environ.get("DATABASE_URL", "").startswith("postgres")
    name = "growth-postgresql" if is_postgresql else "growth-sqlite"
    paths.data_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=paths.data_folder()) as scratch:
        folder = Path(scratch)
        with (
            site(folder / "small", SMALL) as small,
            site(folder / "large", size) as large,
        ):
            report.keep(name, measure(small, large))


if __name__ == "__main__":
    main()
