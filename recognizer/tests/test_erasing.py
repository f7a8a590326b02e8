"""Accounts and drawings are deleted for good, by the page, the API and the admin."""

import re
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied
from django.test import Client

from mlcore import paths
from recognizer.models import (
    Archived,
    AuditEntry,
    Erasure,
    Submission,
    Token,
    User,
    Visitor,
    new_id,
)
from recognizer.people import erasing
from recognizer.people.tokens import make_token
from recognizer.tests.conftest import SEVEN, bearer, enter_desk, post_json

pytestmark = pytest.mark.usefixtures("active_model")

APP = paths.REPOSITORY / "recognizer"
PASSWORD = "correct horse battery staple"
URL = "/api/v1/submissions/"
ME = "/api/v1/me/"
PAGE = "/account/delete/"


@pytest.fixture
def ada(db: None) -> User:
    """A user with a token, two drawings in two browsers, and an archived one."""
    user = User.objects.create_user("ada", "ada@example.org", PASSWORD)
    make_token(user=user, name="scanner", scopes=["read"])
    for _ in range(2):
        browser = signed_in(user)
        assert post_json(browser, URL, SEVEN).status_code == 201
        visitor = Visitor.objects.create(user=user)
    Archived.objects.create(submission_id=new_id(), visitor=visitor)
    return user


@pytest.fixture
def grace(db: None) -> User:
    return User.objects.create_superuser("grace", password=PASSWORD)


def signed_in(user: User) -> Client:
    browser = Client()
    browser.force_login(user)
    return browser


def by_page(user: User) -> None:
    answer = signed_in(user).post(PAGE, {"password": PASSWORD})
    assert answer["Location"] == "/"


def by_call(user: User) -> None:
    assert delete_me(signed_in(user), password=PASSWORD).status_code == 204


def by_admin(user: User) -> None:
    staff = at_the_desk()
    staff.post(f"/admin/recognizer/user/{user.pk}/delete/", {"post": "yes"})


def by_admin_at_once(user: User) -> None:
    delete_selected(at_the_desk(), "user", user.pk)


WAYS = [by_page, by_call, by_admin, by_admin_at_once]


def at_the_desk() -> Client:
    staff = Client()
    enter_desk(staff, User.objects.get(username="grace"))
    return staff


def delete_selected(staff: Client, table: str, *keys: Any) -> Any:
    fields = {"action": "delete_selected", "_selected_action": keys, "post": "yes"}
    return staff.post(f"/admin/recognizer/{table}/", fields)


def delete_me(browser: Client, **body: Any) -> Any:
    return browser.delete(ME, body, content_type="application/json")


class TestAccount:
    @pytest.mark.parametrize("way", WAYS)
    def test_is_gone_with_all_that_is_its_own(
        self, ada: User, grace: User, way: Any
    ) -> None:
        kept = post_json(signed_in(grace), URL, SEVEN).json()["id"]
        ids = {
            ada.erasure_id,
            *Submission.objects.filter(visitor__user=ada).values_list("pk", flat=True),
            *Visitor.objects.filter(user=ada).values_list("pk", flat=True),
            *Archived.objects.values_list("pk", flat=True),
        }

        way(ada)

        assert len(ids) >= 6
        assert set(Erasure.objects.values_list("pk", flat=True)) == ids
        assert list(User.objects.all()) == [grace]
        assert [str(one.pk) for one in Submission.objects.all()] == [kept]
        assert Visitor.objects.get().user == grace
        assert not Token.objects.exists()
        assert not Archived.objects.exists()

    @pytest.mark.parametrize("way", WAYS)
    def test_leaves_no_session_and_no_name(
        self, ada: User, grace: User, way: Any
    ) -> None:
        elsewhere = signed_in(ada)
        LogEntry.objects.log_actions(grace.pk, [ada], CHANGE, "made staff")

        way(ada)

        told = LogEntry.objects.values_list("object_repr", "change_message")
        assert not any(re.search(r"\bada\b", text) for row in told for text in row)
        assert not [
            one
            for one in Session.objects.all()
            if one.get_decoded().get("_auth_user_id") == str(ada.pk)
        ]
        assert elsewhere.get(ME).json()["username"] is None

    @pytest.mark.parametrize("way", [by_admin, by_admin_at_once])
    def test_is_in_the_audit_log_if_staff_deletes_it(
        self, ada: User, grace: User, way: Any
    ) -> None:
        drawings = {str(one.pk) for one in Submission.objects.all()}

        way(ada)

        entries = AuditEntry.objects.filter(action=AuditEntry.Action.ERASE)
        assert {entry.subject for entry in entries} == {str(ada.erasure_id), *drawings}
        assert {entry.actor for entry in entries} == {grace}

    def test_ends_with_a_page_that_says_so_and_without_the_cookies(
        self, ada: User
    ) -> None:
        browser = signed_in(ada)
        post_json(browser, URL, SEVEN)

        answer = browser.post(PAGE, {"password": PASSWORD}, follow=True)

        assert "have been deleted" in answer.content.decode()
        assert not browser.cookies["visitor"].value
        assert not browser.cookies["sessionid"].value

    def test_has_an_id_that_a_new_account_never_gets(self, ada: User) -> None:
        again = User(pk=ada.pk, username="ada")

        assert again.erasure_id != ada.erasure_id
        assert User.objects.get(pk=ada.pk).erasure_id == ada.erasure_id


class TestPassword:
    @pytest.mark.parametrize("password", ["wrong", ""])
    def test_is_needed_on_the_page(self, ada: User, password: str) -> None:
        answer = signed_in(ada).post(PAGE, {"password": password})

        assert answer.status_code == 200
        assert 'class="errorlist"' in answer.content.decode()
        assert User.objects.filter(pk=ada.pk).exists()

    @pytest.mark.parametrize(
        ("body", "status", "words"),
        [
            ({"password": "wrong"}, 403, "password must be the password of"),
            ({}, 400, "must be the password of your account"),
            ({"password": 7}, 400, "must be the password of your account"),
        ],
    )
    def test_is_needed_by_the_call(
        self, ada: User, body: dict[str, Any], status: int, words: str
    ) -> None:
        answer = delete_me(signed_in(ada), **body)

        assert answer.status_code == status
        assert words in answer.json()["error"]["message"]
        assert User.objects.filter(pk=ada.pk).exists()

    def test_cannot_be_guessed(self, ada: User, settings: LazySettings) -> None:
        settings.TRIES = {**settings.TRIES, "own-password": (2, 900)}
        settings.WORKERS = 1
        browser = signed_in(ada)

        statuses = [
            delete_me(browser, password="wrong").status_code,
            browser.post(PAGE, {"password": "wrong"}).status_code,
            delete_me(browser, password=PASSWORD).status_code,
            browser.post(PAGE, {"password": PASSWORD}).status_code,
        ]

        assert statuses == [403, 200, 429, 429]
        assert User.objects.filter(pk=ada.pk).exists()

    def test_is_no_use_with_a_token(self, ada: User) -> None:
        answer = Client().delete(
            ME,
            {"password": PASSWORD},
            content_type="application/json",
            headers=bearer(ada, "read", "write"),
        )

        assert answer.status_code == 403
        assert "Sign in" in answer.json()["error"]["message"]

    def test_is_no_use_from_another_site(self, ada: User) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(ada)

        assert browser.post(PAGE, {"password": PASSWORD}).status_code == 403
        assert delete_me(browser, password=PASSWORD).status_code == 403


class TestAdministrators:
    def test_cannot_delete_the_last_of_them(self, grace: User) -> None:
        page = signed_in(grace).post(PAGE, {"password": PASSWORD})
        call = delete_me(signed_in(grace), password=PASSWORD)
        one = at_the_desk().post(
            f"/admin/recognizer/user/{grace.pk}/delete/", {"post": "yes"}
        )
        many = delete_selected(at_the_desk(), "user", grace.pk)

        assert "an administrator first" in page.content.decode()
        assert call.status_code == one.status_code == many.status_code == 403
        assert User.objects.get() == grace
        assert not Erasure.objects.exists()

    def test_who_delete_each_other_leave_one(self, grace: User) -> None:
        other = User.objects.create_superuser("other")

        erasing.delete_account(user=other, by=grace)
        with pytest.raises(PermissionDenied):
            erasing.delete_account(user=grace, by=other)

        assert User.objects.get() == grace

    def test_can_delete_themselves_at_the_desk(self, grace: User) -> None:
        User.objects.create_superuser("other")

        answer = delete_selected(at_the_desk(), "user", grace.pk)

        assert answer.status_code == 302
        assert User.objects.get().username == "other"


class TestCode:
    def test_deletes_people_and_drawings_in_two_modules_only(self) -> None:
        deleting = re.compile(r"\b(User|Visitor|Submission)\.objects\b.*\.delete\(")
        found = {
            str(path.relative_to(APP))
            for path in APP.rglob("*.py")
            if "tests" not in path.parts and deleting.search(path.read_text())
        }

        assert found == {"drawings/erasing.py", "people/erasing.py"}


class TestDesk:
    def test_deletes_a_drawing_for_good(self, ada: User, grace: User) -> None:
        one, other = Submission.objects.all()

        at_the_desk().post(
            f"/admin/recognizer/submission/{one.pk}/delete/", {"post": "yes"}
        )

        assert Submission.objects.get() == other
        assert Erasure.objects.get().pk == one.pk
        entry = AuditEntry.objects.get()
        assert (entry.actor, entry.subject) == (grace, str(one.pk))

    def test_deletes_many_drawings_for_good(self, ada: User, grace: User) -> None:
        ids = set(Submission.objects.values_list("pk", flat=True))

        delete_selected(at_the_desk(), "submission", *ids)

        assert not Submission.objects.exists()
        assert set(Erasure.objects.values_list("pk", flat=True)) == ids
        subjects = AuditEntry.objects.values_list("subject", flat=True)
        assert set(subjects) == {str(one) for one in ids}

    @pytest.mark.parametrize("at_once", [False, True])
    def test_deletes_a_visitor_for_good(self, grace: User, at_once: bool) -> None:
        drawing = post_json(Client(), URL, SEVEN).json()["id"]
        visitor = Visitor.objects.get()

        if at_once:
            delete_selected(at_the_desk(), "visitor", visitor.pk)
        else:
            at_the_desk().post(
                f"/admin/recognizer/visitor/{visitor.pk}/delete/", {"post": "yes"}
            )

        assert not Visitor.objects.exists()
        erased = {str(one.pk) for one in Erasure.objects.all()}
        assert erased == {drawing, str(visitor.pk)}
        assert set(AuditEntry.objects.values_list("subject", flat=True)) == erased
