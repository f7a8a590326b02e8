"""Someone looks back: history, one drawing and its replay, answers, deletion."""

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect

from recognizer.tests.browser.conftest import Site
from recognizer.tests.browser.eyes import TIMED, fits, small_targets, store, tiles
from tools.browser import DESK, PHONE

SCREENS = {"desk": DESK, "phone": PHONE}
NO_INK: dict[str, Any] = {"pixels": [[0] * 28] * 28}


@pytest.fixture(params=SCREENS)
def someone(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Any]:
    """A new visitor, at a desk and with a phone."""
    context = browser.new_context(**SCREENS[request.param])
    yield context
    context.close()


@pytest.fixture
def without_scripts(browser: Browser) -> Iterator[BrowserContext]:
    """A new visitor whose browser runs no JavaScript."""
    context = browser.new_context(**PHONE, java_script_enabled=False)
    yield context
    context.close()


class TestHistory:
    @pytest.mark.journey
    def test_narrows_down_and_widens_again(
        self, site: Site, someone: BrowserContext
    ) -> None:
        seven, refused = store(site, someone), store(site, someone, NO_INK)
        page = site.open(someone, "/history/")

        choices = page.get_by_role("navigation", name="Filter")
        choices.get_by_role("link", name="Refused").click()
        expect(choices.locator("[aria-current]")).to_have_text("Refused")
        only_refused = tiles(page)
        choices.get_by_role("link", name="Read as 7").click()
        expect(choices.locator("[aria-current]")).to_have_text("7")
        only_seven = tiles(page)
        choices.get_by_role("link", name="Wrong").click()
        expect(page.get_by_text("No drawing matches both filters.")).to_be_visible()
        choices.get_by_role("link", name="All").click()
        expect(choices.locator("[aria-current]")).to_have_text("All")

        assert only_refused == [refused]
        assert only_seven == [seven]
        assert tiles(page) == [refused, seven]
        assert fits(page)
        assert small_targets(page) == []
        assert site.complaints[page] == []

    def test_leads_from_page_to_page_within_a_choice(
        self, site: Site, desk: BrowserContext
    ) -> None:
        drawn = [store(site, desk) for _ in range(26)]
        store(site, desk, NO_INK)
        page = site.open(desk, "/history/?digit=7")

        newest = tiles(page)
        page.get_by_role("link", name="Older").click()
        page.wait_for_url("**before=**")
        oldest = tiles(page)
        page.get_by_role("link", name="Newer").click()
        page.wait_for_url("**after=**")

        assert newest + oldest == drawn[::-1]
        assert tiles(page) == newest
        assert site.complaints[page] == []

    def test_says_the_time_where_its_reader_is(
        self, site: Site, browser: Browser
    ) -> None:
        context = browser.new_context(**DESK, timezone_id="Asia/Kolkata")
        store(site, context)
        page = site.open(context, "/history/")
        time = page.locator("time")

        expect(time).not_to_contain_text("UTC")

        written = time.evaluate(
            "(e) => new Date(e.dateTime).toLocaleTimeString('en', {timeStyle: 'short'})"
        )
        expect(time).to_contain_text(written)
        context.close()

    def test_takes_consent_and_takes_it_back(
        self, site: Site, someone: BrowserContext
    ) -> None:
        store(site, someone)
        page = site.open(someone, "/history/")
        switch = page.get_by_role("switch", name="improve the model")
        other = page.get_by_role("switch", name="published")

        expect(switch).not_to_be_checked()
        switch.click()
        expect(switch).to_be_checked()
        expect(other).not_to_be_checked()
        given = someone.request.get(f"{site.url}/api/v1/me/").json()["may_train"]
        switch.click()
        expect(switch).not_to_be_checked()

        assert given is True
        assert not someone.request.get(f"{site.url}/api/v1/me/").json()["may_train"]
        assert site.complaints[page] == []

    def test_is_downloaded_as_one_file(
        self, site: Site, someone: BrowserContext
    ) -> None:
        mine = store(site, someone)
        page = site.open(someone, "/history/")

        with page.expect_download() as download:
            page.get_by_role("link", name="Download all").click()

        with zipfile.ZipFile(download.value.path()) as packed:
            names = packed.namelist()
            lines = packed.read("submissions.ndjson").splitlines()
            png = packed.read(f"images/{mine}.png")
        assert len(names) == 2
        assert [json.loads(line)["id"] for line in lines] == [mine]
        assert io.BytesIO(png).read(8) == b"\x89PNG\r\n\x1a\n"
        assert site.complaints[page] == []

    def test_is_deleted_as_a_whole_after_a_question(
        self, site: Site, someone: BrowserContext
    ) -> None:
        store(site, someone)
        store(site, someone)
        page = site.open(someone, "/history/")

        page.get_by_role("link", name="Delete all").click()
        page.get_by_role("link", name="Keep them").click()
        kept = len(tiles(page))
        page.get_by_role("link", name="Delete all").click()
        assert small_targets(page) == []
        page.get_by_role("button", name="Delete all").click()

        expect(page.get_by_text("All your drawings have been deleted.")).to_be_visible()
        expect(page.get_by_text("Nothing here yet")).to_be_visible()
        assert kept == 2
        assert site.complaints[page] == []


class TestDrawing:
    def test_is_replayed_in_its_time(self, site: Site, someone: BrowserContext) -> None:
        page = site.open(someone, f"/history/{store(site, someone)}/")
        strokes = page.locator("#drawing path")
        second = strokes.nth(1)
        whole = second.get_attribute("d")

        page.get_by_role("button", name="Replay").click()
        expect(page.get_by_role("button", name="Pause")).to_be_visible()
        expect(second).to_have_attribute("d", "")
        expect(second).to_have_attribute("d", whole or "", timeout=6000)
        expect(page.get_by_role("button", name="Replay")).to_be_visible()

        assert whole == "M100 150L200 145"
        assert page.locator("#replay-words").inner_text() == "1.3 of 1.3 seconds"
        assert fits(page)
        assert small_targets(page) == []
        assert site.complaints[page] == []

    def test_is_gone_through_by_hand(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk, f"/history/{store(site, desk)}/")
        slider = page.get_by_role("slider", name="Position in the replay")

        slider.press("Home")
        expect(page.locator("#drawing path").nth(1)).to_have_attribute("d", "")
        expect(slider).to_have_attribute("aria-valuetext", "0.0 of 1.3 seconds")
        slider.press("End")

        expect(page.locator("#drawing path").nth(1)).not_to_have_attribute("d", "")

    def test_steps_from_stroke_to_stroke_where_less_motion_is_wanted(
        self, site: Site, browser: Browser
    ) -> None:
        context = browser.new_context(**PHONE, reduced_motion="reduce")
        page = site.open(context, f"/history/{store(site, context)}/")
        second = page.locator("#drawing path").nth(1)

        page.get_by_role("button", name="Next stroke").click()
        first_only = second.get_attribute("d")
        page.get_by_role("button", name="Next stroke").click()

        assert first_only == ""
        assert second.get_attribute("d") == "M100 150L200 145"
        assert site.complaints[page] == []
        context.close()

    def test_shows_reading_and_what_the_model_saw(
        self, site: Site, someone: BrowserContext
    ) -> None:
        page = site.open(someone, f"/history/{store(site, someone)}/")

        expect(page.get_by_role("heading", name="Read as 7")).to_be_visible()
        table = page.get_by_role("table", name="Probability of each digit")
        expect(table.get_by_role("row")).to_have_count(11)
        for picture in page.locator(".looks img").all():
            assert picture.evaluate("image => image.naturalWidth") == 28
        assert site.complaints[page] == []

    def test_without_strokes_shows_the_picture(
        self, site: Site, someone: BrowserContext
    ) -> None:
        page = site.open(someone, f"/history/{store(site, someone, NO_INK)}/")

        picture = page.get_by_role("img", name="Your picture")
        assert picture.evaluate("image => image.naturalWidth") > 0
        expect(page.get_by_role("button", name="Replay")).to_have_count(0)
        expect(page.get_by_text("There is nothing to read.")).to_be_visible()
        assert site.complaints[page] == []

    def test_leads_to_the_ones_beside_it(
        self, site: Site, someone: BrowserContext
    ) -> None:
        oldest, _, newest = (
            store(site, someone, drawing) for drawing in (TIMED, NO_INK, TIMED)
        )
        page = site.open(someone, "/history/?digit=7")

        page.locator(f"[data-submission='{newest}'] a").click()
        page.get_by_role("link", name="Older").click()
        page.wait_for_url(f"**/history/{oldest}/?digit=7")
        page.locator(".detail-back").click()

        page.wait_for_url("**/history/?digit=7")
        assert site.complaints[page] == []

    def test_of_another_visitor_is_nowhere(
        self, site: Site, desk: BrowserContext, phone: BrowserContext
    ) -> None:
        mine = store(site, desk)
        page = site.open(phone, f"/history/{mine}/")

        expect(page.get_by_text("Page not found")).to_be_visible()


class TestAnswers:
    @pytest.mark.parametrize("with_scripts", [True, False])
    def test_are_given_changed_and_taken_back(
        self,
        site: Site,
        phone: BrowserContext,
        without_scripts: BrowserContext,
        with_scripts: bool,
    ) -> None:
        someone = phone if with_scripts else without_scripts
        mine = store(site, someone)
        page = site.open(someone, f"/history/{mine}/")
        said = page.locator("#feedback-said")

        def kept() -> Any:
            url = f"{site.url}/api/v1/submissions/{mine}/"
            return someone.request.get(url).json()["feedback"]

        if with_scripts:
            page.evaluate("window.isTheSamePage = true")
        page.get_by_role("button", name="Yes, it is 7").click()
        expect(said).to_have_text("Your answer: correct")
        page.get_by_role("button", name="1", exact=True).click()
        expect(said).to_have_text("Your answer: it is 1")
        one = page.get_by_role("button", name="1", exact=True)
        expect(one).to_have_attribute("aria-pressed", "true")
        if with_scripts:
            expect(one).to_be_focused()
        corrected = kept()
        page.get_by_role("button", name="Not a digit").click()
        expect(said).to_have_text("Your answer: not a digit")
        page.get_by_role("button", name="Take it back").click()
        expect(said).to_have_text("No answer yet.")

        assert corrected == {"verdict": "wrong", "digit": 1}
        assert kept() is None
        assert not with_scripts or page.evaluate("window.isTheSamePage")
        assert site.complaints[page] == []

    def test_that_do_not_get_through_say_so_and_can_be_given_again(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk, f"/history/{store(site, desk)}/")
        said = page.locator("#feedback-said")
        page.evaluate(
            "() => { window.kept = fetch;"
            "window.fetch = () => Promise.reject(Error()); }"
        )

        page.get_by_role("button", name="1", exact=True).click()
        expect(said).to_contain_text("could not be saved")
        page.evaluate("() => { window.fetch = window.kept; }")
        page.get_by_role("button", name="1", exact=True).click()

        expect(said).to_have_text("Your answer: it is 1")
        assert site.complaints[page] == []

    def test_outlive_signing_in_in_another_tab(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk, f"/history/{store(site, desk)}/")
        page.evaluate(
            "() => { document.querySelector('#feedback [name=csrfmiddlewaretoken]')"
            ".value = 'an old one'; }"
        )

        page.get_by_role("button", name="1", exact=True).click()

        expect(page.locator("#feedback-said")).to_have_text("Your answer: it is 1")


class TestWithoutScripts:
    def test_all_else_works_too(
        self, site: Site, without_scripts: BrowserContext
    ) -> None:
        mine = store(site, without_scripts)
        page = site.open(without_scripts, "/history/")

        expect(page.locator("time")).to_contain_text("UTC")
        page.get_by_role("switch", name="improve the model").click()
        expect(page.get_by_role("switch", checked=True)).to_have_count(1)
        page.locator(f"[data-submission='{mine}'] a").click()
        expect(page.locator("#drawing")).to_be_visible()
        expect(page.locator("#replay")).to_be_hidden()
        page.get_by_role("link", name="Delete this drawing").click()
        page.get_by_role("button", name="Delete it").click()

        expect(
            page.get_by_text("The drawing and everything stored with it")
        ).to_be_visible()
        assert tiles(page) == []
        assert site.complaints[page] == []
