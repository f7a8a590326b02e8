"""Measure the memory of a Parquet export, and read it back.

    python -m bench.parquet                       # 10,000 and 100,000 drawings, 15 min
    python -m bench.parquet --sizes 1000 10000

Each size is a site of its own (`bench.history`), whose drawings are nearly all one
visitor's. A process of its own exports them as the site does and says how much memory
it took at its peak; another reads the file back and compares each row with the NDJSON
export.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from mlcore.commands import command_parser

READ_AT_ONCE = 500


def export(path: Path) -> dict[str, Any]:
    """Write all drawings to a file; return seconds, bytes and the peak in MB."""
    from recognizer.api.export import as_parquet
    from recognizer.models import Submission, Visitor

    began = time.perf_counter()
    visitors = list(Visitor.objects.order_by("pk"))
    with path.open("wb") as file:
        drawings = Submission.objects.all()
        file.writelines(as_parquet(drawings, visitors, shows_numbers=True))
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "bytes": path.stat().st_size,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def compare(path: Path) -> dict[str, Any]:
    """Compare each row with the lines of the NDJSON export."""
    import pyarrow.parquet as pq

    from recognizer.api.export import as_ndjson
    from recognizer.models import Submission, Visitor
    from recognizer.reader import engine
    from recognizer.reader.pictures import drawing_png

    visitors = list(Visitor.objects.order_by("pk"))
    lines = as_ndjson(Submission.objects.all(), visitors, shows_numbers=True)
    rows = different = 0
    for batch in pq.ParquetFile(path).iter_batches(READ_AT_ONCE):
        for row in batch.to_pylist():
            line, rows = json.loads(next(lines)), rows + 1
            prediction, drawing = line["prediction"], line.get("drawing", {})
            same = (
                row["id"] == line["id"],
                row["strokes"] == drawing.get("strokes"),
                row["width"] == drawing.get("width"),
                row["prediction"] == prediction["digit"],
                row["confidence"] == prediction["confidence"],
                row["model"] == prediction["model"],
                # PNGs take the longest, so only some are drawn again.
                rows % 100
                or row["image"]["bytes"]
                == drawing_png(engine.drawing_of(Submission.objects.get(pk=row["id"]))),
            )
            different += not all(same)
    return {"rows": rows, "different": different + sum(1 for _ in lines)}


def measure(size: int, folder: Path) -> dict[str, Any]:
    """Make a site of this size, export it, and read the file back."""
    there = {**os.environ, "DIGITSITE_VAR": str(folder)}
    there.pop("DATABASE_URL", None)

    def run(*command: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", *command],
            env=there,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    sizes = ["--submissions", str(size), "--visitors", "2", "--most", str(size - 1)]
    run("bench.history", *sizes)
    path = str(folder / "all.parquet")
    told: dict[str, Any] = json.loads(run("bench.parquet", "--export", path))
    told |= json.loads(run("bench.parquet", "--compare", path))
    return told


def main() -> None:
    """Measure each size and print a line of it."""
    parser = command_parser(__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--export", type=Path, help="export this site to a file")
    parser.add_argument("--compare", type=Path, help="compare a file with this site")
    given = parser.parse_args()
    if path := given.export or given.compare:
        import django

        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "digitsite.settings")
        django.setup()
        print(json.dumps(export(path) if given.export else compare(path)))
        return
    peaks = []
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as folder:
            told = measure(size, Path(folder))
        peaks.append(told["peak_mb"])
        print(
            f"{told['rows']:,} drawings: {told['bytes'] / 1e6:.1f} MB in "
            f"{told['seconds']} s, peak {told['peak_mb']:.0f} MB, "
            f"{peaks[-1] / peaks[0]:.2f} times the first; "
            f"{told['different']} rows differ",
            flush=True,
        )


if __name__ == "__main__":
    main()
