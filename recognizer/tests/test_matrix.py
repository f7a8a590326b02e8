"""Every call and every page for every kind of caller."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from django.conf import LazySettings
from django.contrib.auth.models import Group
from django.db import transaction
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice
from schemathesis.core.result import Ok

from mlcore import paths
from recognizer.models import Scope, Submission, User
from recognizer.people.roles import prepare_roles
from recognizer.tests.addresses import NOBODYS, named_addresses
from recognizer.tests.conftest import SEVEN, bearer, enter_desk, post_json

URL = "/api/v1/submissions/"
WEBHOOKS = "/api/v1/webhooks/"
PASSWORD = "correct horse battery staple"


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
    "getActiveModelFile": Call(
        "GET", "/api/v1/models/active/model.tflite", "read", "oooofoooo"
    ),
    "getStats": Call("GET", "/api/v1/stats/", "read", "oooofoooo"),
    "getMe": Call("GET", "/api/v1/me/", "read", "oooofoooo"),
    "introduceMe": Call("POST", "/api/v1/me/", "write", "cocofoccc"),
    "setConsent": Call(
        "PATCH", "/api/v1/me/", "write", "booofoooo", {"may_train": True}
    ),
    # of one's own, whatever that is
    "listSubmissions": Call("GET", URL, "read", "oooofoooo"),
    "exportSubmissions": Call("GET", f"{URL}export/", "read", "oooofoooo"),
    "storeDrawing": Call("POST", URL, "write", "ccccfcccc", SEVEN),
    "deleteSubmissions": Call("DELETE", URL, "write", "nnnnfnnnn"),
    # of one's own account: a session and its password, never a token
    "deleteMe": Call(
        "DELETE", "/api/v1/me/", "write", "uufnfffff", {"password": PASSWORD}
    ),
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
    # of administrators
    "listWebhooks": Call("GET", WEBHOOKS, "read", "uuffffffo"),
    "registerWebhook": Call(
        "POST",
        WEBHOOKS,
        "write",
        "uuffffffc",
        {
            "url": "https://example.org/hook",
            "events": ["label.created"],
            "password": PASSWORD,
        },
    ),
    "deleteWebhook": Call("DELETE", f"{WEBHOOKS}ID/", "write", "uuffffff-"),
}


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("owner", password=PASSWORD)


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
        "admin": by_session(User.objects.create_superuser("admin", password=PASSWORD)),
    }


class TestMatrix:
    def test_has_every_call(self) -> None:
        committed = schemathesis.openapi.from_path(
            paths.REPOSITORY / "docs" / "openapi.yaml"
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
            by_session = {"owner"} if name == "deleteMe" else set()
            assert harmed == (owners if name in changes else by_session)
            assert told == (owners if name in tells else set())


# --- pages ------------------------------------------------------------------------

LETTERS = {
    "o": "200",
    "r": "elsewhere",
    "s": "sign-in",
    "b": "400",
    "-": "404",
    "m": "405",
}
SIGNED_OUT, OTHER_ANONYMOUS, OTHER_USER, OWNER = range(4)
SITE_PAGES = {
    # path: what GET and an empty POST get; signed out, an anonymous visitor, other
    # users, and the owner of the drawing
    "/": ("oooo", "mmmm"),
    "/account/": ("ssoo", "ssmm"),
    "/account/consent/": ("ssmm", "ssrr"),
    "/account/delete/": ("ssoo", "ssoo"),
    "/account/email/": ("ssoo", "ssoo"),
    "/account/factor/": ("ssoo", "ssoo"),
    "/account/factor/confirm/": ("ssrr", "ssrr"),
    "/account/password/": ("ssoo", "ssoo"),
    "/account/password/forgotten/": ("oooo", "oooo"),
    "/account/password/new/MQ/x-y/": ("oooo", "oooo"),  # "no longer works"
    "/account/password/sent/": ("oooo", "mmmm"),
    "/account/sessions/": ("ssoo", "ssoo"),
    "/account/sign-in/": ("oorr", "oorr"),
    "/account/sign-in/code/": ("ssss", "ssss"),  # before a password
    "/account/sign-out/": ("mmmm", "rrrr"),
    "/account/sign-up/": ("oooo", "oooo"),
    "/account/tokens/": ("ssmm", "ssbb"),
    f"/account/tokens/{NOBODYS}/revoke/": ("ssmm", "ss--"),
    "/api/docs/": ("oooo", "mmmm"),
    "/api/schema/": ("oooo", "mmmm"),
    "/history/": ("oooo", "mmmm"),  # one's own
    "/history/ID/": ("---o", "mmmm"),
    "/history/ID/delete/": ("---o", "---r"),
    "/history/ID/feedback/": ("mmmm", "---r"),
    "/history/consent/": ("mmmm", "-rrr"),  # of a visitor
    "/history/delete/": ("oooo", "rrrr"),  # one's own
    "/how-it-learns/": ("oooo", "mmmm"),
    "/language/": ("rrrr", "rrrr"),
    "/model/": ("oooo", "mmmm"),
    "/offline/": ("oooo", "mmmm"),
    "/privacy/": ("oooo", "mmmm"),
    f"/reader/{'0' * 64}/": ("----", "mmmm"),  # of a model that is not active
    f"/reader/{'0' * 64}/model.tflite": ("----", "mmmm"),
    "/service-worker.js": ("----", "mmmm"),  # of collected files
    "/upload/": ("oooo", "bbbb"),
}
REVIEWER, ADMINISTRATOR, SUPERUSER = "Reviewers", "Administrators", "superuser"
NO_ONE: set[str] = set()
EVERY_STAFF = {REVIEWER, ADMINISTRATOR, SUPERUSER}
_LEARNING = "auditentry|gatereport|modelversion|snapshot|trainingrun"
STAFF_PAGES = (
    # Who is admitted to an address below /admin/; the first pattern that matches.
    (r"(login|logout|jsi18n|password_change|password_change/done)/", EVERY_STAFF),
    (r"(recognizer/)?|r/1/.*", EVERY_STAFF),
    (r"\w+/\w+/[^/]+/history/", EVERY_STAFF),  # it leads to the index: no such row
    (rf"recognizer/({_LEARNING}|submission|visitor)/add/", NO_ONE),
    (rf"recognizer/({_LEARNING})/[^/]+/delete/", NO_ONE),
    (r"autocomplete/", NO_ONE),  # without a field to complete
    (r"recognizer/submission/[^/]+/delete/", {SUPERUSER}),
    (r"recognizer/submission/.*", EVERY_STAFF),
    (rf"recognizer/({_LEARNING}|webhook)/.*", {ADMINISTRATOR, SUPERUSER}),
    (r"recognizer/(token|user|visitor)/.*", {SUPERUSER}),
    (r"auth/group/.*", {SUPERUSER}),
)
OPEN_TO_ALL = {"/admin/login/", "/admin/logout/"}


@dataclass(frozen=True)
class Browser:
    """What a caller sends with each request; each begins where it was left."""

    cookies: dict[str, str]
    headers: Mapping[str, str]

    def call(self, method: str, path: str) -> str:
        """Return the answer to a call without content, whose changes are undone."""
        client = Client()
        client.cookies.load(self.cookies)
        with transaction.atomic():
            answer = client.generic(method, path, headers=self.headers)
            b"".join(answer)
            transaction.set_rollback(True)
        if answer.status_code not in (301, 302):
            return str(answer.status_code)
        place = answer["Location"].partition("?")[0]
        signs_in = {"/account/sign-in/": "sign-in", "/admin/login/": "admin sign-in"}
        return signs_in.get(place, "elsewhere")


def browser_of(client: Client, **headers: str) -> Browser:
    cookies = {name: one.value for name, one in client.cookies.items()}
    return Browser(cookies, headers)


def signed_in(user: User, *, at_the_desk: bool = False) -> Browser:
    client = Client()
    if at_the_desk:
        enter_desk(client, user)
    else:
        client.force_login(user)
    return browser_of(client)


@pytest.fixture
def staff(db: None, settings: LazySettings) -> dict[str, Browser]:
    """Return the browsers of staff by what they may do; nobody tries too often."""
    settings.SIGN_IN_FAILURES = {"site": 10**6, "staff": 10**6}
    settings.TRIES = {"sign-up": (10**6, 60), "own-password": (10**6, 60)}
    prepare_roles()
    found = {}
    for role in (REVIEWER, ADMINISTRATOR):
        user = User.objects.create_user(role, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        found[role] = signed_in(user, at_the_desk=True)
    superuser = User.objects.create_superuser(SUPERUSER)
    return {**found, SUPERUSER: signed_in(superuser, at_the_desk=True)}


@pytest.fixture
def browsers(drawing: str, owner: User, staff: Any) -> dict[str, tuple[int, Browser]]:
    """Return every other caller of pages, and what it is to the drawing."""
    anonymous = Client()
    post_json(anonymous, URL, SEVEN)
    superuser = User.objects.get(username=SUPERUSER)
    with_a_factor = User.objects.create_superuser("careful")
    TOTPDevice.objects.create(user=with_a_factor, name="app")
    by_token = {
        f"token: {scope}": (
            SIGNED_OUT,
            browser_of(Client(), **bearer(superuser, scope)),
        )
        for scope in Scope.values
    }
    return {
        "anonymous": (SIGNED_OUT, browser_of(Client())),
        "other anonymous": (OTHER_ANONYMOUS, browser_of(anonymous)),
        "other user": (OTHER_USER, signed_in(User.objects.create_user("other"))),
        "owner": (OWNER, signed_in(owner)),
        "superuser on the site": (OTHER_USER, signed_in(superuser)),
        "superuser without the code": (
            OTHER_USER,
            signed_in(with_a_factor, at_the_desk=True),
        ),
        **by_token,
    }


def admitted_to(path: str) -> set[str]:
    address = path.removeprefix("/admin/")
    return next(who for form, who in STAFF_PAGES if re.fullmatch(form, address))


def staff_pages() -> list[str]:
    """Return the addresses below /admin/; those of a user are somebody else's."""
    user = User.objects.create_user("somebody else")
    return [
        path.replace("/user/1/", f"/user/{user.pk}/")
        for path in named_addresses()
        if path.startswith("/admin/")
    ]


class TestPages:
    def test_are_all_known(self) -> None:
        known = {path.replace("ID", NOBODYS) for path in SITE_PAGES}
        pages = {
            path
            for path in named_addresses()
            if not path.startswith(("/api/v1/", "/admin/"))
        }

        assert pages == known

    def test_of_the_site_give_each_caller_what_is_theirs(
        self,
        drawing: str,
        browsers: dict[str, tuple[int, Browser]],
        staff: dict[str, Browser],
    ) -> None:
        everybody = {
            **browsers,
            **{role: (OTHER_USER, browser) for role, browser in staff.items()},
        }
        found = {}

        for path, answers in SITE_PAGES.items():
            for method, letters in zip(("GET", "POST"), answers, strict=True):
                for name, (kind, browser) in everybody.items():
                    got = browser.call(method, path.replace("ID", drawing))
                    if got != LETTERS[letters[kind]]:
                        found[method, path, name] = got

        factor = "/account/factor/", "superuser without the code"
        assert found == {("GET", *factor): "sign-in", ("POST", *factor): "sign-in"}

    @pytest.mark.long
    def test_of_staff_admit_nobody_else(
        self, browsers: dict[str, tuple[int, Browser]]
    ) -> None:
        pages = staff_pages()
        found = {
            (method, path, name): got
            for path in pages
            for method in ("GET", "POST")
            for name, (_, browser) in browsers.items()
            if path not in OPEN_TO_ALL
            and (got := browser.call(method, path)) != "admin sign-in"
        }

        assert len(pages) > 80
        assert found == {}

    @pytest.mark.long
    def test_of_staff_admit_each_to_their_own(self, staff: dict[str, Browser]) -> None:
        found = {}

        for path in staff_pages():
            admitted = {
                role
                for role, browser in staff.items()
                if {browser.call("GET", path), browser.call("POST", path)}
                - {"403", "405"}
            }
            if admitted != admitted_to(path):
                found[path] = admitted

        assert found == {}
