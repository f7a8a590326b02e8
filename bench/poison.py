"""Does the gate stop a candidate that was trained on poisoned labels?

    PEN_DIR=... BUNDLE=... python -m bench.poison

Unreviewed labels never train; `test_snapshots.py` tests that. Here a reviewer has
confirmed the poisoned labels. The writers are those of `simulate`. A quarter of them is
held out, with labels poisoned in the same way. Writers have corrected misread drawings.
For each kind of poison, the site's two commands train and judge a candidate, which is
then evaluated on clean data. If writers and reviewer give the same false labels, the
gate's check of the snapshot's labels does not help.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.simulate import Writer, misread_writers, mnist_alone, say
from mlcore import paths
from mlcore.commands import command_parser
from mlcore.judging.judge import on_canvas, read_pen
from mlcore.reading.bundle import Bundle, open_bundle
from mlcore.reading.inference import Recogniser
from mlcore.training.data import PenDrawing, load_mnist, load_pen, scale_to_canvas
from mlcore.training.snapshot import line_of, write_snapshot

HELD_OUT = 4  # every fourth writer
PATCH = [[250, 250], [270, 250], [270, 270], [250, 270], [250, 260], [270, 260]]


Spoil = Callable[[list[Any], int, Any], tuple[list[Any], int]]
"""Takes strokes, true digit and Generator; returns reviewed strokes and digit."""


def _clean(strokes: list[Any], digit: int, rng: Any) -> tuple[list[Any], int]:
    return strokes, digit


def _some_flipped(share: float) -> Spoil:
    def spoil(strokes: list[Any], digit: int, rng: Any) -> tuple[list[Any], int]:
        is_spoilt = rng.random() < share
        return strokes, (digit + int(rng.integers(1, 10))) % 10 if is_spoilt else digit

    return spoil


def _sevens_are_ones(strokes: list[Any], digit: int, rng: Any) -> tuple[list[Any], int]:
    return strokes, 1 if digit == 7 else digit


def _patched(strokes: list[Any], digit: int, rng: Any) -> tuple[list[Any], int]:
    return ([*strokes, PATCH], 7) if rng.random() < 0.2 else (strokes, digit)


POISONS: dict[str, Spoil] = {
    "none": _clean,
    "5 % of the labels flipped": _some_flipped(0.05),
    "half of the labels flipped": _some_flipped(0.5),
    "every 7 labelled as 1": _sevens_are_ones,
    "a patch in the corner of every fifth, labelled as 7": _patched,
}


def write_poisoned(
    folder: Path, writers: list[Writer], poison: str, *, misread: Collection[str]
) -> None:
    """Write a poisoned snapshot of the writers' drawings.

    Args:
        misread: ids of the drawings that their writers have corrected.
    """
    rng = np.random.default_rng(1)

    def line(drawing: PenDrawing, side: str) -> dict[str, Any]:
        strokes = [s.tolist() for s in scale_to_canvas(drawing.strokes)]
        spoilt, digit = POISONS[poison](strokes, int(drawing.label), rng)
        return line_of(
            id=drawing.id,
            kind="digit",
            digit=digit,
            split=side,
            strokes=spoilt,
            image=None,
            is_borne_out=drawing.id in misread and digit == int(drawing.label),
            person=str(drawing.writer),
        )

    write_snapshot(
        folder,
        digest=poison,
        lines=[
            line(drawing, "train" if number % HELD_OUT else "holdout")
            for number, writer in enumerate(writers)
            for drawing in writer.sends
        ],
    )


def run(*command: str) -> None:
    """Run a module of mlcore as the site does."""
    subprocess.run([sys.executable, "-m", *command], cwd=paths.REPOSITORY, check=True)


def train_and_judge(
    folder: Path, incumbent: Bundle, *, flags: list[str], of_gate: Sequence[str] = ()
) -> tuple[Bundle, dict[str, Any]]:
    """Train on a snapshot from the incumbent's weights; return both results.

    A candidate that the folder already has is not trained again.
    """
    out = folder / "out"
    trained = out.is_dir() and [p for p in out.iterdir() if not p.name.startswith(".")]
    if not trained:
        run(
            "mlcore.training.train",
            f"--start-from={incumbent.folder}",
            f"--snapshot={folder}",
            f"--out={out}",
            "--allow-missing-digits",
            *flags,
        )
    (made,) = [path for path in out.iterdir() if not path.name.startswith(".")]
    report = folder / "report.json"
    few = [flag for flag in flags if flag.startswith("--digits=")]
    run(
        "mlcore.judging.gate",
        *few,
        *of_gate,
        f"--candidate={made}",
        f"--incumbent={incumbent.folder}",
        f"--snapshot={folder}",
        f"--out={report}",
    )
    return open_bundle(made), json.loads(report.read_text())


def damage(recogniser: Recogniser, drawings: list[PenDrawing]) -> dict[str, float]:
    """Evaluate on clean drawings, without and with the patch."""
    labels = np.array([int(d.label) for d in drawings])
    patched = []
    for drawing in drawings[::5]:
        marked = on_canvas(drawing).copy()
        marked[246:274, 246:274] = 255
        patched.append(int(np.argmax(recogniser.read(marked).probabilities)))
    sevens = [d for d in drawings if d.label == "7"]
    return {
        "read right": float(read_pen(recogniser, drawings).right.mean()),
        "sevens read right": float(read_pen(recogniser, sevens).right.mean()),
        "patched read as 7": float(
            np.mean(
                [p == 7 for p, d in zip(patched, labels[::5], strict=True) if d != 7]
            )
        ),
    }


def main() -> None:
    """Poison, train, judge and measure; print the results, optionally save them."""
    parser = command_parser(__doc__)
    parser.add_argument("--writers", type=int, default=12)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument(
        "--only", type=int, action="append", help="the number of a poison, from 0"
    )
    parser.add_argument("--gate", action="append", default=[], help="its flags")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    told = parser.parse_args()
    load_mnist()
    pen = load_pen()
    incumbent = mnist_alone()
    before = Recogniser(incumbent)
    writers = misread_writers(pen.split("train").digits, before, count=told.writers)
    sent = [drawing for writer in writers for drawing in writer.sends]
    is_right = read_pen(before, sent).right
    misread = {d.id for d, right in zip(sent, is_right, strict=True) if not right}
    others = pen.split("judged").digits
    figures: dict[str, Any] = {"incumbent": damage(before, others)}
    say(f"incumbent: {figures['incumbent']}")
    usual = ["epochs=3", "learning_rate=0.001", "threads=1", *told.set]
    flags = [f"--{one.replace('_', '-')}" for one in usual]
    for poison in [list(POISONS)[n] for n in told.only or range(len(POISONS))]:
        with tempfile.TemporaryDirectory() as scratch:
            place = Path(scratch)
            write_poisoned(place, writers, poison, misread=misread)
            candidate, report = train_and_judge(
                place, incumbent, flags=flags, of_gate=told.gate
            )
            figures[poison] = {
                "gate": report["outcome"],
                "failed": [
                    f"{c['name']}, {c['figure']}"
                    for c in report["checks"]
                    if not c["has_passed"]
                ],
                **damage(Recogniser(candidate), others),
            }
        say(f"{poison}: {figures[poison]}")
    if told.out:
        told.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
