"""The security log, and what a user is told of changes to the account."""

import json
import logging
import re
from typing import Any
from uuid import UUID

import pytest
from django.conf import LazySettings
from django.core import mail
from django.test import Client
from django.urls import reverse

from digitsite.logs import JSONFormatter
from recognizer.models import Token, User
from recognizer.people import mail as post
from recognizer.people.security_log import note
from recognizer.people.tokens import make_token

pytestmark = pytest.mark.django_db
PASSWORD = "correct-horse-battery-staple"
NEW = "another-horse-battery-staple"
TOKEN = {"name": "x", "scopes": "read", "days": "30", "password": PASSWORD}


@pytest.fixture
def ada() -> User:
    return User.objects.create_user("ada", "ada@example.org", PASSWORD)


@pytest.fixture
def _post(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send mail at once."""
    settings.SENDS_MAIL = True
    monkeypatch.setattr(post, "send_later", lambda message: message.send())


def events(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [
        record.__dict__["facts"]
        for record in caplog.records
        if record.name == "digitsite.security"
    ]


def signed_in() -> Client:
    client = Client()
    client.post(reverse("sign-in"), {"username": "ada", "password": PASSWORD})
    return client


def follow_reset_link(client: Client) -> None:
    client.post(reverse("password-reset"), {"email": "ada@example.org"})
    (link,) = re.findall(r"http://testserver(\S+)", str(mail.outbox[-1].body))
    form = client.get(link, follow=True)
    path = form.redirect_chain[-1][0]
    client.post(path, {"new_password1": NEW, "new_password2": NEW})


class TestLog:
    def test_tells_of_signing_in_and_out(
        self, ada: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        Client().post(reverse("sign-in"), {"username": "ada", "password": "wrong"})
        signed_in().post(reverse("sign-out"))

        failed, began, ended = events(caplog)

        assert failed["event"] == "sign-in failed"
        assert (began["event"], began["user"]) == ("signed in", ada.pk)
        assert (ended["event"], ended["user"]) == ("signed out", ada.pk)
        assert failed["address"] == began["address"] == ended["address"]
        assert not re.search(r"wrong|127\.0|ada", caplog.text.replace("canada", ""))

    def test_tells_of_tokens(self, ada: User, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        client = signed_in()
        client.post(reverse("account-tokens"), TOKEN)
        token = Token.objects.get()
        client.post(reverse("account-token-revoke", args=[token.pk]))
        Client().get("/api/v1/me/", headers={"Authorization": "Bearer dgs_nonsense"})

        told = events(caplog)[1:]

        assert [one["event"] for one in told] == [
            "token made",
            "token revoked",
            "token refused",
        ]
        assert told[0]["scopes"] == "read"
        assert told[0]["token"] == told[1]["token"] == str(token.pk)

    def test_tells_of_rights_and_deletions(
        self, ada: User, admin_client: Client, caplog: pytest.LogCaptureFixture
    ) -> None:
        from recognizer.people.signing_in import note_password

        session = admin_client.session
        note_password(session)
        session.save()
        caplog.set_level(logging.INFO)
        page = reverse("admin:recognizer_user_change", args=[ada.pk])
        form = {
            "username": "ada",
            "email": "ada@example.org",
            "is_active": "on",
            "is_staff": "on",
        }
        assert admin_client.post(page, form).status_code == 302
        delete = reverse("admin:recognizer_user_delete", args=[ada.pk])
        assert admin_client.post(delete, {"post": "yes"}).status_code == 302

        rights, *_, deleted = events(caplog)

        assert (rights["event"], rights["user"]) == ("rights changed", ada.pk)
        assert rights["changed"] == "is_staff"
        assert rights["by"] != ada.pk
        assert (deleted["event"], deleted["user"]) == ("account deleted", ada.pk)

    def test_tells_of_what_was_refused(
        self, ada: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        client = signed_in()
        label = f"/api/v1/submissions/{UUID(int=0)}/label/"
        client.post(label, {"digit": 7}, content_type="application/json")
        Client(enforce_csrf_checks=True).post("/account/sign-in/")

        told = events(caplog)[1:]

        assert [one["event"] for one in told] == ["refused", "refused"]
        assert told[0]["route"] == "api/v1/submissions/<uuid:submission_id>/label/"
        assert told[1]["route"] == "account/sign-in/"

    def test_is_json_with_its_facts(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)

        note("signed in", user=7, place='"\n{')
        (line,) = JSONFormatter().format(caplog.records[0]).splitlines()

        told = json.loads(line)
        assert told["logger"] == "digitsite.security"
        assert (told["event"], told["user"], told["place"]) == (
            "signed in",
            7,
            '"\n{',
        )


@pytest.mark.usefixtures("_post")
class TestChanges:
    def test_of_a_forgotten_password_end_all_tokens(self, ada: User) -> None:
        make_token(user=ada, name="stolen", scopes=["read"])

        follow_reset_link(Client())

        ada.refresh_from_db()
        assert ada.check_password(NEW)
        assert not Token.objects.exists()
        assert mail.outbox[-1].subject == "Your password has been changed."
        assert mail.outbox[-1].to == ["ada@example.org"]

    def test_of_the_address_are_told_to_the_former_one(self, ada: User) -> None:
        signed_in().post(
            reverse("email"), {"email": "mallory@example.org", "password": PASSWORD}
        )

        assert [message.to for message in mail.outbox] == [["ada@example.org"]]
        assert "set a new password at once" in mail.outbox[0].body

    def test_of_tokens_are_told(self, ada: User) -> None:
        signed_in().post(reverse("account-tokens"), TOKEN)

        (message,) = mail.outbox
        assert "token has been created" in message.subject
        assert "dgs_" not in message.body

    def test_are_not_told_without_a_mail_server(
        self, ada: User, settings: LazySettings
    ) -> None:
        settings.SENDS_MAIL = False

        signed_in().post(reverse("account-tokens"), TOKEN)

        assert Token.objects.exists()
        assert mail.outbox == []
