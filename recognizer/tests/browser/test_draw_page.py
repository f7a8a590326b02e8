"""Someone opens the page, draws a digit, and sees it read and kept."""

import sqlite3
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mlcore.reading.rasterise import Points
from mlcore.reading.specimens import Specimen, specimens
from recognizer.models.strokes import unpack_strokes
from recognizer.tests.browser.conftest import Site, stored
from recognizer.tests.drawings import real_pen_drawings
from tools.browser import PHONE, draw_by_finger, draw_by_mouse

Hand = Callable[[Page, Sequence[Points]], None]
HANDS = {"desk": draw_by_mouse, "phone": draw_by_finger}


def someone(request: pytest.FixtureRequest, device: str) -> tuple[BrowserContext, Hand]:
    return request.getfixturevalue(device), HANDS[device]


def read_digit(page: Page) -> str:
    """Wait until the drawing is kept and read; return the digit on the screen."""
    expect(page.locator("#kept[data-submission]")).to_be_visible(timeout=10_000)
    # The drawing may be kept before its reading is back; only then the page asks.
    expect(page.locator("#feedback")).to_be_visible()
    return page.locator("#digit").inner_text()


def our_templates() -> list[tuple[int, list[Points]]]:
    """Return one template a digit, in the last of its styles."""
    return [(s.digit, s.strokes) for s in {s.digit: s for s in specimens()}.values()]


def two_sevens() -> list[Points]:
    """Return the strokes of a 77."""
    half = [stroke / 2 + np.array([0, 60]) for stroke in the_seven().strokes]
    return [*half, *(stroke + np.array([130, 0]) for stroke in half)]


def the_seven() -> Specimen:
    return next(s for s in specimens() if s.digit == 7)


@pytest.mark.parametrize("device", HANDS)
class TestDrawing:
    @pytest.mark.journey
    def test_shows_digit_bars_and_what_the_model_saw(
        self, site: Site, request: pytest.FixtureRequest, device: str
    ) -> None:
        context, draw = someone(request, device)
        page = site.open(context)

        draw(page, the_seven().strokes)

        assert read_digit(page) == "7"
        bars = page.locator("#bars [data-digit]")
        expect(bars).to_have_count(10)
        probabilities = [
            float(bar.get_attribute("data-probability") or "nan") for bar in bars.all()
        ]
        assert sum(probabilities) == pytest.approx(1, abs=0.001)
        assert max(probabilities) == probabilities[7]
        seen = page.locator("#seen")
        assert (seen.get_attribute("src") or "").startswith("data:image/png;base64,")
        size = "image => [image.naturalWidth, image.naturalHeight]"
        assert seen.evaluate(size) == [28, 28]
        assert "confident" in page.locator("#confidence").inner_text()
        assert site.complaints[page] == []

    def test_is_kept_in_the_database_with_its_pointer(
        self, site: Site, request: pytest.FixtureRequest, device: str
    ) -> None:
        context, draw = someone(request, device)
        page = site.open(context)

        draw(page, the_seven().strokes)
        read_digit(page)

        kept = page.locator("#kept").get_attribute("data-submission") or ""
        with sqlite3.connect(site.var / "digitsite.sqlite3") as database:
            strokes, pointer, source, digit = database.execute(
                "SELECT strokes, pointer, source, shown_digit "
                "FROM recognizer_submission WHERE id = ?",
                [kept.replace("-", "")],
            ).fetchone()
        assert len(unpack_strokes(strokes)) == len(the_seven().strokes)
        assert pointer == {"desk": "mouse", "phone": "touch"}[device]
        assert (source, digit) == ("page", 7)

    def test_shows_a_number_and_asks_about_it(
        self, site: Site, request: pytest.FixtureRequest, device: str
    ) -> None:
        context, draw = someone(request, device)
        page = site.open(context)

        draw(page, two_sevens())

        assert read_digit(page) == "77"
        assert "confident" in page.locator("#confidence").inner_text()
        expect(page.locator("[data-part=question]")).to_have_text("Is it 77?")
        for about_one_digit in ("#bars", "#why"):
            expect(page.locator(about_one_digit)).to_be_hidden()
        assert site.complaints[page] == []

    def test_takes_the_correction_of_a_number(
        self, site: Site, request: pytest.FixtureRequest, device: str
    ) -> None:
        context, draw = someone(request, device)
        page = site.open(context)
        draw(page, two_sevens())
        number = page.locator("#feedback input")
        expect(number).to_have_value("77")

        page.locator("#answer [data-verdict=right]").focus()
        page.keyboard.type("71")
        page.keyboard.press("Enter")

        expect(page.locator("#feedback")).to_contain_text("Saved as 71")
        expect(page.locator("#kept[data-submission]")).to_be_visible()
        (kept,) = stored(site, context)
        while kept["feedback"] is None:  # still on its way
            page.wait_for_timeout(100)
            (kept,) = stored(site, context)
        assert kept["feedback"] == {"verdict": "wrong", "digit": None, "number": "71"}
        assert site.complaints[page] == []

    def test_keeps_what_it_read_if_a_number_cannot_be_asked_for(
        self, site: Site, request: pytest.FixtureRequest, device: str
    ) -> None:
        context, draw = someone(request, device)
        page = site.open(context)
        page.wait_for_selector("[data-reads-here]")
        page.route("**/api/v1/readings/**", lambda route: route.abort())

        draw(page, two_sevens())

        expect(page.locator("#refusal")).to_contain_text("Only the server reads")
        # What is stored is read by the server, and shown.
        expect(page.locator("#digit")).to_have_text("77", timeout=10_000)

    @pytest.mark.long
    def test_of_real_or_template_digits_is_read_right(
        self, site: Site, request: pytest.FixtureRequest, device: str
    ) -> None:
        context, draw = someone(request, device)
        page = site.open(context)
        wrong = []

        drawn = real_pen_drawings(each=1) or our_templates()
        for digit, strokes in drawn:
            draw(page, strokes)
            if read_digit(page) != str(digit):
                wrong.append(digit)
            page.locator("#clear").click()
            expect(page.locator("#digit")).to_have_text("")

        # One in ten: a single drawing of a stranger may be odd, the page may not.
        assert len(wrong) <= len(drawn) // 10, f"{len(wrong)} of {len(drawn)}: {wrong}"
        assert site.complaints[page] == []


class TestHistory:
    def test_shows_what_was_drawn_to_its_visitor_only(
        self, site: Site, desk: BrowserContext, phone: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, the_seven().strokes)
        read_digit(page)
        mine = page.locator("#kept").get_attribute("data-submission")

        page.get_by_role("link", name="History", exact=True).click()
        tile = page.locator(f"[data-submission='{mine}']")

        expect(tile).to_be_visible()
        expect(tile.locator("img")).to_have_js_property("complete", True)
        assert tile.locator("img").evaluate("image => image.naturalWidth") > 0
        stranger = site.open(phone, "/history/")
        expect(stranger.locator("[data-submission]")).to_have_count(0)
        assert site.complaints[page] == []


class TestControls:
    def test_undo_and_redo_change_the_reading(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        flagged = next(s for s in specimens() if s.digit == 5 and len(s.strokes) == 2)
        draw_by_mouse(page, flagged.strokes)
        expect(page.locator("#digit")).not_to_have_text("")

        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        expect(page.locator("#digit")).to_have_text("")
        page.keyboard.press("Control+y")
        page.keyboard.press("Control+y")

        expect(page.locator("#digit")).to_have_text("5")

    def test_a_tap_is_a_dot_and_two_pauses_keep_one_drawing(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page.locator("#pad").click()
        read_digit(page)
        first = page.locator("#kept").get_attribute("data-submission")

        # "networkidle" would not do: it was reached before, so nobody waits for it.
        with page.expect_response(lambda answer: answer.request.method == "DELETE"):
            draw_by_mouse(page, the_seven().strokes)
        kept = page.locator(f"#kept:not([data-submission='{first}'])[data-submission]")
        expect(kept).to_be_visible()

        page.goto(f"{site.url}/history/")
        expect(page.locator("[data-submission]")).to_have_count(1)

    @pytest.mark.journey
    def test_a_lost_connection_loses_no_drawing(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        desk.set_offline(True)

        draw_by_mouse(page, the_seven().strokes)
        expect(page.locator("#problem")).to_contain_text("safe")
        desk.set_offline(False)

        assert read_digit(page) == "7"
        expect(page.locator("#problem")).to_have_text("")

    def test_no_cookie_is_set_before_something_is_kept(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page.goto(f"{site.url}/history/")

        assert desk.cookies() == []


class TestFeedback:
    @pytest.mark.journey
    def test_takes_a_correction_and_takes_it_back(
        self, site: Site, phone: BrowserContext
    ) -> None:
        page = site.open(phone)
        draw_by_finger(page, the_seven().strokes)
        read_digit(page)
        kept = page.locator("#kept").get_attribute("data-submission")
        address = f"{site.url}/api/v1/submissions/{kept}/"
        asked = page.locator("#feedback")

        expect(asked).to_contain_text("Is it 7?")
        expect(asked.get_by_role("button", name="7", exact=True)).to_be_hidden()
        with page.expect_response("**/feedback/"):
            asked.get_by_role("button", name="1", exact=True).tap()
        expect(asked).to_contain_text("Saved as 1")
        corrected = phone.request.get(address).json()["feedback"]
        with page.expect_response("**/feedback/"):
            asked.get_by_role("button", name="Take it back").tap()
        expect(asked.get_by_role("button", name="Yes")).to_be_visible()

        assert corrected == {"verdict": "wrong", "digit": 1}
        assert phone.request.get(address).json()["feedback"] is None
        assert site.complaints[page] == []

    def test_is_given_by_one_key_and_taken_back_by_another(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, the_seven().strokes)
        read_digit(page)
        asked = page.locator("#feedback")
        expect(asked).to_contain_text("Is it 7?")

        for key, noted in {"7": "correct", "1": "1", "x": "not a digit"}.items():
            page.keyboard.press(key)
            expect(asked.get_by_text(f"Saved as {noted}.")).to_be_visible()
            page.keyboard.press("Backspace")
            expect(asked.get_by_text("Is it 7?")).to_be_visible()

        assert site.complaints[page] == []

    def test_keys_do_nothing_outside_the_drawing(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, the_seven().strokes)
        read_digit(page)

        page.get_by_role("link", name="History", exact=True).focus()
        page.keyboard.press("1")
        page.locator("#pad").focus()
        with page.expect_response("**/feedback/"):
            page.keyboard.press("7")

        expect(page.locator("#feedback")).to_contain_text("Saved as correct")
        kept = page.locator("#kept").get_attribute("data-submission")
        answer = desk.request.get(f"{site.url}/api/v1/submissions/{kept}/").json()
        assert answer["feedback"] == {"verdict": "right", "digit": None}

    def test_is_asked_anew_of_a_drawing_that_grew(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, the_seven().strokes[:1])
        read_digit(page)
        page.get_by_role("button", name="Yes").click()
        expect(page.locator("#feedback")).to_contain_text("Saved as correct")

        draw_by_mouse(page, the_seven().strokes[:1])

        expect(page.locator("#feedback")).to_be_hidden()


class TestLanguage:
    def test_is_the_browsers_and_can_be_changed(
        self, site: Site, browser: Browser
    ) -> None:
        context = browser.new_context(**PHONE, locale="de-DE")
        page = site.open(context)

        draw_by_finger(page, the_seven().strokes)
        read_digit(page)
        expect(page.locator("#confidence")).to_contain_text("sicher")
        expect(page.locator("#bars tr[data-digit='0'] .bar-number")).to_contain_text(
            "0,1"
        )
        expect(page.locator("#feedback")).to_contain_text("Ist es eine 7?")
        page.get_by_role("button", name="English").tap()

        expect(page.get_by_role("link", name="History", exact=True)).to_be_visible()
        assert site.complaints[page] == []
        context.close()


class TestNothingIsLost:
    def test_an_answer_given_offline_is_sent_when_the_connection_is_back(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, the_seven().strokes)
        read_digit(page)
        kept = page.locator("#kept").get_attribute("data-submission")
        expect(page.locator("#feedback")).to_contain_text("Is it 7?")

        desk.set_offline(True)
        page.get_by_role("button", name="1", exact=True).click()
        expect(page.locator("#feedback")).to_contain_text("will be sent again")
        page.keyboard.press("Escape")  # a new drawing, while the answer waits
        with page.expect_response("**/feedback/"):
            desk.set_offline(False)

        expect(page.locator("#digit")).to_have_text("")
        answer = desk.request.get(f"{site.url}/api/v1/submissions/{kept}/").json()
        assert answer["feedback"] == {"verdict": "wrong", "digit": 1}

    def test_an_answered_drawing_stays_when_more_is_drawn(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, the_seven().strokes)
        read_digit(page)
        first = page.locator("#kept").get_attribute("data-submission")
        page.get_by_role("button", name="Yes").click()
        expect(page.get_by_text("Saved as correct")).to_be_visible()

        draw_by_mouse(page, the_seven().strokes[:1])
        kept = page.locator(f"#kept:not([data-submission='{first}'])[data-submission]")
        expect(kept).to_be_visible()

        answer = desk.request.get(f"{site.url}/api/v1/submissions/{first}/").json()
        assert answer["feedback"] == {"verdict": "right", "digit": None}

    def test_a_drawing_undone_to_nothing_stays_when_another_is_drawn(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, the_seven().strokes)
        read_digit(page)
        first = page.locator("#kept").get_attribute("data-submission")

        for _ in the_seven().strokes:
            page.keyboard.press("Control+z")
        draw_by_mouse(page, the_seven().strokes[:1])
        kept = page.locator(f"#kept:not([data-submission='{first}'])[data-submission]")
        expect(kept).to_be_visible()

        found = desk.request.get(f"{site.url}/api/v1/submissions/{first}/")
        assert found.status == 200

    def test_a_redone_drawing_remembers_its_answer(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, the_seven().strokes)
        read_digit(page)
        page.get_by_role("button", name="1", exact=True).click()
        expect(page.get_by_text("Saved as 1.")).to_be_visible()

        page.locator("#undo").click()
        page.locator("#redo").click()

        expect(page.get_by_text("Saved as 1.")).to_be_visible()

    def test_two_tabs_of_a_newcomer_have_one_owner(
        self, site: Site, desk: BrowserContext
    ) -> None:
        tabs = [site.open(desk), site.open(desk)]
        desk.set_offline(True)
        for tab in tabs:
            tab.bring_to_front()  # a hidden one takes in a move a second
            draw_by_mouse(tab, the_seven().strokes)
            expect(tab.locator("#problem")).to_contain_text("safe")

        desk.set_offline(False)
        for tab in tabs:
            expect(tab.locator("#kept[data-submission]")).to_be_visible(timeout=15_000)

        listed = desk.request.get(f"{site.url}/api/v1/submissions/").json()["results"]
        assert len(listed) == 2

    def test_a_reload_right_after_drawing_keeps_it_once(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)

        draw_by_mouse(page, the_seven().strokes)
        page.reload()
        assert read_digit(page) == "7"

        listed = desk.request.get(f"{site.url}/api/v1/submissions/").json()["results"]
        assert len(listed) == 1

    def test_nothing_is_asked_about_ink_that_could_not_be_read(
        self, site: Site, desk: BrowserContext
    ) -> None:
        desk.route("**/reader/**", lambda route: route.abort())  # the server reads
        page = site.open(desk)
        draw_by_mouse(page, the_seven().strokes)
        read_digit(page)
        page.route("**/readings/**", lambda route: route.fulfill(status=500))

        draw_by_mouse(page, the_seven().strokes[:1])

        expect(page.locator("#problem")).to_contain_text("We will try again.")
        expect(page.locator("#kept[data-submission]")).to_be_visible()
        expect(page.locator("#feedback")).to_be_hidden()


class TestHelp:
    def test_by_keyboard_opens_by_keyboard(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)

        page.get_by_text("Keyboard shortcuts").focus()
        page.keyboard.press("Enter")

        expect(page.locator("#keys")).to_be_visible()
