"""What is drawn and answered without a connection is stored later, each once."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from mlcore import paths
from mlcore.reading.rasterise import Points
from mlcore.reading.specimens import specimens
from recognizer.tests.browser.conftest import Site, stored
from recognizer.tests.browser.test_draw_page import read_digit, the_seven
from recognizer.tests.browser.test_page_reader import (
    NO_WEBASSEMBLY,
    calls_of,
    narrowed,
)
from tools.browser import DESK, draw_by_mouse, page_reads

WAITING = """() => new Promise((resolve) => {
    const opening = indexedDB.open('digitsite');
    opening.onsuccess = () => {
        const all = opening.result.transaction('outbox').objectStore('outbox').getAll();
        all.onsuccess = () => {
            opening.result.close();
            const open = all.result.filter((one) => one.id === null);
            const answers = all.result.flatMap((one) => one.answers);
            resolve([open.length, answers.length]);
        };
    };
})"""
NO_DATABASE = "Object.defineProperty(globalThis, 'indexedDB', { value: undefined })"
FULL = """IDBObjectStore.prototype.put = function () {
    this.transaction.abort();
    throw new DOMException('Full.', 'QuotaExceededError');
}"""


@contextmanager
def a_browser(browser: Browser, profile: Path) -> Iterator[BrowserContext]:
    """Start a browser with its own folder, which may be killed."""
    context = browser.browser_type.launch_persistent_context(
        profile, executable_path=browser_path(), **DESK
    )
    try:
        yield context
    finally:
        kill_browser(profile)


def browser_path() -> str:
    """Return the browser that the tests run."""
    found: str = next(
        child.exe()
        for child in psutil.Process().children(recursive=True)
        if "--headless" in child.cmdline() and "--type" not in " ".join(child.cmdline())
    )
    return found


def kill_browser(profile: Path) -> None:
    """Kill the browser that uses this folder, as a crash does."""
    for child in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if f"--user-data-dir={profile}" in child.cmdline():
                child.kill()


def waiting(page: Page) -> list[int]:
    """Return how many drawings and answers wait in the browser."""
    found: list[int] = page.evaluate(WAITING)
    return found


def until_waiting(page: Page, drawings: int, answers: int) -> None:
    for _ in range(1200):
        if waiting(page) == [drawings, answers]:
            return
        page.wait_for_timeout(100)
    raise AssertionError(waiting(page))


def draw_line(page: Page, number: int) -> None:
    """Draw a stroke that no other number has."""
    x, y = 40 + number % 10 * 20, 40 + number // 10 * 20
    draw_by_mouse(page, [np.array([[x, y], [x + 8, y + 12], [x, y + 15]], np.float32)])


def two_digits() -> list[Points]:
    """Return a 1 and an 8 side by side, which only the server reads."""
    two = [one for one in specimens() if one.digit in (1, 8)][:2]
    return [
        narrowed(stroke, side)
        for one, side in zip(two, (-70, 70), strict=True)
        for stroke in one.strokes
    ]


class TestOutbox:
    def test_stores_each_of_100_drawings_and_30_corrections_once(
        self, site: Site, browser: Browser, tmp_path: Path
    ) -> None:
        with a_browser(browser, tmp_path) as context:
            tabs = [site.open(context), site.open(context)]
            for tab in tabs:
                page_reads(tab)
            context.set_offline(True)
            for number in range(100):
                tab = tabs[number // 25 % 2]
                if number % 25 == 0:
                    tab.bring_to_front()
                draw_line(tab, number)
                if number % 10 < 3:
                    tab.keyboard.press("Enter")
                    expect(tab.locator("#feedback")).to_be_visible()
                    tab.keyboard.press("x")
                tab.keyboard.press("Escape")
            until_waiting(tabs[0], 100, 30)
            lost: list[str] = []

            def lose_the_answer(route: Route) -> None:
                lost.append(route.request.url)
                route.fetch()
                route.abort()

            context.route("**/api/v1/submissions/", lose_the_answer)
            context.set_offline(False)
            while len(lost) < 3:
                tabs[1].wait_for_timeout(100)
            context.unroute_all(behavior="ignoreErrors")  # some are under way

        with a_browser(browser, tmp_path) as context:
            page = site.open(context)
            until_waiting(page, 0, 0)
            kept = stored(site, context)

        starts = {tuple(one["drawing"]["strokes"][0][0][:2]) for one in kept}
        verdicts = [one["feedback"] for one in kept if one["feedback"]]
        assert len(kept) == len(starts) == 100
        assert [one["verdict"] for one in verdicts] == ["not_a_digit"] * 30

    @pytest.mark.parametrize("broken", [NO_DATABASE, FULL])
    def test_holds_drawings_in_the_page_where_the_device_takes_none(
        self, site: Site, desk: BrowserContext, broken: str
    ) -> None:
        desk.add_init_script(broken)
        page = site.open(desk)
        page_reads(page)
        desk.set_offline(True)

        draw_by_mouse(page, the_seven().strokes)
        expect(page.locator("#problem")).to_contain_text("safe in this tab")
        page.keyboard.press("1")
        expect(page.locator("#feedback")).to_contain_text("Saved as 1")
        with page.expect_response("**/feedback/"):
            desk.set_offline(False)

        assert read_digit(page) == "7"
        expect(page.locator("#feedback")).not_to_contain_text("sent again")
        (kept,) = stored(site, desk)
        assert kept["feedback"] == {"verdict": "wrong", "digit": 1}


class TestOwner:
    def test_gets_no_drawing_of_another_after_signing_out(
        self, site: Site, desk: BrowserContext
    ) -> None:
        site.sign_in(desk, "ada", group="Reviewers")
        page = site.open(desk)
        page_reads(page)
        draw_line(page, 1)
        expect(page.locator("#kept[data-submission]")).to_be_visible()
        page.keyboard.press("Escape")
        desk.set_offline(True)
        draw_line(page, 2)
        page.keyboard.press("Enter")
        expect(page.locator("#problem")).to_contain_text("safe on this device")

        desk.clear_cookies()
        desk.set_offline(False)
        expect(page.locator("#problem")).to_contain_text("You have signed out")
        page.goto(site.url)
        draw_line(page, 3)
        expect(page.locator("#kept[data-submission]")).to_be_visible()
        assert len(stored(site, desk)) == 1
        desk.clear_cookies()
        site.sign_in(desk, "ada", group="Reviewers")
        page.goto(site.url)
        until_waiting(page, 0, 0)

        assert len(stored(site, desk)) == 2


class TestBlockedCookies:
    def test_let_people_draw_and_read(self, site: Site, desk: BrowserContext) -> None:
        desk.add_init_script(
            """Object.defineProperty(navigator, 'cookieEnabled', { value: false });
            for (const name of ['localStorage', 'sessionStorage', 'indexedDB']) {
                Object.defineProperty(globalThis, name, {
                    get() { throw new DOMException('Blocked.', 'SecurityError'); } });
            }
            LockManager.prototype.request = async () => {
                throw new DOMException('Blocked.', 'SecurityError');
            }"""
        )
        page = site.open(desk)
        page_reads(page)

        draw_by_mouse(page, the_seven().strokes)

        expect(page.locator("#digit")).to_have_text("7")
        expect(page.locator("#problem")).to_contain_text("blocks the site's cookies")
        expect(page.locator("#keep")).to_be_disabled()
        assert site.complaints[page] == []
        assert desk.cookies() == []


class TestKeepNothing:
    def test_lets_no_drawing_leave_the_page(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page.get_by_label("Keep nothing").check()
        page.reload()
        page_reads(page)
        calls = calls_of(page)

        draw_by_mouse(page, the_seven().strokes)
        expect(page.locator("#digit")).to_have_text("7")
        expect(page.locator("#keep")).to_be_disabled()
        page.keyboard.press("Enter")
        page.wait_for_timeout(2000)
        page.keyboard.press("Escape")
        draw_by_mouse(page, two_digits())
        expect(page.locator("#refusal")).not_to_have_text("")
        page.wait_for_timeout(500)
        assert waiting(page) == [0, 0]
        page.get_by_label("Keep nothing").uncheck()
        expect(page.locator("#sheet")).to_have_attribute("data-empty", "")
        page.wait_for_timeout(2000)

        assert calls == []
        assert desk.cookies() == []
        draw_line(page, 1)
        expect(page.locator("#kept[data-submission]")).to_be_visible()
        assert len(stored(site, desk)) == 1
        assert site.complaints[page] == []

    def test_says_where_the_page_cannot_read(
        self, site: Site, desk: BrowserContext
    ) -> None:
        desk.add_init_script(NO_WEBASSEMBLY)
        page = site.open(desk)
        page.get_by_label("Keep nothing").check()
        calls = calls_of(page)

        draw_by_mouse(page, the_seven().strokes)

        expect(page.locator("#problem")).to_contain_text("cannot read by itself")
        assert calls == []

    def test_sends_no_picture(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        page.get_by_label("Keep nothing").check()
        calls = calls_of(page)

        seven = paths.REPOSITORY / "docs" / "images" / "seven.png"
        page.locator("#picture").set_input_files(seven)
        expect(page.locator("#problem")).to_contain_text("Only the server can read")
        page.locator("#keep-picture").click()
        page.wait_for_timeout(1500)

        assert calls == []
