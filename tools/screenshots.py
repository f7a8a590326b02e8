"""Take the documentation's screenshots from a running site.

python -m tools.screenshots        # docs/images/<page>-<device>-<scheme>.png
"""

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from mlcore import paths
from mlcore.reading.specimens import specimens
from tools.browser import DESK, PHONE, draw_by_finger, draw_by_mouse, launch
from tools.server import serving

IMAGES = paths.REPOSITORY / "docs" / "images"
DEVICES = {"desk": (DESK, draw_by_mouse), "phone": (PHONE, draw_by_finger)}
SHOWN = {(7, "crossed"), (4, "open"), (2, "looped"), (9, "curled tail")}


def main() -> None:
    """Draw a few digits per device and colour scheme, and take screenshots."""
    drawn = [s for s in specimens() if (s.digit, s.style) in SHOWN]
    drawn.sort(key=lambda specimen: specimen.digit == 7)  # the seven comes last
    IMAGES.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as var,
        serving(Path(var)) as server,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        for device, (screen, draw) in DEVICES.items():
            for scheme in ("light", "dark"):
                context = browser.new_context(
                    **{**screen, "device_scale_factor": 1}, color_scheme=scheme
                )
                page = context.new_page()
                page.goto(server.url)
                for specimen in drawn:
                    if page.locator("#clear").is_enabled():
                        page.locator("#clear").click()
                    draw(page, specimen.strokes)
                    expect(page.locator("#kept[data-submission]")).to_be_visible()
                page.screenshot(path=IMAGES / f"draw-{device}-{scheme}.png")
                seven = page.locator("#kept").get_attribute("data-submission")
                pages = {
                    "history": "/history/",
                    "drawing": f"/history/{seven}/",
                    "model": "/model/",
                    "how-it-learns": "/how-it-learns/",
                }
                for name, path in pages.items():
                    page.goto(f"{server.url}{path}")
                    page.wait_for_load_state("networkidle")
                    picture = IMAGES / f"{name}-{device}-{scheme}.png"
                    page.screenshot(path=picture, full_page=name == "drawing")
                context.close()
        browser.close()
    sys.stdout.write(f"{len(list(IMAGES.glob('*.png')))} pictures in {IMAGES}\n")


if __name__ == "__main__":
    main()
