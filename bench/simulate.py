"""The whole learning loop with real writers on a real server: does the model improve?

    PEN_DIR=... python -m bench.simulate            # trains on MNIST alone first
    PEN_DIR=... BUNDLE=... python -m bench.simulate

The site starts with a model trained on MNIST alone. The training writers of PEN_DIR
with the most misread digits submit half of their digits, correct misreadings and
consent to training. A reviewer labels each drawing on the review desk, a snapshot is
frozen, and a worker trains and judges. Then the candidate is promoted, rolled back and
promoted again under load. The evaluation uses drawings that were never sent: the other
half of those writers' digits, the judged writers, and MNIST's test set. Training uses
MNIST and the snapshot alone; the gate uses the calibration writers. Takes about ten
minutes, and twenty more if it has to train the first model.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from bench.samples import as_body
from mlcore import paths
from mlcore.commands import command_parser
from mlcore.judging.gate import Pair, line_of
from mlcore.judging.judge import read_pen
from mlcore.reading.bundle import Bundle, open_bundle
from mlcore.reading.inference import Recogniser
from mlcore.training.data import (
    PenDrawing,
    load_mnist,
    load_pen,
    mnist_folder,
    scale_to_canvas,
)
from mlcore.training.figures import read_mnist
from tools.server import Server, environment, serving

DESK = "/admin/recognizer/submission/review/"
API = "/api/v1/"
FEWEST_DRAWINGS = 30  # per writer, so that half of them is a large enough test


class Browser:
    """A client with its own cookies, as a browser has."""

    def __init__(self, server: Server, cookies: dict[str, str] | None = None) -> None:
        self._url = server.url
        self._session = requests.Session()
        self._session.cookies.update(cookies or {})
        self._session.headers["X-CSRFToken"] = (cookies or {}).get("csrftoken", "")

    def call(self, method: str, path: str, body: Any = None, form: Any = None) -> Any:
        """Call the site; raises requests.RequestException if that fails."""
        answer = self._session.request(
            method, f"{self._url}{path}", json=body, data=form, timeout=120
        )
        answer.raise_for_status()
        return answer.json() if answer.content else None


def drawn(drawing: PenDrawing) -> dict[str, Any]:
    """Return a collected drawing in the form that the page sends."""
    return {**as_body(scale_to_canvas(drawing.strokes)), "pointer": "pen"}


# --- who takes part -----------------------------------------------------------------


@dataclass(frozen=True)
class Writer:
    """A writer's drawings: those sent, and those kept back for the evaluation."""

    name: str
    sends: list[PenDrawing]
    other: list[PenDrawing]


def misread_writers(
    drawings: Sequence[PenDrawing], recogniser: Recogniser, *, count: int
) -> list[Writer]:
    """Pick the writers with the most misread drawings.

    Only drawings that are sent count; the evaluation's drawings choose nobody.
    """
    by_writer: dict[str, list[PenDrawing]] = {}
    for drawing in drawings:
        by_writer.setdefault(str(drawing.writer), []).append(drawing)
    writers = [
        Writer(name, theirs[::2], theirs[1::2])
        for name, theirs in sorted(by_writer.items())
        if len(theirs) >= FEWEST_DRAWINGS
    ]
    wrong = {
        w.name: float((~read_pen(recogniser, w.sends).right).mean()) for w in writers
    }
    return sorted(writers, key=lambda w: -wrong[w.name])[:count]


# --- what they do -------------------------------------------------------------------


def submit_all(server: Server, writer: Writer) -> tuple[dict[str, int], int]:
    """Send a writer's drawings; return true digits by id, and the corrections made."""
    browser, truth, corrected = Browser(server), {}, 0
    for number, drawing in enumerate(writer.sends):
        made = browser.call("POST", f"{API}submissions/", drawn(drawing))
        if number == 0:
            browser.call("PATCH", f"{API}me/", {"may_train": True})
        digit = truth[made["id"]] = int(drawing.label)
        read = made["prediction"]["digit"]
        if read != digit:
            corrected += 1
            said: dict[str, Any] = {"verdict": "wrong", "digit": digit}
        else:
            said = {"verdict": "right"}
        if read != digit or number % 2:
            browser.call("POST", f"{API}submissions/{made['id']}/feedback/", said)
    return truth, corrected


def review_all(server: Server, truth: dict[str, int]) -> float:
    """Label every drawing on the desk correctly; return the seconds it took."""
    reviewer = Browser(server, server.sign_in("reviewer"))
    started = time.monotonic()
    while found := reviewer.call("POST", f"{DESK}claim/")["drawings"]:
        for shown in found:
            decision = {"id": shown["id"], "digit": truth[shown["id"]]}
            reviewer.call("POST", f"{DESK}decide/", form=decision)
    return time.monotonic() - started


def work(server: Server) -> None:
    """Run a worker until no training is queued."""
    subprocess.run(
        [sys.executable, "manage.py", "work", "--until-done"],
        cwd=paths.REPOSITORY,
        env=environment(server.var, dict(server.variables)),
        check=True,
    )


@contextmanager
def load(
    server: Server, drawings: Sequence[PenDrawing], *, people: int
) -> Iterator[Counter[str]]:
    """Send drawings while the block runs; count the answers by model."""
    answers: Counter[str] = Counter()
    is_over = threading.Event()

    def live(theirs: Sequence[PenDrawing]) -> None:
        browser = Browser(server)
        for number, drawing in enumerate(itertools.cycle(theirs)):
            if is_over.is_set():
                return
            try:
                if number % 4:
                    sent = {"drawings": [drawn(drawing)]}
                    model = browser.call("POST", f"{API}readings/", sent)["model"]
                else:
                    made = browser.call("POST", f"{API}submissions/", drawn(drawing))
                    model = made["prediction"]["model"]
                answers[model] += 1
            except requests.RequestException as error:
                answers["failed"] += 1
                say(f"failed: {error}")

    with ThreadPoolExecutor(people) as pool:
        for n in range(people):
            pool.submit(live, drawings[n::people])
        try:
            yield answers
        finally:
            is_over.set()


# --- the simulation -----------------------------------------------------------------

_SIDES = """
import json
from recognizer.models import Submission
print(json.dumps({str(pk): side for pk, side in
    Submission.objects.values_list("pk", "visitor__split")}))
"""
_REPORT = """
import json
from recognizer.models import GateReport, TrainingRun
run = TrainingRun.objects.order_by("-pk")[0]
if run.state != "done":
    raise SystemExit(f"The training {run.state}: {run.problem}\\n{run.log}")
report = GateReport.objects.order_by("-pk")[0]
print(json.dumps({"passed": report.has_passed, "candidate": report.candidate.digest,
    "minutes": (run.finished_at - run.created_at).total_seconds() / 60,
    "report": {k: v for k, v in report.report.items() if k != "drawings"},
    "snapshot": run.snapshot.datasheet}))
"""


def shell(server: Server, code: str) -> Any:
    """Run code on the site's data; return the JSON it prints last."""
    return json.loads(
        server.manage("shell", "--no-imports", "-c", code).splitlines()[-1]
    )


def mnist_alone() -> Bundle:
    """Return the bundle in BUNDLE, else one trained on MNIST alone, once."""
    if named := os.environ.get("BUNDLE"):
        return open_bundle(Path(named))
    out = paths.data_folder() / "simulation" / "mnist-alone"
    found = sorted(out.glob("[0-9a-f]*")) if out.is_dir() else []
    if not found:
        command = [sys.executable, "-m", "mlcore.training.train", "--out", str(out)]
        subprocess.run(command, cwd=paths.REPOSITORY, check=True)
        found = sorted(out.glob("[0-9a-f]*"))
    return open_bundle(found[0])


def judge(
    before: Recogniser, after: Recogniser, sets: dict[str, list[PenDrawing]]
) -> dict[str, Any]:
    """Evaluate both models on the drawings kept back."""
    test = load_mnist().test
    pairs = {
        name: Pair(read_pen(after, drawings), read_pen(before, drawings))
        for name, drawings in sets.items()
        if drawings
    }
    pairs["MNIST test"] = Pair(read_mnist(after, test), read_mnist(before, test))
    return {
        name: {
            "drawings": len(pair),
            "before": float(pair.incumbent.right.mean()),
            "after": float(pair.candidate.right.mean()),
            "fixes": len(pair.fixed),
            "breaks": len(pair.broken),
        }
        for name, pair in pairs.items()
    }


def simulate(
    var: Path, *, writers: int, epochs: int, told: list[str]
) -> dict[str, Any]:
    """Run the whole loop once; return the measurements."""
    pen = load_pen()
    bundle = mnist_alone()
    before = Recogniser(bundle)
    training = pen.split("train").digits
    chosen = misread_writers(training, before, count=writers)
    others = pen.split("judged").digits
    variables = {"BUNDLE": str(bundle.folder), "MNIST_DIR": str(mnist_folder())}
    with serving(var, **variables) as server:
        truth: dict[str, int] = {}
        writer_of: dict[str, str] = {}
        corrections = 0
        for writer in chosen:
            theirs, corrected = submit_all(server, writer)
            truth |= theirs
            writer_of |= dict.fromkeys(theirs, writer.name)
            corrections += corrected
        say(f"{len(truth)} drawings of {len(chosen)} writers, {corrections} corrected.")
        seconds = review_all(server, truth)
        say(f"Reviewed in {seconds:.0f} s, by a reviewer who never hesitates.")
        say(server.manage("export_snapshot"))
        options = [f"--set={one}" for one in (f"epochs={epochs}", "pen=false", *told)]
        say(server.manage("retrain", *options))
        work(server)
        made = shell(server, _REPORT)
        for check in made["report"]["checks"]:
            say(line_of(check))
        say(f"The gate {'passes' if made['passed'] else 'fails'}.")
        sides = {
            writer_of[pk]: side
            for pk, side in shell(server, _SIDES).items()
            if pk in writer_of
        }
        with load(server, others, people=6) as answers:
            time.sleep(2)
            because = [] if made["passed"] else ["--because=to see what it does"]
            for step in (
                ("promote", made["candidate"], *because),
                ("rollback",),
                ("rollback",),
            ):
                say(server.manage(*step))
                time.sleep(3)
        say(f"Answers under load, by model: {dict(answers)}.")
        after = Recogniser(open_bundle(var / "bundles" / made["candidate"]))
        rebuilt = server.manage("rebuild")
    judged = judge(
        before,
        after,
        {
            "other drawings of those writers": [d for w in chosen for d in w.other],
            "of them, on the training side": [
                d for w in chosen if sides[w.name] == "train" for d in w.other
            ],
            "of them, held out": [
                d for w in chosen if sides[w.name] == "holdout" for d in w.other
            ],
            "other writers": others,
        },
    )
    for name, row in judged.items():
        say(
            f"{name}: {row['before']:.2%} -> {row['after']:.2%} of {row['drawings']}, "
            f"fixes {row['fixes']}, breaks {row['breaks']}"
        )
    return {
        "before": bundle.digest,
        "writers": sorted(w.name for w in chosen),
        "drawings": len(truth),
        "corrections": corrections,
        "review_seconds": seconds,
        "gate": made,
        "load": dict(answers),
        "rebuild": rebuilt,
        "judged": judged,
    }


def say(text: str) -> None:
    """Print a line immediately."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> None:
    """Simulate; print the measurements, and write them to a file if one is named."""
    parser = command_parser(__doc__)
    parser.add_argument("--writers", type=int, default=12, help="who take part")
    parser.add_argument("--epochs", type=int, default=3, help="of the retraining")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        figures = simulate(
            Path(scratch) / "var",
            writers=told.writers,
            epochs=told.epochs,
            told=told.set,
        )
    if told.out:
        told.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
