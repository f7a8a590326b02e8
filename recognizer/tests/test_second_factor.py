"""The second factor: setting it up, signing in with it, and no way around it."""

import logging
import re
import time
from io import StringIO
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

from recognizer.models import AuditEntry, Submission, Token, User
from recognizer.people import mail as post
from recognizer.people import second_factor, signing_in
from recognizer.tests.conftest import SEVEN, bearer, enter_desk, post_json

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery staple"
SITE, STAFF = "/account/sign-in/", "/admin/login/"
CODE, FACTOR, CONFIRM = (
    "/account/sign-in/code/",
    "/account/factor/",
    "/account/factor/confirm/",
)
DOORS = {SITE: "/account/", STAFF: "/admin/"}


@pytest.fixture(autouse=True)
def _mail_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(post, "send_later", lambda message: message.send())


@pytest.fixture
def ada() -> User:
    """An administrator with a second factor."""
    user = User.objects.create_superuser("ada", "ada@example.org", PASSWORD)
    TOTPDevice.objects.create(user=user, name="app")
    return user


def now(user: User, *, confirmed: bool = True) -> str:
    """Return the code that the user's app shows."""
    device = TOTPDevice.objects.get(user=user, confirmed=confirmed)
    return f"{TOTP(device.bin_key).token():06d}"


def wrong(user: User) -> str:
    """Return a code that the app shows neither now nor just before or after."""
    key = TOTPDevice.objects.get(user=user, confirmed=True).bin_key
    near = {TOTP(key, drift=drift).token() for drift in (-2, -1, 0, 1, 2)}
    return next(f"{code:06d}" for code in range(9) if code not in near)


def give_password(
    door: str = SITE, browser: Client | None = None, **more: Any
) -> tuple[Client, Any]:
    browser = browser or Client()
    answer = browser.post(door, {"username": "ada", "password": PASSWORD, **more})
    return browser, answer


def give_code(browser: Client, code: str, path: str = CODE) -> Any:
    return browser.post(path, {"code": code})


def set_up(browser: Client, user: User) -> list[str]:
    """Set a factor up with the pages; return the recovery codes."""
    asked = browser.post(FACTOR, {"password": PASSWORD, "action": "set-up"})
    assert asked["Location"] == CONFIRM
    done = give_code(browser, now(user, confirmed=False), CONFIRM)
    return recovery_codes(done)


def recovery_codes(page: Any) -> list[str]:
    return re.findall(r"\b(?:[a-z2-7]{6}-){3}[a-z2-7]{6}\b", page.content.decode())


def is_signed_in(browser: Client) -> bool:
    return browser.get("/account/").status_code == 200


class TestSigningIn:
    @pytest.mark.parametrize("door", DOORS)
    def test_asks_for_the_code_after_the_password(self, ada: User, door: str) -> None:
        browser, asked = give_password(door)
        before = [browser.get(path).status_code for path in DOORS.values()]

        done = give_code(browser, now(ada))

        assert asked["Location"] == CODE
        assert before == [302, 302]
        assert done["Location"] == DOORS[door]
        assert browser.get(DOORS[door]).status_code == 200

    def test_on_the_site_does_not_open_the_admin(self, ada: User) -> None:
        browser, _ = give_password(SITE)
        give_code(browser, now(ada))

        assert browser.get("/admin/")["Location"] == "/admin/login/?next=/admin/"

    def test_in_the_admin_needs_no_second_code_in_this_session(self, ada: User) -> None:
        browser, _ = give_password(SITE)
        give_code(browser, now(ada))

        _, answer = give_password(STAFF, browser)

        assert answer["Location"] == "/admin/"
        assert browser.get("/admin/").status_code == 200

    def test_in_the_admin_takes_no_code_of_another_user(self, ada: User) -> None:
        bob = User.objects.create_superuser("bob", password=PASSWORD)
        TOTPDevice.objects.create(user=bob, name="app")
        browser, _ = give_password(SITE)
        give_code(browser, now(ada))

        answer = browser.post(STAFF, {"username": "bob", "password": PASSWORD})

        assert answer["Location"] == CODE
        assert browser.get("/api/v1/me/").json()["username"] == "ada"

    @pytest.mark.parametrize("door", DOORS)
    def test_leads_where_it_was_meant_to_and_to_no_other_site(
        self, ada: User, door: str
    ) -> None:
        browser, _ = give_password(door, next="/history/")
        ours = give_code(browser, now(ada))
        TOTPDevice.objects.update(last_t=-1)
        browser, _ = give_password(door, next="//evil.example/")
        theirs = browser.post(
            f"{CODE}?next=//evil.example/",
            {"code": now(ada), "next": "https://evil.example/"},
        )

        assert ours["Location"] == "/history/"
        assert theirs["Location"] == DOORS[door]

    def test_needs_the_password_first(self, ada: User) -> None:
        browser = Client()

        answer = give_code(browser, now(ada))

        assert answer["Location"] == SITE
        assert not is_signed_in(browser)

    def test_takes_a_code_once(self, ada: User) -> None:
        code = now(ada)
        first, _ = give_password()
        second, _ = give_password()

        give_code(first, code)
        again = give_code(second, code)

        assert is_signed_in(first)
        assert again.status_code == 200
        assert not is_signed_in(second)

    def test_takes_a_recovery_code_once_and_tells_its_owner(self, ada: User) -> None:
        code, *_ = second_factor.make_recovery_codes(user=ada)
        first, _ = give_password()
        second, _ = give_password()

        give_code(first, f" {code.upper()} ", f"{CODE}?recovery=1")
        StaticDevice.objects.get().throttle_reset()
        give_code(second, code)

        assert is_signed_in(first)
        assert not is_signed_in(second)
        (told,) = mail.outbox
        assert "9 are left" in told.subject
        assert told.to == ["ada@example.org"]

    def test_keeps_no_session_of_before(self, ada: User) -> None:
        browser, _ = give_password()
        fixed = browser.cookies["sessionid"].value

        give_code(browser, now(ada))

        stranger = Client()
        stranger.cookies["sessionid"] = fixed
        assert browser.cookies["sessionid"].value != fixed
        assert not is_signed_in(stranger)

    def test_waits_ten_minutes_for_the_code(
        self, ada: User, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        browser, _ = give_password()
        later = time.time() + 601
        monkeypatch.setattr(signing_in, "time", SimpleNamespace(time=lambda: later))

        assert give_code(browser, now(ada))["Location"] == SITE

    @pytest.mark.parametrize("change", ["password", "is_active"])
    def test_ends_if_the_account_changes_meanwhile(
        self, ada: User, change: str
    ) -> None:
        browser, _ = give_password()
        if change == "password":
            ada.set_password("another horse, another staple")
        else:
            ada.is_active = False
        ada.save()

        assert give_code(browser, now(ada))["Location"] == SITE

    def test_by_a_reset_password_still_needs_the_code(self, ada: User) -> None:
        browser = Client()
        browser.post("/account/password/forgotten/", {"email": "ada@example.org"})
        (link,) = re.findall(r"http://testserver(/\S+)", str(mail.outbox[0].body))
        form = browser.get(link, follow=True).redirect_chain[-1][0]
        browser.post(form, {"new_password1": PASSWORD, "new_password2": PASSWORD})

        signed_in_by_link = is_signed_in(browser)
        _, asked = give_password(browser=browser)

        assert not signed_in_by_link
        assert asked["Location"] == CODE


class TestGuessing:
    def test_is_slowed_down_for_the_account(self, ada: User) -> None:
        browser, _ = give_password()
        give_code(browser, wrong(ada))

        too_soon = give_code(browser, now(ada))

        assert "Wait 1 second" in too_soon.content.decode()
        assert not is_signed_in(browser)

    @pytest.mark.parametrize("door", DOORS)
    def test_counts_like_wrong_passwords(
        self, ada: User, settings: LazySettings, door: str
    ) -> None:
        settings.WORKERS = 1
        settings.SIGN_IN_FAILURES = {"site": 3, "staff": 3}
        browser, _ = give_password(door)

        codes = [give_code(browser, wrong(ada)).status_code for _ in range(2)]
        wrong_password = Client().post(door, {"username": "ada", "password": "x"})
        _, right_password = give_password(door)
        TOTPDevice.objects.get().throttle_reset()
        right_code = give_code(browser, now(ada))

        assert codes == [200, 200]
        assert wrong_password.status_code == 429
        assert right_password.status_code == 429
        assert right_code.status_code == 429

    def test_of_recovery_codes_is_slowed_down_too(self, ada: User) -> None:
        code, *_ = second_factor.make_recovery_codes(user=ada)
        browser, _ = give_password()
        give_code(browser, "aaaaaa-aaaaaa-aaaaaa-aaaaaa")

        give_code(browser, code)

        assert not is_signed_in(browser)
        assert StaticToken.objects.count() == 10

    def test_is_in_the_security_log(
        self, ada: User, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        browser, _ = give_password()
        give_code(browser, wrong(ada))
        TOTPDevice.objects.get().throttle_reset()
        give_code(browser, now(ada))

        facts = [
            record.__dict__["facts"]["event"]
            for record in caplog.records
            if record.name == "digitsite.security"
        ]
        assert facts == ["password accepted", "sign-in failed", "signed in"]


class TestSettingUp:
    @pytest.fixture
    def eve(self) -> User:
        """A user without a second factor."""
        return User.objects.create_user("ada", "ada@example.org", PASSWORD)

    @pytest.fixture
    def browser(self, eve: User) -> Client:
        browser, _ = give_password()
        return browser

    def test_shows_a_qr_code_and_the_secret_as_text(
        self, browser: Client, eve: User
    ) -> None:
        browser.post(FACTOR, {"password": PASSWORD, "action": "set-up"})

        page = browser.get(CONFIRM)

        text = page.content.decode()
        device = TOTPDevice.objects.get(user=eve)
        assert second_factor.text_secret(device) in text
        assert "<svg" in text
        assert "style=" not in text
        assert "no-store" in page["Cache-Control"]

    def test_ends_with_ten_recovery_codes_shown_once(
        self, browser: Client, eve: User
    ) -> None:
        codes = set_up(browser, eve)

        assert len(set(codes)) == 10
        for path in (CONFIRM, FACTOR, "/account/"):
            page = browser.get(path, follow=True).content.decode()
            assert not any(code in page for code in codes)
        kept = set(StaticToken.objects.values_list("token", flat=True))
        assert not kept & {code.replace("-", "") for code in codes}
        assert mail.outbox[-1].subject.startswith("A second factor has been set up")

    def test_verifies_this_session_and_ends_the_others(
        self, browser: Client, eve: User
    ) -> None:
        other, _ = give_password()

        set_up(browser, eve)

        assert is_signed_in(browser)
        assert browser.get(FACTOR).status_code == 200
        assert not is_signed_in(other)

    @pytest.mark.parametrize("given", ["", "a guess"])
    def test_needs_the_password(self, browser: Client, eve: User, given: str) -> None:
        answer = browser.post(FACTOR, {"password": given, "action": "set-up"})

        assert answer.status_code == 200
        assert not TOTPDevice.objects.exists()

    def test_needs_a_code_of_the_app(self, browser: Client, eve: User) -> None:
        browser.post(FACTOR, {"password": PASSWORD, "action": "set-up"})

        answer = give_code(browser, "abc", CONFIRM)

        assert answer.status_code == 200
        assert not second_factor.is_set_up(eve)

    def test_can_be_finished_only_where_it_began(
        self, browser: Client, eve: User
    ) -> None:
        browser.post(FACTOR, {"password": PASSWORD, "action": "set-up"})
        other, _ = give_password()

        assert other.get(CONFIRM)["Location"] == FACTOR


class TestChanging:
    @pytest.fixture
    def browser(self, ada: User) -> Client:
        browser, _ = give_password()
        give_code(browser, now(ada))
        return browser

    def test_keeps_the_former_app_until_the_new_one_is_confirmed(
        self, browser: Client, ada: User
    ) -> None:
        former = TOTPDevice.objects.get()
        browser.post(FACTOR, {"password": PASSWORD, "action": "set-up"})
        meanwhile = TOTPDevice.objects.get(user=ada, confirmed=True)

        give_code(browser, now(ada, confirmed=False), CONFIRM)

        assert meanwhile == former
        assert TOTPDevice.objects.get().key != former.key
        assert browser.get("/account/").status_code == 200

    def test_makes_new_recovery_codes_in_place_of_the_former(
        self, browser: Client, ada: User
    ) -> None:
        former = second_factor.make_recovery_codes(user=ada)

        page = browser.post(FACTOR, {"password": PASSWORD, "action": "codes"})

        codes = recovery_codes(page)
        assert len(codes) == 10
        assert not set(codes) & set(former)
        assert second_factor.check(user=ada, code=former[0]) is None
        assert mail.outbox[-1].subject.startswith("New recovery codes")

    def test_removes_it_and_tells_its_owner(self, browser: Client, ada: User) -> None:
        second_factor.make_recovery_codes(user=ada)
        other = Client()
        other.force_login(ada)

        browser.post(FACTOR, {"password": PASSWORD, "action": "remove"})

        assert not TOTPDevice.objects.exists()
        assert not StaticToken.objects.exists()
        assert "has been removed" in mail.outbox[-1].subject
        assert is_signed_in(browser)
        assert not is_signed_in(other)
        _, answer = give_password()
        assert answer["Location"] == "/account/"

    @pytest.mark.parametrize("action", ["set-up", "codes", "remove"])
    def test_needs_the_password(self, browser: Client, ada: User, action: str) -> None:
        former = TOTPDevice.objects.get()

        answer = browser.post(FACTOR, {"password": "a guess", "action": action})

        assert "This password is not correct" in answer.content.decode()
        assert [*TOTPDevice.objects.all()] == [former]
        assert not StaticToken.objects.exists()

    def test_is_not_for_a_session_without_the_code(self, ada: User) -> None:
        browser = Client()
        browser.force_login(ada)

        answer = browser.post(FACTOR, {"password": PASSWORD, "action": "remove"})

        assert answer["Location"] == SITE
        assert second_factor.is_set_up(ada)


@pytest.mark.usefixtures("active_model")
class TestStaff:
    def review(self, caller: Client, **headers: str) -> int:
        drawing = Submission.objects.get()
        status: int = post_json(
            caller, f"/api/v1/submissions/{drawing.pk}/label/", {"digit": 7}, **headers
        ).status_code
        return status

    @pytest.fixture(autouse=True)
    def drawing(self) -> None:
        post_json(Client(), "/api/v1/submissions/", SEVEN)

    def test_with_a_factor_do_nothing_in_a_session_without_its_code(
        self, ada: User
    ) -> None:
        browser = Client()
        enter_desk(browser, ada)

        assert browser.get("/admin/").status_code == 302
        assert self.review(browser) == 403
        assert browser.get("/api/v1/me/").json()["may_review"] is False

    def test_with_the_code_work_as_before(self, ada: User) -> None:
        browser, _ = give_password(STAFF)
        give_code(browser, now(ada))

        assert browser.get("/admin/").status_code == 200
        assert self.review(browser) == 201

    def test_make_no_token_that_reviews_without_the_code(self, ada: User) -> None:
        browser = Client()
        browser.force_login(ada)
        wish = {"name": "x", "scopes": ["review"], "days": "30", "password": PASSWORD}

        assert browser.post("/account/tokens/", wish).status_code == 400
        assert not Token.objects.exists()

    def test_use_their_tokens_without_a_code(self, ada: User) -> None:
        assert self.review(Client(), **bearer(ada, "review")) == 201

    def test_need_a_factor_where_the_operator_says_so(
        self, settings: LazySettings
    ) -> None:
        settings.STAFF_NEED_FACTOR = True
        grace = User.objects.create_superuser("ada", password=PASSWORD)
        browser, _ = give_password(STAFF)
        refused = browser.get("/admin/", follow=True)
        label_before = self.review(browser)

        set_up(browser, grace)

        assert refused.redirect_chain[-1][0] == FACTOR
        assert "need a second factor" in refused.content.decode()
        assert label_before == 403
        assert browser.get("/admin/").status_code == 200
        assert self.review(browser) == 201

    def test_need_none_elsewhere(self) -> None:
        User.objects.create_superuser("ada", password=PASSWORD)
        browser, answer = give_password(STAFF)

        assert answer["Location"] == "/admin/"
        assert browser.get("/admin/").status_code == 200

    def test_see_no_secret_in_the_admin(self, ada: User) -> None:
        browser, _ = give_password(STAFF)
        give_code(browser, now(ada))

        for app in ("otp_totp/totpdevice", "otp_static/staticdevice"):
            assert browser.get(f"/admin/{app}/").status_code == 404


class TestLostFactor:
    def test_is_removed_by_the_operator_and_audited(self, ada: User) -> None:
        out = StringIO()

        call_command("remove_factor", "ada", because="lost her phone", stdout=out)

        entry = AuditEntry.objects.get()
        assert out.getvalue() == "Removed the second factor of ada.\n"
        assert (entry.action, entry.subject) == ("factor", str(ada.erasure_id))
        assert entry.reason == "lost her phone"
        assert not second_factor.is_set_up(ada)
        assert "has been removed" in mail.outbox[-1].subject

    @pytest.mark.parametrize("name", ["ada", "nobody"])
    def test_that_is_none_is_an_error(self, name: str) -> None:
        User.objects.create_user("ada")

        with pytest.raises(CommandError):
            call_command("remove_factor", name, because="x")


class TestErasure:
    def test_of_the_account_leaves_no_factor(self, ada: User) -> None:
        User.objects.create_superuser("another")
        second_factor.make_recovery_codes(user=ada)
        browser, _ = give_password()
        give_code(browser, now(ada))

        browser.post("/account/delete/", {"password": PASSWORD})

        assert not User.objects.filter(username="ada").exists()
        assert not TOTPDevice.objects.exists()
        assert not StaticDevice.objects.exists()
        assert not StaticToken.objects.exists()
