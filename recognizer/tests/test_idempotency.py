"""The same request sent twice stores once."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from recognizer.models import Feedback, IdempotencyKey, Label, Submission, User
from recognizer.tests.conftest import SEVEN, bearer, post_json
from recognizer.tests.test_submissions_api import seven_png

pytestmark = pytest.mark.usefixtures("active_model")
URL = "/api/v1/submissions/"
DOT = {**SEVEN, "strokes": [[[140, 140]]]}


@pytest.fixture
def known(program: Client) -> Client:
    """A program that keeps its cookie."""
    post_json(program, URL, DOT)
    return program


def send(client: Client, body: Any, key: str = "k-1", **headers: str) -> Any:
    return post_json(client, URL, body, **{"Idempotency-Key": key, **headers})


class TestTheSameKey:
    def test_and_body_stores_once_and_answers_the_same(self, known: Client) -> None:
        first = send(known, SEVEN)
        again = send(known, dict(reversed(SEVEN.items())))

        assert first.status_code == again.status_code == 201
        assert again.json() == first.json()
        assert again["Location"] == first["Location"]
        assert Submission.objects.count() == 2

    def test_and_another_body_is_a_409_and_stores_nothing(self, known: Client) -> None:
        send(known, SEVEN)

        answer = send(known, DOT)

        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "idempotency_key_reused"
        assert Submission.objects.count() == 2

    def test_and_picture_stores_once_whatever_the_form_s_boundary(
        self, known: Client
    ) -> None:
        answers = [
            known.post(
                URL,
                {"image": SimpleUploadedFile(name, seven_png(), "image/png")},
                headers={"Idempotency-Key": "k-2"},
            )
            for name in ("a.png", "b.png")
        ]

        assert answers[0].json() == answers[1].json()
        assert Submission.objects.count() == 2

    def test_of_another_owner_is_another_key(
        self, known: Client, reviewer: User
    ) -> None:
        mine = send(known, SEVEN).json()["id"]
        of_token = send(Client(), SEVEN, **bearer(reviewer, "write")).json()["id"]
        of_other_token = send(Client(), SEVEN, **bearer(reviewer, "write")).json()["id"]
        known.force_login(reviewer)
        known.handler.enforce_csrf_checks = False
        of_session = send(known, SEVEN).json()["id"]

        assert len({mine, of_token, of_other_token, of_session}) == 4

    def test_adds_one_feedback_and_one_label(
        self, known: Client, reviewer: User
    ) -> None:
        mine = send(known, SEVEN)["Location"]
        key = {"Idempotency-Key": "k-3"}
        as_reviewer = bearer(reviewer, "review")
        for _ in range(2):
            post_json(known, f"{mine}feedback/", {"verdict": "right"}, **key)
            answer = post_json(
                known, f"{mine}label/", {"digit": 7}, **key, **as_reviewer
            )

        assert answer.json()["label"]["digit"] == 7
        assert Feedback.objects.count() == Label.objects.count() == 1

    def test_is_another_request_at_another_address(self, known: Client) -> None:
        mine = send(known, SEVEN)["Location"]

        answer = post_json(
            known,
            f"{mine}feedback/",
            SEVEN | {"verdict": "right"},
            **{"Idempotency-Key": "k-1"},
        )

        assert answer.status_code == 409

    def test_goes_with_its_drawing(self, known: Client) -> None:
        known.delete(send(known, SEVEN)["Location"])

        assert not IdempotencyKey.objects.exists()


class TestAKey:
    def test_of_nobody_is_a_400_that_says_to_keep_the_cookie(
        self, program: Client
    ) -> None:
        answer = send(program, SEVEN)

        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "unknown_visitor"
        assert "cookie" in answer.json()["error"]["message"]
        assert not Submission.objects.exists()

    @pytest.mark.parametrize("key", ["", " ", "a b", "x" * 201, "sch\xf6n"])
    def test_that_is_none_is_a_400(self, known: Client, key: str) -> None:
        answer = send(known, SEVEN, key=key)

        assert answer.status_code == 400
        assert "Idempotency-Key" in answer.json()["error"]["fields"]
        assert Submission.objects.count() == 1


class TestTheVisitor:
    """`Visitor-Id`: a call is done as this visitor, or not at all."""

    @pytest.fixture
    def visitor_id(self, known: Client) -> str:
        return str(known.get("/api/v1/me/").json()["visitor_id"])

    @pytest.fixture
    def as_visitor(self, visitor_id: str) -> dict[str, str]:
        return {"Visitor-Id": visitor_id}

    def test_of_another_is_a_409_that_changes_nothing(
        self, known: Client, as_visitor: dict[str, str]
    ) -> None:
        mine = send(known, SEVEN)["Location"]
        other = Client()
        post_json(other, "/api/v1/me/", {})

        answers = [
            send(other, DOT, **as_visitor),
            send(Client(), DOT, **as_visitor),
            post_json(other, f"{mine}feedback/", {"verdict": "right"}, **as_visitor),
            other.delete(mine, headers=as_visitor),
        ]

        for answer in answers:
            assert answer.status_code == 409
            assert answer.json()["error"]["code"] == "lost_visitor"
        assert Submission.objects.count() == 2
        assert not Feedback.objects.exists()

    def test_keeps_its_keys_when_it_signs_in(
        self, known: Client, reviewer: User, as_visitor: dict[str, str]
    ) -> None:
        first = send(known, SEVEN, **as_visitor)
        known.force_login(reviewer)
        known.handler.enforce_csrf_checks = False

        again = send(known, SEVEN, **as_visitor)

        assert again.json()["id"] == first.json()["id"]
        assert Submission.objects.count() == 2

    def test_that_signed_out_is_another(
        self, known: Client, reviewer: User, as_visitor: dict[str, str]
    ) -> None:
        known.force_login(reviewer)
        known.handler.enforce_csrf_checks = False
        assert send(known, SEVEN, **as_visitor).status_code == 201
        cookie = known.cookies["visitor"]
        known.logout()
        known.cookies["visitor"] = cookie.value

        answer = send(known, DOT, key="k-2", **as_visitor)

        assert answer.status_code == 409
        assert answer.json()["error"]["code"] == "other_visitor"

    def test_that_is_no_uuid_is_a_400(self, known: Client) -> None:
        answer = send(known, SEVEN, **{"Visitor-Id": "me"})

        assert answer.status_code == 400
        assert "Visitor-Id" in answer.json()["error"]["fields"]
