"""Someone makes an account, signs in and out, and forgets the password."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from recognizer.tests.browser.conftest import Site
from recognizer.tests.browser.eyes import (
    fits,
    small_targets,
    store,
    tiles,
)
from recognizer.tests.browser.post import Post, post_office
from tools.server import serving

PASSWORD = "correct horse battery staple"
ANOTHER = "another horse, another staple"


@pytest.fixture(scope="module")
def post() -> Iterator[Post]:
    with post_office() as post:
        yield post


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, post: Post) -> Iterator[Site]:
    """A site that knows where to hand in mail."""
    var: Path = tmp_path_factory.mktemp("var")
    with serving(var, EMAIL_URL=post.url) as server:
        yield Site(server.url, server.var, server)


def sign_up(site: Site, someone: BrowserContext, name: str, email: str = "") -> Page:
    page = site.open(someone, "/account/sign-up/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Email address").fill(email)
    page.get_by_label("Password:", exact=True).fill(PASSWORD)
    page.get_by_label("Password confirmation").fill(PASSWORD)
    page.get_by_role("button", name="Create account").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return page


def sign_in(page: Page, name: str, password: str) -> None:
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password:", exact=True).fill(password)
    page.get_by_role("button", name="Sign in").click()


class TestAccount:
    @pytest.mark.journey
    @pytest.mark.parametrize("device", ["desk", "phone"])
    def test_keeps_the_browser_s_drawings_and_leaves_them_at_signing_out(
        self, site: Site, request: pytest.FixtureRequest, device: str
    ) -> None:
        someone = request.getfixturevalue(device)
        mine = store(site, someone)
        page = sign_up(site, someone, f"eve-{device}")

        assert fits(page)
        assert small_targets(page) == []
        page.goto(f"{site.url}/history/")
        signed_in = tiles(page)
        page.goto(f"{site.url}/account/")
        page.get_by_role("button", name="Sign out").click()
        page.goto(f"{site.url}/history/")
        signed_out = tiles(page)
        anew = store(site, someone)
        page.reload()
        as_a_stranger = tiles(page)
        page.get_by_role("link", name="Sign in").click()
        sign_in(page, f"eve-{device}", PASSWORD)
        page.goto(f"{site.url}/history/")

        assert signed_in == [mine]
        assert signed_out == []
        assert as_a_stranger == [anew]
        assert tiles(page) == [anew, mine]
        assert site.complaints[page] == []


class TestForgottenPassword:
    def test_is_set_anew_by_a_mail(
        self, site: Site, post: Post, desk: BrowserContext, phone: BrowserContext
    ) -> None:
        sign_up(site, desk, "ada", "ada@example.org")
        page = site.open(phone, "/account/sign-in/")

        page.get_by_role("link", name="Forgot your password?").click()
        page.get_by_label("Email").fill("ada@example.org")
        assert small_targets(page) == []
        page.get_by_role("button", name="Send link").click()
        expect(page.get_by_role("heading", name="Check your email")).to_be_visible()
        mail = post.next()
        (link,) = re.findall(r"http://\S+", mail.get_content())
        page.goto(link)
        page.get_by_label("New password:", exact=True).fill(ANOTHER)
        page.get_by_label("New password confirmation").fill(ANOTHER)
        assert fits(page)
        page.get_by_role("button", name="Set password").click()
        expect(page.get_by_text("Your new password is set")).to_be_visible()
        sign_in(page, "ada", ANOTHER)

        expect(page.get_by_role("heading", name="ada")).to_be_visible()
        assert mail["To"] == "ada@example.org"
        assert mail["From"] == "digits@example.org"
        page.goto(link)
        expect(page.get_by_text("no longer works")).to_be_visible()
        assert site.complaints[page] == []

    def test_can_be_changed_by_who_knows_it(
        self, site: Site, phone: BrowserContext
    ) -> None:
        page = sign_up(site, phone, "bob")

        page.get_by_role("link", name="Change password").click()
        page.get_by_label("Old password").fill(PASSWORD)
        page.get_by_label("New password:", exact=True).fill(ANOTHER)
        page.get_by_label("New password confirmation").fill(ANOTHER)
        page.get_by_role("button", name="Change password").click()
        expect(page.get_by_text("Your password has been changed")).to_be_visible()
        page.get_by_role("link", name="Add address").click()
        page.get_by_label("Email address").fill("bob@example.org")
        page.get_by_label("Your password").fill(ANOTHER)
        page.get_by_role("button", name="Save").click()

        expect(page.get_by_text("links go to bob@example.org")).to_be_visible()
        assert site.complaints[page] == []


class TestDeletingAnAccount:
    def test_asks_for_the_password_and_leaves_nothing(
        self, site: Site, phone: BrowserContext
    ) -> None:
        store(site, phone)
        page = sign_up(site, phone, "carol")

        page.get_by_role("link", name="Delete account").click()
        assert fits(page)
        assert small_targets(page) == []
        page.get_by_label("Your password").fill("wrong")
        page.get_by_role("button", name="Delete account").click()
        expect(page.get_by_text("This password is not correct")).to_be_visible()
        page.get_by_label("Your password").fill(PASSWORD)
        page.get_by_role("button", name="Delete account").click()

        expect(page.get_by_text("have been deleted")).to_be_visible()
        page.goto(f"{site.url}/history/")
        assert tiles(page) == []
        page.goto(f"{site.url}/account/sign-in/")
        sign_in(page, "carol", PASSWORD)
        expect(page.get_by_text("correct username and password")).to_be_visible()
        assert site.complaints[page] == []
