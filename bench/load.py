"""What is sent to servers that are measured, and by whom: drawings, and wrk."""

import base64
import json
import shutil
import subprocess
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mlcore.reading.ink import Points, draw_on_canvas
from mlcore.reading.specimens import CANVAS_PX, jittered, specimens

DRAWINGS = 500
BATCH = 256
PEN_PX = 18
_SAMPLED_MS = 1000 / 60  # between two points, as browsers report them
_SCRIPT = Path(__file__).with_name("post.lua")


class LoadError(RuntimeError):
    """The load cannot be made, or was not answered as it should be."""


@dataclass(frozen=True)
class Measured:
    """What came of one run of wrk."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    seconds: float


def drawings() -> list[list[Points]]:
    """Return DRAWINGS digits: our templates, each time by another hand."""
    rng = np.random.default_rng(9)
    styles = specimens()
    return [jittered(styles[i % len(styles)], rng).strokes for i in range(DRAWINGS)]


def as_strokes(strokes: list[Points]) -> dict[str, Any]:
    """Return a drawing as the page sends it: [x, y, t], a tenth of a pixel, ms."""
    sent, t = [], 0.0
    for stroke in strokes:
        points = []
        for x, y in stroke.tolist():
            points.append([round(x, 1), round(y, 1), round(t)])
            t += _SAMPLED_MS
        sent.append(points)
        t += 150
    return {"strokes": sent, "width": CANVAS_PX, "height": CANVAS_PX, "pen_width": 18}


def as_data_url(strokes: list[Points]) -> str:
    """Return a drawing as a canvas of 280x280 exports it: an RGBA PNG."""
    side = round(CANVAS_PX)
    ink = draw_on_canvas(strokes, width=side, height=side, pen_width=PEN_PX)
    png = BytesIO()
    Image.fromarray(255 - ink).convert("RGBA").save(png, "PNG")
    return f"data:image/png;base64,{base64.b64encode(png.getvalue()).decode()}"


def write_bodies(folder: Path) -> dict[str, Path]:
    """Write what each kind of call sends, one body a line; return the files by kind."""
    drawn = drawings()
    strokes = [as_strokes(one) for one in drawn]
    batch = [strokes[i % DRAWINGS] for i in range(BATCH)]
    bodies: dict[str, list[Any]] = {
        "strokes": strokes,
        "png": [{"image": as_data_url(one)} for one in drawn],
        "reading": [{"drawings": [one]} for one in strokes],
        "batch": [{"drawings": batch}],
    }
    files = {}
    for kind, lines in bodies.items():
        files[kind] = folder / f"{kind}.jsonl"
        written = [json.dumps(line, separators=(",", ":")) for line in lines]
        files[kind].write_text("\n".join(written) + "\n")
    return files


def wrk() -> str:
    """Return the load generator's program."""
    found = shutil.which("wrk")
    if found is None:
        raise LoadError(
            "The load generator wrk is missing: install your system's package wrk."
        )
    return found


def load(
    url: str,
    *,
    bodies: Path | None,
    connections: int,
    seconds: float,
    cookie: str = "",
) -> Measured:
    """Call an address from so many connections at once, for some seconds.

    Raises:
        LoadError: wrk could not call it at all.
    """
    sent = [str(bodies), *([cookie] if cookie else [])] if bodies else []
    done = subprocess.run(
        [
            wrk(),
            "--threads=1",
            f"--connections={connections}",
            f"--duration={seconds:g}s",
            "--timeout=30s",
            f"--script={_SCRIPT}",
            url,
            "--",
            *sent,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LoadError(f"wrk stopped at {url}: {done.stderr or done.stdout}")
    figures = json.loads(done.stdout.strip().splitlines()[-1])
    return Measured(
        per_second=figures["requests"] / figures["seconds"],
        p50_ms=figures["p50_ms"],
        p99_ms=figures["p99_ms"],
        errors=figures["errors"],
        seconds=figures["seconds"],
    )
