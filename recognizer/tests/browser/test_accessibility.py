"""Every page for everyone: axe finds nothing, targets are large, nothing overflows."""

from dataclasses import dataclass
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mlcore import paths
from mlcore.reading.specimens import specimens
from recognizer.tests.browser.conftest import Site
from tools.browser import DESK, PHONE, draw_by_finger, draw_by_mouse

AXE = Axe()
RULES = {
    "runOnly": [
        "wcag2a",
        "wcag2aa",
        "wcag21a",
        "wcag21aa",
        "wcag22aa",
        "best-practice",
    ]
}
SCREENS = {"desk": (DESK, draw_by_mouse), "phone": (PHONE, draw_by_finger)}
PAGES = (
    "/",
    "/upload/",
    "/history/",
    "/history/?refused=true",
    "/history/{drawing}/",
    "/history/{drawing}/delete/",
    "/history/delete/",
    "/model/",
    "/how-it-learns/",
    "/privacy/",
    "/account/sign-in/",
    "/account/sign-up/",
    "/account/password/forgotten/",
    "/no-such-page/",
)
TARGET_PX = 44
SMALL_TARGETS = """minimum => [...document.querySelectorAll(
    'a[href], button, summary, input:not([type=hidden]), select, label.button')]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }))
  .filter((one) => !one.closest('p:not(.row), li.prose, td, .visually-hidden'))
  .filter((one) => !one.matches('.visually-hidden, .skip-link'))
  .filter((one) => !(one.matches('input') && one.closest('label')))
  .map((one) => [one.outerHTML.slice(0, 90), one.getBoundingClientRect()])
  .filter(([, { width, height }]) => Math.min(width, height) < minimum - 0.5)
  .map(([html, { width, height }]) => `${width | 0}x${height | 0} ${html}`)
"""
"""Links inside a sentence are exempt (WCAG 2.5.8), all else is 44 px."""


@dataclass(frozen=True)
class Walk:
    """What was found on all pages, a line each."""

    minded_by_axe: list[str]
    small_or_wide: list[str]
    asked_for: list[str]


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((screen, scheme), id=f"{screen}-{scheme}")
        for screen in SCREENS
        for scheme in ("light", "dark")
    ],
)
def walk(request: pytest.FixtureRequest, site: Site, browser: Browser) -> Walk:
    """Every page, as a visitor who has drawn one digit sees it; by night a German."""
    screen, scheme = request.param
    size, draw = SCREENS[screen]
    locale = {"light": "en-US", "dark": "de-DE"}[scheme]
    context = browser.new_context(**size, color_scheme=scheme, locale=locale)
    found = Walk([], [], [])
    context.on("request", lambda request: found.asked_for.append(request.url))
    page = site.open(context)
    draw(page, next(s.strokes for s in specimens() if s.digit == 7))
    kept = page.locator("#kept[data-submission]")
    expect(kept).to_be_visible(timeout=10_000)
    drawing = kept.get_attribute("data-submission")
    page.close()
    for path in PAGES:
        page = site.open(context, path.format(drawing=drawing))
        found.minded_by_axe.extend(f"{path} {line}" for line in violations(page))
        small = page.evaluate(SMALL_TARGETS, TARGET_PX)
        found.small_or_wide.extend(f"{path} {target}" for target in small)
        excess = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if excess > 0:
            found.small_or_wide.append(f"{path} is {excess} px too wide")
        page.close()
    context.close()
    return found


def violations(page: Page) -> list[str]:
    """Return what axe finds wrong, a line each."""
    found = AXE.run(page, options=RULES).response["violations"]
    return [
        f"{rule['id']}: {node['html'][:120]} {node['failureSummary'][:300]}"
        for rule in found
        for node in rule["nodes"]
    ]


class TestEveryPage:
    def test_has_nothing_that_axe_minds(self, walk: Walk) -> None:
        assert walk.minded_by_axe == []

    def test_has_large_targets_and_fits_the_screen(self, walk: Walk) -> None:
        assert walk.small_or_wide == []

    def test_asks_no_third_party_for_anything(self, site: Site, walk: Walk) -> None:
        ours = (f"{site.url}/", "data:", "blob:")

        assert len(walk.asked_for) > 50
        assert [url for url in walk.asked_for if not url.startswith(ours)] == []


class TestTheDrawPage:
    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_with_an_answer_has_nothing_that_axe_minds(
        self, site: Site, browser: Browser, scheme: Literal["light", "dark"]
    ) -> None:
        context = browser.new_context(**PHONE, color_scheme=scheme)
        page = site.open(context)
        draw_by_finger(page, next(s.strokes for s in specimens() if s.digit == 7))
        expect(page.locator("#kept[data-submission]")).to_be_visible(timeout=10_000)
        page.locator("#why").tap()
        expect(page.locator("#legend")).not_to_be_empty()

        assert violations(page) == []
        assert page.evaluate(SMALL_TARGETS, TARGET_PX) == []
        context.close()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_with_a_picture_to_crop_has_nothing_that_axe_minds(
        self, site: Site, browser: Browser, scheme: Literal["light", "dark"]
    ) -> None:
        size = {**PHONE, "viewport": {"width": 360, "height": 740}}
        context = browser.new_context(**size, color_scheme=scheme, locale="de-DE")
        page = site.open(context)
        picture = paths.REPOSITORY / "docs" / "images" / "seven.png"
        page.locator("#picture").set_input_files(picture)
        expect(page.locator("#digit")).to_have_text("7")

        assert violations(page) == []
        assert page.evaluate(SMALL_TARGETS, TARGET_PX) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        context.close()

    def test_tells_the_bars_as_a_table(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        draw_by_mouse(page, next(s.strokes for s in specimens() if s.digit == 7))
        expect(page.locator("#digit")).to_have_text("7")

        table = page.get_by_role("table", name="Probability of each digit")
        row = table.get_by_role("row", name="7")
        expect(row.get_by_role("rowheader")).to_have_text("7")
        expect(table.get_by_role("row")).to_have_count(11)

    def test_moves_nothing_for_those_who_ask(
        self, site: Site, browser: Browser
    ) -> None:
        context = browser.new_context(**DESK, reduced_motion="reduce")
        page = site.open(context)

        moving = page.evaluate(
            "[...document.querySelectorAll('*')].filter((one) => "
            "['transitionDuration', 'animationDuration'].some((name) => "
            "getComputedStyle(one)[name].split(',').some((s) => parseFloat(s) > 0)))"
            ".map((one) => one.outerHTML.slice(0, 80))"
        )

        assert moving == []
        context.close()

    def test_is_drawn_in_forced_colours(self, site: Site, browser: Browser) -> None:
        context = browser.new_context(**DESK, forced_colors="active")
        page = site.open(context)
        draw_by_mouse(page, next(s.strokes for s in specimens() if s.digit == 7))
        expect(page.locator("#digit")).to_have_text("7")

        pad = page.locator("#pad")
        ink = pad.evaluate("canvas => getComputedStyle(canvas).color")
        system = page.evaluate(
            "(() => { const one = document.createElement('i');"
            "one.style.color = 'CanvasText'; document.body.append(one);"
            "return getComputedStyle(one).color; })()"
        )

        assert ink == system
        context.close()
