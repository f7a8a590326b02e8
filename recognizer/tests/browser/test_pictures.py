"""A picture instead of strokes: chosen, dropped, pasted, photographed, by form."""

import base64
import sqlite3
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from mlcore.reading.rasterise import draw_on_canvas
from mlcore.reading.specimens import specimens
from recognizer.tests.browser.conftest import Site
from recognizer.tests.browser.test_draw_page import read_digit
from tools.browser import DESK, PHONE, draw_by_finger, draw_by_mouse

DROP = """([data, type]) => {
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    const dataTransfer = new DataTransfer();
    dataTransfer.items.add(new File([bytes], 'digit.png', { type: 'image/png' }));
    const options = { bubbles: true, cancelable: true };
    const event = type === 'paste'
        ? new ClipboardEvent('paste', { ...options, clipboardData: dataTransfer })
        : new DragEvent('drop', { ...options, dataTransfer });
    document.getElementById('sheet').dispatchEvent(event);
}"""


def picture_of(digit: int) -> NDArray[np.uint8]:
    """Dark ink on white paper, 280 by 280."""
    strokes = next(s.strokes for s in specimens() if s.digit == digit)
    return 255 - draw_on_canvas(strokes, width=280, height=280, pen_width=16)


def png_of(picture: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1])


def photo_of(digit: int, *, squared: bool) -> bytes:
    """Take a phone's photo: thin pen, lined paper, a lamp from one side, grain."""
    rng = np.random.default_rng(digit)
    strokes = next(s.strokes for s in specimens() if s.digit == digit)
    paper = np.full((1800, 1400), 235.0)
    paper[60::90] -= 30
    paper[61::90] -= 30
    if squared:
        paper[:, 40::90] -= 30
        paper[:, 41::90] -= 30
    ink = draw_on_canvas(
        [stroke * 3.2 + (250, 420) for stroke in strokes],
        width=1400,
        height=1800,
        pen_width=26,
    )
    paper = paper * (1 - ink / 255) + 50 * (ink / 255)
    lamp = np.linspace(0.55, 1.0, 1400)[None, :] * np.linspace(1.0, 0.8, 1800)[:, None]
    photo = cv2.GaussianBlur(paper * lamp, (0, 0), 1.2) + rng.normal(0, 4, paper.shape)
    coloured = cv2.cvtColor(photo.clip(0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    return bytes(cv2.imencode(".jpg", coloured, [cv2.IMWRITE_JPEG_QUALITY, 92])[1])


def two_digits(left: int, right: int) -> NDArray[np.uint8]:
    """Write two digits side by side, 560 by 280."""
    return np.hstack([picture_of(left), picture_of(right)])


def see_through(form: str, *, ink: int) -> bytes:
    """Encode a 5 in one grey level on nothing."""
    opacity = 255 - picture_of(5)
    level = np.full_like(opacity, ink)
    picture = np.dstack([level, level, level, opacity])
    if form == "BMP":  # Pillow writes it without its opacity
        return bytes(cv2.imencode(".bmp", picture)[1])
    file = BytesIO()
    Image.fromarray(picture).save(file, form)
    return file.getvalue()


def choose(page: Page, content: bytes, kind: str = "image/png") -> None:
    page.locator("#picture").set_input_files(
        {"name": "digit", "mimeType": kind, "buffer": content}
    )


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag on the sheet, with places as shares of its side."""
    points = np.array([start, np.mean([start, end], axis=0), end]) * 280
    draw_by_mouse(page, [points])


def save(page: Page) -> str:
    """Save the chosen picture; return the digit read in it."""
    page.locator("#keep-picture").click()
    return read_digit(page)


def stored_picture(site: Site, page: Page) -> NDArray[np.uint8]:
    """Return the stored picture in grey levels."""
    kept = page.locator("#kept").get_attribute("data-submission")
    found = page.request.get(f"{site.url}/api/v1/submissions/{kept}/").json()
    png = page.request.get(f"{site.url}{found['drawing_url']}").body()
    return np.asarray(Image.open(BytesIO(png)).convert("L"))


def calls(page: Page, path: str) -> list[str]:
    """Return a list that grows by the method of each call to a path of the API."""
    made: list[str] = []
    page.on(
        "request",
        lambda request: (
            made.append(request.method) if f"/api/v1/{path}/" in request.url else None
        ),
    )
    return made


class TestAPicture:
    @pytest.mark.journey
    def test_is_read_and_kept_as_an_upload(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)

        choose(page, png_of(picture_of(5)))

        assert save(page) == "5"
        kept = page.locator("#kept").get_attribute("data-submission") or ""
        with sqlite3.connect(site.var / "digitsite.sqlite3") as database:
            row = database.execute(
                "SELECT source, form, shown_digit FROM recognizer_submission "
                "WHERE id = ?",
                [kept.replace("-", "")],
            ).fetchone()
        assert row == ("upload", "picture", 5)
        expect(page.locator("#feedback")).to_contain_text("Is it 5?")
        assert site.complaints[page] == []

    @pytest.mark.parametrize("way", ["drop", "paste"])
    def test_is_taken_when_dropped_or_pasted(
        self, site: Site, desk: BrowserContext, way: str
    ) -> None:
        page = site.open(desk)
        data = base64.b64encode(png_of(picture_of(3))).decode()

        page.evaluate(DROP, [data, way])

        assert save(page) == "3"
        assert site.complaints[page] == []

    @pytest.mark.parametrize("squared", [False, True], ids=["ruled", "squared"])
    def test_of_paper_is_shrunk_and_read(
        self, site: Site, phone: BrowserContext, squared: bool
    ) -> None:
        page = site.open(phone)
        photo = photo_of(2, squared=squared)
        sent: list[int] = []
        page.on(
            "request",
            lambda request: (
                sent.append(len(request.post_data or ""))
                if request.url.endswith("/submissions/")
                else None
            ),
        )

        choose(page, photo, "image/jpeg")

        assert save(page) == "2"
        assert len(photo) > 500_000
        assert sent
        assert max(sent) < 400_000
        assert site.complaints[page] == []

    def test_gives_way_to_strokes_and_both_are_kept(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        choose(page, png_of(picture_of(5)))
        assert save(page) == "5"

        draw_by_mouse(page, next(s.strokes for s in specimens() if s.digit == 7))

        expect(page.locator("#digit")).to_have_text("7")
        expect(page.locator("#kept[data-submission]")).to_be_visible(timeout=10_000)
        page.goto(f"{site.url}/history/")
        expect(page.locator("[data-submission]")).to_have_count(2)

    def test_that_is_none_is_refused_with_the_way_out(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        wrong = {
            b"no picture at all": "PNG, JPEG, WebP, GIF or BMP",
            b"%PDF-1.7 and so on": "This is a PDF. Send a photo",
            b"\0\0\0\x18ftypheic\0\0\0\0": "HEIC, an iPhone format",
        }

        for content, words in wrong.items():
            choose(page, content)
            expect(page.locator("#problem")).to_contain_text(words)

        expect(page.locator("#sheet")).to_have_attribute("data-empty", "")
        assert site.complaints[page] == []

    def test_survives_a_lost_connection_and_a_reload(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page.route("**/api/v1/**", lambda route: route.abort())
        choose(page, png_of(picture_of(8)))
        page.locator("#keep-picture").click()
        expect(page.locator("#problem")).to_contain_text("safe")

        page.reload()
        page.unroute("**/api/v1/**")

        assert read_digit(page) == "8"


class TestCropping:
    @pytest.mark.journey
    def test_shows_the_ink_and_stores_only_the_framed_part_once_it_is_saved(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        stored = calls(page, "submissions")

        choose(page, png_of(two_digits(3, 7)))
        expect(page.locator("#digit")).to_have_text("37")
        drag(page, (0.55, 0.2), (0.98, 0.8))
        expect(page.locator("#digit")).to_have_text("7")
        seen = page.locator("#seen").evaluate("image => image.naturalWidth")
        stored_before = list(stored)

        assert save(page) == "7"
        assert seen == 28
        assert stored_before == []
        assert stored == ["POST"]
        assert stored_picture(site, page).shape == pytest.approx((280, 241), abs=3)
        assert site.complaints[page] == []

    def test_works_by_finger(self, site: Site, phone: BrowserContext) -> None:
        page = site.open(phone)
        digits = np.pad(two_digits(3, 7), ((60, 60), (0, 0)), constant_values=255)
        choose(page, png_of(digits))
        expect(page.locator("#digit")).to_have_text("37")

        draw_by_finger(page, [np.array([[22, 72], [60, 150], [140, 205]])])
        expect(page.locator("#digit")).to_have_text("3")
        draw_by_finger(page, [np.array([[70, 140], [130, 140], [208, 140]])])

        expect(page.locator("#digit")).to_have_text("7")
        assert save(page) == "7"
        assert stored_picture(site, page).shape == pytest.approx((266, 236), abs=3)
        assert site.complaints[page] == []

    def test_pulls_sides_and_corners(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        choose(page, png_of(two_digits(3, 7)))
        expect(page.locator("#digit")).to_have_text("37")

        drag(page, (0.005, 0.5), (0.505, 0.5))
        drag(page, (0.995, 0.255), (0.9, 0.3))

        expect(page.locator("#digit")).to_have_text("7")
        assert save(page) == "7"
        assert stored_picture(site, page).shape == pytest.approx((255, 227), abs=4)

    def test_works_by_keyboard(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        choose(page, png_of(two_digits(3, 7)))
        frame = page.get_by_role("application", name="Frame around the part")
        expect(frame).to_be_focused()
        assert frame.evaluate("one => getComputedStyle(one).outlineStyle") == "solid"

        for _ in range(28):
            page.keyboard.press("Shift+ArrowLeft")
        expect(page.locator("#digit")).to_have_text("3")
        for _ in range(28):
            page.keyboard.press("ArrowRight")
        expect(page.locator("#said")).to_contain_text("left 50\u00a0%, top 0\u00a0%")
        expect(page.locator("#digit")).to_have_text("7")
        page.keyboard.press("Enter")

        assert read_digit(page) == "7"
        assert stored_picture(site, page).shape == (280, 280)
        assert site.complaints[page] == []

    @pytest.mark.parametrize("by_key", [False, True], ids=["button", "key"])
    def test_is_left_for_the_drawing_that_was_there(
        self, site: Site, desk: BrowserContext, by_key: bool
    ) -> None:
        page = site.open(desk)
        draw_by_mouse(page, next(s.strokes for s in specimens() if s.digit == 7))
        assert read_digit(page) == "7"
        stored = calls(page, "submissions")
        choose(page, png_of(picture_of(5)))
        expect(page.locator("#digit")).to_have_text("5")
        expect(page.locator("#kept")).to_be_hidden()

        if by_key:
            page.keyboard.press("Escape")
        else:
            page.locator("#cancel").click()

        expect(page.locator("#digit")).to_have_text("7")
        expect(page.locator("#pad")).to_be_focused()
        expect(page.locator("#undo")).to_be_enabled()
        expect(page.locator("#kept[data-submission]")).to_be_visible()
        assert stored == []
        assert site.complaints[page] == []

    def test_asks_once_the_frame_rests(self, site: Site, desk: BrowserContext) -> None:
        page = site.open(desk)
        asked = calls(page, "readings")
        choose(page, png_of(two_digits(3, 7)))
        expect(page.locator("#digit")).to_have_text("37")

        for _ in range(28):
            page.keyboard.press("Shift+ArrowLeft")

        expect(page.locator("#digit")).to_have_text("3")
        assert len(asked) < 10

    @pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
    def test_moves_nothing_on_the_page(
        self, site: Site, browser: Browser, size: dict[str, Any]
    ) -> None:
        context = browser.new_context(**size)
        page = site.open(context)
        places = """() => ['#sheet', '.notices', '#digit', '#seen'].map((one) => {
            const { x, y } = document.querySelector(one).getBoundingClientRect();
            return [x, y].map(Math.round); })"""
        draw_by_mouse(page, next(s.strokes for s in specimens() if s.digit == 7))
        expect(page.locator("#digit")).to_have_text("7")
        before = page.evaluate(places)

        choose(page, png_of(picture_of(5)))
        expect(page.locator("#digit")).to_have_text("5")

        assert page.evaluate(places) == before
        context.close()


class TestTurning:
    def test_is_by_quarters_and_takes_the_frame_along(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        choose(page, png_of(np.rot90(two_digits(3, 7))))

        drag(page, (0.3, 0.06), (0.7, 0.49))
        expect(page.locator("#refusal")).not_to_be_empty()
        page.locator("#turn").click()

        expect(page.locator("#digit")).to_have_text("7")
        assert save(page) == "7"
        assert stored_picture(site, page).shape == pytest.approx((224, 241), abs=3)

    def test_starts_upright_as_the_camera_noted(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        exif = Image.Exif()
        exif[0x0112] = 6  # to be shown turned by a quarter clockwise
        lying = Image.fromarray(np.rot90(two_digits(3, 7)))
        file = BytesIO()
        lying.save(file, "JPEG", exif=exif)

        choose(page, file.getvalue(), "image/jpeg")
        drag(page, (0.55, 0.28), (0.98, 0.72))

        expect(page.locator("#digit")).to_have_text("7")
        assert save(page) == "7"
        assert stored_picture(site, page).shape == pytest.approx((246, 241), abs=3)


NOISE = """CanvasRenderingContext2D.prototype.getImageData = function (x, y, w, h) {
    const noise = new ImageData(w, h);
    crypto.getRandomValues(noise.data);
    return noise;
};
HTMLCanvasElement.prototype.toDataURL = () => 'data:image/jpeg;base64,AAAA';"""
REFUSED = """const refuse = () => { throw new DOMException('No.', 'SecurityError'); };
CanvasRenderingContext2D.prototype.getImageData = refuse;
HTMLCanvasElement.prototype.toDataURL = refuse;"""


class TestUnreadableCanvas:
    @pytest.mark.parametrize("how", [NOISE, REFUSED], ids=["noise", "refused"])
    def test_sends_a_photo_as_it_is_and_no_part_of_it(
        self, site: Site, phone: BrowserContext, how: str
    ) -> None:
        phone.add_init_script(how)
        page = site.open(phone)

        choose(page, photo_of(2, squared=False), "image/jpeg")
        expect(page.locator("#digit")).to_have_text("2")
        page.locator("#turn").click()
        expect(page.locator("#problem")).to_contain_text("save it as it is")
        page.locator("#keep-picture").click()
        expect(page.locator("#keep-picture")).to_be_visible()
        for _ in range(3):
            page.locator("#turn").click()
        expect(page.locator("#problem")).to_have_text("")

        assert save(page) == "2"
        assert site.complaints[page] == []


class TestSeeThroughPictures:
    @pytest.mark.parametrize("ink", [0, 255], ids=["dark", "light"])
    @pytest.mark.parametrize("form", ["GIF", "PNG", "WEBP", "AVIF", "BMP"])
    def test_keep_their_ink(
        self, site: Site, desk: BrowserContext, form: str, ink: int
    ) -> None:
        page = site.open(desk)

        choose(page, see_through(form, ink=ink), f"image/{form.lower()}")

        expect(page.locator("#digit")).to_have_text("5")
        assert save(page) == "5"
        paper = float(np.median(stored_picture(site, page)))
        assert abs(paper - ink) > 200
        assert site.complaints[page] == []

    def test_are_seen_in_the_dark_while_they_are_cropped(
        self, site: Site, browser: Browser
    ) -> None:
        context = browser.new_context(**DESK, color_scheme="dark")
        page = site.open(context)

        choose(page, see_through("PNG", ink=0))
        expect(page.locator("#digit")).to_have_text("5")

        corner = page.locator("#crop canvas").evaluate(
            "canvas => [...canvas.getContext('2d').getImageData(0, 0, 1, 1).data]"
        )
        assert corner == [255, 255, 255, 255]
        context.close()


class TestWithoutScripts:
    @pytest.fixture
    def plain(self, browser: Browser) -> Iterator[BrowserContext]:
        context = browser.new_context(**PHONE, java_script_enabled=False)
        yield context
        context.close()

    def test_a_picture_is_read_by_a_form(
        self, site: Site, plain: BrowserContext, tmp_path: Path
    ) -> None:
        file = tmp_path / "digit.png"
        file.write_bytes(png_of(picture_of(5)))
        page = site.open(plain)

        page.get_by_role("link", name="upload a picture of a digit").click()
        page.get_by_label("Picture of a digit").set_input_files(file)
        page.get_by_role("button", name="Read it").click()

        page.wait_for_url("**/history/**")
        expect(page.get_by_role("heading", level=1)).to_contain_text("5")
        assert site.complaints[page] == []

    def test_a_file_that_is_no_picture_gets_a_sentence(
        self, site: Site, plain: BrowserContext, tmp_path: Path
    ) -> None:
        file = tmp_path / "digit.png"
        file.write_bytes(b"no picture at all")
        page = site.open(plain, "/upload/")

        page.get_by_label("Picture of a digit").set_input_files(file)
        page.get_by_role("button", name="Read it").click()

        expect(page.locator(".errorlist")).to_contain_text(
            "PNG, JPEG, WebP, GIF or BMP"
        )
