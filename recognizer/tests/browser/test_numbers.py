"""Someone writes a number, and corrects one of its digits where it was written."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mlcore.judging.rows import on_paper
from mlcore.reading.pictures import encode_png
from mlcore.reading.rasterise import Points
from mlcore.reading.specimens import specimens
from recognizer.tests.browser.conftest import Site, stored
from recognizer.tests.browser.eyes import fits, store
from recognizer.tests.browser.test_accessibility import violations
from recognizer.tests.test_numbers_api import sevens
from tools.browser import PHONE, draw_by_finger, draw_by_mouse, page_reads

Hand = Callable[[Page, Sequence[Points]], None]
HANDS = {"desk": draw_by_mouse, "phone": draw_by_finger}
NUMBER = sevens(3, expect="number")


@pytest.fixture(params=HANDS)
def someone(request: pytest.FixtureRequest) -> tuple[BrowserContext, Hand]:
    """A new visitor, at a desk and with a phone."""
    return request.getfixturevalue(request.param), HANDS[request.param]


def small_sevens(count: int, *, step: int = 125) -> list[Points]:
    """Return a number of sevens side by side, of half the sheet's height."""
    seven = next(s.strokes for s in specimens() if s.digit == 7)
    return [
        np.array(stroke / 2 + [step * at, 60], np.float32)
        for at in range(count)
        for stroke in seven
    ]


def digits_of(page: Page) -> list[str]:
    return page.locator("#number button").all_inner_texts()


def feedback_of(page: Page, site: Site, context: BrowserContext) -> Any:
    """Wait for the answer about the only drawing, and return it."""
    while True:
        kept = stored(site, context)
        if kept and kept[0]["feedback"] is not None:
            return kept[0]["feedback"]
        page.wait_for_timeout(100)


def places(page: Page) -> Any:
    """Return where the parts of the page are: top and height."""
    return page.evaluate(
        """() => ['#sheet', '.controls', '#answer', '.verdict', '#feedback', '#bars']
            .map((part) => document.querySelector(part))
            .map((part) => [part.offsetTop, part.offsetHeight])"""
    )


class TestDigits:
    @pytest.mark.journey
    def test_are_touched_to_correct_them(
        self, site: Site, someone: tuple[BrowserContext, Hand]
    ) -> None:
        context, draw = someone
        page = site.open(context)
        blank = places(page)
        draw(page, small_sevens(2))
        second = page.get_by_role("button", name="Digit 2 of 2: 7")
        expect(second).to_be_visible()
        assert digits_of(page) == ["7", "7"]
        ink, mark = page.locator("#pad").bounding_box(), second.bounding_box()
        assert ink is not None
        assert mark is not None
        middle = (mark["x"] + mark["width"] / 2 - ink["x"]) / ink["width"]
        xs = np.concatenate(small_sevens(2)[-1:])[:, 0]
        assert middle == pytest.approx((xs.min() + xs.max()) / 2 / 280, abs=0.03)

        second.click()
        expect(page.get_by_text("Digit 2 is")).to_be_visible()
        expect(page.locator("#bars")).to_be_visible()
        page.locator("#feedback [data-digit='1']").click()

        expect(page.locator("#feedback")).to_contain_text("Saved as 71")
        assert digits_of(page) == ["7", "1"]
        assert places(page) == blank
        given = feedback_of(page, site, context)
        assert given == {"verdict": "wrong", "digit": None, "number": "71"}
        assert site.complaints[page] == []

    def test_are_corrected_one_after_the_other(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, small_sevens(2))
        page.get_by_role("button", name="Digit 2 of 2: 7").click()
        page.locator("#feedback [data-digit='1']").click()

        page.get_by_role("button", name="Digit 1 of 2: 7").click()
        page.locator("#feedback [data-digit='2']").click()
        expect(page.locator("#feedback")).to_contain_text("Saved as 21")
        page.get_by_role("button", name="Take it back").click()

        expect(page.get_by_text("Is it 77?")).to_be_visible()
        assert digits_of(page) == ["7", "7"]

    def test_stay_corrected(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        draw_by_mouse(page, small_sevens(2))
        page.get_by_role("button", name="Digit 2 of 2: 7").click()
        page.locator("#feedback [data-digit='1']").click()
        expect(page.locator("#feedback")).to_contain_text("Saved as 71")

        page.locator("#widen").click()
        assert digits_of(page) == ["7", "1"]
        page.locator("#undo").click()
        expect(page.locator("#number")).to_be_hidden()
        page.locator("#redo").click()

        expect(page.get_by_text("Saved as 71")).to_be_visible()
        assert digits_of(page) == ["7", "1"]

    def test_of_another_number_are_corrected_as_read(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, small_sevens(2))
        expect(page.get_by_text("Is it 77?")).to_be_visible()
        page.locator("#feedback input").fill("123")
        page.keyboard.press("Enter")
        expect(page.locator("#feedback")).to_contain_text("Saved as 123")

        page.get_by_role("button", name="Digit 2 of 2: 7").click()
        page.locator("#feedback [data-digit='1']").click()

        expect(page.locator("#feedback")).to_contain_text("Saved as 71")

    def test_are_corrected_by_keyboard(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        draw_by_mouse(page, small_sevens(2))
        expect(page.get_by_text("Is it 77?")).to_be_visible()

        page.keyboard.press("Tab")
        expect(page.locator("#number button").first).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Digit 1 is")).to_be_visible()
        page.keyboard.press("Tab")
        page.keyboard.press("4")

        expect(page.locator("#feedback")).to_contain_text("Saved as 74")
        assert site.complaints[page] == []

    def test_leave_the_sheet_with_the_next_stroke(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, small_sevens(2))
        expect(page.locator("#number")).to_be_visible()

        page.locator("#clear").click()

        expect(page.locator("#number")).to_be_hidden()

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_are_accessible(self, site: Site, browser: Browser, scheme: Any) -> None:
        context = browser.new_context(**PHONE, color_scheme=scheme)
        page = site.open(context)
        draw_by_finger(page, small_sevens(2))
        page.get_by_role("button", name="Digit 2 of 2: 7").tap()
        expect(page.get_by_text("Digit 2 is")).to_be_visible()

        assert violations(page) == []
        context.close()


class TestPictures:
    def test_of_numbers_show_their_digits_at_their_places(
        self, site: Site, desk: BrowserContext, tmp_path: Path
    ) -> None:
        picture = on_paper(small_sevens(2), np.random.default_rng(0))
        path = tmp_path / "77.png"
        path.write_bytes(encode_png(picture))
        page = site.open(desk)
        page.locator("#picture").set_input_files(path)
        expect(page.locator("#digit")).to_have_text("77")

        page.locator("#keep-picture").click()
        expect(page.locator("#number button")).to_have_text(["7", "7"])
        first, second = page.locator("#number button").all()

        pad = page.locator("#pad").bounding_box()
        assert pad is not None
        for button, share in ((first, 0.25), (second, 0.75)):
            box = button.bounding_box()
            assert box is not None
            middle = (box["x"] + box["width"] / 2 - pad["x"]) / pad["width"]
            assert middle == pytest.approx(share, abs=0.15)
        kept = page.locator("#kept[data-submission]")
        expect(kept).to_be_visible()
        page.goto(f"{site.url}/history/{kept.get_attribute('data-submission')}/")
        expect(page.get_by_role("img", name="Your picture")).to_be_visible()
        expect(page.get_by_role("link", name="Digit 2 of 2: 7")).to_be_visible()
        assert site.complaints[page] == []


class TestWithoutTheServer:
    def test_in_private_the_page_says_who_reads_numbers(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page_reads(page)
        page.locator("#keep-nothing").check()

        draw_by_mouse(page, small_sevens(2))

        expect(page.locator("#refusal")).to_contain_text("Only the server reads")
        expect(page.locator("#number")).to_be_hidden()


class TestTheWideSheet:
    def test_keeps_what_was_drawn_and_takes_more(
        self, site: Site, someone: tuple[BrowserContext, Hand]
    ) -> None:
        context, draw = someone
        page = site.open(context)
        draw(page, small_sevens(2))
        expect(page.locator("#digit")).to_have_text("77")

        page.locator("#widen").click()
        assert fits(page)
        expect(page.locator("#digit")).to_have_text("77")
        draw(page, small_sevens(4)[-2 * len(small_sevens(1)) :])
        expect(page.locator("#digit")).to_have_text("7777")
        expect(page.get_by_text("Is it 7777?")).to_be_visible()
        expect(page.locator("#widen")).to_be_disabled()

        (kept,) = stored(site, context)
        wide = {"desk": 840, "phone": 560}["desk" if draw is draw_by_mouse else "phone"]
        drawing = kept["drawing"]
        assert (drawing["width"], drawing["height"]) == (wide, 280)
        drawn = np.concatenate([np.array(s)[:, :2] for s in drawing["strokes"]])
        assert drawn == pytest.approx(np.concatenate(small_sevens(4)), abs=1)
        assert site.complaints[page] == []

    def test_stays_for_the_next_drawing_and_becomes_a_square_again(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page.locator("#widen").click()
        page.reload()

        draw_by_mouse(page, small_sevens(1))
        expect(page.locator("#digit")).to_have_text("7")
        box = page.locator("#pad").bounding_box()
        assert box is not None
        assert box["width"] == pytest.approx(3 * box["height"], rel=0.01)
        page.locator("#widen").click()

        box = page.locator("#pad").bounding_box()
        assert box is not None
        assert box["width"] == box["height"]

    def test_is_read_by_the_page_as_by_the_server(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page_reads(page)
        page.locator("#widen").click()
        seven = next(s.strokes for s in specimens() if s.digit == 7)

        draw_by_mouse(page, [stroke + np.array([500, 0]) for stroke in seven])
        expect(page.locator("#feedback")).to_be_visible()
        here = page.locator("#bars [data-winner]").get_attribute("data-probability")

        (kept,) = stored(site, desk)
        assert kept["prediction"]["digit"] == 7
        assert float(here or 0) == pytest.approx(
            kept["prediction"]["confidence"], abs=1e-3
        )

    def test_is_drawn_on_by_keyboard(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        page.locator("#widen").click()
        page.locator("#pad").focus()

        for _ in range(20):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Space")
        for _ in range(6):
            page.keyboard.press("ArrowDown")
        page.keyboard.press("Space")
        page.keyboard.press("Enter")

        expect(page.locator("#kept[data-submission]")).to_be_visible()
        (kept,) = stored(site, desk)
        assert kept["drawing"]["strokes"][0][0][:2] == [540, 60]

    def test_is_a_square_while_a_picture_is_cropped(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page.locator("#widen").click()

        page.locator("#picture").set_input_files("docs/images/seven.png")
        expect(page.locator("#digit")).to_have_text("7")

        box = page.locator("#crop").bounding_box()
        assert box is not None
        assert box["width"] == box["height"]
        page.locator("#keep-picture").click()
        expect(page.locator("#kept[data-submission]")).to_be_visible()
        assert site.complaints[page] == []


class TestTheDrawingsPage:
    @pytest.mark.parametrize("has_scripts", [True, False])
    def test_corrects_a_digit_where_it_was_written(
        self, site: Site, browser: Browser, has_scripts: bool
    ) -> None:
        context = browser.new_context(**PHONE, java_script_enabled=has_scripts)
        page = site.open(context, f"/history/{store(site, context, NUMBER)}/")

        page.get_by_role("link", name="Digit 2 of 3: 7").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Digit 2 is")).to_be_visible()
        page.get_by_role("button", name="1", exact=True).click()

        expect(page.locator("#feedback-said")).to_have_text("Your answer: it is 717")
        assert fits(page)
        assert site.complaints[page] == []
        context.close()

    def test_is_accessible(self, site: Site, someone: Any) -> None:
        context, _ = someone
        path = f"/history/{store(site, context, NUMBER)}/?place=2"
        page = site.open(context, path)

        assert violations(page) == []
