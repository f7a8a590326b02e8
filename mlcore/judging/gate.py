r"""Compare a candidate with the incumbent on what neither was trained on, and judge.

    python -m mlcore.judging.gate --candidate DIR --incumbent DIR --snapshot DIR \
        --out FILE

On MNIST's validation images, the calibration pen writers (if PEN_DIR is set), changed
drawings, drawings with a blot in a corner, digits in scenes and earlier hold-outs, the
candidate may lose no more than `Tolerances` allows. The same goes for calibration
error, refused digits, wrong answers to scenes, non-digits read as digits, the time of a
reading, and reviewed numbers, which must be read exactly. The candidate must win on all
held-out people together: the hold-outs and the calibration writers. Only a few of the
snapshot's labels may rest on one person's word against a sure reading. MNIST's test set
is reported and decides nothing.

The win is judged in two ways: by drawings fixed and broken, and by Brier scores with
people as the units of the test.

The outcome is "passed", "failed", or "not_proven" if nothing speaks against the
candidate but the win. Prints one line per check and writes a JSON report. Exits with 0
whatever the outcome. Takes about two minutes.

Sets are compared in pairs. A drawing is fixed if only the candidate reads it right, and
broken if only the incumbent does. If neither model is better, both are equally likely,
so the chance of so many breaks is that of a sign test (McNemar's, exact).
"""

# Set threads before NumPy is imported.
import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import base64
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore import paths
from mlcore.commands import command_parser
from mlcore.files import replaced
from mlcore.judging.changes import CHANGES
from mlcore.judging.judge import (
    PENS_IN_SCENES_PX,
    USUAL_PEN_PX,
    all_enlarged,
    drawn,
    on_canvas,
    spread_out,
)
from mlcore.judging.numbers import PEN_PX, answer_of
from mlcore.judging.pictures import LabelledBitmaps
from mlcore.judging.scenes import EMPTY, SCENES, UNREADABLE
from mlcore.reading.bundle import open_bundle
from mlcore.reading.calibrate import DIGITS
from mlcore.reading.histograms import BINS, MOST_INK
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.numbers import read_number
from mlcore.reading.pictures import Picture, encode_png
from mlcore.reading.preprocess import Bitmap
from mlcore.reading.rasterise import Points
from mlcore.training.checkpoint import end_with_starter, say
from mlcore.training.data import Digits, Mnist, PenData, load_mnist, load_pen
from mlcore.training.dataset import as_served, made_non_digits
from mlcore.training.figures import ReadDigits
from mlcore.training.snapshot import Snapshot, SnapshotDrawing, load_snapshot


@dataclass(frozen=True)
class Tolerances:
    """What a candidate may lose, mostly in shares of a set, before it fails.

    Within the tolerance it still fails if the loss is almost certain: if the
    probability that chance alone breaks as many is under `certain`.
    """

    mnist: float = 0.002  # 10 of 5,000
    pen: float = 0.005
    one_digit: float = 0.02  # of the drawings of any digit in these two sets
    hold_out: float = 0.01  # of a hold-out, or one drawing if that is more
    changed: float = 0.005  # of all changed drawings together
    one_change: float = 0.03  # of the drawings of any single change or blot
    blots: float = 0.03
    scenes: float = 0.01  # of the digits in scenes, answered right
    wrong_in_scenes: float = (
        0.005  # more wrong answers, pictures without digits included
    )
    certain: float = 0.01
    win: float = 0.05  # a win is significant if its p-value is lower
    refused: float = 0.005  # more of the digits refused
    admitted: float = 0.03  # more of the non-digits read as a digit
    calibration_error: float = 0.005
    doubted: float = 0.01  # of the snapshot's labels, or three if that is more
    slower: float = 1.25  # times as long


TOLERANCES = Tolerances()
POWER = 0.8
"""Probability of a significant win that a number of drawings is to give."""
MOST_GAIN = 0.5
"""Largest difference of two Brier scores that one drawing counts with.

docs/decisions.md says how it was chosen, and from what.
"""
FLIPS = 20_000
"""Random sign patterns of a permutation test; its p-values are within 0.003 at 5 %."""
CHANGED = 80
"""How many drawings of each set are changed in each way."""
IN_SCENES = 12
"""How many drawings of each set are put into each scene."""
SHOWN = 60
"""Most fixed, and most broken, drawings that the report shows of a set."""
SURE = 0.9
"""Lowest confidence of a sure reading."""
FEW_NUMBERS = 100
"""Fewer reviewed numbers show only a large loss."""
CORNERS = ("upper left", "upper right", "lower left", "lower right")


Outcome = Literal["passed", "failed", "not_proven"]


@dataclass(frozen=True)
class Check:
    """One check.

    candidate, incumbent: the two values of `figure`, mostly shares.
    fixes, breaks, chance: only in a paired comparison. chance is the probability that
        chance alone gives so large a loss, or so large a win where one is required.
    """

    name: str
    figure: str
    candidate: float
    incumbent: float
    allowed: str
    has_passed: bool
    drawings: int = 0
    fixes: int | None = None
    breaks: int | None = None
    chance: float | None = None


# --- the paired test -------------------------------------------------------------


def chance_of(successes: int, failures: int) -> float:
    """Return the probability of at least so many successes in fair coin tosses.

    Exact, one-sided; 1.0 if there are no tosses.

    Source: the exact form of McNemar 1947, doi 10.1007/BF02295996.
    """
    tosses = successes + failures
    ways = sum(math.comb(tosses, k) for k in range(successes, tosses + 1))
    return float(ways / 2**tosses)


def chance_of_gain(gains: NDArray[np.float64]) -> float:
    """Return the probability that chance alone gives so large a sum of gains.

    If neither model is better, each gain could as well have the other sign. One-sided;
    1.0 if there is no gain.

    Args:
        gains: (U,), of independent units such as people.

    Source: Fisher 1935, "The Design of Experiments", section 21, with random patterns
    of signs instead of all.
    """
    rng = np.random.default_rng(0)
    total, as_large = gains.sum(), 0
    for _ in range(FLIPS // 100):
        signs = rng.choice((-1.0, 1.0), (100, len(gains)))
        # the sum itself is a pattern too, whatever order it was added in
        as_large += int((signs @ gains >= total - 1e-9).sum())
    return (1 + as_large) / (1 + FLIPS)


@dataclass(frozen=True)
class Pair:
    """The same drawings, read by both models."""

    candidate: ReadDigits
    incumbent: ReadDigits

    def __len__(self) -> int:
        return len(self.candidate)

    @property
    def labels(self) -> NDArray[Any]:
        """(N,)."""
        return self.candidate.labels

    def take(self, places: Sequence[int]) -> "Pair":
        """Return the pair of the drawings at these places."""
        return Pair(self.candidate.take(places), self.incumbent.take(places))

    @property
    def gains(self) -> NDArray[np.float64]:
        """(N,): by how much the candidate's Brier score is lower, MOST_GAIN at most.

        So no single drawing decides. The score is proper: being more confident gains
        nothing by itself.

        Source: Brier 1950, "Verification of Forecasts Expressed in Terms of
        Probability".
        """
        lower = self.incumbent.brier - self.candidate.brier
        return np.clip(lower, -MOST_GAIN, MOST_GAIN)

    @property
    def fixed(self) -> list[int]:
        """Places of the drawings that only the candidate reads right."""
        return _places(self.candidate.right & ~self.incumbent.right)

    @property
    def broken(self) -> list[int]:
        """Places of the drawings that only the incumbent reads right."""
        return _places(~self.candidate.right & self.incumbent.right)


class AnsweredDigits(ReadDigits):
    """Readings that are right only if they are not refused."""

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(N,): whether the answer is the true digit."""
        return np.asarray(super().right & ~self.refused)

    @property
    def wrong(self) -> NDArray[np.bool_]:
        """(N,): whether there is an answer, and it is not the true digit."""
        return ~self.refused & ~self.right


class ExactNumbers(ReadDigits):
    """Readings that are right only if exactly the number is answered.

    labels: (N,) the numbers as text.
    """

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(N,): whether the answer is the true number."""
        answers = [answer_of(reading) for reading in self.readings]
        return np.asarray(np.array(answers, object) == self.labels)


def _places(chosen: NDArray[np.bool_]) -> list[int]:
    places: list[int] = np.flatnonzero(chosen).tolist()
    return places


def must_not_lose(
    name: str, pair: Pair, *, tolerance: float, chosen_of: int = 1
) -> Check:
    """Check that a candidate loses few drawings of a set; one is always allowed.

    Args:
        chosen_of: number of sets of which this is the worst; it lowers the limit of
            certainty, because the worst of many looks bad by chance.
    """
    fixes, breaks = len(pair.fixed), len(pair.broken)
    chance = chance_of(breaks, fixes)
    may_lose = max(1, math.floor(tolerance * len(pair)))
    certain = TOLERANCES.certain / chosen_of
    return _accuracy_check(
        name,
        pair,
        chance=chance,
        allowed=f"{may_lose} drawings ({tolerance:.1%}) fewer, and no certain loss "
        f"(chance under {certain:.2%})",
        has_passed=breaks - fixes <= may_lose
        and not (breaks > fixes and chance < certain),
    )


def worst_must_not_lose(
    name: str, pairs: Mapping[str, Pair], *, tolerance: float
) -> Check:
    """Check the set on which the candidate loses the most."""

    def lost(which: str) -> float:
        pair = pairs[which]
        return (len(pair.broken) - len(pair.fixed)) / max(1, len(pair))

    worst = max(pairs, key=lost)
    return must_not_lose(
        f"{name}: {worst}", pairs[worst], tolerance=tolerance, chosen_of=len(pairs)
    )


def gains_by_person(pair: Pair, people: Sequence[str]) -> NDArray[np.float64]:
    """Return (U,) the sum of each person's gains."""
    _, whose = np.unique(np.array(people, dtype=str), return_inverse=True)
    return np.asarray(np.bincount(whose, pair.gains), np.float64)


def drawings_to_decide(pair: Pair, people: Sequence[str]) -> int | None:
    """Estimate how many drawings would prove the win, at the pair's rates.

    Returns:
        The number that gives a significant win with the probability `POWER`, if gains
        and losses stay as frequent as in this pair. None if the candidate does not
        lead.

    Source: the normal approximation of a paired test's power, as in Connor 1987,
    "Sample Size for Testing Differences in Proportions for the Paired-Sample Design".
    """
    by_drawing = pair.candidate.right * 1.0 - pair.incumbent.right * 1.0
    of_both = [g for g in (by_drawing, gains_by_person(pair, people)) if g.any()]
    reached = max((float(g.sum() / np.sqrt((g**2).sum())) for g in of_both), default=0)
    if reached <= 0 or by_drawing.sum() < 0:
        return None
    wanted = NormalDist().inv_cdf(1 - TOLERANCES.win / 2) + NormalDist().inv_cdf(POWER)
    return math.ceil(len(pair) * (wanted / reached) ** 2)


def outcome_of(win: Check, others: Sequence[Check]) -> Outcome:
    """Tell a candidate that is worse from one whose win is not proven.

    Args:
        win: the check of the win, from `must_win`.
    """
    fixes, breaks = win.fixes or 0, win.breaks or 0
    is_worse = chance_of(breaks, fixes) < TOLERANCES.win
    if is_worse or not all(check.has_passed for check in others):
        return "failed"
    return "passed" if win.has_passed else "not_proven"


def must_win(name: str, pair: Pair, people: Sequence[str]) -> Check:
    """Check a set on which the candidate must be better, beyond chance.

    Of two tests the better counts, with twice its p-value (Bonferroni): the number of
    drawings fixed and broken, and the Brier scores by person. The first sees a few
    drawings of many. The second sees all, and takes the drawings of one hand for one
    piece of evidence.

    Args:
        people: (N,) whose each drawing is.
    """
    fixes, breaks = len(pair.fixed), len(pair.broken)
    chance = min(
        1.0,
        2 * chance_of(fixes, breaks),
        2 * chance_of_gain(gains_by_person(pair, people)),
    )
    return Check(
        name=name,
        figure="Brier score",
        candidate=float(pair.candidate.brier.mean()) if len(pair) else 0.0,
        incumbent=float(pair.incumbent.brier.mean()) if len(pair) else 0.0,
        allowed=f"better, beyond chance (under {TOLERANCES.win:.0%}), and no fewer "
        "read right",
        has_passed=chance < TOLERANCES.win and fixes >= breaks,
        drawings=len(pair),
        fixes=fixes,
        breaks=breaks,
        chance=chance,
    )


def _accuracy_check(
    name: str, pair: Pair, *, chance: float, allowed: str, has_passed: bool
) -> Check:
    return Check(
        name=name,
        figure="read right",
        candidate=float(pair.candidate.right.mean()) if len(pair) else 0.0,
        incumbent=float(pair.incumbent.right.mean()) if len(pair) else 0.0,
        allowed=allowed,
        has_passed=has_passed,
        drawings=len(pair),
        fixes=len(pair.fixed),
        breaks=len(pair.broken),
        chance=chance,
    )


def must_not_exceed(
    name: str, figure: str, candidate: float, incumbent: float, *, by: float, n: int
) -> Check:
    """Check that a share exceeds the incumbent's by `by` at most."""
    return Check(
        name=name,
        figure=figure,
        candidate=candidate,
        incumbent=incumbent,
        allowed=f"{by:.1%} more",
        has_passed=candidate <= incumbent + by,
        drawings=n,
    )


# --- reading with both -------------------------------------------------------------


@dataclass(frozen=True)
class Both:
    """The two models."""

    candidate: Recogniser
    incumbent: Recogniser

    def read(self, bitmaps: Iterable[Bitmap], labels: NDArray[Any]) -> Pair:
        """Read drawings, possibly none, with both models.

        Args:
            labels: (N,) the true digits.
        """
        pairs = [(self.candidate.read(b), self.incumbent.read(b)) for b in bitmaps]
        return _paired(pairs, labels)

    def read_pictures(self, pictures: Iterable[Picture], labels: NDArray[Any]) -> Pair:
        """Read pictures with both models."""
        pairs = [
            (self.candidate.read_picture(p), self.incumbent.read_picture(p))
            for p in pictures
        ]
        return _paired(pairs, labels)


def _paired(pairs: Sequence[tuple[Reading, Reading]], labels: NDArray[Any]) -> Pair:
    ours, theirs = ([pair[place] for pair in pairs] for place in (0, 1))
    return Pair(ReadDigits(ours, labels), ReadDigits(theirs, labels))


def blotted(bitmap: Bitmap, corner: int, side_px: int) -> Bitmap:
    """Put a square blot into a corner of a square drawing."""
    marked = bitmap.copy()
    end = bitmap.shape[0]
    far = slice(end - 8 - side_px, end - 8)
    near = slice(8, 8 + side_px)
    rows, columns = (near, far)[corner // 2], (near, far)[corner % 2]
    marked[rows, columns] = 255
    return marked


# --- the judgement -------------------------------------------------------------------


def judge_candidate(
    both: Both,
    *,
    mnist: Mnist,
    pen: PenData | None,
    snapshot: Snapshot,
    earlier: Snapshot | None,
    changed: int = CHANGED,
    in_scenes: int = IN_SCENES,
    tell: Callable[[float, str], None] = lambda share, doing: None,
) -> dict[str, Any]:
    """Make the report: all checks, the drawings fixed and broken, the reference.

    Args:
        pen: pen drawings of the calibration writers.
        earlier: the hold-outs of earlier snapshots, with their labels of that time.
        changed, in_scenes: how many drawings of each set are changed, put into scenes.
        tell: called with the progress, from 0 to 1, and the name of the set.
    """
    checks: list[Check] = []
    shown: list[dict[str, Any]] = []
    confidences: list[NDArray[np.float64]] = []
    digit_sets = [("MNIST validation", mnist.validation, TOLERANCES.mnist)]
    if pen is not None:
        framed = as_served(pen.digits)
        digit_sets.append(("calibration writers", framed, TOLERANCES.pen))
    people: list[tuple[Pair, list[str]]] = []
    for name, digits, tolerance in digit_sets:
        tell(0.05, name)
        pair = both.read(digits.images, digits.labels)
        if pen is not None and name == "calibration writers":
            people.append((pair, [str(d.writer) for d in pen.digits]))
        checks.append(must_not_lose(name, pair, tolerance=tolerance))
        checks += _manner_checks(name, pair)
        shown += _shown(name, pair, list(digits.images))
        confidences.append(pair.candidate.probabilities.max(axis=1))
    held_out = _digits_of(snapshot)
    in_it = {drawing.id for drawing in held_out}
    if earlier is not None and (kept := _digits_of(earlier)):
        name = "earlier hold-outs"
        pair = _read_reviewed(both, kept)
        checks.append(must_not_lose(name, pair, tolerance=TOLERANCES.hold_out))
        shown += _shown(name, pair, kept)
        others = [n for n, drawing in enumerate(kept) if drawing.id not in in_it]
        people.append((pair.take(others), [kept[n].person for n in others]))
    pair = _read_reviewed(both, held_out)
    checks.append(must_not_lose("new hold-out", pair, tolerance=TOLERANCES.hold_out))
    shown += _shown("new hold-out", pair, held_out)
    if len(pair):
        confidences.append(pair.candidate.probabilities.max(axis=1))
    checks += number_checks(
        both, [snapshot] if earlier is None else [snapshot, earlier]
    )
    people.append((pair, [drawing.person for drawing in held_out]))
    all_people = _joined(one for one, _ in people)
    whose = [person for _, theirs in people for person in theirs]
    win = must_win("all held-out people", all_people, whose)
    doubted, doubt = _doubts(both, snapshot)
    checks.append(doubt)
    tell(0.2, "what is not one digit")
    checks += _refusal_checks(both, mnist=mnist, pen=pen)
    checks += _change_checks(both, _some_digits(mnist, pen, changed), tell=tell)
    tell(0.8, "scenes")
    few = _some_digits(mnist, pen, in_scenes, PENS_IN_SCENES_PX)
    checks += _scene_checks(both, few, empty=in_scenes)
    checks.append(_speed_check(both, mnist.validation))
    tell(0.95, "MNIST test, which decides nothing")
    test = both.read(mnist.test.images, mnist.test.labels)
    outcome = outcome_of(win, checks)
    return {
        "candidate": both.candidate.bundle.digest,
        "incumbent": both.incumbent.bundle.digest,
        "snapshot": snapshot.digest,
        "has_passed": outcome == "passed",
        "outcome": outcome,
        "drawings_to_decide": drawings_to_decide(all_people, whose),
        "checks": [asdict(check) for check in (win, *checks)],
        "drawings": shown,
        "doubted": doubted,
        "erased": snapshot.erased,
        "mnist_test": {
            "candidate": float(test.candidate.right.mean()),
            "incumbent": float(test.incumbent.right.mean()),
            "fixes": len(test.fixed),
            "breaks": len(test.broken),
        },
        "tolerances": asdict(TOLERANCES),
        "reference": _reference(
            np.concatenate(confidences), mnist=mnist, snapshot=snapshot
        ),
    }


def _digits_of(snapshot: Snapshot) -> list[SnapshotDrawing]:
    return [d for d in snapshot.of("holdout") if d.digit is not None]


def _read_reviewed(both: Both, drawings: Sequence[SnapshotDrawing]) -> Pair:
    labels = np.array([d.digit for d in drawings], np.int64)
    return both.read([d.image for d in drawings], labels)


def numbers_of(snapshots: Sequence[Snapshot]) -> dict[str, tuple[str, list[Points]]]:
    """Return each number of the hold-outs, by its id, with its strokes.

    A snapshot has a number's digits one after the other. Digits that it left out, such
    as near duplicates, are missing in the number as well.
    """
    found: dict[str, tuple[str, list[Points]]] = {}
    for snapshot in snapshots:
        for name, of_it in groupby(_digits_of(snapshot), key=lambda d: d.id):
            digits = [digit for digit in of_it if digit.strokes]
            if len(digits) > 1:
                text = "".join(str(digit.digit) for digit in digits)
                strokes = [stroke for d in digits for stroke in d.strokes or []]
                found.setdefault(name, (text, strokes))
    return found


def number_checks(both: Both, snapshots: Sequence[Snapshot]) -> list[Check]:
    """Check reviewed numbers, if there are some."""
    found = numbers_of(snapshots)
    if not found:
        return []
    texts = np.array([text for text, _ in found.values()], object)
    read = [
        [
            read_number(model, strokes, pen_width=PEN_PX, expect="number")
            for _, strokes in found.values()
        ]
        for model in (both.candidate, both.incumbent)
    ]
    pair = Pair(*(ExactNumbers(readings, texts) for readings in read))
    name = "reviewed numbers"
    if len(found) < FEW_NUMBERS:
        name += ", so few that only a large loss shows"
    return [must_not_lose(name, pair, tolerance=TOLERANCES.hold_out)]


def _manner_checks(name: str, pair: Pair) -> list[Check]:
    """Check the worst digit, refusals and calibration."""
    ours, theirs = pair.candidate.figures(), pair.incumbent.figures()
    by_digit = {
        str(digit): pair.take(_places(pair.labels == digit)) for digit in range(DIGITS)
    }
    return [
        worst_must_not_lose(
            f"{name}, the digit it minds most",
            by_digit,
            tolerance=TOLERANCES.one_digit,
        ),
        must_not_exceed(
            name,
            "refused",
            ours["refused"],
            theirs["refused"],
            by=TOLERANCES.refused,
            n=len(pair),
        ),
        must_not_exceed(
            name,
            "calibration error",
            ours["ece"],
            theirs["ece"],
            by=TOLERANCES.calibration_error,
            n=len(pair),
        ),
    ]


def _doubts(both: Both, snapshot: Snapshot) -> tuple[list[dict[str, Any]], Check]:
    """Find labels from only one person that a sure reading contradicts.

    The reviewer may be mistaken or malicious, or the model may be wrong: a second
    person has to decide.
    """
    drawings = snapshot.drawings
    number = len(drawings)
    pair = both.read((d.image for d in drawings), np.zeros(number))
    ours, theirs = pair.candidate.readings, pair.incumbent.readings

    def contradicted(readings: Sequence[Reading]) -> list[int]:
        return [
            place
            for place, drawing in enumerate(drawings)
            if not drawing.is_borne_out
            and readings[place].digit not in (None, drawing.digit)
            and readings[place].confidence >= SURE
        ]

    found = contradicted(theirs)
    may_be = max(3, math.floor(TOLERANCES.doubted * number))
    doubted = [
        {
            "submission": drawings[place].id,
            "truth": drawings[place].digit,
            "kind": drawings[place].kind,
            "candidate": int(np.argmax(ours[place].probabilities)),
            "incumbent": theirs[place].digit,
        }
        for place in found
    ]
    return doubted, Check(
        name="the snapshot's labels",
        figure="surely contradicted, on one person's word",
        candidate=len(contradicted(ours)) / max(1, number),
        incumbent=len(found) / max(1, number),
        allowed=f"{may_be} ({TOLERANCES.doubted:.0%}) by the incumbent",
        has_passed=len(found) <= may_be,
        drawings=number,
    )


def _refusal_checks(both: Both, *, mnist: Mnist, pen: PenData | None) -> list[Check]:
    """Check how many non-digits are read as a digit."""
    made = made_non_digits(mnist.validation, 500, np.random.default_rng(0)).images
    sets = {"made non-digits": list(made)}
    if pen is not None and pen.non_digits:
        few = spread_out(pen.non_digits, 500)
        sets["letters, symbols, sketches"] = [on_canvas(d) for d in few]
    checks = []
    for name, bitmaps in sets.items():
        pair = both.read(bitmaps, np.zeros(len(bitmaps)))
        ours, theirs = (
            float(1 - read.refused.mean()) for read in (pair.candidate, pair.incumbent)
        )
        checks.append(
            must_not_exceed(
                name,
                "taken for a digit",
                ours,
                theirs,
                by=TOLERANCES.admitted,
                n=len(bitmaps),
            )
        )
    return checks


def _some_digits(
    mnist: Mnist,
    pen: PenData | None,
    number: int,
    pens_px: tuple[float, float] = USUAL_PEN_PX,
) -> LabelledBitmaps:
    """Return so many held-out digits of each set, as on the canvas."""
    images, labels = all_enlarged(mnist.validation, number)
    if pen is None:
        return images, labels
    more, their_labels = drawn(spread_out(pen.digits, number), pens_px)
    return [*images, *more], np.concatenate([labels, their_labels])


def _change_checks(
    both: Both, digits: LabelledBitmaps, *, tell: Callable[[float, str], None]
) -> list[Check]:
    """Check changed drawings, the worst change, and blots in corners."""
    bitmaps, labels = digits
    pairs = {}
    for number, (way, corrupt) in enumerate(CHANGES.items()):
        tell(0.25 + 0.5 * number / len(CHANGES), way)
        rng = np.random.default_rng(0)
        pairs[way] = both.read_pictures(
            (corrupt(bitmap, rng) for bitmap in bitmaps), labels
        )
    tell(0.75, "blots in corners")
    blots = {
        f"{side_px} px in the {where}": both.read(
            [blotted(b, corner, side_px) for b in bitmaps], labels
        )
        for corner, where in enumerate(CORNERS)
        for side_px in (14, 28)
    }
    return [
        must_not_lose(
            "changed drawings, all",
            _joined(pairs.values()),
            tolerance=TOLERANCES.changed,
        ),
        worst_must_not_lose(
            "the change it minds most", pairs, tolerance=TOLERANCES.one_change
        ),
        must_not_lose(
            "a blot in a corner", _joined(blots.values()), tolerance=TOLERANCES.blots
        ),
        worst_must_not_lose(
            "the blot it minds most", blots, tolerance=TOLERANCES.one_change
        ),
    ]


def _scene_checks(both: Both, digits: LabelledBitmaps, *, empty: int) -> list[Check]:
    """Check right answers to digits in scenes, and all wrong answers.

    Args:
        empty: how many pictures without a digit of each kind to read.
    """
    bitmaps, labels = digits
    pairs = {}
    for scene, draw in SCENES.items():
        rng = np.random.default_rng(0)
        pairs[scene] = both.read_pictures((draw(b, rng) for b in bitmaps), labels)
    rng = np.random.default_rng(0)
    without = both.read_pictures(
        (draw_one(rng) for draw_one in EMPTY.values() for _ in range(empty)),
        np.full(len(EMPTY) * empty, -1),
    )
    readable = [pair for scene, pair in pairs.items() if scene not in UNREADABLE]
    answers = _answers(_joined(readable))
    ours, theirs = _answers(_joined([*pairs.values(), without]))
    return [
        must_not_lose(
            "digits in scenes, answered", Pair(*answers), tolerance=TOLERANCES.scenes
        ),
        must_not_exceed(
            "scenes and empty pictures",
            "answered wrong",
            float(ours.wrong.mean()),
            float(theirs.wrong.mean()),
            by=TOLERANCES.wrong_in_scenes,
            n=len(ours),
        ),
    ]


def _answers(pair: Pair) -> tuple[AnsweredDigits, AnsweredDigits]:
    return (
        AnsweredDigits(pair.candidate.readings, pair.labels),
        AnsweredDigits(pair.incumbent.readings, pair.labels),
    )


def _joined(pairs: Iterable[Pair]) -> Pair:
    all_pairs = list(pairs)
    return Pair(
        ReadDigits.joined([pair.candidate for pair in all_pairs]),
        ReadDigits.joined([pair.incumbent for pair in all_pairs]),
    )


def _speed_check(both: Both, digits: Digits) -> Check:
    """Time both models alternately, so that a busy machine slows both."""
    images = digits.images[:200, ..., np.newaxis].astype(np.float32) / 255
    ours: list[float] = []
    theirs: list[float] = []
    for image in images:
        for model, times in ((both.candidate, ours), (both.incumbent, theirs)):
            started = time.perf_counter()
            model.network.logits(image)
            times.append((time.perf_counter() - started) * 1e6)
    candidate, incumbent = float(np.median(ours)), float(np.median(theirs))
    return Check(
        name="speed",
        figure="microseconds a reading",
        candidate=candidate,
        incumbent=incumbent,
        allowed=f"{TOLERANCES.slower} times as long",
        has_passed=candidate <= incumbent * TOLERANCES.slower,
        drawings=len(images),
    )


# --- what the report shows ---------------------------------------------------------


def _shown(name: str, pair: Pair, drawings: Sequence[Any]) -> list[dict[str, Any]]:
    """List fixed and broken drawings, the site's by id and public ones as pictures.

    The site shows its drawings from the database, so an erased one disappears here too.
    """
    shown = []
    for what, found in (("fixed", pair.fixed), ("broken", pair.broken)):
        for place in found[:SHOWN]:
            drawing = drawings[place]
            is_ours = isinstance(drawing, SnapshotDrawing)
            shown.append(
                {
                    "set": name,
                    "what": what,
                    "truth": int(pair.labels[place]),
                    "candidate": int(pair.candidate.probabilities[place].argmax()),
                    "incumbent": int(pair.incumbent.probabilities[place].argmax()),
                    "submission": drawing.id if is_ours else None,
                    "picture": None if is_ours else _data_url(drawing),
                }
            )
    return shown


def _data_url(image: NDArray[np.uint8]) -> str:
    return f"data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}"


def _reference(
    confidences: NDArray[np.float64], *, mnist: Mnist, snapshot: Snapshot
) -> dict[str, list[int]]:
    """Count confidences and the training set's ink, for the site to detect drift."""
    trained = [image / 255 for image in mnist.train.images[:2000]]
    trained += [d.image / 255 for d in snapshot.of("train")]
    means = np.array([float(image.mean()) for image in trained])
    return {
        "confidence": np.histogram(confidences, BINS, (0, 1))[0].tolist(),
        "ink": np.histogram(means.clip(0, MOST_INK), BINS, (0, MOST_INK))[0].tolist(),
    }


def parser() -> argparse.ArgumentParser:
    """Return the command's flags."""
    made = command_parser(__doc__)
    for name in ("candidate", "incumbent", "snapshot", "out"):
        made.add_argument(f"--{name}", type=Path, required=True)
    made.add_argument("--earlier", type=Path, help="hold-outs of earlier snapshots")
    made.add_argument("--progress", type=Path, help="file to say how far it is")
    made.add_argument("--digits", type=int, default=0, help="so many of MNIST's only")
    for name, number in (("changed", CHANGED), ("in-scenes", IN_SCENES)):
        made.add_argument(f"--{name}", type=int, default=number, help="for trials")
    made.add_argument("--watched", action="store_true", help="end with who started it")
    return made


def line_of(check: Mapping[str, Any]) -> str:
    """Write a check of a report as one line."""
    line = (
        f"{'passes' if check['has_passed'] else 'FAILS '}  {check['name']}, "
        f"{check['figure']}: {check['candidate']:.4f} ({check['incumbent']:.4f})"
    )
    if check["fixes"] is None:
        return line
    return f"{line}  fixes {check['fixes']}, breaks {check['breaks']}"


def told_of(report: Mapping[str, Any]) -> str:
    """Say a report's outcome in a sentence."""
    if report["outcome"] != "not_proven":
        return f"The candidate has {report['outcome']} the gate."
    needed = report["drawings_to_decide"]
    return "The candidate is not proven to be better" + (
        f": about {needed} drawings of held-out people would decide."
        if needed
        else ", and it does not lead: no number of drawings would decide."
    )


def main() -> None:
    """Compare two bundles, print the checks, write the report."""
    told = parser().parse_args()
    if told.watched:
        end_with_starter()
    report = judge_candidate(
        Both(
            Recogniser(open_bundle(told.candidate)),
            Recogniser(open_bundle(told.incumbent)),
        ),
        mnist=load_mnist().first(told.digits),
        pen=load_pen().split("calibration") if paths.pen_folder() else None,
        snapshot=load_snapshot(told.snapshot),
        earlier=load_snapshot(told.earlier) if told.earlier else None,
        changed=told.changed,
        in_scenes=told.in_scenes,
        tell=lambda share, doing: (
            say(told.progress, share, doing) if told.progress else None
        ),
    )
    for check in report["checks"]:
        print(line_of(check))
    test = report["mnist_test"]
    print(f"MNIST test: {test['candidate']:.2%} ({test['incumbent']:.2%}), no check")
    print(told_of(report))
    with replaced(told.out) as partial:
        partial.write_text(json.dumps(report))


if __name__ == "__main__":
    main()
