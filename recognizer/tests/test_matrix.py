"""Every call of every kind of caller, of a drawing that is somebody's."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from django.db import transaction
from django.test import Client
from schemathesis.core.result import Ok

from mlcore import places
from recognizer.models import Scope, Submission, User
from recognizer.tests.conftest import SEVEN, bearer, post_json

URL = "/api/v1/submissions/"


Caller = Callable[[str], tuple[Client, dict[str, str]]]
"""Returns a client, and the headers of a call that needs this scope."""


@dataclass(frozen=True)
class Call:
    """A call; what each kind of caller gets, a letter each."""

    method: str
    path: str
    scope: str
    answers: str
    body: Mapping[str, Any] | None = None


CALLERS = (
    "anonymous",  # who never drew
    "other anonymous",
    "other user",
    "owner",
    "owner's token without the scope",
    "owner's token with the scope",
    "reviewer",
    "reviewer's token with the scope",
    "admin",
)
STATUSES = {
    "o": 200,
    "c": 201,
    "n": 204,
    "b": 400,
    "u": 401,
    "f": 403,
    "-": 404,
}
CALLS = {
    # of anybody
    "readDrawings": Call(
        "POST", "/api/v1/readings/", "read", "oooofoooo", {"drawings": [SEVEN]}
    ),
    "listModels": Call("GET", "/api/v1/models/", "read", "oooofoooo"),
    "getActiveModel": Call("GET", "/api/v1/models/active/", "read", "oooofoooo"),
    "getStats": Call("GET", "/api/v1/stats/", "read", "oooofoooo"),
    "getMe": Call("GET", "/api/v1/me/", "read", "oooofoooo"),
    "setConsent": Call(
        "PATCH", "/api/v1/me/", "write", "booofoooo", {"may_train": True}
    ),
    # of one's own, whatever that is
    "listSubmissions": Call("GET", URL, "read", "oooofoooo"),
    "exportSubmissions": Call("GET", f"{URL}export/", "read", "oooofoooo"),
    "storeDrawing": Call("POST", URL, "write", "ccccfcccc", SEVEN),
    "deleteSubmissions": Call("DELETE", URL, "write", "nnnnfnnnn"),
    # of this one drawing
    "getSubmission": Call("GET", f"{URL}ID/", "read", "---ofo---"),
    "getSubmissionSvg": Call("GET", f"{URL}ID/image.svg", "read", "---ofo---"),
    "getSubmissionPng": Call("GET", f"{URL}ID/image.png", "read", "---ofo---"),
    "giveFeedback": Call(
        "POST", f"{URL}ID/feedback/", "write", "---cfc---", {"verdict": "right"}
    ),
    "deleteSubmission": Call("DELETE", f"{URL}ID/", "write", "---nfn---"),
    # of reviewers: a scope alone makes none
    "labelSubmission": Call(
        "POST", f"{URL}ID/label/", "review", "uuffffccc", {"digit": 7}
    ),
}


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("owner")


@pytest.fixture
def drawing(active_model: object, owner: User) -> str:
    """The id of the owner's drawing."""
    made = post_json(Client(), URL, SEVEN, **bearer(owner, "write")).json()
    drawing_id: str = made["id"]
    return drawing_id


@pytest.fixture
def callers(drawing: str, owner: User, reviewer: User) -> dict[str, Caller]:
    """Return how each caller calls, by the scope that the call needs."""
    other_anonymous = Client()
    post_json(other_anonymous, URL, SEVEN)

    def by_session(user: User) -> Caller:
        client = Client()
        client.force_login(user)
        return lambda scope: (client, {})

    return {
        "anonymous": lambda scope: (Client(), {}),
        "other anonymous": lambda scope: (other_anonymous, {}),
        "other user": by_session(User.objects.create_user("other")),
        "owner": by_session(owner),
        "owner's token without the scope": lambda scope: (
            Client(),
            bearer(owner, *(other for other in Scope.values if other != scope)),
        ),
        "owner's token with the scope": lambda scope: (Client(), bearer(owner, scope)),
        "reviewer": by_session(reviewer),
        "reviewer's token with the scope": lambda scope: (
            Client(),
            bearer(reviewer, scope),
        ),
        "admin": by_session(User.objects.create_superuser("admin")),
    }


class TestMatrix:
    def test_has_every_call(self) -> None:
        committed = schemathesis.openapi.from_path(
            places.REPOSITORY / "docs" / "openapi.yaml"
        )
        described = set()
        for result in committed.get_all_operations():
            assert isinstance(result, Ok)
            described.add(result.ok().definition.raw["operationId"])

        assert set(CALLS) == described

    @pytest.mark.parametrize("name", CALLS)
    def test_gives_each_caller_what_is_theirs(
        self,
        name: str,
        drawing: str,
        callers: dict[str, Caller],
    ) -> None:
        call = CALLS[name]
        statuses, harmed, told = {}, set(), set()

        for caller in CALLERS:
            client, headers = callers[caller](call.scope)
            with transaction.atomic():
                response = client.generic(
                    call.method,
                    call.path.replace("ID", drawing),
                    json.dumps(call.body) if call.body is not None else b"",
                    content_type="application/json",
                    headers=headers,
                )
                content = b"".join(response)
                statuses[caller] = response.status_code
                kept = Submission.objects.filter(pk=drawing).first()
                if kept is None or kept.verdict or kept.is_labelled:
                    harmed.add(caller)
                if drawing.encode() in content:
                    told.add(caller)
                transaction.set_rollback(True)

        owners = {"owner", "owner's token with the scope"}
        reviewers = {"reviewer", "reviewer's token with the scope", "admin"}
        assert statuses == {
            caller: STATUSES[letter]
            for caller, letter in zip(CALLERS, call.answers, strict=True)
        }
        changes = {"giveFeedback", "deleteSubmission", "deleteSubmissions"}
        tells = {
            "getSubmission",
            "giveFeedback",
            "listSubmissions",
            "exportSubmissions",
        }
        if name == "labelSubmission":
            assert harmed == told == reviewers
        else:
            assert harmed == (owners if name in changes else set())
            assert told == (owners if name in tells else set())
