"""What the browser tests look for on any page, and drawings to look at."""

from typing import Any

from playwright.sync_api import BrowserContext, Page

from recognizer.tests.browser.conftest import Site
from recognizer.tests.conftest import SEVEN

TIMED: dict[str, Any] = {
    **SEVEN,
    "strokes": [
        [[70, 70, 0], [130, 68, 200], [205, 66, 400], [125, 225, 800]],
        [[100, 150, 1100], [200, 145, 1300]],
    ],
}


def store(site: Site, someone: BrowserContext, drawing: Any = TIMED) -> str:
    """Store a drawing for this visitor; return its id."""
    answer = someone.request.post(f"{site.url}/api/v1/submissions/", data=drawing)
    assert answer.status == 201
    made: str = answer.json()["id"]
    return made


def loaded(page: Page) -> Page:
    """Wait for the whole document: a click returns when the next one begins."""
    page.wait_for_load_state()
    return page


def tiles(page: Page) -> list[str]:
    """Return the ids of the drawings that the page lists."""
    return [
        tile.get_attribute("data-submission") or ""
        for tile in loaded(page).locator("[data-submission]").all()
    ]


def fits(page: Page) -> bool:
    """Whether nothing has to be scrolled sideways."""
    width = "document.documentElement.scrollWidth <= innerWidth"
    return bool(loaded(page).evaluate(width))


_SMALL_TARGETS = """() => {
  const isInText = (e) => e.matches("a") &&
    e.parentElement.textContent.trim() !== e.textContent.trim() &&
    [...e.parentElement.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  const box = (e) => (e.closest("label") ?? e).getBoundingClientRect();
  return [...document.querySelectorAll(
    "main :is(button, summary, input:not([type=hidden]), select, a)")]
    .filter((e) => e.checkVisibility() && !isInText(e))
    .filter((e) => Math.round(Math.min(box(e).width, box(e).height)) < 44)
    .map((e) => `${e.tagName} ${e.textContent.trim()}`);
}"""


def small_targets(page: Page) -> list[str]:
    """Return what is to be tapped and smaller than 44 px; links in text may be."""
    found: list[str] = loaded(page).evaluate(_SMALL_TARGETS)
    return found
