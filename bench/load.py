"""Put load on a server with wrk."""

import base64
import json
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from bench.samples import as_body, template_samples
from mlcore.reading.rasterise import DEFAULT_PEN_WIDTH_PX, Points, draw_on_canvas
from mlcore.reading.specimens import CANVAS_PX

DRAWINGS = 500
_SCRIPT = Path(__file__).with_name("post.lua")


class LoadError(RuntimeError):
    """wrk could not run, or the server did not answer as expected."""


@dataclass(frozen=True)
class Measured:
    """The result of one run of wrk."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    answers: int


def as_data_url(strokes: Sequence[Points]) -> str:
    """Return a drawing as a 280x280 canvas exports it: an RGBA PNG."""
    side = round(CANVAS_PX)
    ink = draw_on_canvas(
        strokes, width=side, height=side, pen_width=DEFAULT_PEN_WIDTH_PX
    )
    png = BytesIO()
    Image.fromarray(255 - ink).convert("RGBA").save(png, "PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


def write_bodies(folder: Path) -> dict[str, Path]:
    """Write the bodies of each kind of call, one per line; return files by kind."""
    drawn = [one.strokes for one in template_samples(DRAWINGS, seed=9)]
    strokes = [as_body(one) for one in drawn]
    bodies: dict[str, list[Any]] = {
        "strokes": strokes,
        "png": [{"image": as_data_url(one)} for one in drawn],
        "reading": [{"drawings": [one]} for one in strokes],
    }
    files = {}
    for kind, lines in bodies.items():
        files[kind] = folder / f"{kind}.jsonl"
        written = [json.dumps(line, separators=(",", ":")) for line in lines]
        files[kind].write_text("\n".join(written) + "\n")
    return files


def load(
    url: str, *, bodies: Path, connections: int, seconds: float, cookie: str = ""
) -> Measured:
    """Send bodies over many connections at once, for some seconds.

    Raises:
        LoadError: wrk is missing, could not call the address, or got no answer.
    """
    wrk = shutil.which("wrk")
    if wrk is None:
        raise LoadError("wrk is missing: install your system's package wrk.")
    done = subprocess.run(
        [
            *(wrk, "--threads=1", f"--connections={connections}"),
            *(f"--duration={seconds:g}s", "--timeout=30s", f"--script={_SCRIPT}"),
            *(url, "--", str(bodies), *([cookie] if cookie else [])),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LoadError(f"wrk stopped at {url}: {done.stderr or done.stdout}")
    found = json.loads(done.stdout.strip().splitlines()[-1])
    if not found["requests"]:
        raise LoadError(f"{url} answered nothing in {seconds:g} s.")
    return Measured(
        per_second=found["requests"] / found["seconds"],
        p50_ms=found["p50_ms"],
        p99_ms=found["p99_ms"],
        errors=found["errors"],
        answers=found["requests"],
    )
