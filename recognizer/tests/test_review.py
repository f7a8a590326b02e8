"""The review queue: the most useful first, each on one desk, nothing overwritten."""

import json
import urllib.parse
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import timezone

from recognizer.drawings.derived import rebuild_derived
from recognizer.drawings.erasing import delete_submissions
from recognizer.drawings.feedback import give_feedback
from recognizer.learning import review
from recognizer.learning.labels import label_submission
from recognizer.learning.review import Decision, ReviewConflictError
from recognizer.models import (
    AuditEntry,
    Feedback,
    GateReport,
    Label,
    ModelVersion,
    Prediction,
    Submission,
    User,
)
from recognizer.people.roles import prepare_roles
from recognizer.tests.conftest import SEVEN, enter_desk
from recognizer.tests.test_models import make_prediction, make_submission
from tools.server import Server

DESK = "/admin/recognizer/submission/review/"


def make_reviewer(name: str) -> User:
    prepare_roles()
    user = User.objects.create_user(name, is_staff=True)
    user.groups.add(Group.objects.get(name="Reviewers"))
    return user


@pytest.fixture
def ada(db: None) -> User:
    return make_reviewer("ada")


@pytest.fixture
def ben(db: None) -> User:
    return make_reviewer("ben")


def make_read(
    version: ModelVersion,
    *,
    verdict: str = "",
    corrected: int | None = None,
    **reading: Any,
) -> Submission:
    """Store a drawing read as a 7, sure by default, and give its priority."""
    usual = {"confidence": 0.9, "digitness": 0.99}
    reading = {**usual, **reading}
    rest = (1 - reading["confidence"]) / 2
    probabilities = [0.0] * 10
    probabilities[7], probabilities[1], probabilities[9] = (
        reading["confidence"],
        rest,
        rest,
    )
    submission = make_submission()
    if verdict:
        Feedback.objects.create(submission=submission, verdict=verdict, digit=corrected)
    make_prediction(
        submission=submission,
        model_version=version,
        probabilities=probabilities,
        **reading,
    )
    return submission


@pytest.fixture
def queue(active_model: ModelVersion) -> dict[str, Submission]:
    """One drawing of each sort, the least useful stored first."""
    made = {
        "sure": make_read(active_model, confidence=0.999),
        "ordinary": make_read(active_model),
        "unlike": make_read(active_model, digitness=0.2),
        "close": make_read(active_model, confidence=0.5),
        "closer": make_read(active_model, confidence=0.4),
        "corrected": make_read(active_model, verdict="wrong", corrected=1),
        "surely wrong": make_read(active_model, verdict="not_a_digit", confidence=0.99),
    }
    rebuild_derived()
    return made


def names(queue: dict[str, Submission], found: list[Submission]) -> list[str]:
    by_id = {submission.pk: name for name, submission in queue.items()}
    return [by_id[submission.pk] for submission in found]


class TestOrder:
    def test_is_by_what_a_label_is_worth(
        self, queue: dict[str, Submission], ada: User
    ) -> None:
        found = review.claim_next(reviewer=ada, count=10)

        assert names(queue, found) == [
            "surely wrong",
            "corrected",
            "closer",
            "close",
            "unlike",
            "ordinary",
            "sure",
        ]

    def test_follows_feedback_and_labels_at_once(
        self, queue: dict[str, Submission], ada: User
    ) -> None:
        give_feedback(submission=queue["sure"], verdict="wrong", digit=1)
        label_submission(submission=queue["surely wrong"], reviewer=ada, digit=7)

        found = review.claim_next(reviewer=ada, count=2)

        assert names(queue, found) == ["sure", "corrected"]
        assert rebuild_derived() == 0

    def test_can_leave_out_what_may_not_train(
        self, queue: dict[str, Submission], ada: User
    ) -> None:
        owner = queue["ordinary"].visitor
        owner.may_train = True
        owner.save()

        found = review.claim_next(reviewer=ada, count=10, only_trainable=True)

        assert names(queue, found) == ["ordinary"]


class TestLease:
    def test_gives_no_drawing_to_two(
        self, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        hers = review.claim_next(reviewer=ada, count=3)
        his = review.claim_next(reviewer=ben, count=10)

        assert len(hers) == 3
        assert len(his) == 4
        assert not {one.pk for one in hers} & {one.pk for one in his}
        with pytest.raises(ReviewConflictError, match="another reviewer has it"):
            review.decide(
                submission_id=hers[0].pk, reviewer=ben, decision=Decision(digit=1)
            )

    def test_ends_and_is_kept_alive(
        self, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        first, second = review.claim_next(reviewer=ada, count=2)
        Submission.objects.update(leased_until=timezone.now() - timedelta(seconds=1))

        review.claim_next(reviewer=ada, count=0, but=[second.pk])
        his = review.claim_next(reviewer=ben, count=1)

        assert [one.pk for one in his] == [first.pk]

    def test_is_one_s_own_again_after_a_reload(
        self, queue: dict[str, Submission], ada: User
    ) -> None:
        before = review.claim_next(reviewer=ada, count=2)

        after = review.claim_next(reviewer=ada, count=2)

        assert [one.pk for one in after] == [one.pk for one in before]


class TestDecide:
    def test_labels_and_goes_out_of_the_queue(
        self, queue: dict[str, Submission], ada: User
    ) -> None:
        (first,) = review.claim_next(reviewer=ada, count=1)

        decided = review.decide(
            submission_id=first.pk, reviewer=ada, decision=Decision(digit=1)
        )

        assert (decided.label_digit, decided.review_priority) == (1, None)
        assert first.pk not in {
            one.pk for one in review.claim_next(reviewer=ada, count=10)
        }

    def test_overwrites_nobody(
        self, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        (first,) = review.claim_next(reviewer=ada, count=1)
        label_submission(submission=first, reviewer=ben, digit=2)

        with pytest.raises(ReviewConflictError, match="Someone else has labelled"):
            review.decide(
                submission_id=first.pk, reviewer=ada, decision=Decision(digit=1)
            )

        assert Label.objects.get().digit == 2

    def test_is_audited_with_what_was_before(
        self, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        one = queue["sure"]
        label_submission(submission=one, reviewer=ben, digit=2)
        label_submission(submission=one, reviewer=ada, rejected="ambiguous")

        first, second = AuditEntry.objects.filter(subject=one.pk).order_by("pk")

        assert (first.actor, first.before, first.after) == (ben, {}, {"digit": 2})
        assert (second.actor, second.before) == (ada, {"digit": 2})
        assert second.after == {"rejected": "ambiguous"}

    def test_of_an_erased_drawing_leaves_who_and_when_only(
        self, queue: dict[str, Submission], ada: User
    ) -> None:
        one = queue["sure"]
        label_submission(submission=one, reviewer=ada, digit=2)

        delete_submissions(submissions=Submission.objects.filter(pk=one.pk))

        entry = AuditEntry.objects.get()
        assert entry.actor == ada
        assert entry.before == entry.after == {"erased": True}


class TestUndo:
    def test_brings_the_drawing_back_and_keeps_both_facts(
        self, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        one = queue["closer"]
        waiting = one.__class__.objects.get(pk=one.pk).review_priority
        review.decide(submission_id=one.pk, reviewer=ada, decision=Decision(digit=1))

        back = review.take_back(submission_id=one.pk, reviewer=ada)

        assert not back.is_labelled
        assert back.review_priority == waiting
        assert [str(label) for label in Label.objects.order_by("pk")] == [
            "1",
            "withdrawn",
        ]
        assert one.pk not in {
            other.pk for other in review.claim_next(reviewer=ben, count=10)
        }
        assert rebuild_derived() == 0

    def test_is_of_one_s_own_only(
        self, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        one = queue["closer"]
        review.decide(submission_id=one.pk, reviewer=ada, decision=Decision(digit=1))

        with pytest.raises(ReviewConflictError, match="no label on this drawing"):
            review.take_back(submission_id=one.pk, reviewer=ben)


class TestSkip:
    def test_leaves_it_to_others(
        self, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        (first,) = review.claim_next(reviewer=ada, count=1)

        review.skip(submission_id=first.pk, reviewer=ada)

        hers = review.claim_next(reviewer=ada, count=1)
        his = review.claim_next(reviewer=ben, count=1)
        assert hers[0].pk != first.pk
        assert his[0].pk == first.pk
        assert review.forget_skips(reviewer=ada) == 1


class TestApprove:
    def test_labels_what_visitor_and_reading_agree_on(
        self, active_model: ModelVersion, ada: User
    ) -> None:
        agreed = [make_read(active_model, verdict="right") for _ in range(3)]
        make_read(active_model, verdict="wrong", corrected=1)
        rebuild_derived()
        client = Client()
        enter_desk(client, ada)
        page = client.get(f"{DESK}approve/?digit=7")

        answer = client.post(
            f"{DESK}approve/?digit=7",
            {
                "shown": [one.pk for one in agreed],
                "good": [one.pk for one in agreed[:2]],
            },
            follow=True,
        )

        assert page.content.count(b'name="good"') == 3
        assert b"2 drawings labelled as 7" in answer.content
        labelled = Submission.objects.filter(label_digit=7)
        assert {one.pk for one in labelled} == {one.pk for one in agreed[:2]}

    def test_leaves_alone_what_was_corrected_meanwhile(
        self, active_model: ModelVersion, ada: User
    ) -> None:
        one = make_read(active_model, verdict="right")
        give_feedback(submission=one, verdict="wrong", digit=1)

        assert review.approve(submission_ids=[one.pk], reviewer=ada) == 0
        assert not Label.objects.exists()


@pytest.fixture
def doubted(
    queue: dict[str, Submission], active_model: ModelVersion, ada: User
) -> GateReport:
    """A gate has doubted three labels of ada's: two against the reading, one not."""
    names = ("sure", "ordinary", "surely wrong")
    for name in names:
        label_submission(submission=queue[name], reviewer=ada, digit=1)
    drawings = [{"submission": str(queue[name].pk)} for name in names]
    return GateReport.objects.create(
        candidate=active_model,
        incumbent=active_model,
        has_passed=False,
        report={"doubted": drawings},
    )


class TestSecondOpinion:
    def test_is_somebody_else_s(
        self, doubted: GateReport, ada: User, ben: User
    ) -> None:
        hers = review.doubted(report=doubted, reviewer=ada, count=10)
        his = review.doubted(report=doubted, reviewer=ben, count=2)

        assert hers == []
        assert len(his) == 2
        with pytest.raises(ReviewConflictError, match="Someone else"):
            review.give_second_opinion(
                submission_id=his[0].pk, reviewer=ada, decision=Decision(digit=1)
            )

    def test_that_agrees_bears_the_label_out(
        self, doubted: GateReport, queue: dict[str, Submission], ben: User
    ) -> None:
        kept = review.give_second_opinion(
            submission_id=queue["sure"].pk, reviewer=ben, decision=Decision(digit=1)
        )

        left = review.doubted(report=doubted, reviewer=make_reviewer("cy"), count=10)
        assert kept.label_digit == 1
        assert set(names(queue, left)) == {"ordinary", "surely wrong"}

    def test_that_differs_brings_the_drawing_back(
        self, doubted: GateReport, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        one = queue["sure"]

        back = review.give_second_opinion(
            submission_id=one.pk, reviewer=ben, decision=Decision(digit=7)
        )

        cy = make_reviewer("cy")
        assert not back.is_labelled
        assert [str(label) for label in Label.objects.filter(submission=one)] == [
            "1",
            "7",
            "withdrawn",
        ]
        assert one.pk in {s.pk for s in review.claim_next(reviewer=cy, count=10)}
        assert rebuild_derived() == 0
        with pytest.raises(ReviewConflictError, match="back in the queue"):
            review.give_second_opinion(
                submission_id=one.pk, reviewer=cy, decision=Decision(digit=7)
            )

    def test_of_who_drew_it_counts_too(
        self, doubted: GateReport, queue: dict[str, Submission], ben: User
    ) -> None:
        one = queue["sure"]
        give_feedback(submission=one, verdict="wrong", digit=1)

        found = review.doubted(report=doubted, reviewer=ben, count=10)

        assert "sure" not in names(queue, found)

    def test_does_not_count_twice_where_its_drawer_reviews(
        self, doubted: GateReport, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        one = queue["sure"]
        one.visitor.user = ada
        one.visitor.save()
        give_feedback(submission=one, verdict="wrong", digit=1)

        found = review.doubted(report=doubted, reviewer=ben, count=10)

        assert "sure" in names(queue, found)

    def test_is_given_on_a_desk_of_its_own(
        self, doubted: GateReport, queue: dict[str, Submission], ben: User
    ) -> None:
        client = Client()
        enter_desk(client, ben)

        page = client.get(f"{DESK}second/{doubted.pk}/").content.decode()
        claimed = client.post(f"{DESK}second-claim/{doubted.pk}/").json()["drawings"]
        first, second, _ = (one["id"] for one in claimed)
        client.post(f"{DESK}second-decide/", {"id": first, "digit": "1"})
        client.post(f"{DESK}second-decide/", {"id": second, "digit": "7"})
        left = client.post(f"{DESK}second-claim/{doubted.pk}/").json()["drawings"]

        assert f"{DESK}second-claim/{doubted.pk}/" in page
        assert "undo" not in page.partition('id="desk"')[2].partition("csrf")[0]
        assert len(left) == 1
        labels = Submission.objects.in_bulk([first, second])
        assert sorted(one.is_labelled for one in labels.values()) == [False, True]


class TestDesk:
    def test_is_for_reviewers(self, active_model: ModelVersion, ada: User) -> None:
        clerk = User.objects.create_user("clerk", is_staff=True)
        client = Client()
        enter_desk(client, clerk)
        as_clerk = [client.get(DESK), client.post(f"{DESK}claim/")]
        enter_desk(client, ada)
        page = client.get(DESK)

        assert [answer.status_code for answer in as_clerk] == [403, 403]
        assert page.status_code == 200
        assert b" style=" not in page.content
        assert b"<script>" not in page.content

    def test_says_why_it_keeps_nothing(
        self, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        client = Client()
        enter_desk(client, ada)
        one = queue["sure"]
        label_submission(submission=one, reviewer=ben, digit=2)

        def status(**fields: Any) -> int:
            return client.post(f"{DESK}decide/", fields).status_code

        assert status(id=one.pk, digit=1) == 409
        assert status(id=one.pk, digit="12") == 400
        assert status(id=one.pk, rejected="tired") == 400
        assert status(id=one.pk) == 400
        assert client.post(f"{DESK}claim/", {"have": "x"}).status_code == 400
        assert status(id="x", digit=1) == 400
        assert status(id=active_id(), digit=1) == 404
        assert Prediction.objects.count() == 7


def active_id() -> str:
    return "01a20aab-e832-7642-880c-5b3a15f35f22"


@pytest.mark.database
class TestManyReviewers:
    def test_at_once_never_get_the_same_drawing(self, server: Server) -> None:
        """Four desks claim and decide until nothing is left, on two processes."""
        for _ in range(40):
            drawn = post_json_live(server, "/api/v1/submissions/", SEVEN)
            assert drawn["id"]
        cookies = [server.sign_in(f"desk{number}") for number in range(4)]

        def work(mine: dict[str, str]) -> list[str]:
            met = []
            while found := desk_call(server, mine, "claim")["drawings"]:
                for one in found:
                    met.append(one["id"])
                    desk_call(server, mine, "decide", id=one["id"], digit="7")
            return met

        with ThreadPoolExecutor(4) as pool:
            met = [one for ids in pool.map(work, cookies) for one in ids]

        assert len(met) >= 40
        assert set(Counter(met).values()) == {1}
        assert server.manage("rebuild").startswith("0 submissions corrected")


def post_json_live(server: Server, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"{server.url}{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def desk_call(server: Server, cookies: dict[str, str], name: str, **fields: str) -> Any:
    request = urllib.request.Request(
        f"{server.url}{DESK}{name}/",
        data=urllib.parse.urlencode(fields).encode(),
        headers={
            "Cookie": "; ".join(f"{key}={value}" for key, value in cookies.items()),
            "X-CSRFToken": cookies["csrftoken"],
        },
        method="POST",
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


class TestLatestDecisions:
    def test_are_one_s_own_newest_that_count(
        self, queue: dict[str, Submission], ada: User, ben: User
    ) -> None:
        names = ("sure", "ordinary", "surely wrong")
        first, second, third = (queue[name] for name in names)
        for one in (first, second, third):
            label_submission(submission=one, reviewer=ada, digit=3)
        label_submission(submission=first, reviewer=ada, rejected="ambiguous")
        label_submission(submission=second, reviewer=ben, digit=4)
        review.take_back(submission_id=third.pk, reviewer=ada)

        found = review.latest_decisions(reviewer=ada, count=10)

        assert [(one.submission_id, one.rejected) for one in found] == [
            (first.pk, "ambiguous")
        ]
