"""Snapshots: reviewed and consented only, people on one side, nothing twice."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from numpy.typing import NDArray

from mlcore.reading.specimens import specimens
from mlcore.training.snapshot import load_snapshot
from recognizer.drawings.erasing import delete_submissions
from recognizer.drawings.feedback import give_feedback
from recognizer.drawings.submitting import submit_drawing
from recognizer.learning import datasets, snapshots
from recognizer.learning.labels import label_submission
from recognizer.models import (
    AuditEntry,
    ModelVersion,
    Snapshot,
    SnapshotItem,
    Submission,
    User,
    Visitor,
)
from recognizer.people.visitors import adopt_visitor, set_consent
from recognizer.reader.drawing import Expected
from recognizer.tests.conftest import SEVEN
from recognizer.tests.learning import as_drawing, fill, hands, make_person, submit

pytestmark = pytest.mark.usefixtures("active_model")


def make() -> Snapshot:
    return snapshots.make_snapshot(actor=None)


def kept(snapshot: Snapshot) -> set[str]:
    return {str(pk) for pk in snapshot.items.values_list("submission_id", flat=True)}


def submit_number(person: Visitor, *strokes: NDArray[np.float32]) -> Submission:
    """Store a drawing that may be a number."""
    drawing = replace(as_drawing(strokes), expected=Expected("number"))
    return submit_drawing(drawing=drawing, visitor=person, source="page")


class TestSelection:
    def test_is_of_reviewed_and_consented_drawings_only(self, reviewer: User) -> None:
        giver, keeper = make_person(), make_person(may_train=False)
        seven, one, two, *_ = (s.strokes for s in specimens()[::4])
        taken = submit(giver, seven, reviewer=reviewer, digit=7)
        submit(giver, one)  # nobody has reviewed it
        submit(keeper, two, reviewer=reviewer, digit=2)

        assert kept(make()) == {str(taken.pk)}

    def test_takes_no_visitor_s_word_for_it(self, reviewer: User) -> None:
        """A malicious one says of every drawing that it is a 7; one is reviewed."""
        person = make_person()
        drawn = [submit(person, one.strokes) for one in specimens()[:20]]
        for one in drawn:
            is_seven = one.shown_digit == 7
            verdict, digit = ("right", None) if is_seven else ("wrong", 7)
            give_feedback(submission=one, verdict=verdict, digit=digit)

        with pytest.raises(snapshots.NothingToLearnError, match="Account"):
            make()
        label_submission(submission=drawn[0], reviewer=reviewer, digit=0)

        assert list(make().items.values_list("submission_id", "digit")) == [
            (drawn[0].pk, 0)
        ]

    def test_takes_each_digit_of_a_number(self, reviewer: User, tmp_path: Path) -> None:
        seven = np.array(SEVEN["strokes"][0], np.float32) * (0.5, 1)
        one = np.array([[180, 70], [178, 140], [176, 225]], np.float32)
        person = make_person()
        number = submit_number(person, seven, one)
        other = submit_number(person, seven, one, one + np.array([60, 0], np.float32))
        label_submission(submission=number, reviewer=reviewer, number="71")
        label_submission(submission=other, reviewer=reviewer, number="74")

        snapshot = make()
        datasets.write_folder(snapshot, tmp_path)
        written = load_snapshot(tmp_path).drawings

        items = snapshot.items.order_by("place")
        assert list(items.values_list("place", "digit")) == [(1, 7), (2, 1)]
        assert snapshot.datasheet["left out"] == {"digits not told apart": 1}
        assert [drawing.digit for drawing in written] == [7, 1]
        assert [len(drawing.strokes or ()) for drawing in written] == [1, 1]

    def test_takes_what_is_no_digit_and_leaves_what_teaches_nothing(
        self, reviewer: User
    ) -> None:
        person = make_person()
        reasons = ["several", "not_a_digit", "ambiguous", "unreadable", "offensive"]
        for one, reason in zip(specimens()[::4], reasons, strict=False):
            submit(person, one.strokes, reviewer=reviewer, rejected=reason)

        kinds = Counter(make().items.values_list("kind", flat=True))

        assert kinds == {"several": 1, "not_a_digit": 1}

    def test_counts_near_identical_drawings_once(self, reviewer: User) -> None:
        one, other = specimens()[0], specimens()[-1]
        sender, copier = make_person(), make_person()
        submit(sender, other.strokes, reviewer=reviewer, digit=other.digit)
        for shift in (0, 3, 11):
            moved = [stroke + shift for stroke in one.strokes]
            submit(sender, moved, reviewer=reviewer, digit=one.digit)
        submit(copier, one.strokes, reviewer=reviewer, digit=one.digit)
        submit(copier, hands(1)[0][20].strokes, reviewer=reviewer, digit=5)

        snapshot = make()

        assert snapshot.items.count() == 3
        assert snapshot.datasheet["left out"] == {"near-identical": 3}

    def test_caps_one_person_s_share(self, reviewer: User) -> None:
        user = User.objects.create_user("ann")
        (drawn,) = hands(1)
        browsers = [make_person(user=user) for _ in range(2)]
        for number, one in enumerate(drawn):
            browser = browsers[number % 2]
            submit(browser, one.strokes, reviewer=reviewer, digit=one.digit)

        snapshot = snapshots.make_snapshot(actor=None, most_of_one=5)

        newest = Submission.objects.order_by("-pk").values_list("pk", flat=True)
        assert snapshot.items.count() == 5
        assert kept(snapshot) <= {str(pk) for pk in newest[:8]}

    def test_of_nothing_says_what_to_do(self) -> None:
        with pytest.raises(CommandError, match="Review drawings"):
            call_command("export_snapshot")


class TestSides:
    def test_are_by_person_and_hold_a_quarter_out(self) -> None:
        fill(people=8)

        snapshot = make()

        sides = Counter(snapshot.items.values_list("split", flat=True))
        assert 0.1 < sides["holdout"] / sides.total() < 0.4
        of_person = {
            (s.visitor_id, item.split)
            for item in snapshot.items.all()
            for s in Submission.objects.filter(pk=item.submission_id)
        }
        assert len(of_person) == 8

    def test_are_frozen(self, reviewer: User) -> None:
        fill(people=4)
        make()
        before = dict(Visitor.objects.values_list("pk", "split"))

        fill(people=4)
        make()

        after = dict(Visitor.objects.values_list("pk", "split"))
        assert before.items() <= after.items()
        assert all(after.values())

    def test_of_a_new_browser_are_its_user_s(self, reviewer: User) -> None:
        fill(people=4)
        make()
        user = User.objects.create_user("ann")
        for side in ("train", "holdout"):
            known = Visitor.objects.filter(split=side, user=None).first()
            assert known
            adopt_visitor(visitor=known, user=user)
            new = make_person(user=user)
            submit(new, hands(1, seed=9)[0][0].strokes, reviewer=reviewer, digit=0)
            make()

            new.refresh_from_db()
            assert new.split == "train"  # and stays it, once the user is on both

        held = Visitor.objects.get(user=user, split="holdout")
        theirs = {str(pk) for pk in held.submissions.values_list("pk", flat=True)}
        assert not theirs & kept(Snapshot.objects.latest("pk"))


class TestDigest:
    def test_of_the_same_selection_is_the_same_snapshot(self) -> None:
        fill(people=2)

        assert make() == make()
        assert Snapshot.objects.count() == 1
        assert AuditEntry.objects.filter(action="snapshot").count() == 1

    def test_changes_with_a_label(self, reviewer: User) -> None:
        fill(people=2)
        first = make()
        label_submission(
            submission=Submission.objects.earliest("pk"), reviewer=reviewer, digit=9
        )

        second = make()

        assert second.digest != first.digest
        assert (
            first.items.count() == SnapshotItem.objects.filter(snapshot=first).count()
        )


class TestFolder:
    def test_holds_drawings_without_what_was_erased(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        fill(people=2)
        snapshot = make()
        gone, refused, *_ = Visitor.objects.order_by("pk")
        erased = gone.submissions.earliest("pk")
        delete_submissions(submissions=Submission.objects.filter(pk=erased.pk))

        datasets.write_folder(snapshot, tmp_path / "first")
        set_consent(visitors=[refused], user=None, given={"may_train": False})
        datasets.write_folder(snapshot, tmp_path / "second")

        first, second = (load_snapshot(tmp_path / n) for n in ("first", "second"))
        total = snapshot.items.count()
        assert (len(first.drawings), first.erased) == (total - 1, 1)
        assert str(erased.pk) not in {d.id for d in first.drawings}
        owners = Submission.objects.in_bulk([d.id for d in second.drawings])
        assert {one.visitor_id for one in owners.values()} == {gone.pk}

    def test_tells_people_apart_and_names_nobody(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        fill(people=2)
        ada = User.objects.create_user("ada")
        home, office, *_ = Visitor.objects.order_by("pk")
        snapshot = make()

        def people() -> dict[str, str]:
            datasets.write_folder(snapshot, tmp_path)
            return {d.id: d.person for d in load_snapshot(tmp_path).drawings}

        owners = {str(s.pk): str(s.visitor_id) for s in Submission.objects.all()}
        apart = people()
        assert len({(owners[pk], person) for pk, person in apart.items()}) == 2
        assert len(set(apart.values())) == 2
        assert not {*apart.values()} & {*owners.values()}

        Visitor.objects.filter(pk__in=[home.pk, office.pk]).update(user=ada)
        assert len(set(people().values())) == 1

    def test_knows_what_two_people_say(self, reviewer: User, tmp_path: Path) -> None:
        fill(people=2)
        confirmed, corrected, alone, *_ = Submission.objects.order_by("pk")
        for one in (confirmed, corrected, alone):
            label_submission(submission=one, reviewer=reviewer, digit=3)
        colleague = User.objects.create_user("colleague")
        label_submission(submission=confirmed, reviewer=colleague, digit=3)
        label_submission(submission=alone, reviewer=reviewer, digit=3)
        give_feedback(submission=corrected, verdict="wrong", digit=3)

        datasets.write_folder(make(), tmp_path)

        drawings = {d.id: d for d in load_snapshot(tmp_path).drawings}
        said = [drawings.get(str(one.pk)) for one in (confirmed, corrected, alone)]
        assert [d and d.is_borne_out for d in said] == [True, True, False]

    def test_of_the_command_has_a_datasheet(self, tmp_path: Path) -> None:
        fill(people=2)

        call_command("export_snapshot", to=tmp_path / "here")

        sheet = (tmp_path / "here" / "datasheet.md").read_text()
        assert "1 people on the training side, 1 held out" in sheet
        assert "| 7 | " in sheet
        assert (
            len(load_snapshot(tmp_path / "here").drawings)
            == SnapshotItem.objects.count()
        )

    def test_of_earlier_hold_outs_keeps_their_labels(
        self, reviewer: User, tmp_path: Path
    ) -> None:
        fill(people=4)
        first = make()
        held = first.items.filter(split="holdout", digit__isnull=False)
        one = held.order_by("submission_id")[0]
        label_submission(
            submission=Submission.objects.get(pk=one.submission_id),
            reviewer=reviewer,
            rejected="ambiguous",
        )
        second = make()

        datasets.write_earlier(second, tmp_path)

        earlier = {d.id: d.digit for d in load_snapshot(tmp_path).drawings}
        assert earlier[str(one.submission_id)] == one.digit
        assert len(earlier) == first.items.filter(split="holdout").count()
        assert str(one.submission_id) not in kept(second)


def test_the_starter_reads_what_the_tests_draw(active_model: ModelVersion) -> None:
    fill(people=1)

    right = [s.shown_digit == s.label_digit for s in Submission.objects.all()]
    assert sum(right) / len(right) > 0.9
