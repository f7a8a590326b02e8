"""Someone asks how accurate it is, and how it came to be."""

import pytest
from playwright.sync_api import BrowserContext, expect

from recognizer.tests.browser.conftest import Site
from recognizer.tests.browser.eyes import fits, small_targets, store
from tools.server import Server


@pytest.fixture
def reviewer_token(site: Site) -> str:
    server = Server(site.url, site.var)
    server.make_user("reviewer", is_reviewer=True)
    return server.make_token("reviewer", "review")


class TestModelPage:
    @pytest.mark.journey
    @pytest.mark.parametrize("device", ["desk", "phone"])
    def test_is_reached_from_the_first_page_and_fits(
        self, site: Site, request: pytest.FixtureRequest, device: str
    ) -> None:
        page = site.open(request.getfixturevalue(device))

        page.get_by_role("link", name="how accurate it is").click()

        expect(page.get_by_role("heading", name="How accurate it is")).to_be_visible()
        rows = page.get_by_role("row", name="MNIST test 10,000")
        expect(rows.first).to_contain_text("99.")
        page.get_by_text("Accuracy on altered drawings").click()
        expect(page.get_by_role("rowheader", name="on ruled paper")).to_be_visible()
        assert fits(page)
        assert small_targets(page) == []
        assert site.complaints[page] == []

    def test_shows_what_reviewers_said(
        self, site: Site, desk: BrowserContext, reviewer_token: str
    ) -> None:
        for digit in (7, 7, 1):
            mine = store(site, desk)
            labelled = desk.request.post(
                f"{site.url}/api/v1/submissions/{mine}/label/",
                data={"digit": digit},
                headers={"Authorization": f"Bearer {reviewer_token}"},
            )
            assert labelled.status == 201
        page = site.open(desk, "/model/")

        expect(page.get_by_role("heading", name="By digit", exact=True)).to_be_visible()
        confused = page.locator(".confusion tbody tr").nth(1).locator("td").nth(7)
        assert int(confused.inner_text()) >= 1
        assert page.locator(".interval-band").count() >= 1
        assert fits(page)
        assert site.complaints[page] == []


class TestHowItLearnsPage:
    @pytest.mark.journey
    @pytest.mark.parametrize("device", ["desk", "phone"])
    def test_is_reached_from_the_model_s_and_fits(
        self, site: Site, request: pytest.FixtureRequest, device: str
    ) -> None:
        page = site.open(request.getfixturevalue(device), "/model/")

        page.get_by_role("main").get_by_role("link", name="how it learns").click()

        heading = page.get_by_role("heading", name="How it learns", level=1)
        expect(heading).to_be_visible()
        dots = page.get_by_role("img", name="as dots and zeros")
        expect(dots).to_contain_text(". . 0 0")
        page.get_by_text("All 784 numbers").click()
        expect(page.locator(".digit-numbers")).to_contain_text("255")
        expect(page.locator(".outputs img")).to_have_count(7)
        rows = page.get_by_role("row", name="5 × 5 convolution")
        expect(rows).to_contain_text("12 × 12 × 32")
        assert fits(page)
        assert small_targets(page) == []
        assert site.complaints[page] == []
