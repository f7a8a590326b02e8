"""Measure the pages in a real browser, from the running site on loopback.

make bench-page        # first paint, bytes, long tasks, pen lifted to answer on screen

The figures are this machine's; a phone is several times slower. What is stored goes to
a scratch folder.
"""

import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from mlcore.ink import Points
from mlcore.specimens import specimens
from recognizer.tests.browser import chromium
from recognizer.tests.browser.conftest import Site
from tools.browser import DESK, PHONE, draw_by_finger, draw_by_mouse
from tools.server import serving

DRAWINGS = 40
LOADS = 7
SCREENS = {"desk": (DESK, draw_by_mouse), "phone": (PHONE, draw_by_finger)}
PAGES = ("/", "/history/", "/history/{drawing}/", "/model/", "/upload/")

WATCH = """() => {
    window.waits = [];
    window.longTasks = [];
    let lifted = null;
    const canvas = document.getElementById('pad');
    canvas.addEventListener('pointerup', () => { lifted = performance.now(); }, true);
    canvas.addEventListener('pointerdown', () => { lifted = null; }, true);
    // The bars are written with each answer; the frame after that is on screen.
    new MutationObserver(() => {
        if (lifted === null) return;
        const from = lifted;
        lifted = null;
        requestAnimationFrame(() => setTimeout(() =>
            window.waits.push(performance.now() - from)));
    }).observe(document.getElementById('bars'), { attributes: true, subtree: true });
    new PerformanceObserver((list) => window.longTasks.push(
        ...list.getEntries().map((entry) => entry.duration)
    )).observe({ type: 'longtask' });
}"""
PAINT = """() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"""


def loaded(site: Site, browser: Browser, screen: dict[str, Any], path: str) -> Page:
    """Open a page in a new browser profile, so with a cold cache."""
    page = browser.new_context(**screen).new_page()
    page.goto(f"{site.url}{path}")
    page.wait_for_load_state("networkidle")
    return page


def bytes_of(site: Site, browser: Browser, cookies: Any, path: str) -> tuple[int, int]:
    """Return the bytes a cold page takes over the wire: pictures apart, pictures."""
    context = browser.new_context(**DESK)
    context.add_cookies(cookies)
    page = context.new_page()
    session = context.new_cdp_session(page)
    kinds: dict[str, str] = {}
    sizes = {False: 0, True: 0}
    session.send("Network.enable")
    session.on(
        "Network.responseReceived",
        lambda event: kinds.update({event["requestId"]: event["type"]}),
    )

    def count(event: Any) -> None:
        is_picture = kinds.get(event["requestId"]) == "Image"
        sizes[is_picture] += int(event["encodedDataLength"])

    session.on("Network.loadingFinished", count)
    page.goto(f"{site.url}{path}")
    page.wait_for_load_state("networkidle")
    context.close()
    return sizes[False], sizes[True]


def drawn(site: Site, browser: Browser, screen: str) -> tuple[list[float], list[float]]:
    """Draw many digits; return the waits for the answer and the long tasks, in ms."""
    size, draw = SCREENS[screen]
    page = browser.new_context(**size).new_page()
    page.goto(site.url)
    page.evaluate(WATCH)
    styles: Sequence[Sequence[Points]] = [s.strokes for s in specimens()]
    for place in range(DRAWINGS):
        draw(page, styles[place % len(styles)])
        page.wait_for_timeout(250)
        page.locator("#clear").click()
    waits, long_tasks = page.evaluate("[window.waits, window.longTasks]")
    page.context.close()
    return waits, long_tasks


def main() -> None:
    """Measure, and print a table."""
    with (
        tempfile.TemporaryDirectory() as var,
        serving(Path(var)) as server,
        sync_playwright() as playwright,
    ):
        site = Site(server.url, Path(var), server)
        browser = chromium.launch(playwright)
        page = loaded(site, browser, DESK, "/")
        draw_by_mouse(page, specimens()[0].strokes)
        kept = page.wait_for_selector("#kept[data-submission]")
        drawing = kept.get_attribute("data-submission") if kept else None
        cookies = page.context.cookies()
        sys.stdout.write("page                  bytes   pictures   first paint\n")
        for name in PAGES:
            path = name.format(drawing=drawing)
            paints = []
            for _ in range(LOADS):
                context = browser.new_context(**PHONE)
                context.add_cookies(cookies)
                opened = context.new_page()
                opened.goto(f"{site.url}{path}")
                opened.wait_for_load_state("networkidle")
                paints.append(opened.evaluate(PAINT))
                context.close()
            rest, pictures = bytes_of(site, browser, cookies, path)
            sys.stdout.write(
                f"{name:20} {rest:7,} {pictures:10,}"
                f" {statistics.median(paints):10.0f} ms\n"
            )
        for screen in SCREENS:
            waits, long_tasks = drawn(site, browser, screen)
            cuts = statistics.quantiles(waits, n=20)
            sys.stdout.write(
                f"{screen}: pen lifted to answer on screen, {len(waits)} strokes: "
                f"p50 {statistics.median(waits):.0f} ms, p95 {cuts[-1]:.0f} ms; "
                f"tasks over 50 ms while drawing: {len(long_tasks)}"
                f"{f' (longest {max(long_tasks):.0f} ms)' if long_tasks else ''}\n"
            )
        browser.close()


if __name__ == "__main__":
    main()
