"""Figures in docs/: a JSON file per measurement, and page parts generated from it.

python -m bench.report      # write all parts again
"""

import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlcore import paths
from mlcore.judging.markdown import render

FOLDER = paths.REPOSITORY / "docs" / "performance"
PAGE = FOLDER.with_suffix(".md")
TEMPLATES = Path(__file__).with_name("templates")
NAMES = {"digitsite": "Digitsite", "peer": "peer"}

Figures = Mapping[str, Any]


def keep(name: str, figures: Figures) -> None:
    """Save figures, and write their part of docs/performance.md."""
    (FOLDER / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    write_part(PAGE, name, part(name))


def part(name: str) -> str:
    """Return the part generated from a measurement's saved figures."""
    return PARTS[name](json.loads((FOLDER / f"{name}.json").read_text()))


def write_part(page: Path, name: str, text: str) -> None:
    """Replace the text between a part's markers."""
    before, begin, rest = page.read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->\n")
    if not (begin and end):
        raise ValueError(f"{page} has no marks for {name}.")
    page.write_text(f"{before}{begin}{text}{end}{after}")


def server_part(figures: Figures) -> str:
    """Compare the site with its peer, by medians over the rounds."""
    rounds = figures["rounds"]
    calls = {
        f"{name}: {call}": {
            connections: {
                what: statistics.median(
                    one[server]["calls"][call][connections][what] for one in rounds
                )
                for what in ("per_second", "p50_ms", "p99_ms", "cpu_ms", "errors")
            }
            for connections in found
        }
        for server, name in NAMES.items()
        for call, found in rounds[0][server]["calls"].items()
    }
    given = {**figures, "calls": calls, "bars": bars(figures)}
    return render(TEMPLATES / "server.md", **given)


def bars(figures: Figures) -> list[tuple[str, float, str, float, bool]]:
    """Return each target: its name, the figure, the limit, and whether it is met."""

    def median(of_round: Callable[[Figures], float]) -> float:
        return statistics.median(map(of_round, figures["rounds"]))

    def against_peer(call: str) -> float:
        def per_second(one: Figures, server: str) -> float:
            return float(one[server]["calls"][call]["8"]["per_second"])

        return median(
            lambda one: per_second(one, "digitsite") / per_second(one, "peer")
        )

    strokes, png = against_peer("strokes, stored"), against_peer("PNG, stored")
    start = median(lambda one: one["digitsite"]["first_answer_s"])
    memory = median(lambda one: one["digitsite"]["memory_mb"])
    on_8 = "stored, 8 connections: Digitsite / peer"
    return [
        (f"strokes {on_8}", strokes, "at least", 1.15, strokes >= 1.15),
        (f"PNG {on_8}", png, "at least", 1, png >= 1),
        ("seconds from start to first stored drawing", start, "at most", 1, start <= 1),
        ("MB of two workers after load", memory, "at most", 260, memory <= 260),
    ]


def overload_part(figures: Figures) -> str:
    """Report the results of an overload."""
    return render(TEMPLATES / "overload.md", **figures)


def growth_part(figures: Figures) -> str:
    """Compare the pages of a large and a small site."""
    return render(TEMPLATES / "growth.md", **figures)


PARTS: dict[str, Callable[[Figures], str]] = {
    "server": server_part,
    "overload": overload_part,
    "growth-sqlite": growth_part,
    "growth-postgresql": growth_part,
}


if __name__ == "__main__":
    for name in PARTS:
        write_part(PAGE, name, part(name))
