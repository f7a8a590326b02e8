"""A visitor's answer to the shown prediction: kept, counted by the latest."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from recognizer.models import Feedback, Submission
from recognizer.tests.conftest import SEVEN, post_json

pytestmark = pytest.mark.usefixtures("active_model")
URL = "/api/v1/submissions/"


@pytest.fixture
def mine(program: Client) -> str:
    """The address of a drawing of a seven, read as 7."""
    location: str = post_json(program, URL, SEVEN)["Location"]
    return location


def say(client: Client, mine: str, **feedback: Any) -> Any:
    return post_json(client, f"{mine}feedback/", feedback)


class TestFeedback:
    @pytest.mark.parametrize(
        ("given", "kept"),
        [
            ({"verdict": "right"}, {"verdict": "right", "digit": None}),
            ({"verdict": "wrong", "digit": 1}, {"verdict": "wrong", "digit": 1}),
            (
                {"verdict": "wrong", "number": "71"},
                {"verdict": "wrong", "digit": None, "number": "71"},
            ),
            ({"verdict": "not_a_digit"}, {"verdict": "not_a_digit", "digit": None}),
            ({"verdict": "withdrawn"}, None),
        ],
    )
    def test_is_shown_with_the_submission(
        self, program: Client, mine: str, given: dict[str, Any], kept: Any
    ) -> None:
        answer = say(program, mine, **given)

        assert answer.status_code == 201
        assert answer.json()["feedback"] == kept
        assert program.get(mine).json() == answer.json()

    def test_of_the_latest_counts_and_all_are_kept(
        self, program: Client, mine: str
    ) -> None:
        say(program, mine, verdict="wrong", digit=1)
        say(program, mine, verdict="withdrawn")
        say(program, mine, verdict="right")

        assert program.get(mine).json()["feedback"]["verdict"] == "right"
        assert list(
            Feedback.objects.order_by("pk").values_list("verdict", flat=True)
        ) == ["wrong", "withdrawn", "right"]

    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"verdict": "maybe"},
            {"verdict": ["right"]},
            {"verdict": "wrong"},
            {"verdict": "wrong", "digit": 10},
            {"verdict": "wrong", "digit": "1"},
            {"verdict": "wrong", "digit": True},
            {"verdict": "wrong", "digit": 7},
            {"verdict": "right", "digit": 7},
            {"verdict": "right", "number": "71"},
            {"verdict": "wrong", "digit": 1, "number": "71"},
            {"verdict": "wrong", "number": "7"},
            {"verdict": "wrong", "number": 71},
            {"verdict": "wrong", "number": "7a"},
            {"verdict": "wrong", "number": "\u0667\u0661"},
            {"verdict": "wrong", "number": "7" * 21},
        ],
    )
    def test_that_makes_no_sense_is_refused(
        self, program: Client, mine: str, wrong: dict[str, Any]
    ) -> None:
        answer = say(program, mine, **wrong)

        assert answer.status_code == 400
        assert answer.json()["error"]["fields"]
        assert not Feedback.objects.exists()

    def test_of_another_visitor_is_a_404(self, mine: str) -> None:
        stranger = Client()
        post_json(stranger, URL, SEVEN)

        assert say(stranger, mine, verdict="right").status_code == 404

    def test_goes_with_its_drawing(self, program: Client, mine: str) -> None:
        say(program, mine, verdict="right")

        program.delete(mine)

        assert not Feedback.objects.exists()

    def test_is_shown_in_history_and_admin(
        self, program: Client, mine: str, admin_client: Client
    ) -> None:
        say(program, mine, verdict="wrong", digit=1)

        assert "it is 1" in program.get("/history/").content.decode()
        listed = admin_client.get("/admin/recognizer/submission/?verdict=wrong")
        assert "wrong: 1" in listed.content.decode()

    def test_of_a_number_is_shown_in_history_and_admin(
        self, program: Client, mine: str, admin_client: Client
    ) -> None:
        say(program, mine, verdict="wrong", number="71")

        assert "it is 71" in program.get("/history/").content.decode()
        listed = admin_client.get("/admin/recognizer/submission/?verdict=wrong")
        assert "wrong: 71" in listed.content.decode()

    def test_filters_the_list(self, program: Client, mine: str) -> None:
        other = post_json(program, URL, SEVEN).json()["id"]
        say(program, mine, verdict="wrong", digit=1)

        def listed(feedback: str) -> list[str]:
            answer = program.get(f"{URL}?feedback={feedback}").json()
            return [item["id"] for item in answer["results"]]

        assert listed("none") == [other]
        assert [mine.split("/")[-2]] == listed("wrong")
        assert listed("right") == listed("not_a_digit") == []
        assert program.get(f"{URL}?feedback=no").status_code == 400

    @pytest.mark.parametrize(
        "wrong",
        [
            {"verdict": "wrong", "digit": None},
            {"verdict": "right", "digit": 7},
            {"verdict": "tired", "digit": None},
            {"verdict": "right", "number": "71"},
            {"verdict": "wrong", "digit": 7, "number": "71"},
        ],
    )
    def test_never_contradicts_itself_in_the_rows(
        self, mine: str, wrong: dict[str, Any]
    ) -> None:
        submission = Submission.objects.get()

        with pytest.raises(IntegrityError), transaction.atomic():
            Feedback.objects.create(submission=submission, **wrong)
