"""Figures in docs/: each measurement is a JSON file, and a part of a page made from it.

python -m bench.report      # write all parts again
"""

import json
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlcore import paths

FOLDER = paths.REPOSITORY / "docs" / "performance"
PAGE = FOLDER.with_suffix(".md")
NAMES = {"digitsite": "Digitsite", "peer": "peer"}

Figures = Mapping[str, Any]


def keep(name: str, figures: Figures) -> None:
    """Keep figures, and write their part of docs/performance.md."""
    (FOLDER / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    write_part(PAGE, name, part(name))


def part(name: str) -> str:
    """Return the part that the kept figures of a measurement give."""
    return PARTS[name](json.loads((FOLDER / f"{name}.json").read_text()))


def write_part(page: Path, name: str, text: str) -> None:
    """Replace what stands between a part's marks."""
    before, begin, rest = page.read_text().partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- end of {name} -->\n")
    if not (begin and end):
        raise ValueError(f"{page} has no marks for {name}.")
    page.write_text(f"{before}{begin}{text}{end}{after}")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def measured(figures: Figures) -> str:
    """Say when and on what figures were measured."""
    on = figures["machine"]
    return f"{figures['made']}, {on['cores']} cores of {on['cpu']}"


# --- server ---------------------------------------------------------------------------


def server_part(figures: Figures) -> str:
    """Write how the site does beside its peer."""
    rounds = figures["rounds"]
    rows = []
    for server, name in NAMES.items():
        for call, found in rounds[0][server]["calls"].items():
            at = {
                connections: {
                    what: statistics.median(
                        one[server]["calls"][call][connections][what] for one in rounds
                    )
                    for what in ("per_second", "p50_ms", "p99_ms", "cpu_ms", "errors")
                }
                for connections in found
            }
            rows.append(
                [
                    f"{name}: {call}",
                    *(f"{one['per_second']:,.0f}" for one in at.values()),
                    f"{at['1']['p50_ms']:.1f}",
                    f"{at['64']['p50_ms']:.0f}",
                    f"{at['64']['p99_ms']:.0f}",
                    f"{at['8']['cpu_ms']:.2f}",
                    f"{sum(one['errors'] for one in at.values()):.0f}",
                ]
            )
    versions = ", ".join(f"{name} {v}" for name, v in figures["versions"].items())
    return (
        f"{measured(figures)}; {versions}. Medians of "
        f"{len(rounds)} rounds, {figures['seconds']} s of wrk for each figure. Load "
        f"average of the machine before: {figures['load_before']}.\n\n"
        + table(
            [
                *("requests/s from", "1", "8", "64 connections"),
                *("p50 ms, 1", "p50 ms, 64", "p99 ms, 64", "CPU ms, 8", "errors"),
            ],
            rows,
        )
        + table(
            ["", "measured", "bar", "met"],
            [
                [what, f"{value:.2f}", f"{word} {bar:g}", "yes" if met else "**no**"]
                for what, value, word, bar, met in bars(figures)
            ],
        )
    )


def bars(figures: Figures) -> list[tuple[str, float, str, float, bool]]:
    """Return what is compared: its name, the figure, the bar, and whether it is met."""

    def of_rounds(pick: Callable[[Figures], float]) -> float:
        return statistics.median(map(pick, figures["rounds"]))

    def against_peer(call: str) -> float:
        def pick(one: Figures) -> float:
            ours, theirs = (
                float(one[server]["calls"][call]["8"]["per_second"]) for server in NAMES
            )
            return ours / theirs

        return of_rounds(pick)

    found = [
        ("strokes stored, 8 connections: Digitsite / peer", "strokes, stored", 1.15),
        ("PNG stored, 8 connections: Digitsite / peer", "PNG, stored", 1.0),
    ]
    start = of_rounds(lambda one: one["digitsite"]["first_answer_s"])
    memory = of_rounds(lambda one: one["digitsite"]["memory_mb"])
    return [
        *(
            (name, value, "at least", bar, value >= bar)
            for name, call, bar in found
            for value in [against_peer(call)]
        ),
        ("seconds from start to first stored drawing", start, "at most", 1, start <= 1),
        ("MB of two workers after load", memory, "at most", 260, memory <= 260),
    ]


# --- overload -------------------------------------------------------------------------


def overload_part(figures: Figures) -> str:
    """Write what became of twice the capacity."""
    accepted, refused = figures["accepted_s"], figures["turned_away_s"]
    memory = figures["memory_mb"]
    answers = " and ".join(
        f"{count:,} times {status}"
        for status, count in sorted(figures["answers"].items())
    )
    livez = f", `/livez` {figures['livez_s']:.2f} s" if "livez_s" in figures else ""
    return (
        f"{measured(figures)}: {figures['rate']:,} drawings a second "
        f"for {figures['minutes']} minutes, where {figures['capacity']:,} could be "
        f"stored. Answers: {answers}. 99 % of the accepted waited at most "
        f"{accepted[1]:.2f} s, of the refused {refused[1]:.2f} s{livez}. Memory: "
        f"{memory[0]} MB after the first minute, {memory[-1]} MB after the last. "
        f"Faults: {'; '.join(figures['faults']) or 'none'}.\n"
    )


# --- growth ---------------------------------------------------------------------------


def growth_part(figures: Figures) -> str:
    """Write how pages do with many drawings."""
    few, many = figures["small"], figures["large"]
    sizes = ", ".join(f"{name} {size:,}" for name, size in figures["bytes"].items())
    speeds = figures["export_mb_per_s"]
    return (
        f"{measured(figures)}: {many['drawings']:,} drawings against "
        f"{few['drawings']:,}, medians of {figures['rounds']} rounds. The member of "
        f"staff owns {many['of_the_largest']:,} and {few['of_the_largest']:,} of them. "
        f"Exports run at {speeds[1]} and {speeds[0]} MB/s. Bytes of a stored drawing "
        f"with its indexes: {sizes}.\n\n"
        + table(
            ["call", "small, ms", "large, ms", "large p90, ms", "ratio"],
            [
                [
                    call,
                    f"{found['small_ms']:.1f}",
                    f"{found['large_ms']:.1f}",
                    f"{found['large_p90_ms']:.1f}",
                    f"{found['ratio']:.2f}",
                ]
                for call, found in figures["calls"].items()
            ],
        )
    )


PARTS: dict[str, Callable[[Figures], str]] = {
    "server": server_part,
    "overload": overload_part,
    "growth-sqlite": growth_part,
    "growth-postgresql": growth_part,
}


if __name__ == "__main__":
    for name in PARTS:
        write_part(PAGE, name, part(name))
