"""Headless Chromium: start it, choose a screen size, draw on the page.

python -m tools.browser     # install Chromium if there is none
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from mlcore.reading.rasterise import Points

PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 3,
    "is_mobile": True,
    "has_touch": True,
}
DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
CANVAS_PX = 280.0

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_HELP = (
    "Chromium is missing and could not be installed: install your system's package "
    "chromium, or run .venv/bin/playwright install chromium."
)


def launch(playwright: Playwright) -> Browser:
    """Start a headless Chromium; raises RuntimeError that says what to install."""
    path = _found(playwright)
    if path is None:
        raise RuntimeError(_HELP)
    return playwright.chromium.launch(executable_path=path)


def page_reads(page: Page) -> None:
    """Wait until the draw page reads by itself."""
    page.locator("#draw[data-reads-here]").wait_for(state="attached")


def draw_by_mouse(page: Page, strokes: Sequence[Points]) -> None:
    """Draw with the left button."""
    for stroke in on_screen(page, strokes):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for x, y in stroke[1:]:
            page.mouse.move(x, y)
        page.mouse.up()


def draw_by_finger(page: Page, strokes: Sequence[Points]) -> None:
    """Draw with one finger, with the browser's own touch events."""
    session = page.context.new_cdp_session(page)

    def touch(kind: str, points: list[dict[str, float]]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    for stroke in on_screen(page, strokes):
        touch("touchStart", [{"x": stroke[0][0], "y": stroke[0][1]}])
        for x, y in stroke[1:]:
            touch("touchMove", [{"x": x, "y": y}])
        touch("touchEnd", [])
    session.detach()


def on_screen(page: Page, strokes: Sequence[Points]) -> list[list[tuple[float, float]]]:
    """Scale and move strokes from the canvas, 280 px high, to the pad on the screen."""
    pad = page.locator("#pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    if box is None:
        raise RuntimeError("The pad is not on the page.")
    scale = box["height"] / CANVAS_PX
    return [
        [(box["x"] + float(x) * scale, box["y"] + float(y) * scale) for x, y in stroke]
        for stroke in strokes
    ]


def _found(playwright: Playwright) -> str | None:
    installed = filter(None, map(shutil.which, _NAMES))
    return next(installed, shutil.which(playwright.chromium.executable_path))


def _install() -> None:
    """Install Debian's package if we are root, else Playwright's build."""
    if shutil.which("apt-get") and os.geteuid() == 0:
        command = "apt-get update -qq && apt-get install -y -qq chromium >/dev/null"
        if subprocess.run(["sh", "-c", command], check=False).returncode == 0:
            return
    subprocess.run(
        [sys.executable, "-m", "playwright", "install", "chromium"], check=False
    )


def main() -> None:
    """Install a browser if there is none."""
    with sync_playwright() as playwright:
        if _found(playwright) is None:
            sys.stdout.write("Installing Chromium for the browser tests ...\n")
            _install()
        if _found(playwright) is None:
            sys.exit(_HELP)


if __name__ == "__main__":
    main()
