"""A site with collected static files opens without a connection, and updates whole."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from recognizer.tests.browser.conftest import Site, stored
from recognizer.tests.browser.test_draw_page import the_seven
from recognizer.tests.browser.test_offline import until_waiting
from recognizer.tests.checkouts import collect, make_checkout
from tools.browser import draw_by_mouse, page_reads
from tools.server import serving

# Other files are not needed here, and compressing takes minutes.
IGNORED = ("drf_spectacular_sidecar", "rest_framework", "admin", "*.map")
SETTINGS = (
    '\nWHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["js", "css", "wasm", "svg", "txt"]\n'
)
READY = "async () => { await navigator.serviceWorker.ready; }"
NEWER_WAITS = """async () => {
    const kept = await navigator.serviceWorker.ready;
    while (!kept.waiting) await new Promise((resolve) => setTimeout(resolve, 50));
}"""
STATUSES = """async (urls) => Promise.all(urls.map(
    async (url) => (await fetch(url, { cache: 'no-store' })).status))"""
KEPT = """async () => {
    const pages = [];
    for (const name of await caches.keys()) {
        const cache = await caches.open(name);
        for (const request of await cache.keys()) {
            const answer = await cache.match(request, { ignoreVary: true });
            if (answer.headers.get('Content-Type').startsWith('text/html')) {
                pages.push(await answer.text());
            }
        }
    }
    return pages;
}"""


@dataclass(frozen=True)
class Builds:
    """Two builds of the site, which serve the same data at the same address."""

    checkouts: list[Path]
    var: Path
    port: int

    @contextmanager
    def serving(self, build: int) -> Iterator[Site]:
        checkout, port = self.checkouts[build - 1], str(self.port)
        with serving(self.var, checkout, PORT=port) as server:
            yield Site(server.url, server.var, server)
            server.kill()  # it would wait for the browser's connections


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> Builds:
    checkouts = []
    for build in (1, 2):
        checkout = make_checkout(
            tmp_path_factory.mktemp(f"build{build}"), copied=["static"]
        )
        with (checkout / "digitsite" / "settings.py").open("a") as settings:
            settings.write(SETTINGS)
        for name in ("strokes", "reader/preprocess"):  # draw.js imports them by others
            with (checkout / f"static/recognizer/js/{name}.js").open("a") as module:
                module.write(f"\n(globalThis.builds ??= new Set()).add({build});")
        collect(checkout, *(f"--ignore={pattern}" for pattern in IGNORED))
        checkouts.append(checkout)
    var = tmp_path_factory.mktemp("var")
    with serving(var, checkouts[0]) as server:
        port = urlsplit(server.url).port or 0
    return Builds(checkouts, var, port)


@pytest.fixture
def installed(builds: Builds) -> Iterator[Site]:
    """The site, as its first build."""
    with builds.serving(1) as site:
        yield site


def visited(site: Site, context: BrowserContext) -> Page:
    """Open the page and wait until the browser keeps the site."""
    page = site.open(context)
    page_reads(page)
    page.evaluate(READY)
    return page


def build_of(page: Page) -> str:
    found: str = page.evaluate("[...builds].join()")
    return found


class TestFlightMode:
    def test_draws_reads_explains_and_corrects(
        self, builds: Builds, desk: BrowserContext
    ) -> None:
        with builds.serving(1) as site:
            visited(site, desk).close()

        page = desk.new_page()
        page.goto(site.url)
        page_reads(page)
        draw_by_mouse(page, the_seven().strokes)
        expect(page.locator("#digit")).to_have_text("7")
        page.locator("#why").click()
        expect(page.locator("#seen-why")).to_be_visible()
        expect(page.locator("#problem")).to_contain_text("safe on this device")
        page.locator("#feedback [data-digit='1']").click()
        expect(page.locator("#feedback")).to_contain_text("Saved as 1")
        page.get_by_role("link", name="History").first.click()
        expect(page.get_by_role("heading", name="No connection")).to_be_visible()
        page.get_by_role("main").get_by_role("link", name="Draw a digit").click()
        page_reads(page)
        expect(page.locator("#sheet")).not_to_have_attribute("data-empty", "")

        with builds.serving(1):
            page.reload()
            until_waiting(page, 0, 0)
            (kept,) = stored(site, desk)

        assert kept["prediction"]["digit"] == 7
        assert kept["feedback"] == {"verdict": "wrong", "digit": 1}

    def test_shows_nobody_s_page(self, installed: Site, desk: BrowserContext) -> None:
        installed.sign_in(desk, "ada", group="Reviewers")
        page = visited(installed, desk)
        draw_by_mouse(page, the_seven().strokes)
        expect(page.locator("#kept[data-submission]")).to_be_visible()
        page.reload()
        visitor = page.locator("#draw").get_attribute("data-visitor") or ""

        pages = page.evaluate(KEPT)

        assert len(pages) == 2
        assert len(visitor) > 30
        for content in pages:
            assert "Sign in" in content
            assert visitor not in content
            assert "data-csrf-token" not in content

    def test_speaks_the_visitor_s_language(
        self, installed: Site, desk: BrowserContext
    ) -> None:
        page = visited(installed, desk)
        page.get_by_role("button", name="Deutsch").click()
        page.evaluate(NEWER_WAITS)
        page.close()
        desk.set_offline(True)

        page = opened_by_the_newest(installed, desk)
        expect(page.get_by_role("heading", level=1)).to_have_text("Zeichne eine Ziffer")


def opened_by_the_newest(site: Site, context: BrowserContext) -> Page:
    """Open the site, of which no page is open, once the newest worker serves it."""
    for _ in range(20):
        page = context.new_page()
        page.goto(site.url)
        if page.evaluate("async () => (await caches.keys()).length") == 1:
            page_reads(page)
            return page
        page.close()
    raise AssertionError("The former worker goes on.")


class TestUpdate:
    def test_leaves_no_page_half_old(
        self, builds: Builds, desk: BrowserContext
    ) -> None:
        with builds.serving(1) as site:
            old = visited(site, desk)
            assets = old.evaluate(
                "performance.getEntriesByType('resource').map((one) => one.name)"
            )
            modules = [one for one in assets if "/recognizer/js/" in one]
            (changed,) = (one for one in modules if "/strokes." in one)
        with builds.serving(2):
            new = desk.new_page()
            new.goto(site.url)
            page_reads(new)
            # The server has them no more; what the old page loads late is kept.
            assert old.evaluate(STATUSES, modules) == [200] * len(modules)
            assert new.request.get(changed).status == 404
            old.bring_to_front()
            draw_by_mouse(old, the_seven().strokes)
            expect(old.locator("#digit")).to_have_text("7")
            new.bring_to_front()
            draw_by_mouse(new, the_seven().strokes)
            expect(new.locator("#digit")).to_have_text("7")
            new.evaluate(NEWER_WAITS)
            at_once = [build_of(old), build_of(new)]
        new.reload()  # without a server
        page_reads(new)
        while_the_old_is_open = build_of(new)
        old.close()
        new.close()
        last = opened_by_the_newest(site, desk)

        assert len(modules) > 10
        assert at_once == ["1", "2"]
        assert while_the_old_is_open == "1"
        assert build_of(last) == "2"


class TestInstallable:
    def test_has_all_that_browsers_ask_for(
        self, installed: Site, phone: BrowserContext
    ) -> None:
        page = visited(installed, phone)
        session = phone.new_cdp_session(page)

        manifest = session.send("Page.getAppManifest")
        errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]

        assert manifest["errors"] == []
        assert '"purpose": "maskable"' in manifest["data"]
        # A context of Playwright is a private window, where nothing is installed.
        assert [one["errorId"] for one in errors] in ([], ["in-incognito"])
        assert installed.complaints[page] == []
