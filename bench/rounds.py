"""Does the gate pass what is better? Rounds of corrected writers, each with its own.

    PEN_DIR=... BUNDLE=... python -m bench.rounds --folder /tmp/rounds

In each round, twelve writers send half of their digits and correct what is misread; a
reviewer confirms all of it. A quarter of the writers is held out. The site's two
commands train and judge a candidate, which is then evaluated on drawings never sent:
the other half of those writers' digits, and the judged writers. It is really better if
it fixes more of them than it breaks, beyond chance. Rounds draw their writers from
those of the training split with the most misread digits.

Choose on some rounds and judge on others: `--first` names the first. With the
small network, a round takes a minute on one core. Train its first model with `--preset
fast --non-digits 8000`, and give each round `--set preset=fast --set digits=5000
--set non_digits=800 --gate=--changed=1 --gate=--in-scenes=1`.

The folder keeps candidates and reports. A round with a report is only evaluated; remove
`report.json` to judge its candidate by a changed gate without training again.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from bench.poison import train_and_judge, write_poisoned
from bench.simulate import Writer, misread_writers, mnist_alone, say
from mlcore.commands import command_parser
from mlcore.judging.gate import TOLERANCES, Pair, chance_of
from mlcore.judging.judge import read_pen
from mlcore.reading.bundle import Bundle, open_bundle
from mlcore.reading.inference import Recogniser
from mlcore.training.data import PenDrawing, load_mnist, load_pen
from mlcore.training.figures import read_mnist

WRITERS, CHOSEN_FROM = 12, 36


def counts(pair: Pair) -> dict[str, int]:
    """Count a pair's drawings, mistakes before, fixed and broken ones."""
    return {
        "drawings": len(pair),
        "mistakes": int((~pair.incumbent.right).sum()),
        "fixes": len(pair.fixed),
        "breaks": len(pair.broken),
    }


def is_better(sets: list[dict[str, int]]) -> bool:
    """Whether drawings that nobody sent are read better, beyond chance."""
    fixes, breaks = (sum(one[what] for one in sets) for what in ("fixes", "breaks"))
    return chance_of(fixes, breaks) < TOLERANCES.win


def judged(
    folder: Path, incumbent: Bundle, *, flags: list[str], of_gate: list[str]
) -> Any:
    """Train and judge a round, or return what its folder holds."""
    report = folder / "report.json"
    if report.is_file():
        (made,) = [p for p in (folder / "out").iterdir() if not p.name.startswith(".")]
        return open_bundle(made), json.loads(report.read_text())
    return train_and_judge(folder, incumbent, flags=flags, of_gate=of_gate)


def measure(
    folder: Path,
    writers: list[Writer],
    incumbent: Bundle,
    *,
    flags: list[str],
    of_gate: list[str],
    others: list[PenDrawing],
) -> dict[str, Any]:
    """Do one round; return the gate's outcome and what is true."""
    before = Recogniser(incumbent)
    sent = [drawing for writer in writers for drawing in writer.sends]
    is_right = read_pen(before, sent).right
    misread = {d.id for d, right in zip(sent, is_right, strict=True) if not right}
    write_poisoned(folder, writers, "none", misread=misread)
    candidate, report = judged(folder, incumbent, flags=flags, of_gate=of_gate)
    after = Recogniser(candidate)
    test = load_mnist().test
    never_sent = {
        name: counts(Pair(read_pen(after, drawings), read_pen(before, drawings)))
        for name, drawings in {
            "their other drawings": [d for w in writers for d in w.other],
            "other writers": others,
        }.items()
    }
    checks = {check["name"]: check for check in report["checks"]}
    hold_out = checks["new hold-out"]
    return {
        "sent": len(sent),
        "corrected": len(misread),
        "never sent": never_sent,
        "MNIST test": counts(Pair(read_mnist(after, test), read_mnist(before, test))),
        "is better": is_better(list(never_sent.values())),
        "outcome": report["outcome"],
        "by the hold-out alone": chance_of(hold_out["fixes"], hold_out["breaks"])
        < TOLERANCES.win,
        "hold-out": {k: hold_out[k] for k in ("drawings", "fixes", "breaks")},
        "all held-out people": {
            k: checks["all held-out people"][k]
            for k in ("drawings", "fixes", "breaks", "chance")
        },
        "drawings to decide": report["drawings_to_decide"],
        "failed": [c["name"] for c in report["checks"] if not c["has_passed"]],
    }


def main() -> None:
    """Do the rounds; print what each gave, optionally save it."""
    parser = command_parser(__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--gate", action="append", default=[], help="its flags")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="JSON file for the figures")
    told = parser.parse_args()
    pen, incumbent = load_pen(), mnist_alone()
    training = pen.split("train").digits
    known = misread_writers(training, Recogniser(incumbent), count=CHOSEN_FROM)
    usual = ["epochs=3", "learning_rate=0.001", "threads=1", *told.set]
    flags = [f"--{one.replace('_', '-')}" for one in usual]
    figures = []
    for number in range(told.first, told.first + told.rounds):
        chosen = np.random.default_rng(number).permutation(len(known))[:WRITERS]
        figures.append(
            measure(
                told.folder / f"round-{number}",
                [known[place] for place in chosen],
                incumbent,
                flags=flags,
                of_gate=told.gate,
                others=pen.split("judged").digits,
            )
        )
        say(f"{number}: {figures[-1]}")
    better = [one for one in figures if one["is better"]]
    passed = [one for one in better if one["outcome"] == "passed"]
    alone = [one for one in better if one["by the hold-out alone"]]
    say(
        f"{len(better)} of {len(figures)} candidates are better; {len(passed)} of them "
        f"pass; {len(alone)} of them win on the hold-out alone."
    )
    if told.out:
        told.out.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
