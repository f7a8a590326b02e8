"""The real server with the real model, and a real browser to look at it with."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    sync_playwright,
)

from tools.browser import DESK, PHONE, launch
from tools.server import Server, serving


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count as long what is no journey: `make test` takes one through each page."""
    for item in items:
        is_here = Path(__file__).parent in item.path.parents
        if is_here and not item.get_closest_marker("journey"):
            item.add_marker("long")


@dataclass(frozen=True)
class Site:
    """A running site: its address and its data folder."""

    url: str
    var: Path
    server: Server
    complaints: dict[Page, list[str]] = field(default_factory=dict)

    def sign_in(self, context: BrowserContext, name: str, *, group: str) -> None:
        """Let this browser's user be a member of staff."""
        cookies = self.server.sign_in(name, group=group)
        context.add_cookies(
            [{"name": k, "value": v, "url": self.url} for k, v in cookies.items()]
        )

    def open(self, context: BrowserContext, path: str = "/") -> Page:
        """Open a page that notes every complaint of the browser in `complaints`."""
        page = context.new_page()
        complaints: list[str] = []

        def on_console(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                complaints.append(message.text)

        def on_failure(request: Request) -> None:
            if request.failure != "net::ERR_ABORTED":  # a superseded reading is
                complaints.append(f"{request.failure}: {request.url}")

        def on_response(response: Response) -> None:
            if response.status >= 400:
                complaints.append(f"{response.status}: {response.url}")

        page.on("console", on_console)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("requestfailed", on_failure)
        page.on("response", on_response)
        self.complaints[page] = complaints
        page.goto(f"{self.url}{path}")
        return page


def stored(site: Site, context: BrowserContext) -> list[dict[str, Any]]:
    """Return all of this browser's submissions."""
    url: str | None = f"{site.url}/api/v1/submissions/?page_size=100"
    found: list[dict[str, Any]] = []
    while url:
        answer = context.request.get(url).json()
        found += answer["results"]
        url = answer["next"]
    return found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The site with a data folder of its own."""
    with serving(tmp_path_factory.mktemp("var")) as server:
        yield Site(server.url, server.var, server)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a file.

    Playwright runs an event loop in the tests' thread. It must end with the file: other
    tests use the database, which Django refuses beside a loop, or run a loop.
    """
    with sync_playwright() as playwright:
        browser = launch(playwright)
        yield browser
        browser.close()


@pytest.fixture
def desk(browser: Browser) -> Iterator[BrowserContext]:
    """A new visitor with a mouse and a wide window."""
    context = browser.new_context(**DESK)
    yield context
    context.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    """A new visitor with a finger and a phone."""
    context = browser.new_context(**PHONE)
    yield context
    context.close()
