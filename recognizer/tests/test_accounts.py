"""Accounts: drawings come along at sign-in, stay behind at sign-out, never merge."""

import re
from typing import Any

import pytest
from django.test import Client

from recognizer.models import Submission, Token, User, Visitor
from recognizer.people.tokens import make_token
from recognizer.tests.conftest import SEVEN, post_json

pytestmark = pytest.mark.usefixtures("active_model")
URL = "/api/v1/submissions/"
PASSWORD = "correct horse battery staple"


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", password=PASSWORD)


@pytest.fixture
def browser() -> Client:
    """A browser; that forms are ours is tested with the pages."""
    return Client()


def sign_in(browser: Client, name: str = "ada") -> Any:
    return browser.post("/account/sign-in/", {"username": name, "password": PASSWORD})


def drawn(browser: Client) -> list[str]:
    return [one["id"] for one in browser.get(URL).json()["results"]]


def draw(browser: Client) -> str:
    token = browser.cookies.get("csrftoken")
    answer = post_json(
        browser, URL, SEVEN, **{"X-CSRFToken": token.value if token else ""}
    )
    assert answer.status_code == 201
    made: str = answer.json()["id"]
    return made


class TestSigningIn:
    def test_makes_the_browser_s_drawings_the_user_s(
        self, browser: Client, ada: User
    ) -> None:
        mine = draw(browser)

        assert sign_in(browser)["Location"] == "/account/"

        assert drawn(browser) == [mine]
        assert Visitor.objects.get().user == ada
        assert mine in browser.get("/history/").content.decode()

    def test_somewhere_else_shows_all_of_them_and_merges_none(
        self, browser: Client, ada: User
    ) -> None:
        at_home = draw(browser)
        sign_in(browser)
        phone = Client()
        on_phone = draw(phone)

        sign_in(phone)

        assert drawn(phone) == drawn(browser) == [on_phone, at_home]
        assert Visitor.objects.filter(user=ada).count() == 2
        assert [s.visitor_id for s in Submission.objects.all()] == [
            v.pk for v in Visitor.objects.all()
        ]

    def test_by_the_admin_s_own_form_is_signing_in_too(
        self, browser: Client, ada: User
    ) -> None:
        User.objects.update(is_staff=True)
        mine = draw(browser)

        browser.post("/admin/login/", {"username": "ada", "password": PASSWORD})

        assert drawn(browser) == [mine]
        assert Visitor.objects.get().user == ada

    def test_never_takes_a_drawing_from_another_user(
        self, browser: Client, ada: User
    ) -> None:
        User.objects.create_user("bob", password=PASSWORD)
        of_ada = draw(browser)
        sign_in(browser)
        browser.post("/account/sign-out/")

        sign_in(browser, "bob")

        assert drawn(browser) == []
        of_bob = draw(browser)
        assert drawn(browser) == [of_bob]
        assert Submission.objects.get(pk=of_ada).visitor.user == ada

    def test_draws_with_the_same_page(self, ada: User) -> None:
        browser = Client(enforce_csrf_checks=True)
        page = browser.get("/account/sign-in/").content.decode()
        (secret,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        browser.post(
            "/account/sign-in/",
            {
                "username": "ada",
                "password": PASSWORD,
                "csrfmiddlewaretoken": secret,
            },
        )

        assert draw(browser)

    def test_with_a_wrong_password_says_so(self, browser: Client, ada: User) -> None:
        page = browser.post(
            "/account/sign-in/", {"username": "ada", "password": "wrong"}
        )

        assert page.status_code == 200
        assert "correct username and password" in page.content.decode()


class TestSigningOut:
    def test_starts_a_new_visitor(self, browser: Client, ada: User) -> None:
        draw(browser)
        sign_in(browser)

        browser.post("/account/sign-out/")

        assert drawn(browser) == []
        anonymous = draw(browser)
        assert drawn(browser) == [anonymous]
        assert Submission.objects.get(pk=anonymous).visitor.user is None


class TestSigningUp:
    def test_makes_a_user_with_the_browser_s_drawings(self, browser: Client) -> None:
        mine = draw(browser)

        browser.post(
            "/account/sign-up/",
            {"username": "eve", "password1": PASSWORD, "password2": PASSWORD},
        )

        assert drawn(browser) == [mine]
        assert Visitor.objects.get().user == User.objects.get(username="eve")

    def test_names_what_is_wrong(self, browser: Client) -> None:
        page = browser.post(
            "/account/sign-up/",
            {"username": "eve", "password1": "1234", "password2": "1234"},
        )

        assert "too short" in page.content.decode()
        assert not User.objects.exists()


class TestAccountPage:
    @pytest.mark.parametrize(
        ("method", "path"),
        [
            ("get", "/account/"),
            ("post", "/account/tokens/"),
            ("post", "/account/consent/"),
        ],
    )
    def test_is_for_who_is_signed_in(
        self, browser: Client, method: str, path: str
    ) -> None:
        answer = getattr(browser, method)(path)

        assert answer.status_code == 302
        assert answer["Location"].startswith("/account/sign-in/")

    def test_makes_a_token_shows_it_once_and_revokes_it(
        self, browser: Client, ada: User
    ) -> None:
        browser.force_login(ada)

        page = browser.post(
            "/account/tokens/",
            {
                "name": "form scanner",
                "scopes": ["read", "write"],
                "days": "30",
                "password": PASSWORD,
            },
        )

        (text,) = re.findall(r"dgs_[\w-]{40,}", page.content.decode())
        assert "no-store" in page["Cache-Control"]
        headers = {"Authorization": f"Bearer {text}"}
        assert Client().get("/api/v1/me/", headers=headers).status_code == 200
        again = browser.get("/account/").content.decode()
        assert text not in again
        assert "form scanner" in again
        browser.post(f"/account/tokens/{Token.objects.get().pk}/revoke/")
        assert Client().get("/api/v1/me/", headers=headers).status_code == 401

    def test_refuses_a_token_without_a_name_or_scope(
        self, browser: Client, ada: User
    ) -> None:
        browser.force_login(ada)

        answer = browser.post("/account/tokens/", {"name": "", "days": "30"})

        assert answer.status_code == 400
        assert not Token.objects.exists()

    @pytest.mark.parametrize(
        ("field", "value"), [("password", "a guess"), ("password", ""), ("days", "")]
    )
    def test_makes_no_token_without_the_password_or_an_end(
        self, browser: Client, ada: User, field: str, value: str
    ) -> None:
        browser.force_login(ada)
        wish = {"name": "x", "scopes": ["read"], "days": "30", "password": PASSWORD}

        answer = browser.post("/account/tokens/", {**wish, field: value})

        assert answer.status_code == 400
        assert not Token.objects.exists()

    def test_offers_the_scope_review_to_reviewers_alone(
        self, browser: Client, ada: User, reviewer: User
    ) -> None:
        wish = {"name": "x", "scopes": ["review"], "days": "30", "password": PASSWORD}
        reviewer.set_password(PASSWORD)
        reviewer.save()
        browser.force_login(ada)
        refused = browser.post("/account/tokens/", wish)
        browser.force_login(reviewer)
        made = browser.post("/account/tokens/", wish)

        assert refused.status_code == 400
        assert made.status_code == 200
        assert Token.objects.get().user == reviewer

    def test_does_not_revoke_another_s_token(
        self, browser: Client, ada: User, reviewer: User
    ) -> None:
        token, _ = make_token(user=reviewer, name="x", scopes=["read"])
        browser.force_login(ada)

        answer = browser.post(f"/account/tokens/{token.pk}/revoke/")

        assert answer.status_code == 404
        assert Token.objects.get() == token

    @pytest.mark.parametrize("consent", ["may_train", "may_publish"])
    def test_takes_each_consent_and_takes_it_back(
        self, browser: Client, ada: User, consent: str
    ) -> None:
        browser.force_login(ada)
        consents = Visitor.objects.values("may_train", "may_publish")

        browser.post("/account/consent/", {consent: "on"})
        given = consents.get()
        browser.post("/account/consent/", {consent: "off"})

        assert [name for name, value in given.items() if value] == [consent]
        assert not any(consents.get().values())

    def test_shows_no_page_of_ours_to_frames_or_other_forms(self, ada: User) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(ada)

        assert browser.post("/account/consent/").status_code == 403


class TestUsersInTheAdmin:
    def test_are_made_listed_and_changed(self, admin_client: Client) -> None:
        made = admin_client.post(
            "/admin/recognizer/user/add/",
            {
                "username": "grace",
                "usable_password": "true",
                "password1": PASSWORD,
                "password2": PASSWORD,
            },
        )
        grace = User.objects.get(username="grace")
        changed = admin_client.get(f"/admin/recognizer/user/{grace.pk}/change/")
        listed = admin_client.get("/admin/recognizer/user/?q=grace")

        assert made["Location"] == f"/admin/recognizer/user/{grace.pk}/change/"
        assert grace.check_password(PASSWORD)
        assert changed.status_code == 200
        assert "grace" in listed.content.decode()

    def test_may_have_one_address_twice(self, db: None) -> None:
        for name in ("ada", "grace"):
            User.objects.create_user(name, email="us@example.org")

        assert User.objects.filter(email="us@example.org").count() == 2
