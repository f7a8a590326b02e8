"""The interactive documentation works under the site's own CSP."""

import pytest
from playwright.sync_api import BrowserContext, expect

from recognizer.tests.browser.conftest import Site


class TestApiDocs:
    @pytest.mark.journey
    def test_calls_the_api_from_the_page(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk, "/api/docs/")
        call = page.locator("#operations-stats-getStats")

        call.locator("button.opblock-summary-control").click()
        call.get_by_role("button", name="Try it out").click()
        call.get_by_role("button", name="Execute").click()

        expect(call.locator(".live-responses-table")).to_contain_text('"last_24h"')
        assert site.complaints[page] == []
