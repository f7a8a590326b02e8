"""Measure the pages in a real browser, from the running site on loopback.

    python manage.py collectstatic --no-input && python -m bench.page; rm -r staticfiles

Without collectstatic, files are served as they are, without compression. Prints bytes
and first paint of each page with a cold cache; what the reader in the page loads in the
background; how long an answer takes after the pen was lifted, by the page's reader and
by the server's; and how often the page reads while the pen moves. The figures hold for
this machine; a phone is several times slower, which throttling imitates: it slows the
page's main thread, not its worker.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from mlcore.reading.rasterise import Points
from mlcore.reading.specimens import specimens
from tools.browser import (
    DESK,
    PHONE,
    draw_by_mouse,
    launch,
    on_screen,
    page_reads,
)
from tools.server import serving

DRAWINGS = 20
LOADS = 5
PAGES = ("/", "/history/", "/history/{drawing}/", "/model/", "/upload/")
MOVES_A_SECOND = 60
HEADERS = 300  # bytes of one answer's headers, as browsers count them in transferSize
# What the reader in the page loads once the page is usable; what the service worker
# loads comes after it.
BACKGROUND = ("/reader/", "/vendor/")

WATCH = """() => {
    Object.assign(window, { inDom: [], onScreen: [], longTasks: [], readings: 0 });
    let lifted = null;
    const canvas = document.getElementById('pad');
    canvas.addEventListener('pointerup', () => { lifted = performance.now(); }, true);
    canvas.addEventListener('pointerdown', () => { lifted = null; }, true);
    // The bars are written with each answer; the frame after that is on screen.
    new MutationObserver(() => {
        window.readings += 1;
        if (lifted === null) return;
        const from = lifted;
        lifted = null;
        window.inDom.push(performance.now() - from);
        requestAnimationFrame(() => setTimeout(() =>
            window.onScreen.push(performance.now() - from)));
    }).observe(document.getElementById('bars'), { attributes: true, subtree: true });
    new PerformanceObserver((list) => window.longTasks.push(
        ...list.getEntries().map((entry) => entry.duration)
    )).observe({ type: 'longtask' });
}"""
PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"


def cold_load(browser: Browser, cookies: Any, url: str) -> tuple[float, dict[str, int]]:
    """Open a page with an empty cache.

    Returns:
        First paint in ms; bytes on the wire: of the page, of its pictures, and of what
        it loads in the background.
    """
    context = browser.new_context(**PHONE)
    context.add_cookies(cookies)
    page = context.new_page()
    finished: list[Request] = []
    context.on("requestfinished", lambda request: finished.append(request))
    page.goto(url)
    page.wait_for_load_state("networkidle")
    if page.locator("#draw").count():
        page_reads(page)
    if page.locator("#draw[data-service-worker]").count():
        page.evaluate("async () => { await navigator.serviceWorker.ready; }")
    paint = float(page.evaluate(PAINT))
    sizes = dict.fromkeys(("page", "pictures", "background"), 0)
    for request in finished:
        if request.url.startswith("data:"):
            continue
        part = "pictures" if request.resource_type == "image" else "page"
        is_kept = request.service_worker is not None or "worker.js" in request.url
        if is_kept or any(place in request.url for place in BACKGROUND):
            part = "background"
        received = request.sizes()["responseBodySize"]
        if received >= 0:  # below 0 it came from the browser's own cache
            sizes[part] += received + HEADERS
    context.close()
    return paint, sizes


def open_to_draw(
    browser: Browser, url: str, *, by_page: bool, slower: int, size: Any = DESK
) -> Page:
    """Open the draw page and watch it, with a processor so many times slower."""
    context = browser.new_context(**size)
    if not by_page:
        context.route("**/reader/**", lambda route: route.abort())
    page = context.new_page()
    page.goto(url)
    if by_page:
        page_reads(page)
    else:
        page.wait_for_load_state("networkidle")
    session = context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": slower})
    page.evaluate(WATCH)
    return page


def time_drawing(browser: Browser, url: str, **how: Any) -> str:
    """Draw digits at a hand's pace; return what it costs and how soon answers come."""
    screen = how.pop("screen")
    size, pen = SCREENS[screen]
    page = open_to_draw(browser, url, size=size, **how)
    calls: list[str] = []

    def note_call(request: Request) -> None:
        if "/api/" in request.url:
            calls.append(request.url)

    page.on("request", note_call)
    seconds, readings, while_drawn = 0.0, 0, 0
    styles = specimens()
    for place in range(DRAWINGS):
        before, at_first = page.evaluate("window.readings"), len(calls)
        strokes = styles[place * len(styles) // DRAWINGS].strokes
        seconds += draw_at_a_hands_pace(page, strokes, pen=pen)
        readings += page.evaluate("window.readings") - before
        while_drawn += len(calls) - at_first
        page.wait_for_timeout(250)
        page.keyboard.press("Escape")
        page.wait_for_timeout(250)
    names = "[window.inDom, window.onScreen, window.longTasks]"
    in_dom, on_screen_ms, long_tasks = page.evaluate(names)
    page.context.close()
    return (
        f"{len(in_dom)} strokes: in the DOM p50 {statistics.median(in_dom):.1f} ms, "
        f"p95 {statistics.quantiles(in_dom, n=20)[-1]:.1f} ms; on screen p50 "
        f"{statistics.median(on_screen_ms):.0f} ms; {readings / seconds:.0f} readings "
        f"a second while the pen is down, {while_drawn / DRAWINGS:.1f} calls a digit; "
        f"tasks over 50 ms: {len(long_tasks)}"
    )


def draw_at_a_hands_pace(
    page: Page, strokes: Sequence[Points], *, pen: type["Mouse"]
) -> float:
    """Draw with points at MOVES_A_SECOND; return the seconds with the pen down.

    The lift comes one point later than the last move, as a screen or tablet reports it.
    """
    down = 0.0
    tool = pen(page)
    for stroke in on_screen(page, strokes):
        tool.down(*stroke[0])
        began = time.perf_counter()
        for place, (x, y) in enumerate([*stroke[1:], stroke[-1]], start=1):
            time.sleep(max(0, began + place / MOVES_A_SECOND - time.perf_counter()))
            if place < len(stroke):
                tool.move(x, y)
        down += time.perf_counter() - began
        tool.up()
    return down


class Mouse:
    """The left button."""

    def __init__(self, page: Page) -> None:
        self._mouse = page.mouse

    def down(self, x: float, y: float) -> None:
        """Press the button at a place."""
        self._mouse.move(x, y)
        self._mouse.down()

    def move(self, x: float, y: float) -> None:
        """Drag."""
        self._mouse.move(x, y)

    def up(self) -> None:
        """Release the button."""
        self._mouse.up()


class Finger(Mouse):
    """One finger, with the browser's own touch events."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def _touch(self, kind: str, points: list[dict[str, float]]) -> None:
        event = {"type": kind, "touchPoints": points}
        self._session.send("Input.dispatchTouchEvent", event)

    def down(self, x: float, y: float) -> None:
        """Put the finger down."""
        self._touch("touchStart", [{"x": x, "y": y}])

    def move(self, x: float, y: float) -> None:
        """Draw."""
        self._touch("touchMove", [{"x": x, "y": y}])

    def up(self) -> None:
        """Lift the finger."""
        self._touch("touchEnd", [])


SCREENS: dict[str, tuple[Any, type[Mouse]]] = {
    "desk": (DESK, Mouse),
    "phone": (PHONE, Finger),
}


def main() -> None:
    """Measure, and print tables."""
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
        print("page                  bytes   pictures   background   first paint")
        for name in PAGES:
            url = f"{server.url}{name.format(drawing=drawing)}"
            loads = [cold_load(browser, cookies, url) for _ in range(LOADS)]
            paint = statistics.median(one[0] for one in loads)
            sizes = loads[-1][1]
            print(
                f"{name:20} {sizes['page']:7,} {sizes['pictures']:10,} "
                f"{sizes['background']:12,} {paint:10.0f} ms"
            )
        for by_page in (True, False):
            reader = "the page reads" if by_page else "the server reads"
            for slower in (1, 4):
                how: dict[str, Any] = {"by_page": by_page, "slower": slower}
                for screen in SCREENS:
                    told = time_drawing(browser, server.url, screen=screen, **how)
                    print(f"{reader}, {screen}, throttled {slower}x: {told}")
        browser.close()


if __name__ == "__main__":
    main()
