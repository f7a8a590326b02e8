"""Someone sets up a second factor, signs in with it, and signs other browsers out."""

import base64
import re
import time
from collections.abc import Callable
from typing import Literal

import cv2
import numpy as np
import pytest
from django_otp.oath import TOTP
from playwright.sync_api import Browser, BrowserContext, Page, expect

from recognizer.tests.browser.conftest import Site
from recognizer.tests.browser.eyes import fits, small_targets
from recognizer.tests.browser.test_accessibility import SCREENS, violations

PASSWORD = "correct horse battery staple"
Look = Callable[[Page, str], None]


def code_of(secret: str, *, steps_ahead: int = 0) -> str:
    """Return what an authenticator app shows that knows the secret."""
    totp = TOTP(base64.b32decode(secret.replace(" ", "")), drift=steps_ahead)
    totp.time = time.time()
    return f"{totp.token():06d}"


def scanned(page: Page) -> str:
    """Return what a camera reads in the QR code."""
    taken = np.frombuffer(page.locator(".qr-code").screenshot(), np.uint8)
    picture = cv2.imdecode(taken, cv2.IMREAD_COLOR)
    assert picture is not None
    # As people do who cannot scan it at first: OpenCV misses some codes at one size.
    for nearness in (1, 2, 3, 1.5):
        closer = cv2.resize(picture, None, fx=nearness, fy=nearness)
        text, *_ = cv2.QRCodeDetector().detectAndDecode(closer)
        if text:
            return str(text)
    return ""


def submit(page: Page, **fields: str) -> None:
    """Fill in the page's own form and send it by its first button."""
    for name, value in fields.items():
        page.locator(f"main [name={name}]").fill(value)
    with page.expect_navigation():
        page.locator("main form:has([name=csrfmiddlewaretoken]) button").last.click()


def walk(site: Site, context: BrowserContext, name: str, look: Look) -> None:
    """Go through all pages of an account with a second factor, looking at each."""
    page = site.open(context, "/account/sign-up/")
    submit(page, username=name, password1=PASSWORD, password2=PASSWORD)
    look(page, "account")
    for path in ("email", "password", "delete", "sessions", "factor"):
        page.goto(f"{site.url}/account/{path}/")
        look(page, path)
    submit(page, password=PASSWORD)
    look(page, "factor-confirm")
    secret = page.locator(".token-text").inner_text()
    assert secret.replace(" ", "") in scanned(page)
    submit(page, code="000000")
    look(page, "factor-wrong")
    time.sleep(1.1)  # after a wrong code
    submit(page, code=code_of(secret))
    look(page, "factor-codes")
    codes = page.locator(".token-text").all_inner_texts()
    assert len(codes) == 10
    page.goto(f"{site.url}/account/factor/")
    look(page, "factor-set-up")

    page.goto(f"{site.url}/account/")
    look(page, "account-with-factor")
    page.locator("main form[action$='sign-out/'] button").click()
    page.goto(f"{site.url}/account/sign-in/")
    submit(page, username=name, password=PASSWORD)
    look(page, "sign-in-code")
    page.locator("main a[href*=recovery]").click()
    look(page, "sign-in-recovery")
    submit(page, code=codes[0])
    expect(page).to_have_url(f"{site.url}/account/")
    page.locator("main form[action$='sign-out/'] button").click()
    page.goto(f"{site.url}/account/sign-in/")
    submit(page, username=name, password=PASSWORD)
    submit(page, code=code_of(secret, steps_ahead=1))  # this step's is used
    expect(page).to_have_url(f"{site.url}/account/")


@pytest.mark.parametrize(
    ("screen", "scheme", "language"),
    [
        pytest.param("phone", "light", "en-US", marks=pytest.mark.journey),
        ("phone", "dark", "de-DE"),
        ("desk", "light", "de-DE"),
        ("desk", "dark", "en-US"),
    ],
)
class TestFactorPages:
    def test_are_for_everyone(
        self,
        site: Site,
        browser: Browser,
        screen: str,
        scheme: Literal["light", "dark"],
        language: str,
    ) -> None:
        found: list[str] = []

        def look(page: Page, name: str) -> None:
            found.extend(f"{name} {line}" for line in violations(page))
            found.extend(f"{name} {target}" for target in small_targets(page))
            if not fits(page):
                found.append(f"{name} is too wide")

        size, _ = SCREENS[screen]
        context = browser.new_context(**size, color_scheme=scheme, locale=language)
        walk(site, context, f"ada-{screen}-{scheme}", look)
        complaints = [line for page in context.pages for line in site.complaints[page]]
        context.close()

        assert found == []
        assert complaints == []


class TestWithoutJavaScript:
    def test_a_factor_is_set_up_and_used(self, site: Site, browser: Browser) -> None:
        context = browser.new_context(java_script_enabled=False)
        seen: list[str] = []

        walk(site, context, "ada-without", lambda page, name: seen.append(name))

        assert len(seen) == 13
        context.close()


class TestOtherBrowsers:
    def test_are_named_and_signed_out(
        self, site: Site, desk: BrowserContext, phone: BrowserContext
    ) -> None:
        there = site.open(phone, "/account/sign-up/")
        submit(there, username="grace", password1=PASSWORD, password2=PASSWORD)
        here = site.open(desk, "/account/sign-in/")
        submit(here, username="grace", password=PASSWORD)

        listed = here.get_by_role("region", name="Where you are signed in")
        expect(listed.get_by_role("listitem")).to_have_count(2)
        expect(listed).to_contain_text(re.compile(r"Chrome on \w+ \(this browser\)"))
        here.get_by_role("link", name="Sign out other browsers").click()
        submit(here, password=PASSWORD)
        expect(here.get_by_text("have been signed out")).to_be_visible()
        there.goto(f"{site.url}/account/")

        expect(there).to_have_url(re.compile("/account/sign-in/"))
        expect(listed.get_by_role("listitem")).to_have_count(1)
