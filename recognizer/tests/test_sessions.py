"""Where a user is signed in: the list on the account page, and ending sessions."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.utils import timezone
from redis.exceptions import ConnectionError as RedisConnectionError

from recognizer.models import BrowserSession, User

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
ANOTHER = "another horse, another staple"
FIREFOX = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"
)
CHROME = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/140.0.0.0 Safari/537.36"
)
EDGE = f"{CHROME} Edg/140.0.0.0"
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 "
    "(KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1"
)


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", password=PASSWORD)


def signed_in(agent: str = FIREFOX, name: str = "ada") -> Client:
    browser = Client(headers={"User-Agent": agent})
    browser.post("/account/sign-in/", {"username": name, "password": PASSWORD})
    return browser


def is_signed_in(browser: Client) -> bool:
    return browser.get("/account/").status_code == 200


def end(browser: Client, *chosen: BrowserSession, password: str = PASSWORD) -> Any:
    return browser.post(
        "/account/sessions/",
        {"sessions": [str(one.pk) for one in chosen], "password": password},
    )


def row_of(browser: Client) -> BrowserSession:
    return BrowserSession.objects.get(session=browser.cookies["sessionid"].value)


class TestList:
    def test_names_each_browser_and_marks_this_one(self, ada: User) -> None:
        signed_in(SAFARI)
        here = signed_in(FIREFOX)
        User.objects.create_user("bob", password=PASSWORD)
        signed_in(EDGE, "bob")

        page = here.get("/account/").content.decode()

        assert page.count("Safari on iPhone") == 1
        assert page.count("Firefox on Windows") == 1
        assert "Edge" not in page
        _, _, after_mark = page.partition("Firefox on Windows")
        assert "(this browser)" in after_mark.partition("</p>")[0]
        assert page.count("(this browser)") == 1

    @pytest.mark.parametrize(
        ("agent", "words"),
        [
            (FIREFOX, "Firefox on Windows"),
            (CHROME, "Chrome on Linux"),
            (EDGE, "Edge on Linux"),
            (SAFARI, "Safari on iPhone"),
            ("curl/8", "Unknown browser"),
            ("", "Unknown browser"),
            ("<b>" * 5000, "Unknown browser"),
        ],
    )
    def test_says_which_browser_it_is(self, ada: User, agent: str, words: str) -> None:
        assert str(row_of(signed_in(agent))) == words

    def test_keeps_no_more_of_the_browser_than_two_words(self, ada: User) -> None:
        row = row_of(signed_in(FIREFOX))

        assert (row.browser, row.system) == ("Firefox", "Windows")

    def test_tells_the_last_use(self, ada: User) -> None:
        browser = signed_in()
        BrowserSession.objects.update(used_at=timezone.now() - timedelta(days=3))

        browser.get("/account/")  # within five minutes of the last note
        still = row_of(browser).used_at
        cache.clear()
        browser.get("/account/")

        assert timezone.now() - still > timedelta(days=2)
        assert timezone.now() - row_of(browser).used_at < timedelta(minutes=1)

    def test_has_sessions_of_before(self, ada: User) -> None:
        browser = signed_in()
        BrowserSession.objects.all().delete()
        cache.clear()

        browser.get("/account/")

        assert row_of(browser).user == ada

    def test_has_no_ended_session(self, ada: User) -> None:
        signed_in(SAFARI)
        Session.objects.update(expire_date=timezone.now() - timedelta(days=1))
        here = signed_in()

        assert "Safari" not in here.get("/account/").content.decode()
        call_command("clearsessions")
        assert BrowserSession.objects.count() == 1

    @pytest.mark.parametrize("error", [RedisConnectionError, DatabaseError])
    def test_that_cannot_be_kept_spoils_no_page(
        self, ada: User, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise error

        browser = signed_in()
        cache.clear()
        if error is RedisConnectionError:
            monkeypatch.setattr(cache, "add", fail)
        else:
            monkeypatch.setattr(BrowserSession.objects, "update_or_create", fail)

        assert browser.get("/account/").status_code == 200

    def test_notes_nobody_who_is_not_signed_in(self) -> None:
        browser = Client()
        browser.get("/account/sign-in/")
        browser.get("/")

        assert not BrowserSession.objects.exists()


class TestEnding:
    def test_of_one_leaves_the_others(self, ada: User) -> None:
        phone, tablet, here = signed_in(SAFARI), signed_in(CHROME), signed_in()

        done = end(here, row_of(phone))

        assert done["Location"] == "/account/"
        assert [is_signed_in(one) for one in (phone, tablet, here)] == [
            False,
            True,
            True,
        ]

    def test_of_all_others_leaves_this_one(self, ada: User) -> None:
        phone, tablet, here = signed_in(SAFARI), signed_in(CHROME), signed_in()
        # One that is not on the list.
        BrowserSession.objects.filter(pk=row_of(tablet).pk).delete()

        end(here, row_of(phone))

        assert [is_signed_in(one) for one in (phone, tablet, here)] == [
            False,
            False,
            True,
        ]

    @pytest.mark.parametrize("password", ["", "a guess"])
    def test_needs_the_password(self, ada: User, password: str) -> None:
        phone, here = signed_in(SAFARI), signed_in()

        answer = end(here, row_of(phone), password=password)

        assert answer.status_code == 200
        assert is_signed_in(phone)

    def test_is_for_one_s_own_sessions(self, ada: User) -> None:
        User.objects.create_user("bob", password=PASSWORD)
        of_bob, phone, here = signed_in(name="bob"), signed_in(SAFARI), signed_in()

        answer = end(here, row_of(of_bob), row_of(phone))

        assert answer.status_code == 200
        assert is_signed_in(of_bob)

    def test_shows_no_key_of_a_session(self, ada: User) -> None:
        phone, here = signed_in(SAFARI), signed_in()

        pages = [here.get(path) for path in ("/account/", "/account/sessions/")]

        key = phone.cookies["sessionid"].value
        assert not any(key in page.content.decode() for page in pages)

    def test_ends_a_sign_in_that_still_lacks_its_code(self, ada: User) -> None:
        waiting = SessionStore()
        waiting["awaits_code"] = {"user": ada.pk}
        waiting.save()
        phone, here = signed_in(SAFARI), signed_in()

        end(here, row_of(phone))

        assert not Session.objects.filter(pk=waiting.session_key).exists()


class TestPassword:
    def test_that_is_changed_ends_the_others(self, ada: User) -> None:
        phone, here = signed_in(SAFARI), signed_in()

        here.post(
            "/account/password/",
            {
                "old_password": PASSWORD,
                "new_password1": ANOTHER,
                "new_password2": ANOTHER,
            },
        )

        page = here.get("/account/")
        assert page.status_code == 200
        assert not is_signed_in(phone)
        assert "Safari" not in page.content.decode()

    def test_that_staff_set_ends_all(self, ada: User, admin_client: Client) -> None:
        phone = signed_in(SAFARI)

        admin_client.post(
            f"/admin/recognizer/user/{ada.pk}/password/",
            {"usable_password": "true", "password1": ANOTHER, "password2": ANOTHER},
        )

        assert not is_signed_in(phone)
        assert not BrowserSession.objects.filter(user=ada).exists()


class TestStaff:
    def test_sign_a_user_out_everywhere(self, ada: User, admin_client: Client) -> None:
        phone, tablet = signed_in(SAFARI), signed_in(CHROME)

        done = admin_client.post(
            "/admin/recognizer/user/",
            {"action": "sign_out", "_selected_action": [ada.pk]},
        )

        assert done.status_code == 302
        assert [is_signed_in(one) for one in (phone, tablet)] == [False, False]
        assert admin_client.get("/admin/").status_code == 200


class TestRows:
    def test_without_a_session_are_not_listed(self, ada: User) -> None:
        browser = signed_in()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM django_session")

        assert not is_signed_in(browser)
        assert "Firefox" not in signed_in(SAFARI).get("/account/").content.decode()

    def test_go_with_the_account(self, ada: User) -> None:
        browser = signed_in()
        signed_in(SAFARI)

        browser.post("/account/delete/", {"password": PASSWORD})

        assert not BrowserSession.objects.exists()
        assert not Session.objects.exists()

    def test_last_no_longer_than_the_privacy_page_says(self, ada: User) -> None:
        session = Session.objects.get(pk=row_of(signed_in()).session_id)

        lasts = session.expire_date - timezone.now()
        assert lasts <= timedelta(seconds=settings.SESSION_COOKIE_AGE)
