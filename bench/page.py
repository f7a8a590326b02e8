"""Measure the pages in a real browser, from the running site on loopback.

    python -m bench.page

Prints bytes and first paint of each page with a cold cache, and the time from lifting
the pen to seeing the answer. The figures hold for this machine; a phone is several
times slower.
"""

import statistics
import tempfile
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, expect, sync_playwright

from mlcore.reading.specimens import specimens
from tools.browser import DESK, PHONE, draw_by_finger, draw_by_mouse, launch
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
LOADED = """[...performance.getEntriesByType('navigation'),
    ...performance.getEntriesByType('resource')]
    .map((entry) => [entry.initiatorType, entry.transferSize])"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def cold_load(browser: Browser, cookies: Any, url: str) -> tuple[float, int, int]:
    """Open a page with an empty cache.

    Returns:
        First paint in ms, transferred bytes without pictures, bytes of pictures.
    """
    context = browser.new_context(**PHONE)
    context.add_cookies(cookies)
    page = context.new_page()
    page.goto(url)
    page.wait_for_load_state("networkidle")
    paint = float(page.evaluate(PAINT))
    loaded = page.evaluate(LOADED)
    context.close()
    pictures = sum(size for kind, size in loaded if kind == "img")
    return paint, sum(size for _, size in loaded) - pictures, pictures


def time_answers(browser: Browser, url: str, screen: str) -> tuple[Any, Any]:
    """Draw many digits; return waits for the answer and long tasks, both in ms."""
    size, draw = SCREENS[screen]
    page = browser.new_context(**size).new_page()
    page.goto(url)
    page.evaluate(WATCH)
    styles = specimens()
    for place in range(DRAWINGS):
        draw(page, styles[place % len(styles)].strokes)
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
        browser = launch(playwright)
        page = browser.new_context(**DESK).new_page()
        page.goto(server.url)
        draw_by_mouse(page, specimens()[0].strokes)
        kept = page.locator("#kept[data-submission]")
        expect(kept).to_be_visible()
        drawing = kept.get_attribute("data-submission")
        cookies = page.context.cookies()
        print("page                  bytes   pictures   first paint")
        for name in PAGES:
            url = f"{server.url}{name.format(drawing=drawing)}"
            loads = [cold_load(browser, cookies, url) for _ in range(LOADS)]
            paint = statistics.median(one[0] for one in loads)
            _, rest, pictures = loads[-1]
            print(f"{name:20} {rest:7,} {pictures:10,} {paint:10.0f} ms")
        for screen in SCREENS:
            waits, long_tasks = time_answers(browser, server.url, screen)
            print(
                f"{screen}: pen lifted to answer on screen, {len(waits)} strokes: "
                f"p50 {statistics.median(waits):.0f} ms, "
                f"p95 {statistics.quantiles(waits, n=20)[-1]:.0f} ms; tasks over 50 ms "
                f"while drawing: {len(long_tasks)}"
            )
        browser.close()


if __name__ == "__main__":
    main()
