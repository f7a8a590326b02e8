"""Freezing a benchmark: agreed to, labelled, split by person, and naming nobody."""

import json
import re
from collections import defaultdict
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from mlcore.judging.benchmark import Benchmark, BenchmarkError, open_benchmark
from mlcore.judging.score_server import report, score
from mlcore.reading.specimens import specimens
from mlcore.tests.making import SPLITS, specimen, write_pen_folder
from mlcore.training.collect import write_pen_drawings
from mlcore.training.data import read_pen_drawings
from recognizer.drawings.erasing import delete_all
from recognizer.drawings.feedback import give_feedback
from recognizer.learning import benchmarks, snapshots
from recognizer.models import AuditEntry, InBenchmark, Submission, User, Visitor
from recognizer.people.visitors import benchmarks_with, set_consent
from recognizer.tests.learning import as_drawing, hands, submit
from tools.server import Server

pytestmark = pytest.mark.usefixtures("active_model")


@pytest.fixture(autouse=True)
def no_pen_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PEN_DIR", raising=False)


@pytest.fixture
def pen_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """PEN_DIR with a file whose licence is known, and one whose is not."""
    folder = tmp_path / "pen"
    folder.mkdir()
    write_pen_folder(folder)
    known = list(read_pen_drawings(folder / "digits.jsonl.gz"))
    write_pen_drawings(folder / "pendigits-train.jsonl.gz", known)
    monkeypatch.setenv("PEN_DIR", str(folder))
    return folder


ONE_OF_EACH = {made.digit: made for made in specimens()}
"""A specimen of each digit."""


def make_people(*consents: bool) -> list[Visitor]:
    return [Visitor.objects.create(may_publish=one) for one in consents]


def draw_all(people: list[Visitor], reviewer: User) -> None:
    """Let each person draw every specimen, and a reviewer label them."""
    for person, drawn in zip(people, hands(len(people)), strict=True):
        for one in drawn:
            submit(person, one.strokes, reviewer=reviewer, digit=one.digit)


def freeze(folder: Path) -> Benchmark:
    made, _ = benchmarks.freeze(folder)
    return made


class TestSelection:
    def test_is_of_labelled_drawings_whose_owners_agreed(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        giver, keeper = make_people(True, False)
        seven, one = specimen("7 crossed").strokes, specimens()[0].strokes
        submit(giver, seven, reviewer=reviewer, digit=7)
        submit(giver, one)  # nobody has reviewed it
        submit(giver, one, reviewer=reviewer, rejected="ambiguous")
        submit(keeper, seven, reviewer=reviewer, digit=7)
        Visitor.objects.filter(pk=keeper.pk).update(may_train=True)

        (drawing,) = freeze(tmp_path).drawings

        assert (drawing.digit, drawing.source, drawing.person) == (7, "site", 1)
        assert drawing.strokes == [
            [[float(x), float(y)] for x, y in stroke] for stroke in seven
        ]
        assert drawing.image.any()

    def test_ends_with_the_consent_but_what_is_frozen_stays(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        people = make_people(True, True)
        draw_all(people, reviewer)
        first = freeze(tmp_path)
        InBenchmark.objects.all().delete()  # as if it had been killed before the end
        freeze(tmp_path)

        set_consent(visitors=people[:1], user=None, given={"may_publish": False})
        second = freeze(tmp_path)
        delete_all(visitors=people)

        withdrew, stayed = (benchmarks_with([one]) for one in people)
        assert withdrew == {first.folder.name: len(first.drawings) // 2}
        assert stayed == {**withdrew, second.folder.name: len(second.drawings)}
        assert {one.person for one in first.drawings} == {1, 2}
        assert {one.person for one in second.drawings} == {1}
        assert open_benchmark(first.folder).digest == first.digest
        assert (first.version, second.version) == (1, 2)

    def test_keeps_the_sides_of_people_whose_drawings_train(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        people = make_people(True, True, True, True)
        Visitor.objects.update(may_train=True)
        draw_all(people, reviewer)
        snapshot = snapshots.make_snapshot(actor=None)
        sides = {
            str(pk): split
            for pk, split in snapshot.items.values_list("submission_id", "split")
        }

        made = freeze(tmp_path)

        strokes = {
            json.dumps(one.strokes): str(one.pk) for one in Submission.objects.all()
        }
        names = {"train": "train", "holdout": "test"}
        assert {one.split for one in made.drawings} == {"train", "test"}
        for one in made.drawings:
            drawn = json.dumps([[list(p) for p in s] for s in one.strokes or []])
            (key,) = [pk for text, pk in strokes.items() if same(text, drawn)]
            assert names[sides[key]] == one.split

    def test_takes_near_duplicates_and_too_many_of_one_person_once(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        (person,) = make_people(True)
        seven = specimen("7 crossed").strokes
        for moved in (0, 5):
            submit(person, [s + moved for s in seven], reviewer=reviewer, digit=7)
        for digit in range(4):
            strokes = ONE_OF_EACH[digit].strokes
            submit(person, strokes, reviewer=reviewer, digit=digit)

        made, _ = benchmarks.freeze(tmp_path, most_of_one=3)

        sheet = (made.folder / "datasheet.md").read_text()
        assert len(made.drawings) == 3
        assert "over one person's share" in sheet
        everything = freeze(tmp_path)
        assert len(everything.drawings) == 5
        assert "1 near-identical" in (everything.folder / "datasheet.md").read_text()

    def test_is_the_same_again_and_has_the_same_digest(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        draw_all(make_people(True, True, True), reviewer)

        first, is_new = benchmarks.freeze(tmp_path)
        again, is_new_again = benchmarks.freeze(tmp_path)
        elsewhere = freeze(tmp_path / "elsewhere")

        assert (is_new, is_new_again) == (True, False)
        assert first.digest == again.digest == elsewhere.digest
        entry = AuditEntry.objects.filter(action="freeze").earliest("pk")
        assert entry.subject == first.digest
        assert entry.after == {"drawings": len(first.drawings)}


def same(one: str, other: str) -> bool:
    """Compare numbers, not how they are written."""
    return bool(json.loads(one) == json.loads(other))


class TestPeople:
    def test_are_in_one_split_and_have_numbers_of_their_own(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        draw_all(make_people(*[True] * 5), reviewer)

        made = freeze(tmp_path)

        splits = defaultdict(set)
        for one in made.drawings:
            splits[one.person].add(one.split)
        assert sorted(splits) == [1, 2, 3, 4, 5]
        assert {len(of_one) for of_one in splits.values()} == {1}
        assert set.union(*splits.values()) == {"train", "test"}

    def test_are_named_in_no_file(self, tmp_path: Path, reviewer: User) -> None:
        ada = User.objects.create_user("ada-lovelace", "ada@example.org")
        person = Visitor.objects.create(may_publish=True, user=ada)
        timed = as_drawing(specimen("7 crossed").strokes)
        strokes = [[[*p, 98765432.0] for p in stroke] for stroke in timed.strokes]
        one = submit(person, specimens()[0].strokes, reviewer=reviewer, digit=0)
        Submission.objects.filter(pk=one.pk).update(strokes=strokes)

        made = freeze(tmp_path)

        files = {path.name: path.read_bytes() for path in made.folder.iterdir()}
        secrets = [
            *("ada-lovelace", "ada@example.org", "98765432"),
            *(str(person.pk), str(one.pk), person.person_key),
        ]
        assert len(files) == 5
        for name, content in files.items():
            for secret in secrets:
                assert secret.encode() not in content, name


class TestPenDrawings:
    def test_are_those_of_judged_writers_under_a_known_licence(
        self, pen_folder: Path, tmp_path: Path
    ) -> None:
        made = freeze(tmp_path / "sets")

        file = pen_folder / "pendigits-train.jsonl.gz"
        by_split = defaultdict(list)
        for one in read_pen_drawings(file):
            by_split[one.split].append(one)
        assert set(by_split) == set(SPLITS)
        assert len(made.drawings) == len(by_split["judged"])
        assert {one.source for one in made.drawings} == {"pendigits-train"}
        assert {one.split for one in made.drawings} == {"test"}
        assert {one.person for one in made.drawings} == {1, 2}
        assert made.sources["pendigits-train"]["licence"] == "CC BY 4.0"
        told = b"".join(path.read_bytes() for path in made.folder.iterdir())
        for one in by_split["judged"]:
            assert one.writer
            assert one.writer.encode() not in told

    def test_are_not_of_the_people_of_the_site(
        self, pen_folder: Path, reviewer: User, tmp_path: Path
    ) -> None:
        draw_all(make_people(True), reviewer)

        made = freeze(tmp_path / "sets")

        people = {(one.source, one.person) for one in made.drawings}
        assert {source for source, _ in people} == {"site", "pendigits-train"}
        assert sorted(person for _, person in people) == [1, 2, 3]


class TestDatasheet:
    def test_says_what_is_in_it_and_what_is_missing(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        (person,) = make_people(True)
        for digit in (7, 1, 3):
            strokes = ONE_OF_EACH[digit].strokes
            submit(person, strokes, reviewer=reviewer, digit=digit)
        first = Submission.objects.order_by("pk").first()
        assert first is not None
        give_feedback(submission=first, verdict="right", digit=None)

        made = freeze(tmp_path)

        sheet = (made.folder / "datasheet.md").read_text()
        assert made.digest in sheet
        assert "The train split lacks the digits 0, 2, 4, 5, 6, 8, 9." in sheet
        assert "The test split has no drawings." in sheet
        assert "not at hand when this was made" in sheet
        assert "Two people agree on 1 of these 3 labels" in sheet
        assert "CC BY 4.0" in sheet
        rows = re.findall(r"^\|.*\|$", sheet, re.M)
        for digit in range(10):
            assert f"| {digit} | {int(digit in (7, 1, 3))} |" in rows
        assert "| site | train | 3 | 1 | 3 | 3 | 3 |" in rows
        assert "&" not in sheet


def run(*arguments: Any) -> str:
    out = StringIO()
    call_command("freeze_benchmark", *map(str, arguments), stdout=out, stderr=out)
    return out.getvalue()


class TestCommand:
    def test_freezes_once(self, reviewer: User, tmp_path: Path) -> None:
        draw_all(make_people(True), reviewer)

        first, again = run(tmp_path / "sets"), run(tmp_path / "sets")

        (folder,) = (tmp_path / "sets").iterdir()
        assert f"in {folder}." in first
        assert "site, train: " in first
        assert "by 1 people" in first
        assert f"{folder} has the same drawings already." in again

    @pytest.mark.parametrize("what", ["consent", "label", "drawing", "all"])
    def test_stops_if_somebody_withdraws_meanwhile(
        self, reviewer: User, tmp_path: Path, what: str
    ) -> None:
        (person,) = make_people(True)
        draw_all([person], reviewer)
        first = person.submissions.order_by("pk")[:1].values_list("pk", flat=True)
        ways: dict[str, Callable[[], object]] = {
            "consent": lambda: Visitor.objects.update(may_publish=False),
            "label": lambda: Submission.objects.filter(pk__in=list(first)).update(
                label_digit=None
            ),
            "drawing": lambda: Submission.objects.filter(pk__in=list(first)).delete(),
            "all": person.delete,
        }
        # With the last drawing: all have been loaded by then.
        looked_at = iter(
            [*[lambda: None] * (person.submissions.count() - 1), ways[what]]
        )
        sets = tmp_path / "sets"

        with pytest.raises(BenchmarkError, match="run the command again"):
            benchmarks.freeze(sets, seen=lambda: next(looked_at, lambda: None)())

        assert list(sets.glob("*")) == []
        assert not InBenchmark.objects.exists()

    def test_says_that_there_is_nothing(self, tmp_path: Path) -> None:
        with pytest.raises(CommandError, match="Account page"):
            run(tmp_path / "sets")
        with pytest.raises(CommandError, match="at least 1"):
            run(tmp_path / "sets", "--most-of-one=0")

        assert not (tmp_path / "sets").exists()

    def test_names_a_damaged_pen_file(self, pen_folder: Path, tmp_path: Path) -> None:
        (pen_folder / "unipen-digits.jsonl.gz").write_bytes(b"nothing")

        with pytest.raises(CommandError, match=r"unipen-digits\.jsonl\.gz"):
            run(tmp_path / "sets")


class TestScorer:
    @pytest.mark.parametrize("as_pixels", [False, True])
    def test_scores_this_site(
        self, pen_folder: Path, tmp_path: Path, server: Server, as_pixels: bool
    ) -> None:
        made = freeze(tmp_path / "sets")

        found = score(made, server.url, as_pixels=as_pixels)

        right = sum(one.likeliest == one.drawing.digit for one in found.outcomes)
        assert len(found.outcomes) == len(made.drawings)
        assert right / len(made.drawings) > 0.95
        assert re.fullmatch("[0-9a-f]{64}", found.model)
        assert "test, pendigits-train" in report(found)
