"""Hands that draw on the page: by mouse and by finger, as a browser reports them."""

from collections.abc import Sequence

from playwright.sync_api import Page

from mlcore.reading.ink import Points

CANVAS_PX = 280.0


def _placed(page: Page, strokes: Sequence[Points]) -> list[list[tuple[float, float]]]:
    """Move strokes of the 280 px canvas to where the pad is on the screen."""
    pad = page.locator("#pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box
    scale = box["width"] / CANVAS_PX
    return [
        [(box["x"] + float(x) * scale, box["y"] + float(y) * scale) for x, y in stroke]
        for stroke in strokes
    ]


def draw_by_mouse(page: Page, strokes: Sequence[Points]) -> None:
    """Draw with the left button."""
    for stroke in _placed(page, strokes):
        page.mouse.move(*stroke[0])
        page.mouse.down()
        for x, y in stroke[1:]:
            page.mouse.move(x, y)
        page.mouse.up()


def draw_by_finger(page: Page, strokes: Sequence[Points]) -> None:
    """Draw with one finger, by the browser's own touch input."""
    session = page.context.new_cdp_session(page)

    def touch(kind: str, points: list[dict[str, float]]) -> None:
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    for stroke in _placed(page, strokes):
        touch("touchStart", [{"x": stroke[0][0], "y": stroke[0][1]}])
        for x, y in stroke[1:]:
            touch("touchMove", [{"x": x, "y": y}])
        touch("touchEnd", [])
    session.detach()
