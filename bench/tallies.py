"""Measure whether the tallies' rows limit how many drawings PostgreSQL stores.

    FSYNC=on tools/services.sh .venv/bin/python -m bench.tallies

pgbench stores copies of one drawing from several connections, as so many web processes
do: in transactions of one drawing each, and of four that reach a process together. In
turn, the transactions update the same tallies, one of 16 shards of them, or none.
Prints drawings per second, medians of the rounds.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg

from bench.machine import machine, today
from mlcore.commands import command_parser
from tools.server import data_alone

SHARDS = 16
CLIENTS = (2, 8, 32)
TOGETHER = (1, 4)  # drawings of a transaction
ONE_DRAWING = """
from django.core.management import call_command
from mlcore.reading.specimens import specimens
from recognizer.tests.learning import make_person, submit
call_command("prepare")
submit(make_person(), specimens()[0].strokes)
"""
# In order of time, as the site's ids are.
NEW_ID = (
    "(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')"
    " || substr(md5(random()::text), 1, 20))::uuid"
)


def write_scripts(database: str, folder: Path) -> dict[tuple[int, str], Path]:
    """Write pgbench's scripts, by drawings of a transaction and kind of tallies."""
    with psycopg.connect(database, autocommit=True) as rows:
        stored = [
            f"SELECT {NEW_ID} AS new \\gset",
            copy_of(rows, "recognizer_submission", id="':new'"),
            copy_of(rows, "recognizer_prediction", id=NEW_ID, submission_id="':new'"),
        ]
        found = rows.execute("SELECT name FROM recognizer_tally")
        names = [name.partition("~")[0] for (name,) in found]
    shard = f"\\set shard random(0, {SHARDS - 1})"
    add = (
        "INSERT INTO recognizer_tally (name, count) VALUES {} ON CONFLICT (name) DO "
        "UPDATE SET count = recognizer_tally.count + excluded.count;"
    )
    scripts = {}
    for count in TOGETHER:
        same = add.format(", ".join(f"('{name}', {count})" for name in sorted(names)))
        sharded = same.replace("',", "~' || :shard,")
        kinds = {
            "shared": [*stored * count, same],
            "shards": [shard, *stored * count, sharded],
            "none": stored * count,
        }
        for kind, statements in kinds.items():
            path = scripts[count, kind] = folder / f"{kind}-{count}.sql"
            path.write_text("\n".join(["BEGIN;", *statements, "COMMIT;", ""]))
    return scripts


def copy_of(rows: "psycopg.Connection[tuple[str]]", table: str, **new: str) -> str:
    """Return the statement that stores a table's first row again with new values."""
    found = rows.execute(
        "SELECT column_name FROM information_schema.columns WHERE table_name = %s",
        [table],
    )
    names = [name for (name,) in found]
    rows.execute(f"CREATE TABLE of_{table} AS SELECT * FROM {table} LIMIT 1")  # noqa: S608
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(new.get(name, f'"{name}"') for name in names)
    return f"INSERT INTO {table} ({columns}) SELECT {values} FROM of_{table};"  # noqa: S608


def per_second(database: str, script: Path, *, clients: int, seconds: int) -> float:
    """Store drawings from many connections; return how many a second."""
    pgbench = max(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))
    told = subprocess.run(
        [
            *(pgbench, "--no-vacuum", "--file", script, "--time", str(seconds)),
            *("--client", str(clients), database),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    ).stdout
    if "number of failed transactions: 0 " not in told:
        raise RuntimeError(told)
    return float(re.findall(r"tps = ([\d.]+) \(without", told)[0])


def main() -> None:
    """Measure in rounds and print the figures."""
    parser = command_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    given = parser.parse_args()
    if not os.environ.get("DATABASE_URL", "").startswith("postgres"):
        sys.exit("Needs PostgreSQL: run it by tools/services.sh.")
    with tempfile.TemporaryDirectory() as scratch, data_alone(Path(scratch)) as site:
        site.manage("shell", "--no-imports", "-c", ONE_DRAWING)
        database = dict(site.variables)["DATABASE_URL"]
        scripts = write_scripts(database, Path(scratch))
        print(today(), machine())
        for clients in CLIENTS:
            found: dict[tuple[int, str], list[float]] = {key: [] for key in scripts}
            for _ in range(given.rounds):
                for key, script in scripts.items():
                    rate = per_second(
                        database, script, clients=clients, seconds=given.seconds
                    )
                    found[key].append(rate * key[0])
            for count in TOGETHER:
                told = [
                    f"{kind} {statistics.median(found[count, kind]):.0f}"
                    for kind in ("shared", "shards", "none")
                ]
                print(
                    f"{clients} connections, {count} in a transaction: "
                    f"{', '.join(told)} drawings/s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
