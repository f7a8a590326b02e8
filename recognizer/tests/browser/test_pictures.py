"""A picture instead of strokes: chosen, dropped, pasted, photographed, by form."""

import base64
import io
import mimetypes
import sqlite3
from collections.abc import Iterator
from pathlib import Path

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
from tools.browser import PHONE, draw_by_mouse

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


def choose(page: Page, content: bytes, name: str = "digit.png") -> None:
    kind = mimetypes.guess_type(name)[0] or ""
    page.locator("#picture").set_input_files(
        {"name": name, "mimeType": kind, "buffer": content}
    )


class TestAPicture:
    @pytest.mark.journey
    def test_is_read_and_kept_as_an_upload(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)

        choose(page, png_of(picture_of(5)))

        assert read_digit(page) == "5"
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

        assert read_digit(page) == "3"
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

        choose(page, photo, "photo.jpg")

        assert read_digit(page) == "2"
        assert len(photo) > 500_000
        assert sent
        assert max(sent) < 400_000
        assert site.complaints[page] == []

    def test_gives_way_to_strokes_and_both_are_kept(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        choose(page, png_of(picture_of(5)))
        assert read_digit(page) == "5"

        draw_by_mouse(page, next(s.strokes for s in specimens() if s.digit == 7))

        expect(page.locator("#digit")).to_have_text("7")
        expect(page.locator("#kept[data-submission]")).to_be_visible(timeout=10_000)
        page.goto(f"{site.url}/history/")
        expect(page.locator("[data-submission]")).to_have_count(2)

    @pytest.mark.parametrize("padding", [0, 300_000], ids=["as it is", "shrunk"])
    def test_may_be_a_see_through_gif(
        self, site: Site, desk: BrowserContext, padding: int
    ) -> None:
        black_on_nothing = Image.fromarray(picture_of(4)).convert("1").convert("P")
        file = io.BytesIO()
        black_on_nothing.save(file, "GIF", transparency=1)
        page = site.open(desk)

        choose(page, file.getvalue() + bytes(padding), "digit.gif")

        assert read_digit(page) == "4"

    def test_that_is_none_is_refused_with_the_way_out(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)

        choose(page, b"no picture at all")

        expect(page.locator("#problem")).to_contain_text("PNG, JPEG, WebP, GIF or BMP")
        expect(page.locator("#sheet")).to_have_attribute("data-empty", "")
        assert site.complaints[page] == []

    def test_survives_a_lost_connection_and_a_reload(
        self, site: Site, desk: BrowserContext
    ) -> None:
        page = site.open(desk)
        page.route("**/api/v1/**", lambda route: route.abort())
        choose(page, png_of(picture_of(8)))
        expect(page.locator("#problem")).to_contain_text("safe")

        page.reload()
        page.unroute("**/api/v1/**")

        assert read_digit(page) == "8"


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

        assert "/history/" in page.url
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
