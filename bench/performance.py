"""docs/performance.md from measured figures: no number of it is typed by hand.

The figures lie beside it, in docs/performance/; a test compares them.
"""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from bench.load import BATCH
from mlcore import paths

FOLDER = paths.REPOSITORY / "docs" / "performance"
FIGURES = FOLDER / "server.json"
PIECES = FOLDER / "pieces.json"
PAGE = paths.REPOSITORY / "docs" / "performance.md"

Figures = Mapping[str, Any]
"""What one run of `bench.server` measured: what server.json holds."""

NAMES = {
    ("digitsite", "strokes, stored"): "Digitsite: strokes, stored",
    ("digitsite", "PNG, stored"): "Digitsite: PNG data URL, stored",
    ("digitsite", "strokes, read"): "Digitsite: strokes, read only",
    ("fastapi", "png"): "FastAPI + ONNX Runtime: PNG, nothing stored",
    ("flask", "png"): "Flask + `keras.predict`: PNG, nothing stored",
    ("limits", "one INSERT"): "limit: DRF, one INSERT, no work",
    ("limits", "constant"): "limit: DRF, constant JSON, no work",
}
SERVERS = {
    "digitsite": "Digitsite",
    "fastapi": "FastAPI + ONNX Runtime",
    "flask": "Flask + `keras.predict`",
    "limits": "limit: DRF",
    "django": "limit: bare Django",
}


def of_call(server: str, call: str, connections: int, what: str) -> "Pick":
    """Pick a figure of one round's calls."""
    return lambda round_: float(round_[server]["calls"][call][str(connections)][what])


def of_server(server: str, what: str) -> "Pick":
    """Pick a figure of one round's server."""
    return lambda round_: float(round_[server][what])


Pick = Callable[[Mapping[str, Any]], float]


def median(figures: Figures, pick: Pick) -> float:
    """Return the median over the rounds."""
    return statistics.median(map(pick, figures["rounds"]))


def ratio(figures: Figures, one: Pick, other: Pick) -> float:
    """Return the median of the ratios within each round: drift falls out."""
    return statistics.median(one(r) / other(r) for r in figures["rounds"])


# --- what is held -----------------------------------------------------------------


def bars(figures: Figures) -> list[tuple[str, float, str, bool]]:
    """Return what was promised: what, the measured ratio, the bar, whether it holds."""
    stored = ("digitsite", "strokes, stored")
    at_least: list[tuple[str, tuple[str, str], tuple[str, str], float]] = [
        ("strokes stored / FastAPI storing nothing", stored, ("fastapi", "png"), 1),
        ("strokes stored / Flask storing nothing", stored, ("flask", "png"), 50),
        ("strokes stored / one INSERT", stored, ("limits", "one INSERT"), 0.6),
        (
            "PNG stored / FastAPI storing nothing",
            ("digitsite", "PNG, stored"),
            ("fastapi", "png"),
            0.8,
        ),
        (
            "strokes read / FastAPI",
            ("digitsite", "strokes, read"),
            ("fastapi", "png"),
            1.5,
        ),
    ]
    found = []
    for what, ours, theirs, bar in at_least:
        value = ratio(
            figures,
            of_call(*ours, 8, "per_second"),
            of_call(*theirs, 8, "per_second"),
        )
        found.append((f"requests/s: {what}", value, f"at least {bar:g}", value >= bar))
    batch = BATCH * ratio(
        figures,
        of_call("digitsite", f"{BATCH} strokes, read", 8, "per_second"),
        of_call("digitsite", "strokes, read", 8, "per_second"),
    )
    found.append(
        (f"drawings/s: {BATCH} a call / one a call", batch, "at least 3", batch >= 3)
    )
    at_most: list[tuple[str, Pick, Pick | None, float]] = [
        (
            "p50 at 1 connection: strokes stored / one INSERT",
            of_call(*stored, 1, "p50_ms"),
            of_call("limits", "one INSERT", 1, "p50_ms"),
            1.6,
        ),
        (
            "strokes stored at 64 connections: p99 / p50",
            of_call(*stored, 64, "p99_ms"),
            of_call(*stored, 64, "p50_ms"),
            4,
        ),
        (
            "start to first answer: Digitsite / bare Django",
            of_server("digitsite", "first_answer_s"),
            of_server("django", "first_answer_s"),
            1.5,
        ),
        ("MB of two workers after load", of_server("digitsite", "pss_mb"), None, 230),
    ]
    for what, one, other, bar in at_most:
        value = ratio(figures, one, other) if other else median(figures, one)
        found.append((what, value, f"at most {bar:g}", value <= bar))
    return found


# --- tables -----------------------------------------------------------------------


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown, figures to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def calls_table(figures: Figures) -> str:
    """Write what the servers answered."""
    first = figures["rounds"][0]
    peer = of_call("fastapi", "png", 8, "per_second")
    rows = []
    for (server, call), name in NAMES.items():
        if server not in first:
            continue
        cell = partial(_cell, figures, server, call)
        has_peer = "fastapi" in first and "8" in first[server]["calls"][call]
        rate = of_call(server, call, 8, "per_second")
        errors = sum(
            run["errors"]
            for round_ in figures["rounds"]
            for run in round_[server]["calls"][call].values()
        )
        rows.append(
            [
                name,
                *(
                    cell(connections, "per_second", ",.0f")
                    for connections in (1, 8, 64)
                ),
                f"{ratio(figures, rate, peer):.2f}" if has_peer else "",
                cell(1, "p50_ms"),
                cell(64, "p50_ms"),
                cell(64, "p99_ms"),
                cell(8, "cpu_ms"),
                str(errors),
            ]
        )
    head = ["requests/s from", "1", "8", "64", "/ FastAPI, 8", "p50 ms, 1"]
    return table([*head, "p50 ms, 64", "p99 ms, 64", "CPU ms, 8", "errors"], rows)


def _cell(
    figures: Figures, server: str, call: str, at: int, what: str, form: str = ".2f"
) -> str:
    """Write a median; nothing where so many connections were not tried."""
    if str(at) not in figures["rounds"][0][server]["calls"][call]:
        return ""
    return format(median(figures, of_call(server, call, at, what)), form)


def servers_table(figures: Figures) -> str:
    """Write what the servers take to start and to stay."""
    rows = [
        [
            name,
            f"{median(figures, of_server(server, 'first_answer_s')):.2f} s",
            f"{median(figures, of_server(server, 'pss_mb')):.0f} MB",
        ]
        for server, name in SERVERS.items()
        if server in figures["rounds"][0]
    ]
    return table(["", "start to first answer", "memory after load"], rows)


def bars_table(figures: Figures) -> str:
    """Write what was promised and what came of it."""
    rows = [
        [what, f"{value:.2f}", bar, "yes" if holds else "**no**"]
        for what, value, bar, holds in bars(figures)
    ]
    return table(["ratio", "measured", "bar", "held"], rows)


def pieces_table(pieces: Mapping[str, float]) -> str:
    """Write where the processor time of a call goes."""
    return table(
        ["piece", "microseconds"],
        [[name, f"{microseconds:,.0f}"] for name, microseconds in pieces.items()],
    )


def tables(figures: Figures) -> str:
    """Write the tables of a run, of all servers or of some."""
    whole = set(SERVERS) <= set(figures["rounds"][0])
    return (
        calls_table(figures)
        + servers_table(figures)
        + (bars_table(figures) if whole else "")
    )


# --- the page ---------------------------------------------------------------------


def page(figures: Figures, pieces: Mapping[str, float]) -> str:
    """Write docs/performance.md."""
    machine, sizes = figures["machine"], figures["body_bytes"]
    versions = ", ".join(f"{name} {v}" for name, v in figures["versions"].items())
    return (
        "# Performance\n\n"
        "Generated by `make bench` from its figures "
        "([servers](performance/server.json), [pieces](performance/pieces.json)); a "
        "test compares them.\n\n"
        f"Measured {figures['finished'][:10]} on {machine['cores']} cores of "
        f"{machine['cpu']}, {machine['memory_gb']} GB, {machine['system']}, Python "
        f"{machine['python']}; {versions}.\n\n"
        f"{len(figures['rounds'])} rounds, in each of which every server was started, "
        f"called and stopped in turn; medians of the rounds, ratios the medians of the "
        f"ratios within a round. Each figure is of {figures['seconds']} s of `wrk` "
        "with one thread over loopback, from 1, 8 or 64 connections, after as long of "
        f"warming up; it rotates through {figures['drawings']} drawings of our "
        f"templates ({sizes['strokes']:,} bytes as strokes, {sizes['png']:,} as the "
        "data URL of a 280x280 PNG). **wrk takes its share of the same cores from "
        "whatever it calls**, and other work on the machine does: trust ratios, not "
        "figures. "
        "CPU ms is the processor time of the server's own processes for one request. "
        "Memory is the PSS of all processes of a server.\n\n"
        "All servers have two worker processes. Digitsite serves as `make run` does, "
        "with SQLite (WAL, `synchronous=FULL`: what is acknowledged is on the disk), "
        "throttle on, one visitor's cookie. The peers read by the shipped network, "
        "as float32 in ONNX and in Keras, and frame no digit: their speed is theirs, "
        "their accuracy is not compared. The limits are DRF and Django without "
        "middleware, "
        "signing in, or any work, under the same server and database settings.\n\n"
        "## Calls\n\n"
        + calls_table(figures)
        + "## Start and memory\n\n"
        + servers_table(figures)
        + "## What was promised\n\n"
        "At 8 connections where nothing else is said.\n\n"
        + bars_table(figures)
        + "## Where the time goes\n\n"
        "Processor time in one process, without a server, for one drawing; medians of "
        "five passes. What a whole call takes beyond its pieces is Django's, DRF's and "
        "the middleware's, and of a stored one the INSERTs'. Waiting for the disk is "
        "not in it.\n\n" + pieces_table(pieces)
    )


def load_figures() -> Figures:
    """Read the figures that are kept."""
    figures: Figures = json.loads(FIGURES.read_text())
    return figures


def load_pieces() -> dict[str, float]:
    """Read the pieces that are kept."""
    pieces: dict[str, float] = json.loads(PIECES.read_text())
    return pieces


def write_page() -> None:
    """Write the page from figures that are there."""
    PAGE.write_text(page(load_figures(), load_pieces()))


def keep(figures: Figures) -> None:
    """Keep figures, and write the page from them."""
    FOLDER.mkdir(exist_ok=True)
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    write_page()
