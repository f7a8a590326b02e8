"""The sheet under other hands: fingers, keys, a turned phone, a cancelled touch."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from mlcore.reading.specimens import specimens
from recognizer.tests.browser.conftest import Site
from tools.browser import draw_by_finger, draw_by_mouse

SEVEN_BY_KEYS = (
    *["ArrowLeft"] * 3,
    "Space",
    *["ArrowRight"] * 6,
    *["End", "ArrowDown"] * 4,
    "Space",
)
INK = """canvas => canvas.getContext('2d')
    .getImageData(0, 0, canvas.width, canvas.height).data
    .filter((value, i) => i % 4 === 3 && value > 0).length / canvas.width ** 2"""
"""Share of the canvas that is inked."""

Touch = dict[str, float]


@contextmanager
def fingers(page: Page) -> Iterator[CDPSession]:
    session = page.context.new_cdp_session(page)
    yield session
    session.detach()


def touch(session: CDPSession, kind: str, *points: tuple[float, float]) -> None:
    placed: list[Touch] = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
    session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": placed})


def middle_of_pad(page: Page) -> tuple[float, float]:
    box = page.locator("#pad").bounding_box()
    assert box
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def the_seven() -> Any:
    return next(s.strokes for s in specimens() if s.digit == 7)


class TestKeyboard:
    def test_draws_a_digit_that_is_read(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)

        page.locator("#pad").focus()
        for key in SEVEN_BY_KEYS:
            page.keyboard.press(key)

        expect(page.locator("#digit")).to_have_text("7")
        expect(page.locator("#said")).to_contain_text("Looks like 7")
        kept = page.locator("#kept[data-submission]")
        expect(kept).to_be_visible()
        address = (
            f"{site.url}/api/v1/submissions/{kept.get_attribute('data-submission')}/"
        )
        strokes = desk.request.get(address).json()["drawing"]["strokes"]
        assert len(strokes) == 1
        assert site.complaints[page] == []

    def test_says_where_the_pen_is(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)

        page.locator("#pad").focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#said")).to_have_text("Pen up, column 7, row 4 of 14")
        page.keyboard.press("Space")

        expect(page.locator("#said")).to_have_text("Pen down, column 7, row 4 of 14")

    def test_is_reached_and_left_by_tab_alone(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        reached = []

        for _ in range(12):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.id"))

        assert "pad" in reached
        assert reached.index("picture") == reached.index("pad") + 1  # undo is off

    def test_lifts_the_pen_when_the_pad_is_left(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page.locator("#pad").focus()

        for key in ("Space", "ArrowDown", "ArrowDown", "ArrowDown", "Tab"):
            page.keyboard.press(key)

        expect(page.locator("#kept[data-submission]")).to_be_visible()


class TestFingers:
    def test_two_scroll_the_page_and_leave_no_ink(
        self, site: Site, phone: BrowserContext
    ) -> None:
        page = site.open(phone)
        x, y = middle_of_pad(page)

        with fingers(page) as session:
            touch(session, "touchStart", (x - 40, y))
            touch(session, "touchStart", (x - 40, y), (x + 40, y))
            for step in range(1, 31):
                moved = y - 6 * step
                touch(session, "touchMove", (x - 40, moved), (x + 40, moved))
            touch(session, "touchEnd")

        page.wait_for_function("() => scrollY > 50")
        expect(page.locator("#sheet")).to_have_attribute("data-empty", "")
        assert site.complaints[page] == []

    def test_two_zoom_the_page(self, site: Site, phone: BrowserContext) -> None:
        page = site.open(phone)
        x, y = middle_of_pad(page)

        with fingers(page) as session:
            touch(session, "touchStart", (x - 20, y), (x + 20, y))
            for step in range(1, 31):
                touch(
                    session, "touchMove", (x - 20 - 3 * step, y), (x + 20 + 3 * step, y)
                )
            touch(session, "touchEnd")

        page.wait_for_function("() => visualViewport.scale > 1.3")
        expect(page.locator("#sheet")).to_have_attribute("data-empty", "")

    def test_one_draws_and_does_not_scroll(
        self, site: Site, phone: BrowserContext
    ) -> None:
        page = site.open(phone)

        draw_by_finger(page, the_seven())

        expect(page.locator("#digit")).to_have_text("7")
        assert page.evaluate("scrollY") == 0

    def test_a_cancelled_stroke_stays(self, site: Site, phone: BrowserContext) -> None:
        page = site.open(phone)
        x, y = middle_of_pad(page)

        with fingers(page) as session:
            touch(session, "touchStart", (x, y - 100))
            for step in range(20):
                touch(session, "touchMove", (x, y - 100 + 10 * step))
            touch(session, "touchCancel")

        expect(page.locator("#digit")).to_have_text("1")
        expect(page.locator("#kept[data-submission]")).to_be_visible()


class TestMouse:
    def test_released_outside_the_window_ends_the_stroke(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        x, y = middle_of_pad(page)
        page.mouse.move(x, y - 100)
        page.mouse.down()
        page.mouse.move(x, y + 100, steps=10)

        # The release never reaches the page; the next move comes without a button.
        page.locator("#pad").dispatch_event(
            "pointermove",
            {"pointerId": 1, "pointerType": "mouse", "buttons": 0, "isPrimary": True},
        )

        expect(page.locator("#digit")).to_have_text("1")
        expect(page.locator("#kept[data-submission]")).to_be_visible()

    def test_other_buttons_do_not_draw(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        x, y = middle_of_pad(page)

        page.mouse.move(x, y)
        page.mouse.down(button="middle")
        page.mouse.move(x, y + 100, steps=5)
        page.mouse.up(button="middle")

        expect(page.locator("#sheet")).to_have_attribute("data-empty", "")


class TestScreen:
    @pytest.mark.parametrize("size", [(844, 390), (320, 568)])
    def test_the_drawing_is_redrawn_when_it_turns_or_shrinks(
        self, site: Site, phone: BrowserContext, size: tuple[int, int]
    ) -> None:
        page = site.open(phone)
        draw_by_finger(page, the_seven())
        before = page.locator("#pad").evaluate(INK)

        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.wait_for_timeout(100)

        pad = page.locator("#pad")
        assert pad.evaluate(INK) == pytest.approx(before, rel=0.1)
        ratio = pad.evaluate("canvas => canvas.width / canvas.clientWidth")
        assert ratio == pytest.approx(3, abs=0.05)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width == size[0]


class TestWhy:
    def test_lies_over_the_drawing(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        draw_by_mouse(page, the_seven())
        expect(page.locator("#digit")).to_have_text("7")

        page.locator("#why").click()

        expect(page.locator("#legend")).to_have_text(
            "Red ink supports 7, blue ink speaks against it."
        )
        overlay = page.locator("#why-overlay image")
        expect(overlay).to_be_visible()
        points = [point for stroke in the_seven() for point in stroke]
        x, y, side = (
            float(overlay.get_attribute(name) or "nan") for name in ("x", "y", "width")
        )
        assert all(x <= px <= x + side and y <= py <= y + side for px, py in points)
        assert site.complaints[page] == []

    def test_is_gone_while_one_draws_on(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        draw_by_mouse(page, the_seven())
        expect(page.locator("#digit")).to_have_text("7")
        page.locator("#why").click()
        expect(page.locator("#why-overlay")).to_be_visible()

        x, y = middle_of_pad(page)
        page.mouse.move(x, y)
        page.mouse.down()

        expect(page.locator("#why-overlay")).to_be_hidden()
        page.mouse.up()
        expect(page.locator("#why-overlay")).to_be_visible()
