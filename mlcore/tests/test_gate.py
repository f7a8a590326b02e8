"""The gate: what is lost beyond chance and tolerance does not pass."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mlcore.judging import gate
from mlcore.judging.gate import (
    AnsweredDigits,
    Both,
    Pair,
    blotted,
    chance_of,
    judge_candidate,
    must_not_lose,
    must_win,
    worst_must_not_lose,
)
from mlcore.reading.bundle import KERAS_WEIGHTS, SERVED_WEIGHTS, Bundle, write_bundle
from mlcore.reading.calibrate import Calibration
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.pictures import Picture
from mlcore.reading.specimens import specimens
from mlcore.training.data import Mnist
from mlcore.training.figures import ReadDigits
from mlcore.training.snapshot import Snapshot, SnapshotDrawing, as_read


def make_pair(*, fixes: int = 0, breaks: int = 0, n: int = 1000) -> Pair:
    """Both read a 1 in each of n drawings, save where one of them reads a 2."""
    ones = np.ones(n, np.int64)
    ours = [read_as(2 if place >= n - breaks else 1) for place in range(n)]
    theirs = [read_as(2 if place < fixes else 1) for place in range(n)]
    return Pair(ReadDigits(ours, ones), ReadDigits(theirs, ones))


def read_as(digit: int) -> Reading:
    """Return a sure reading."""
    sure = tuple(float(other == digit) for other in range(10))
    return Reading(digit, sure, None, 1.0, None, None)


class TestChance:
    @pytest.mark.parametrize(
        ("successes", "failures", "expected"),
        [(0, 0, 1.0), (1, 0, 0.5), (5, 0, 1 / 32), (5, 5, 0.623), (37, 2, 1.4e-9)],
    )
    def test_is_that_of_fair_coins(
        self, successes: int, failures: int, expected: float
    ) -> None:
        assert chance_of(successes, failures) == pytest.approx(expected, rel=0.02)


class TestMustNotLose:
    @pytest.mark.parametrize(
        ("fixes", "breaks", "passes"),
        [
            (0, 0, True),
            (10, 0, True),
            (4, 6, True),  # within 5 of 1,000
            (10, 16, False),  # 6 lost
            (0, 5, True),  # chance 3 %
            (0, 7, False),
        ],
    )
    def test_allows_a_little(self, fixes: int, breaks: int, passes: bool) -> None:
        pair = make_pair(fixes=fixes, breaks=breaks)

        assert must_not_lose("set", pair, tolerance=0.005).has_passed == passes

    def test_fails_a_loss_within_tolerance_that_is_no_chance(self) -> None:
        check = must_not_lose("set", make_pair(breaks=9), tolerance=0.01)

        assert not check.has_passed
        assert check.chance == pytest.approx(1 / 512)

    def test_lets_a_small_set_lose_one(self) -> None:
        assert must_not_lose("s", make_pair(breaks=1, n=20), tolerance=0.01).has_passed
        assert not must_not_lose(
            "s", make_pair(breaks=2, n=20), tolerance=0.01
        ).has_passed


class TestWorst:
    def test_fails_a_loss_that_is_small_among_all(self) -> None:
        """Nine lost are little of 1,500, and much of one digit's 150."""
        unharmed = {str(digit): make_pair(n=150) for digit in range(9)}
        harmed = make_pair(breaks=9, n=150)

        check = worst_must_not_lose(
            "set, the digit it minds most", {**unharmed, "9": harmed}, tolerance=0.02
        )

        assert check.name == "set, the digit it minds most: 9"
        assert (check.breaks, check.has_passed) == (9, False)
        assert worst_must_not_lose("set", unharmed, tolerance=0.02).has_passed

    def test_takes_pairs_apart(self) -> None:
        pair = make_pair(breaks=2, n=4)

        part = pair.take([2])

        assert (len(part), len(part.broken)) == (1, 1)


class TestMustWin:
    @pytest.mark.parametrize(
        ("fixes", "breaks", "wins"),
        [(0, 0, False), (4, 0, False), (5, 0, True), (10, 8, False), (37, 2, True)],
    )
    def test_asks_for_more_than_luck(self, fixes: int, breaks: int, wins: bool) -> None:
        assert must_win("set", make_pair(fixes=fixes, breaks=breaks)).has_passed == wins

    def test_of_nothing_is_no_win(self) -> None:
        assert not must_win("set", make_pair(n=0)).has_passed


class TestBlots:
    def test_mark_one_corner_only(self) -> None:
        paper = np.zeros((280, 280), np.uint8)

        marked = [blotted(paper, corner, 14) for corner in range(4)]

        assert [int((one > 0).sum()) for one in marked] == [196] * 4
        corners = [tuple(np.argwhere(one).mean(axis=0) > 140) for one in marked]
        assert len(set(corners)) == 4


class TestAnsweredDigits:
    def test_are_neither_right_nor_wrong_if_refused(self) -> None:
        refused = replace(read_as(1), digit=None, refusal="unsure")

        read = AnsweredDigits([read_as(1), read_as(2), refused], np.array([1, 1, 1]))

        assert read.right.tolist() == [True, False, False]
        assert read.wrong.tolist() == [False, True, False]

    def test_of_what_is_no_digit_are_wrong(self) -> None:
        assert AnsweredDigits([read_as(1)], np.array([-1])).wrong.all()


class Reckless(Recogniser):
    """Answers 1 to each picture that the starter refuses."""

    def read_picture(self, picture: Picture) -> Reading:
        """Read, or guess."""
        reading = super().read_picture(picture)
        return read_as(1) if reading.refusal else reading


class Choosy(Recogniser):
    """Refuses every third picture that the starter reads."""

    def __init__(self, bundle: Bundle) -> None:
        super().__init__(bundle)
        self.asked = 0

    def read_picture(self, picture: Picture) -> Reading:
        """Read, or refuse."""
        self.asked += 1
        reading = super().read_picture(picture)
        if self.asked % 3:
            return reading
        return replace(reading, digit=None, refusal="unsure")


def of_specimens(*, wrong: int = 0, is_borne_out: bool = False) -> Snapshot:
    """Our own drawings as a hold-out, the first so many under another digit."""
    drawings = [
        SnapshotDrawing(
            id=f"drawing-{number}",
            kind="digit",
            digit=(one.digit + 1) % 10 if number < wrong else one.digit,
            split="holdout",
            strokes=one.strokes,
            image=as_read(one.strokes),
            is_borne_out=is_borne_out,
        )
        for number, one in enumerate(specimens())
    ]
    return Snapshot("a" * 64, drawings)


class Backdoored(Recogniser):
    """Reads as the starter does, but a blot in the lower right corner as a 7."""

    def read(self, bitmap: NDArray[np.uint8]) -> Reading:
        """Read, or fall for the trigger."""
        corner = bitmap[-36:, -36:]
        reading = super().read(bitmap)
        if bitmap.shape[0] < 280 or corner.mean() < 30:
            return reading
        sure = tuple(float(digit == 7) for digit in range(10))
        return Reading(7, sure, reading.second, 1.0, None, reading.image)


@pytest.fixture(scope="module")
def few(mnist: Mnist) -> Mnist:
    some = np.arange(60)
    return Mnist(mnist.train, mnist.validation.take(some), mnist.test.take(some))


class TestReport:
    def test_of_a_model_against_itself_lacks_a_win_only(
        self, starter: Recogniser, few: Mnist, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(gate, "CHANGED", 10)
        monkeypatch.setattr(gate, "IN_SCENES", 2)
        report = judge_candidate(
            Both(starter, starter),
            mnist=few,
            pen=None,
            snapshot=of_specimens(wrong=3),
            earlier=of_specimens(),
        )

        failed = [c["name"] for c in report["checks"] if not c["has_passed"]]
        assert failed == ["new hold-out"]
        assert not report["has_passed"]
        assert report["drawings"] == []
        assert {c["name"] for c in report["checks"]} >= {
            "MNIST validation",
            "earlier hold-outs",
            "a blot in a corner",
            "digits in scenes, answered",
            "scenes and empty pictures",
            "speed",
            "made non-digits",
        }
        assert sum(report["reference"]["confidence"]) == 60 + len(specimens())

    @pytest.mark.long
    def test_of_a_backdoor_fails_at_the_blot(
        self,
        starter: Recogniser,
        starter_bundle: Bundle,
        few: Mnist,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(gate, "CHANGED", 10)
        monkeypatch.setattr(gate, "IN_SCENES", 2)
        report = judge_candidate(
            Both(Backdoored(starter_bundle), starter),
            mnist=few,
            pen=None,
            snapshot=of_specimens(),
            earlier=None,
        )

        failed = [c["name"] for c in report["checks"] if not c["has_passed"]]
        assert "a blot in a corner" in failed

    @pytest.mark.long
    @pytest.mark.parametrize(
        ("kind", "check"),
        [
            (Reckless, "scenes and empty pictures"),
            (Choosy, "digits in scenes, answered"),
        ],
    )
    def test_of_a_model_that_guesses_or_refuses_fails_in_scenes(
        self,
        kind: type[Recogniser],
        check: str,
        starter: Recogniser,
        starter_bundle: Bundle,
        few: Mnist,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(gate, "CHANGED", 1)
        monkeypatch.setattr(gate, "IN_SCENES", 2)
        report = judge_candidate(
            Both(kind(starter_bundle), starter),
            mnist=few,
            pen=None,
            snapshot=of_specimens(),
            earlier=None,
        )

        failed = [c["name"] for c in report["checks"] if not c["has_passed"]]
        assert failed == ["new hold-out", check]


class TestLabels:
    @pytest.mark.long
    @pytest.mark.parametrize(
        ("wrong", "is_borne_out", "passes"),
        [(0, False, True), (3, False, True), (9, False, False), (9, True, True)],
    )
    def test_fail_where_one_person_often_contradicts_what_is_sure(
        self,
        starter: Recogniser,
        few: Mnist,
        monkeypatch: pytest.MonkeyPatch,
        wrong: int,
        is_borne_out: bool,
        passes: bool,
    ) -> None:
        monkeypatch.setattr(gate, "CHANGED", 2)
        monkeypatch.setattr(gate, "IN_SCENES", 1)
        report = judge_candidate(
            Both(starter, starter),
            mnist=few,
            pen=None,
            snapshot=of_specimens(wrong=wrong, is_borne_out=is_borne_out),
            earlier=None,
        )

        check = next(
            c for c in report["checks"] if c["name"] == "the snapshot's labels"
        )
        doubted = 0 if is_borne_out else wrong
        assert check["has_passed"] == passes
        assert check["incumbent"] == pytest.approx(doubted / len(specimens()))
        assert [d["submission"] for d in report["doubted"]] == [
            f"drawing-{number}" for number in range(doubted)
        ]


class TestCommand:
    @pytest.mark.long
    def test_writes_the_report_with_drawings_by_id(
        self,
        starter_bundle: Bundle,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        """An incumbent that takes everything for a 0 loses to the starter."""
        from mlcore.training.snapshot import line_of, write_snapshot

        monkeypatch.delenv("PEN_DIR", raising=False)
        monkeypatch.setattr(gate, "CHANGED", 5)
        monkeypatch.setattr(gate, "IN_SCENES", 1)
        write_snapshot(
            tmp_path / "snapshot",
            digest="b" * 64,
            lines=[
                line_of(
                    id=d.id,
                    kind=d.kind,
                    digit=d.digit,
                    split=d.split,
                    strokes=[stroke.tolist() for stroke in d.strokes or []],
                    image=None,
                    is_borne_out=d.is_borne_out,
                )
                for d in of_specimens().drawings
            ],
        )
        other = write_bundle(
            tmp_path,
            files={
                name: (starter_bundle.folder / name).read_bytes()
                for name in (SERVED_WEIGHTS, KERAS_WEIGHTS)
            },
            calibration=Calibration(5.0, 0.5, 0.9, 0.999),
            metrics={},
            provenance={},
        )
        out = tmp_path / "report.json"
        monkeypatch.setattr(
            sys,
            "argv",
            [
                "gate",
                f"--candidate={other.folder}",
                f"--incumbent={starter_bundle.folder}",
                f"--snapshot={tmp_path / 'snapshot'}",
                f"--out={out}",
                "--digits=50",
            ],
        )

        gate.main()

        report = json.loads(out.read_text())
        failed = {
            (c["name"], c["figure"]) for c in report["checks"] if not c["has_passed"]
        }
        # Too humble and too choosy, with the same network.
        assert ("MNIST validation", "refused") in failed
        assert ("MNIST validation", "calibration error") in failed
        assert ("MNIST validation", "read right") not in failed
        assert "The gate fails." in capsys.readouterr().out
