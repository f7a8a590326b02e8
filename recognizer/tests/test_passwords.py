"""Forgotten and changed passwords, and the address that helps with them."""

import re
import threading
import time
from typing import Any

import pytest
from django.conf import LazySettings
from django.contrib.auth.password_validation import (
    CommonPasswordValidator,
    get_default_password_validators,
)
from django.core import mail
from django.core.cache import cache
from django.test import Client

from recognizer.models import User
from recognizer.people.mail import _post, send_later

PASSWORD = "correct horse battery staple"
ANOTHER = "another horse, another staple"
FORGOTTEN = "/account/password/forgotten/"


@pytest.fixture
def ada(db: None) -> User:
    return User.objects.create_user("ada", "ada@example.org", PASSWORD)


@pytest.fixture
def browser() -> Client:
    return Client()


def the_mail() -> mail.EmailMessage:
    """Wait for the one mail that was sent."""
    until = time.monotonic() + 5
    while not mail.outbox and time.monotonic() < until:
        time.sleep(0.01)
    (sent,) = mail.outbox
    return sent


def no_mail() -> bool:
    """Wait until all that was to be sent was, and say whether that was nothing."""
    wait_for_the_post()
    return mail.outbox == []


def wait_for_the_post() -> None:
    """Return once both of its threads have done what they had to."""
    both = threading.Barrier(2)
    for met in [_post.submit(both.wait, 10) for _ in range(2)]:
        met.result()


class TestForgotten:
    def test_leads_by_a_mail_to_a_new_password(
        self, browser: Client, ada: User
    ) -> None:
        told = browser.post(FORGOTTEN, {"email": "Ada@example.org"}, follow=True)
        sent = the_mail()
        (link,) = re.findall(r"http://testserver(/\S+)", str(sent.body))
        form = browser.get(link, follow=True)
        done = browser.post(
            form.redirect_chain[-1][0],
            {"new_password1": ANOTHER, "new_password2": ANOTHER},
            follow=True,
        )

        assert "Check your email" in told.content.decode()
        assert sent.to == ["ada@example.org"]
        assert "ada" in sent.body
        assert "\n" not in sent.subject
        assert "Your new password is set" in done.content.decode()
        assert may_sign_in(ANOTHER)

    def test_says_so_where_the_site_sends_no_mail(
        self, browser: Client, ada: User, settings: LazySettings
    ) -> None:
        settings.SENDS_MAIL = False

        pages = [
            browser.get(FORGOTTEN).content.decode(),
            browser.post(FORGOTTEN, {"email": "ada@example.org"}).content.decode(),
        ]

        assert all("This site sends no mail" in page for page in pages)
        assert no_mail()

    def test_works_once(self, browser: Client, ada: User) -> None:
        browser.post(FORGOTTEN, {"email": "ada@example.org"})
        (link,) = re.findall(r"http://testserver(/\S+)", str(the_mail().body))
        ada.set_password(ANOTHER)
        ada.save()

        page = browser.get(link, follow=True)

        assert "no longer works" in page.content.decode()

    @pytest.mark.parametrize("email", ["nobody@example.org", "ada@example.org"])
    def test_never_tells_whether_an_account_has_the_address(
        self, ada: User, email: str
    ) -> None:
        answer = Client().post(FORGOTTEN, {"email": email})

        assert answer.status_code == 302
        assert answer["Location"] == "/account/password/sent/"
        assert not answer.cookies
        wait_for_the_post()  # the next test looks into the same box

    def test_sends_nothing_to_an_address_of_nobody(
        self, browser: Client, ada: User
    ) -> None:
        browser.post(FORGOTTEN, {"email": "nobody@example.org"})

        assert no_mail()

    def test_sends_one_mail_a_minute(self, browser: Client, ada: User) -> None:
        for _ in range(3):
            browser.post(FORGOTTEN, {"email": "ada@example.org"})

        the_mail()
        send_later(mail.EmailMessage("", "", None, [])).result()
        assert len(mail.outbox) == 1

    def test_looks_the_same_where_the_mail_server_fails(
        self, browser: Client, ada: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(self: Any, fail_silently: bool = False) -> int:
            raise OSError("no route to the mail server")

        monkeypatch.setattr(mail.EmailMessage, "send", fail)

        answer = browser.post(FORGOTTEN, {"email": "ada@example.org"})

        assert answer["Location"] == "/account/password/sent/"
        assert send_later(mail.EmailMessage()).result() is None


def may_sign_in(password: str) -> bool:
    fields = {"username": "ada", "password": password}
    return Client().post("/account/sign-in/", fields).status_code == 302


class TestSigningUp:
    @pytest.mark.parametrize("email", ["", "eve@example.org"])
    def test_takes_an_address_or_none(
        self, browser: Client, db: None, email: str
    ) -> None:
        fields = {"username": "eve", "password1": PASSWORD, "password2": PASSWORD}

        browser.post("/account/sign-up/", {**fields, "email": email})

        assert User.objects.get().email == email


class TestRules:
    def refusal(self, password: str) -> str:
        """Sign up with a password; return what the page says of it."""
        User.objects.all().delete()
        cache.clear()
        fields = {"username": "grace", "password1": password, "password2": password}
        answer = Client().post("/account/sign-up/", fields)
        if answer.status_code == 302:
            return ""
        return " ".join(answer.context["form"].errors["password2"])

    @pytest.mark.parametrize(
        ("password", "words"),
        [
            ("x7$kQ2p", "too short"),
            ("iloveyou1", "too common"),  # of the list's most frequent
            ("ILoveYou1", "too common"),
            ("daytonabeach", "too common"),  # not on Django's own list
            ("73914628", "entirely numeric"),
            ("grace2026", "too similar"),
            ("Digitsite2026!", "word of this site"),
            ("Ziffernziffern1", "word of this site"),
        ],
    )
    def test_refuse_what_is_guessed_first(
        self, db: None, password: str, words: str
    ) -> None:
        assert words in self.refusal(password)

    @pytest.mark.parametrize(
        "password",
        [
            "x7$kQ2pZ",
            "a digit of many words",
            "ein Satz, der länger ist",
            "  with spaces around  ",
            "密码很长很长很长很长",
            "x7" * 64,
            "x7" * 2048,
        ],
    )
    def test_take_any_characters_and_lengths(self, db: None, password: str) -> None:
        assert self.refusal(password) == ""
        assert User.objects.get().check_password(password)

    def test_have_a_hundred_thousand_passwords_of_breaches(
        self, settings: LazySettings
    ) -> None:
        (rule,) = (
            rule
            for rule in get_default_password_validators()
            if isinstance(rule, CommonPasswordValidator)
        )
        of_django = CommonPasswordValidator().passwords

        assert len(rule.passwords) == 101_430
        assert rule.passwords >= {
            one for one in of_django if len(one) >= 8 and not one.isdigit()
        }


class TestChanges:
    def test_of_the_password_sign_other_browsers_out(
        self, browser: Client, ada: User
    ) -> None:
        elsewhere = Client()
        for one in (browser, elsewhere):
            one.force_login(ada)

        done = browser.post(
            "/account/password/",
            {
                "old_password": PASSWORD,
                "new_password1": ANOTHER,
                "new_password2": ANOTHER,
            },
            follow=True,
        )

        assert "Your password has been changed" in done.content.decode()
        assert elsewhere.get("/account/").status_code == 302
        assert may_sign_in(ANOTHER)

    @pytest.mark.parametrize("email", ["", "countess@example.org"])
    def test_of_the_address_need_the_password(
        self, browser: Client, ada: User, email: str
    ) -> None:
        browser.force_login(ada)

        refused = browser.post(
            "/account/email/", {"email": "x@example.org", "password": ANOTHER}
        )
        done = browser.post(
            "/account/email/", {"email": email, "password": PASSWORD}, follow=True
        )

        assert "This password is not correct." in refused.content.decode()
        assert "has been saved" in done.content.decode()
        ada.refresh_from_db()
        assert ada.email == email

    @pytest.mark.parametrize("path", ["/account/email/", "/account/password/"])
    def test_are_for_who_is_signed_in(
        self, browser: Client, db: None, path: str
    ) -> None:
        assert browser.get(path)["Location"].startswith("/account/sign-in/")
