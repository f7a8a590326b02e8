"""What reviewers decide: kept, counted by the latest, theirs alone to give."""

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.test import Client

from recognizer.models import Label, Submission, User
from recognizer.people.roles import prepare_roles
from recognizer.tests.conftest import SEVEN, bearer, post_json

pytestmark = pytest.mark.usefixtures("active_model")
URL = "/api/v1/submissions/"


@pytest.fixture
def anybodys() -> str:
    """The address of a stranger's seven."""
    location: str = post_json(Client(), URL, SEVEN)["Location"]
    return location


@pytest.fixture
def as_reviewer(reviewer: User) -> dict[str, str]:
    """The headers of a reviewer's program."""
    return bearer(reviewer, "review")


def label(client: Client, address: str, headers: dict[str, str], **given: Any) -> Any:
    return post_json(client, f"{address}label/", given, **headers)


class TestLabel:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ({"digit": 7}, {"digit": 7, "rejected": None}),
            ({"number": "71"}, {"digit": None, "number": "71", "rejected": None}),
            ({"rejected": "ambiguous"}, {"digit": None, "rejected": "ambiguous"}),
        ],
    )
    def test_is_shown_with_the_submission(
        self,
        program: Client,
        anybodys: str,
        as_reviewer: dict[str, str],
        given: dict[str, Any],
        kept: dict[str, Any],
    ) -> None:
        answer = label(program, anybodys, as_reviewer, **given)

        assert answer.status_code == 201
        assert answer.json()["label"] == kept

    def test_of_the_latest_counts_and_all_are_kept(
        self,
        program: Client,
        anybodys: str,
        as_reviewer: dict[str, str],
        reviewer: User,
    ) -> None:
        label(program, anybodys, as_reviewer, digit=1)
        label(program, anybodys, as_reviewer, rejected="several")
        label(program, anybodys, as_reviewer, digit=7)

        submission = Submission.objects.get()
        assert (submission.label_digit, submission.rejection) == (7, "")
        assert [str(one) for one in Label.objects.order_by("pk")] == [
            "1",
            "several",
            "7",
        ]
        assert set(Label.objects.values_list("reviewer", flat=True)) == {reviewer.pk}

    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"digit": 10},
            {"digit": "7"},
            {"digit": True},
            {"digit": 7, "rejected": "ambiguous"},
            {"digit": 7, "number": "71"},
            {"number": "71", "rejected": "ambiguous"},
            {"number": "7"},
            {"number": ""},
            {"rejected": "tired"},
            {"rejected": ["ambiguous"]},
        ],
    )
    def test_that_makes_no_sense_is_refused(
        self,
        program: Client,
        anybodys: str,
        as_reviewer: dict[str, str],
        wrong: dict[str, Any],
    ) -> None:
        answer = label(program, anybodys, as_reviewer, **wrong)

        assert answer.status_code == 400
        assert answer.json()["error"]["fields"]
        assert not Label.objects.exists()

    def test_of_an_unknown_drawing_is_a_404(
        self, program: Client, anybodys: str, as_reviewer: dict[str, str]
    ) -> None:
        program.force_login(User.objects.get())
        Submission.objects.all().delete()

        assert label(program, anybodys, as_reviewer, digit=7).status_code == 404

    def test_goes_with_its_drawing(
        self, program: Client, as_reviewer: dict[str, str]
    ) -> None:
        mine = post_json(program, URL, SEVEN)["Location"]
        label(program, mine, as_reviewer, digit=7)

        program.delete(mine)

        assert not Label.objects.exists()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"digit": None, "rejected": ""},
            {"digit": 7, "rejected": "ambiguous"},
            {"digit": 10, "rejected": ""},
            {"digit": None, "rejected": "tired"},
        ],
    )
    def test_never_contradicts_itself_in_the_rows(
        self, anybodys: str, wrong: dict[str, Any]
    ) -> None:
        submission = Submission.objects.get()

        with pytest.raises(IntegrityError), transaction.atomic():
            Label.objects.create(submission=submission, **wrong)
        with pytest.raises(IntegrityError), transaction.atomic():
            Submission.objects.update(
                label_digit=wrong["digit"], rejection=wrong["rejected"] or "tired"
            )


class TestReviewers:
    def test_are_who_is_in_the_group(
        self, program: Client, anybodys: str, django_user_model: Any
    ) -> None:
        prepare_roles()
        member = django_user_model.objects.create_user("member")
        headers = bearer(member, "review")
        before = label(program, anybodys, headers, digit=7)

        member.groups.add(Group.objects.get(name="Reviewers"))

        assert before.status_code == 403
        assert "Reviewers" in before.json()["error"]["message"]
        assert label(program, anybodys, headers, digit=7).status_code == 201

    def test_need_a_token_for_it(
        self, program: Client, anybodys: str, reviewer: User
    ) -> None:
        answer = label(program, anybodys, bearer(reviewer, "read", "write"), digit=7)

        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "insufficient_scope"
        assert 'scope="review"' in answer["WWW-Authenticate"]

    def test_nobody_is_anonymous(self, program: Client, anybodys: str) -> None:
        answer = label(program, anybodys, {}, digit=7)

        assert answer.status_code == 401
        assert answer["WWW-Authenticate"].startswith("Bearer")
        assert answer.json()["error"]["code"] == "not_authenticated"
