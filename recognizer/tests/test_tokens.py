"""Tokens: made in three places, kept as a digest, good for what they name."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from recognizer.models import Submission, Token, User
from recognizer.people.tokens import make_token, revoke_token
from recognizer.tests.conftest import SEVEN, bearer, post_json

URL = "/api/v1/submissions/"


@pytest.fixture
def user(db: None) -> User:
    return User.objects.create_user("ada")


def call(client: Client, text: str) -> Any:
    return client.get("/api/v1/me/", headers={"Authorization": f"Bearer {text}"})


class TestToken:
    def test_is_kept_as_a_digest_with_a_visible_beginning(self, user: User) -> None:
        token, text = make_token(user=user, name="scanner", scopes=["read"])

        assert text.startswith(token.prefix)
        assert len(text) > len(token.prefix) + 30
        kept = Token.objects.filter(pk=token.pk).values().get()
        assert not any(text in str(value) for value in kept.values())

    def test_acts_for_its_user(self, user: User, active_model: object) -> None:
        program, other = Client(enforce_csrf_checks=True), Client()
        mine = post_json(program, URL, SEVEN, **bearer(user, "write"))

        assert mine.status_code == 201
        assert not mine.cookies
        assert Submission.objects.get().visitor.user == user
        answer = other.get(mine["Location"], headers=bearer(user, "read"))
        assert answer.json() == mine.json()
        assert other.get(mine["Location"]).status_code == 404

    def test_leaves_the_cookie_of_its_browser_alone(
        self, user: User, active_model: object
    ) -> None:
        program = Client()
        anonymous = post_json(program, URL, SEVEN)["Location"]

        by_token = program.get(anonymous, headers=bearer(user, "read"))

        assert by_token.status_code == 404
        assert program.get(anonymous).status_code == 200

    @pytest.mark.parametrize("text", ["", "dgs_unknown", "x" * 5000, "a b"])
    def test_that_is_unknown_is_a_401(self, user: User, text: str) -> None:
        answer = call(Client(), text)

        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer["WWW-Authenticate"]
        assert answer.json()["error"]["code"] == "invalid_token"

    def test_that_expired_is_a_401(self, user: User) -> None:
        _, text = make_token(
            user=user,
            name="old",
            scopes=["read"],
            expires_at=timezone.now() - timedelta(seconds=1),
        )

        answer = call(Client(), text)

        assert answer.status_code == 401
        assert "expired" in answer.json()["error"]["message"]

    def test_that_was_revoked_is_a_401(self, user: User) -> None:
        token, text = make_token(user=user, name="lost", scopes=["read"])
        assert call(Client(), text).status_code == 200

        revoke_token(token=token)

        assert call(Client(), text).status_code == 401

    def test_of_a_user_who_was_shut_out_is_a_401(self, user: User) -> None:
        headers = bearer(user, "read")
        User.objects.update(is_active=False)

        assert Client().get("/api/v1/me/", headers=headers).status_code == 401

    def test_remembers_its_last_use_to_the_minute(self, user: User) -> None:
        token, text = make_token(user=user, name="used", scopes=["read"])
        call(Client(), text)
        token.refresh_from_db()
        first = token.last_used_at

        call(Client(), text)
        token.refresh_from_db()
        assert first
        assert token.last_used_at == first

        Token.objects.update(last_used_at=first - timedelta(minutes=2))
        call(Client(), text)
        token.refresh_from_db()
        assert token.last_used_at
        assert token.last_used_at >= first

    @pytest.mark.parametrize(
        ("scope", "method", "path"),
        [
            ("write", "get", URL),
            ("write", "post", "/api/v1/readings/"),
            ("read", "post", URL),
            ("read", "delete", URL),
            ("read", "patch", "/api/v1/me/"),
        ],
    )
    def test_does_only_what_its_scopes_name(
        self, user: User, scope: str, method: str, path: str
    ) -> None:
        answer = getattr(Client(), method)(path, headers=bearer(user, scope))

        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "insufficient_scope"
        assert "scope=" in answer["WWW-Authenticate"]

    def test_without_any_scope_cannot_be(self, user: User) -> None:
        with pytest.raises(IntegrityError), transaction.atomic():
            make_token(user=user, name="idle", scopes=[])


class TestCommand:
    def test_makes_a_token_that_works(
        self, user: User, capsys: pytest.CaptureFixture[str]
    ) -> None:
        call_command("token", "ada", "--scopes=read,review", "--days=3")

        text = capsys.readouterr().out.strip()
        me = call(Client(), text).json()
        assert me["token"]["scopes"] == ["read", "review"]
        assert me["token"]["expires_at"]

    def test_lists_and_revokes(
        self, user: User, capsys: pytest.CaptureFixture[str]
    ) -> None:
        token, text = make_token(user=user, name="lost", scopes=["read"])

        call_command("token", "ada", "--list")
        call_command("token", "ada", f"--revoke={token.prefix}")

        assert f"lost ({token.prefix}...) read" in capsys.readouterr().out
        assert call(Client(), text).status_code == 401

    @pytest.mark.parametrize(
        "arguments",
        [
            ["nobody"],
            ["ada", "--scopes=read,fly"],
            ["ada", "--days=0"],
            ["ada", "--revoke=dgs_nothing"],
        ],
    )
    def test_names_the_way_out(self, user: User, arguments: list[str]) -> None:
        with pytest.raises(CommandError, match=r"[:.] \S|shows them|must be"):
            call_command("token", *arguments)


class TestAdmin:
    URL = "/admin/recognizer/token/"

    def test_makes_a_token_and_shows_it_once(
        self, user: User, admin_client: Client
    ) -> None:
        page = admin_client.post(
            f"{self.URL}add/",
            {"user": user.pk, "name": "scanner", "may_read": "on"},
            follow=True,
        )

        token = Token.objects.get()
        assert (token.user, token.scopes) == (user, ["read"])
        (message,) = [
            str(one) for one in page.context["messages"] if "Copy" in str(one)
        ]
        assert call(Client(), message.split()[-1]).status_code == 200
        assert message.split()[-1] not in admin_client.get(self.URL).content.decode()

    def test_refuses_one_that_may_nothing(
        self, user: User, admin_client: Client
    ) -> None:
        answer = admin_client.post(f"{self.URL}add/", {"user": user.pk, "name": "x"})

        assert answer.status_code == 200
        assert not Token.objects.exists()

    def test_revokes(self, user: User, admin_client: Client) -> None:
        token, text = make_token(user=user, name="lost", scopes=["read"])

        admin_client.post(f"{self.URL}{token.pk}/delete/", {"post": "yes"})

        assert call(Client(), text).status_code == 401
