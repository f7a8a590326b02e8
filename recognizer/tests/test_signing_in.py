"""Signing in: how often it may fail, how passwords are kept, the admin's own door."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.hashers import make_password
from django.core.cache import cache
from django.test import Client, RequestFactory
from redis.exceptions import ConnectionError as RedisConnectionError

from digitsite import settings as site_settings
from recognizer.desk import site
from recognizer.models import User
from recognizer.people import sign_in_limits as signing_in
from recognizer.tests.addresses import named_addresses

PASSWORD = "correct horse battery staple"
SITE, STAFF = "/account/sign-in/", "/admin/login/"


@pytest.fixture(autouse=True)
def _few_failures(db: None, settings: LazySettings) -> None:
    settings.WORKERS = 1
    settings.SIGN_IN_FAILURES = {"site": 3, "staff": 2}


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_superuser("ada", password=PASSWORD)


def tries(path: str, number: int, given: str = "wrong", **extra: Any) -> list[int]:
    fields = {"username": "ada", "password": given}
    return [Client(**extra).post(path, fields).status_code for _ in range(number)]


def errors_of(page: Any) -> list[str]:
    return re.findall(r'class="errorlist[^"]*".*?</ul>', page.content.decode(), re.S)


class TestFailures:
    def test_of_an_address_close_the_door(self, ada: User) -> None:
        assert tries(SITE, 4) == [200, 200, 429, 429]
        assert tries(SITE, 1, PASSWORD) == [429]

    def test_keep_the_door_closed_no_longer_for_tries_meanwhile(
        self, ada: User, settings: LazySettings
    ) -> None:
        settings.SIGN_IN_LOCK_S = 2
        tries(SITE, 3)

        time.sleep(1.1)
        meanwhile = tries(SITE, 1)
        time.sleep(1)

        assert meanwhile == [429]
        assert tries(SITE, 1, PASSWORD) == [302]

    def test_before_that_are_forgiven(self, ada: User) -> None:
        User.objects.update(is_staff=False)

        assert tries(SITE, 2) == [200, 200]
        assert tries(SITE, 1, PASSWORD) == [302]

    def test_make_a_right_password_of_staff_look_wrong(
        self, ada: User, settings: LazySettings
    ) -> None:
        settings.SIGN_IN_FAILURES = {"site": 9, "staff": 2}
        wrong, other = (
            Client().post(SITE, {"username": "ada", "password": "wrong"})
            for _ in range(2)
        )

        browser = Client()
        right = browser.post(SITE, {"username": "ada", "password": PASSWORD})

        assert errors_of(right) == errors_of(wrong) == errors_of(other) != []
        assert right.status_code == 200
        assert "sessionid" not in browser.cookies

    def test_are_not_another_address_s(self, ada: User) -> None:
        tries(SITE, 4)

        assert tries(SITE, 1, PASSWORD, REMOTE_ADDR="192.0.2.7") == [302]

    def test_of_another_name_count_as_well(self, ada: User) -> None:
        for name in ("bob", "eve", "mallory"):
            Client().post(SITE, {"username": name, "password": "wrong"})

        assert tries(SITE, 1, PASSWORD) == [429]

    def test_at_the_admin_s_door_are_fewer_and_counted_apart(self, ada: User) -> None:
        assert tries(SITE, 4)[-1] == 429
        assert tries(STAFF, 3) == [200, 429, 429]
        assert tries(STAFF, 1, PASSWORD) == [429]

    def test_are_forgotten_when_none_came_for_a_while(
        self, ada: User, settings: LazySettings
    ) -> None:
        settings.SIGN_IN_LOCK_S = 1
        tries(SITE, 3)

        time.sleep(1.1)

        assert tries(SITE, 1, PASSWORD) == [302]

    def test_without_redis_are_shared_out_to_the_processes(
        self, settings: LazySettings
    ) -> None:
        settings.WORKERS, settings.REDIS_URL = 3, ""

        assert tries(SITE, 1) == [429]

    @pytest.mark.parametrize(
        ("language", "words"),
        [("en", "Wait 15 minutes"), ("de", "Warte 15 Minuten")],
    )
    @pytest.mark.parametrize("path", [SITE, STAFF])
    def test_are_answered_with_the_way_out(
        self, path: str, language: str, words: str
    ) -> None:
        tries(path, 3)

        answer = Client().post(
            path,
            {"username": "ada", "password": "x"},
            headers={"Accept-Language": language},
        )

        assert answer.status_code == 429
        assert answer["Retry-After"] == "900"
        assert words in answer.content.decode()
        assert "/account/password/forgotten/" in answer.content.decode()

    def test_store_neither_name_nor_address(
        self, ada: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        request = RequestFactory(REMOTE_ADDR="203.0.113.9").post(SITE)
        key = signing_in.failures_key(request, signing_in.SITE)

        tries(SITE, 4, REMOTE_ADDR="203.0.113.9")

        assert cache.get(key) == 3
        assert "203.0.113.9" not in key
        assert "Sign-in failed (site): 3 of 3." in caplog.text
        assert "203.0.113.9" not in caplog.text
        assert not re.search(r"\bada\b", caplog.text)  # hex digits may spell it

    @pytest.mark.parametrize(("call", "given"), [("get", PASSWORD), ("incr", "wrong")])
    def test_that_cannot_be_counted_are_no_free_guesses(
        self, ada: User, monkeypatch: pytest.MonkeyPatch, call: str, given: str
    ) -> None:
        def is_away(*_: Any, **__: Any) -> int:
            raise RedisConnectionError("refused")

        monkeypatch.setattr(cache, call, is_away)

        answer = Client(raise_request_exception=False).post(
            SITE, {"username": "ada", "password": given}
        )

        assert answer.status_code == 503
        assert answer["Retry-After"]


class TestTries:
    """At the other doors."""

    @pytest.fixture(autouse=True)
    def _few_tries(self, settings: LazySettings) -> None:
        settings.TRIES = {"sign-up": (2, 10**9), "own-password": (2, 10**9)}

    def sign_up(self, name: str, **extra: Any) -> int:
        fields = {"username": name, "password1": PASSWORD, "password2": PASSWORD}
        return Client(**extra).post("/account/sign-up/", fields).status_code

    def test_to_sign_up_are_counted_by_address(self) -> None:
        assert [self.sign_up(name) for name in ("ada", "bob", "eve")] == [302, 302, 429]
        assert self.sign_up("eve", REMOTE_ADDR="192.0.2.7") == 302
        assert {user.username for user in User.objects.all()} == {"ada", "bob", "eve"}

    @pytest.mark.parametrize(
        ("path", "field"),
        [
            ("/account/email/", "password"),
            ("/account/password/", "old_password"),
        ],
    )
    def test_of_the_own_password_are_counted_by_user(
        self, ada: User, path: str, field: str
    ) -> None:
        browser, another = Client(), Client(REMOTE_ADDR="192.0.2.7")
        for one in (browser, another):
            one.force_login(ada)

        wrong = [one.post(path, {field: "wrong"}) for one in (browser, another)]
        right = browser.post(path, {field: PASSWORD, "email": "ada@example.org"})

        assert [answer.status_code for answer in wrong] == [200, 200]
        assert right.status_code == 429
        assert int(right["Retry-After"]) > 0
        assert not User.objects.get(pk=ada.pk).email

    def test_that_cannot_be_counted_are_a_503(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(*_: Any, **__: Any) -> None:
            raise RedisConnectionError

        client.raise_request_exception = False
        monkeypatch.setattr(signing_in, "count_in_window", away)

        assert client.post("/account/sign-up/", {"username": "ada"}).status_code == 503
        assert not User.objects.exists()


class TestPasswords:
    @pytest.fixture(autouse=True)
    def hashers_of_the_site(self, settings: LazySettings) -> None:
        settings.PASSWORD_HASHERS = site_settings.PASSWORD_HASHERS

    def test_are_kept_by_argon2(self, ada: User) -> None:
        assert ada.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")

    def test_of_before_are_written_anew_at_sign_in(self, ada: User) -> None:
        User.objects.update(password=make_password(PASSWORD, hasher="pbkdf2_sha256"))

        assert tries(SITE, 1, PASSWORD) == [302]

        ada.refresh_from_db()
        assert ada.password.startswith("argon2$")
        assert ada.check_password(PASSWORD)


class TestDesk:
    def test_asks_for_the_password_itself(self, ada: User) -> None:
        browser = Client()
        browser.post(SITE, {"username": "ada", "password": PASSWORD})
        before = browser.get("/admin/")
        asked = browser.get(before["Location"])

        browser.post(STAFF, {"username": "ada", "password": PASSWORD})

        assert before["Location"] == "/admin/login/?next=/admin/"
        assert "not authorized" not in asked.content.decode()
        assert browser.get("/admin/").status_code == 200

    def test_asks_again_after_eight_hours(
        self, ada: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser = Client()
        browser.post(STAFF, {"username": "ada", "password": PASSWORD})

        later = time.time() + 8 * 3600 + 1
        monkeypatch.setattr(site, "time", SimpleNamespace(time=lambda: later))

        assert browser.get("/admin/").status_code == 302
        assert browser.get("/account/").status_code == 200

    def test_notes_no_wrong_password(self, ada: User) -> None:
        browser = Client()
        browser.force_login(ada)

        browser.post(STAFF, {"username": "ada", "password": "wrong"})

        assert browser.get("/admin/").status_code == 302


@dataclass(frozen=True)
class Place:
    """An address where a password is tried; `name` is the field that holds it."""

    path: str
    name: str = "password"
    more: Mapping[str, str] = field(default_factory=dict)

    def try_at(self, browser: Client, password: str) -> int:
        """Return the status of a try."""
        sent = {**self.more, self.name: password}
        status: int
        if self.path.startswith("/api/"):
            answer = browser.delete(self.path, sent, content_type="application/json")
            status = answer.status_code
        else:
            status = browser.post(self.path, sent).status_code
        return status


PLACES = (
    Place(SITE, more={"username": "ada"}),
    Place(STAFF, more={"username": "ada"}),
    Place("/account/email/"),
    Place("/account/password/", "old_password"),
    Place("/account/delete/"),
    Place("/account/tokens/"),
    Place("/account/sessions/"),
    Place("/account/factor/"),
    Place("/api/v1/me/"),
)
OWN = [place for place in PLACES if place.path not in (SITE, STAFF)]


class TestEveryPlace:
    """Where a password is tried, tries are counted."""

    @pytest.fixture(autouse=True)
    def _two_tries(self, settings: LazySettings) -> None:
        settings.SIGN_IN_FAILURES = {"site": 3, "staff": 3}
        settings.TRIES = {"sign-up": (99, 10**9), "own-password": (2, 10**9)}

    def test_is_on_the_list(self, ada: User) -> None:
        User.objects.create_superuser("grace")
        here, there = Client(), Client()
        for browser in (here, there):
            browser.post(STAFF, {"username": "ada", "password": PASSWORD})
        found = set()

        for path in named_addresses():
            for browser in (here, Client()):
                page = browser.get(path, follow=True)
                shown = page.redirect_chain[-1][0] if page.redirect_chain else path
                text = b"".join(page).decode(errors="replace")
                for form in re.findall(r"<form.*?</form>", text, re.S):
                    if 'autocomplete="current-password"' in form:
                        action = re.search(r'<form[^>]* action="([^"]+)"', form)
                        place = action[1] if action else shown
                        found.add(place.partition("?")[0])

        assert found == {place.path for place in PLACES} - {"/api/v1/me/"}

    @pytest.mark.parametrize("place", PLACES, ids=lambda place: place.path)
    def test_lets_nobody_guess_on(self, ada: User, place: Place) -> None:
        browser = Client()
        if place in OWN:
            browser.force_login(ada)

        tries = [place.try_at(browser, "wrong") for _ in range(3)]
        right = place.try_at(browser, PASSWORD)

        assert tries[0] in (200, 400, 403)
        assert tries[2] == right == 429
        ada.refresh_from_db()
        assert ada.check_password(PASSWORD)

    @pytest.mark.parametrize("place", OWN, ids=lambda place: place.path)
    def test_counts_what_was_tried_elsewhere(self, ada: User, place: Place) -> None:
        browser = Client()
        browser.force_login(ada)
        others = [other for other in OWN if other != place]
        for other in others[:2]:
            other.try_at(browser, "wrong")

        assert place.try_at(browser, PASSWORD) == 429

    def test_of_the_admin_leads_to_the_site(self, ada: User) -> None:
        browser = Client()
        browser.post(STAFF, {"username": "ada", "password": PASSWORD})

        for path in ("password_change/", f"recognizer/user/{ada.pk}/password/"):
            for call in (browser.get, browser.post):
                answer = call(f"/admin/{path}")
                assert answer["Location"] == "/account/password/"
