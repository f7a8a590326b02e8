"""Measure whether pages stay as quick with ten million drawings as with ten thousand.

make bench-growth                             # SQLite, 10 million: half an hour, 12 GB
make bench-growth ARGS="--postgresql --submissions 1000000"

Two sites with made-up histories (`manage.py seed_history`) run beside each other and
answer in turn, so what else the machine does meets both. The figures go to docs/growth/
and docs/growth.md is written from them.
"""

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psycopg
from recognizer.ml.samples import samples
from recognizer.tests.services import postgres
from tqdm import tqdm

from mlcore import places
from mlcore.specimens import specimens
from tools.server import Server, serving

PAGE = places.REPOSITORY / "docs" / "growth.md"
FIGURES = places.REPOSITORY / "docs" / "growth"
SMALL = {"submissions": 10_000, "visitors": 100, "most": 9_600}
LARGEST_VISITOR = 200_000
ROUNDS = 15
BOUND = 1.5
EXPORTED_BYTES = 4_000_000  # after which an export has shown how quick it is
EXPORT = "/api/v1/submissions/export/"
ADMIN = "/admin/recognizer/submission/"

FIRST_LOOK = """
import json
from django.contrib.auth.models import User
from django.core import signing
from django.conf import settings
from recognizer.models import Submission, Visitor
first, *others = Visitor.objects.order_by("pk")[:4]
person = User.objects.get(username="bench")
Visitor.objects.filter(pk__in=[first.pk, *[one.pk for one in others[:2]]]).update(
    user=person)
own = Submission.objects.filter(visitor=first).order_by("-pk")
keys = own.values_list("pk", flat=True)
page = min(1000, own.count() // 24)
print(json.dumps({
    "cookie": signing.Signer(salt="recognizer.visitor").sign(str(others[2].pk)),
    "page": page,
    "before": str(keys[24 * (page - 1) - 1]),
    "api_before": str(keys[100 * (page // 10) - 1]),
    "drawing": str(keys[0]),
    "drawings": Submission.objects.count(),
    "of_the_largest": own.count(),
}))
"""

SIZES = """
import json
from django.db import connection
TABLES = ["submission", "prediction", "feedback", "label"]
with connection.cursor() as cursor:
    cursor.execute("VACUUM" if connection.vendor == "sqlite" else "VACUUM FULL")
    found = {}
    for table in TABLES:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT sum(pgsize) FROM dbstat WHERE name IN "
                "(SELECT name FROM sqlite_master WHERE tbl_name = %s)",
                [f"recognizer_{table}"])
        else:
            cursor.execute("SELECT pg_total_relation_size(%s)", [f"recognizer_{table}"])
        found[table] = cursor.fetchone()[0]
    cursor.execute("SELECT count(*) FROM recognizer_submission")
    count = cursor.fetchone()[0]
print(json.dumps({name: round(size / count) for name, size in found.items()}))
"""
BEFORE_PACKING = ("recognizer", "0006_tally_by_model")


class Browser:
    """Whoever looks at a site, with their cookies."""

    def __init__(self, url: str, cookies: dict[str, str]) -> None:
        address = urlsplit(url)
        self._connection = http.client.HTTPConnection(address.netloc, timeout=600)
        self._headers = {
            "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
            "Accept": "*/*",
        }
        self._csrf = cookies.get("csrftoken", "")

    def ask(self, path: str) -> float:
        """Get a page; return the seconds until its last byte."""
        return self._timed("GET", path, None, {})

    def send(self, path: str, form: dict[str, str]) -> float:
        """Send a form; return the seconds until the answer's last byte."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._timed("POST", path, urlencode(form), kind)

    def send_json(self, path: str, body: Any) -> float:
        """Send JSON; return the seconds until the answer's last byte."""
        kind = {"Content-Type": "application/json"}
        return self._timed("POST", path, json.dumps(body), kind)

    def begin(self, path: str, *, most: int) -> tuple[float, float]:
        """Get the start of a long answer.

        Returns:
            Seconds to its first byte, and MB/s from there until `most` bytes.
        """
        self._connect()
        began = time.perf_counter()
        self._connection.request("GET", path, headers=self._headers)
        answer = self._connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise RuntimeError(f"GET {path}: {answer.status}")
        answer.read(1)
        first = time.perf_counter()
        read = 0
        while read < most and (piece := answer.read(1 << 16)):
            read += len(piece)
        took = time.perf_counter() - first
        self._connection.close()
        return first - began, read / took / 1e6

    def _connect(self) -> None:
        """Connect before the clock runs: a connection that idles is closed."""
        self._connection.close()
        self._connection.connect()

    def _timed(
        self, method: str, path: str, body: str | None, kind: dict[str, str]
    ) -> float:
        headers = {**self._headers, **kind, "X-CSRFToken": self._csrf}
        self._connect()
        began = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        took = time.perf_counter() - began
        if answer.status not in (200, 201):
            raise RuntimeError(f"{method} {path}: {answer.status} {content[:300]!r}")
        return took


@dataclass(frozen=True)
class Site:
    """A running site with its history, and who looks at it.

    member: of staff, with three browsers, one of which has drawn most of all.
    somebody: an ordinary visitor.
    """

    server: Server
    known: dict[str, Any]
    member: Browser
    somebody: Browser


@contextmanager
def site(folder: Path, size: dict[str, int], database: str) -> Iterator[Site]:
    """Serve a history; make it first where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    variables = {"DATABASE_URL": database, "DIGITSITE_THROTTLE": "off"}
    with serving(folder, **variables) as server:
        if manage(server, COUNT) == "0":
            asked = [f"--{name}={value}" for name, value in size.items()]
            subprocess.run(
                [sys.executable, "manage.py", "seed_history", "--yes", *asked],
                cwd=places.REPOSITORY,
                env={**os.environ, "DIGITSITE_VAR": str(folder), **variables},
                check=True,
            )
        session = server.sign_in("bench", group="Administrators")
        known = json.loads(manage(server, FIRST_LOOK))
        yield Site(
            server,
            known,
            member=Browser(server.url, session),
            somebody=Browser(server.url, {"visitor": known["cookie"]}),
        )


COUNT = "from recognizer.models import Submission as s; print(int(s.objects.exists()))"


def manage(server: Server, code: str) -> str:
    """Run Python on a site's data; return what it prints."""
    return server.manage("shell", "--no-imports", "-c", code)


DRAWING = {
    "strokes": [stroke.tolist() for stroke in specimens()[0].strokes],
    "width": 280,
    "height": 280,
}

CALLS: dict[str, Callable[[Site], float]] = {
    "history, first page": lambda s: s.member.ask("/history/"),
    "history, 1,000th page": lambda s: s.member.ask(
        f"/history/?before={s.known['before']}"
    ),
    "history, refused and unanswered": lambda s: s.member.ask(
        "/history/?refused=true&feedback=none"
    ),
    "history of an ordinary visitor": lambda s: s.somebody.ask("/history/"),
    "a drawing's page": lambda s: s.member.ask(f"/history/{s.known['drawing']}/"),
    "API: list of 100": lambda s: s.member.ask("/api/v1/submissions/?page_size=100"),
    "API: list of 100, far back": lambda s: s.member.ask(
        f"/api/v1/submissions/?page_size=100&before={s.known['api_before']}"
    ),
    "API: read as 7": lambda s: s.member.ask("/api/v1/submissions/?digit=7"),
    "API: called wrong": lambda s: s.member.ask("/api/v1/submissions/?feedback=wrong"),
    "review queue, next drawings": lambda s: s.member.send(f"{ADMIN}review/claim/", {}),
    "review, sheet to approve": lambda s: s.member.ask(f"{ADMIN}review/approve/"),
    "dashboard of figures": lambda s: s.member.ask(
        "/admin/recognizer/modelversion/figures/"
    ),
    "admin's list of drawings": lambda s: s.member.ask(ADMIN),
    "admin's list, filtered": lambda s: s.member.ask(f"{ADMIN}?refusal__exact=unsure"),
    "API: stats": lambda s: s.somebody.ask("/api/v1/stats/"),
    "page of the model": lambda s: s.somebody.ask("/model/"),
    "export, first bytes": lambda s: s.member.begin(EXPORT, most=1)[0],
    "store a drawing": lambda s: s.somebody.send_json("/api/v1/submissions/", DRAWING),
}
BOUND_TO = (
    "history, first page",
    "history, 1,000th page",
    "review queue, next drawings",
    "dashboard of figures",
)


def measure(small: Site, large: Site) -> dict[str, Any]:
    """Ask both sites in turn; return medians in ms and their ratios."""
    times: dict[str, tuple[list[float], list[float]]] = {n: ([], []) for n in CALLS}
    for round_ in tqdm(range(ROUNDS + 2), unit=" round", file=sys.stderr):
        for name, call in CALLS.items():
            for one, found in zip((small, large), times[name], strict=True):
                took = call(one) * 1000
                if round_ >= 2:  # the first ones fill caches
                    found.append(took)
    calls = {}
    for name, (few, many) in times.items():
        medians = statistics.median(few), statistics.median(many)
        calls[name] = {
            "small_ms": round(medians[0], 2),
            "large_ms": round(medians[1], 2),
            "large_p90_ms": round(statistics.quantiles(many, n=10)[-1], 2),
            "ratio": round(medians[1] / medians[0], 2),
        }
    speeds = [
        statistics.median(
            s.member.begin(EXPORT, most=EXPORTED_BYTES)[1] for _ in range(3)
        )
        for s in (small, large)
    ]
    return {
        "rounds": ROUNDS,
        "small": {k: small.known[k] for k in ("drawings", "of_the_largest", "page")},
        "large": {k: large.known[k] for k in ("drawings", "of_the_largest", "page")},
        "calls": calls,
        "export_mb_per_s": [round(speed, 1) for speed in speeds],
    }


def packing() -> dict[str, dict[str, float]]:
    """Return what strokes take as JSON and packed: mean bytes, medians in us."""
    drawn = [sample.drawing.strokes for sample in samples(500)]
    ways: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
        "JSON": (lambda strokes: json.dumps(strokes).encode(), json.loads),
        "packed": (compact.pack_strokes, compact.unpack_strokes),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    sizes = {}
    for _ in range(ROUNDS):
        for name, (write, read) in ways.items():
            began = time.perf_counter()
            written = [write(strokes) for strokes in drawn]
            between = time.perf_counter()
            for content in written:
                read(content)
            ended = time.perf_counter()
            found[name].append((between - began, ended - between))
            sizes[name] = statistics.mean(map(len, written))
    return {
        name: {
            "bytes": round(sizes[name]),
            "write_us": round(statistics.median(w for w, _ in took) / 500 * 1e6),
            "read_us": round(statistics.median(r for _, r in took) / 500 * 1e6),
        }
        for name, took in found.items()
    }


def page(vendors: dict[str, dict[str, Any]]) -> str:
    """Write figures as a page."""
    parts = [PAGE_HEAD]
    for name, found in vendors.items():
        few, many = found["small"], found["large"]
        parts += [
            f"## {name}: {many['drawings']:,} drawings against {few['drawings']:,}\n",
            f"Medians of {found['rounds']} rounds in turn, in ms, of whole answers "
            f"over loopback; who looks owns three browsers, one with "
            f"{many['of_the_largest']:,} drawings ({few['of_the_largest']:,} in the "
            f"small history, whose last whole page, number {few['page']}, stands for "
            f"the 1,000th). {found['machine']}.\n",
            "| call | small | large | large, p90 | ratio |\n"
            "| --- | --- | --- | --- | --- |",
            *(
                f"| {'**' + call + '**' if call in BOUND_TO else call} "
                f"| {took['small_ms']:.1f} | {took['large_ms']:.1f} "
                f"| {took['large_p90_ms']:.1f} | {took['ratio']:.2f} |"
                for call, took in found["calls"].items()
            ),
            "",
            _verdict(found["calls"]),
            "",
            f"The export runs at {found['export_mb_per_s'][0]} MB/s from the small "
            f"history and at {found['export_mb_per_s'][1]} from the large one.\n",
            _sizes(name, found["bytes"]),
        ]
    parts += [PAGE_PACKING, "| strokes as | bytes | write, us | read, us |"]
    parts += ["| --- | --- | --- | --- |"]
    packed = next(iter(vendors.values()))["packing"]
    parts += [
        f"| {name} | {took['bytes']} | {took['write_us']} | {took['read_us']} |"
        for name, took in packed.items()
    ]
    return "\n".join([*parts, ""])


def _verdict(calls: dict[str, Any]) -> str:
    over = [call for call in BOUND_TO if calls[call]["ratio"] > BOUND]
    if over:
        return f"Over {BOUND} times the small history's: {', '.join(over)}."
    return f"The bold ones are bound to {BOUND} times the small history's, and hold it."


def _sizes(vendor: str, sizes: dict[str, dict[str, int]]) -> str:
    before, after = sizes["json"], sizes["packed"]
    rows = [
        f"| {table} | {before[table]:,} | {after[table]:,} |" for table in before
    ] + [f"| **all** | {sum(before.values()):,} | {sum(after.values()):,} |"]
    return "\n".join(
        [
            f"Bytes of each stored drawing in {vendor}, indexes included, with strokes "
            "and probabilities as JSON and as they are packed now:\n",
            "| table | as JSON | packed |",
            "| --- | --- | --- |",
            *rows,
            "",
        ]
    )


PAGE_HEAD = """# Growth

What grows with the drawings is the disk, and nothing else: lists go by key and never
count, the site's numbers are kept as things happen, queues have their index, exports
are streams. `make test` holds every page to that by its queries' plans
(`recognizer/tests/test_growth.py`); here is what `make bench-growth` measured on
made-up histories (`manage.py seed_history`). Absolute times are this machine's, which
did other work beside; ratios are what counts. This page is written by that command.
"""


PAGE_PACKING = """## Strokes

Whole numbers of the last decimal, each as its distance from where the two points before
it point to, in base 128 (`recognizer/compact.py`). Nothing is lost, so a stored drawing
reads as the shown one did; numbers with more than three decimals stay JSON, compressed.
Means over 500 drawings of people as the page sends them, with times:
"""


def machine() -> str:
    """Say where it was measured."""
    return f"{os.cpu_count()} cores, {time.strftime('%Y-%m-%d')}"


def figures() -> dict[str, dict[str, Any]]:
    """Return what was measured, by database."""
    return {
        name: json.loads((FIGURES / f"{name.lower()}.json").read_text())
        for name in ("SQLite", "PostgreSQL")
        if (FIGURES / f"{name.lower()}.json").exists()
    }


def written_page() -> str:
    """Write docs/growth.md from what was measured."""
    return page(figures())


def main() -> None:
    """Make both histories, measure, write the figures and the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--submissions", type=int, default=10_000_000)
    parser.add_argument("--postgresql", action="store_true", help="not SQLite")
    parser.add_argument("--folder", type=Path, help="keep the histories here")
    chosen = parser.parse_args()
    places.data_folder().mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:

        def scratch() -> Path:
            at = tempfile.TemporaryDirectory(dir=places.data_folder())
            return Path(stack.enter_context(at))

        folder = chosen.folder or scratch()
        urls = ["", ""]
        if chosen.postgresql:
            base = stack.enter_context(postgres(scratch()))
            urls = [base, stack.enter_context(another_database(base))]
        large_size = {
            "submissions": chosen.submissions,
            "visitors": max(100, chosen.submissions // 100),
            "most": min(LARGEST_VISITOR, chosen.submissions),
        }
        with (
            site(folder / "small", SMALL, urls[0]) as small,
            site(folder / "large", large_size, urls[1]) as large,
        ):
            found = measure(small, large)
        # Nobody is served any more: tables can be packed as tightly as they go.
        found["bytes"] = {"packed": json.loads(manage(small.server, SIZES))}
        small.server.manage("migrate", *BEFORE_PACKING, "--verbosity=0")
        found["bytes"]["json"] = json.loads(manage(small.server, SIZES))
        small.server.manage("migrate", "--verbosity=0")
    found["machine"] = machine()
    found["packing"] = packing()
    FIGURES.mkdir(exist_ok=True)
    name = "postgresql" if chosen.postgresql else "sqlite"
    (FIGURES / f"{name}.json").write_text(json.dumps(found, indent=1) + "\n")
    PAGE.write_text(written_page())


@contextmanager
def another_database(url: str) -> Iterator[str]:
    """Make a second database on a server."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE large")
    yield f"{url.rpartition('/')[0]}/large"


if __name__ == "__main__":
    main()
