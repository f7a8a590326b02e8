"""Pictures as people send them: a digit in a box, on a desk, with dirt, in colours.

Each scene takes a drawing in the middle of a square picture, ink 255 on paper 0, and
returns an RGB picture of it with one kind of trouble. They are for judging and tests;
nothing is trained on them.
"""

from collections.abc import Callable, Mapping
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.pictures import Picture
from mlcore.reading.preprocess import Bitmap

Scene = Callable[[Bitmap, np.random.Generator], Picture]
Colour = tuple[int, int, int]
Cover = NDArray[np.float64]
"""(H, W) in [0, 1]: how much of each pixel is covered with ink."""

WHITE: Colour = (255, 255, 255)
DESK: Colour = (58, 44, 36)


# --- parts of scenes -------------------------------------------------------------


def _cover(bitmap: Bitmap) -> Cover:
    return bitmap / 255.0


def _pen(rng: np.random.Generator) -> Colour:
    """Return a dark ink: black, blue or pencil grey."""
    return ((20, 20, 20), (25, 35, 120), (95, 95, 95))[rng.integers(3)]


def _inked(page: NDArray, cover: Cover, ink: Colour) -> NDArray[np.float64]:
    """Cover a page of (H, W, 3) colours with ink."""
    return page * (1 - cover[..., None]) + np.array(ink, float) * cover[..., None]


def _paper(shape: tuple[int, ...], colour: Colour = WHITE) -> NDArray[np.float64]:
    return np.full((*shape[:2], 3), colour, float)


def _levels(page: NDArray) -> Picture:
    return np.asarray(np.clip(np.rint(page), 0, 255), np.uint8)


def _photographed(page: NDArray, rng: np.random.Generator) -> Picture:
    """Add a camera's uneven light, blur and grain."""
    height, width = page.shape[:2]
    slope = np.linspace(0, rng.uniform(0.05, 0.2), width)[:: rng.choice([-1, 1])]
    lit = page * (rng.uniform(0.75, 0.9) - slope)[None, :, None]
    soft = cv2.GaussianBlur(lit, (0, 0), max(height, width) / 500)
    return _levels(soft + rng.normal(0, 3.0, page.shape))


def _ink_box(bitmap: Bitmap) -> tuple[int, int, int, int]:
    left, top, width, height = cv2.boundingRect(bitmap)
    return left, top, left + width, top + height


def _drawn(shape: tuple[int, ...], draw: Callable[[NDArray], object]) -> Cover:
    cover = np.zeros(shape[:2], np.uint8)
    draw(cover)
    return cover / 255.0


def _simple(bitmap: Bitmap, rng: np.random.Generator) -> NDArray[np.float64]:
    return _inked(_paper(bitmap.shape), _cover(bitmap), _pen(rng))


# --- scenes ------------------------------------------------------------------------


def _coloured(
    bitmap: Bitmap, rng: np.random.Generator, *, paper: Colour, ink: Colour
) -> Picture:
    return _levels(_inked(_paper(bitmap.shape, paper), _cover(bitmap), ink))


def _printed_box(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Put it into a cell of a form: dark lines that run on past the corners."""
    left, top, right, bottom = _ink_box(bitmap)
    side = max(right - left, bottom - top)
    pad_x, pad_y = (int(side * rng.uniform(0.15, 0.6)) for _ in range(2))
    out = int(side * rng.uniform(0.02, 0.12)) + 3
    page = cv2.copyMakeBorder(
        bitmap, *(4 * [side]), borderType=cv2.BORDER_CONSTANT, value=0
    )
    left, top, right, bottom = (n + side for n in (left, top, right, bottom))
    box = left - pad_x, top - pad_y, right + pad_x, bottom + pad_y
    thick = max(1, int(side * rng.uniform(0.01, 0.05)))
    lean = int(rng.integers(-2, 3))

    def draw(cover: NDArray) -> None:
        far = page.shape[0]
        for y in (box[1], box[3]):
            cv2.line(cover, (0, y), (far, y + lean), 255, thick, cv2.LINE_AA)
        for x in (box[0], box[2]):
            cv2.line(cover, (x, 0), (x - lean, far), 255, thick, cv2.LINE_AA)

    printed = _inked(_paper(page.shape), _drawn(page.shape, draw), (25, 25, 25))
    cell = _inked(printed, _cover(page), _pen(rng))
    cell += rng.normal(0, 2, cell.shape)
    cut = np.s_[box[1] - out : box[3] + out, box[0] - out : box[2] + out]
    return _levels(cell[cut])


def _drawn_box(bitmap: Bitmap, rng: np.random.Generator, *, ink: Colour) -> Picture:
    """Draw a closed box around it, with paper around the box."""
    height, width = bitmap.shape
    gap = int(0.06 * width)
    thick = int(rng.integers(1, 4))
    box = _drawn(
        bitmap.shape,
        lambda cover: cv2.rectangle(
            cover, (gap, gap), (width - gap, height - gap), 255, thick
        ),
    )
    return _levels(_inked(_simple(bitmap, rng), box, ink))


def _framed(
    bitmap: Bitmap, rng: np.random.Generator, *, width_px: int, ink: Colour
) -> Picture:
    page = _simple(bitmap, rng)
    cut = page[width_px:-width_px, width_px:-width_px]
    return _levels(
        cv2.copyMakeBorder(cut, *(4 * [width_px]), cv2.BORDER_CONSTANT, value=ink)
    )


def _far_pixel(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Set one black pixel far away from the digit, in a clean scan."""
    page = _levels(_simple(bitmap, rng))
    y, x = (int(rng.choice([3, side - 4])) for side in bitmap.shape)
    page[y, x] = 0
    return page


def _edge_line(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Leave a line of one pixel at an edge, as of a table's cell or a window."""
    return _line_at_edge(_levels(_simple(bitmap, rng)), rng)


def _line_at_edge(page: Picture, rng: np.random.Generator) -> Picture:
    inset, level = int(rng.integers(0, 3)), int(rng.integers(0, 180))
    at = inset if rng.random() < 0.5 else -1 - inset
    if rng.random() < 0.5:
        page[at] = level
    else:
        page[:, at] = level
    return page


def _title_bar(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Put a window's dark title bar above it."""
    page = _levels(_simple(bitmap, rng))
    bar = np.full((int(rng.integers(18, 45)), page.shape[1], 3), 45, np.uint8)
    cv2.circle(bar, (12, bar.shape[0] // 2), 5, (220, 80, 70), -1)
    cv2.circle(bar, (30, bar.shape[0] // 2), 5, (90, 190, 80), -1)
    return np.vstack([bar, page])


def _hard_shadow(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Let the edge of a shadow fall across the page."""
    height, width = bitmap.shape
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width]
    along = (x - width / 2) * np.cos(turn) + (y - height / 2) * np.sin(turn)
    dark = along > rng.uniform(-0.3, 0.3) * width
    light = np.where(dark, rng.uniform(0.45, 0.75), 1.0)
    return _levels(_simple(bitmap, rng) * light[..., None] + rng.normal(0, 1.5, (1,)))


def _hand_shadow(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Let a soft, round shadow fall on a part of the page, and photograph it."""
    height, width = bitmap.shape
    centre = [int(n) for n in rng.uniform(0, 1, 2) * (width, height)]
    shadow = np.zeros((height, width))
    cv2.circle(shadow, centre, int(width * rng.uniform(0.3, 0.6)), 1.0, -1)
    shadow = cv2.GaussianBlur(shadow, (0, 0), width * rng.uniform(0.02, 0.1))
    light = 1 - shadow * rng.uniform(0.35, 0.6)
    return _photographed(_simple(bitmap, rng) * light[..., None], rng)


def _on_desk(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Lay the sheet on a dark desk, a little turned, and photograph both."""
    height, width = bitmap.shape
    desk = _paper((2 * height, 2 * width), DESK)
    desk += rng.normal(0, 6, desk.shape[:2])[..., None]
    turn = cv2.getRotationMatrix2D(
        (width / 2, height / 2), float(rng.uniform(-12, 12)), rng.uniform(0.8, 1.2)
    )
    turn[:, 2] += rng.uniform(0.3, 0.7, 2) * (width, height)
    size = desk.shape[1], desk.shape[0]
    sheet = cv2.warpAffine(_simple(bitmap, rng), turn, size)
    lies = cv2.warpAffine(np.ones(bitmap.shape), turn, size)[..., None]
    return _photographed(desk * (1 - lies) + sheet * lies, rng)


def _desk_strip(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Let the dark desk show along one side."""
    page = _simple(bitmap, rng)
    strip = _paper((page.shape[0], int(rng.uniform(0.04, 0.15) * page.shape[1])), DESK)
    sides = [strip, page] if rng.random() < 0.5 else [page, strip]
    return _photographed(np.hstack(sides), rng)


def _circled(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    left, top, right, bottom = _ink_box(bitmap)
    middle = (left + right) // 2, (top + bottom) // 2
    reach = np.hypot(right - left, bottom - top) / 2
    axes = int(reach * rng.uniform(1.1, 1.35)), int(reach * rng.uniform(1.1, 1.35))
    pad = int(reach)
    page = cv2.copyMakeBorder(bitmap, *(4 * [pad]), cv2.BORDER_CONSTANT, value=0)
    middle = middle[0] + pad, middle[1] + pad
    thick = max(2, int(reach * rng.uniform(0.05, 0.14)))
    ring = _drawn(
        page.shape,
        lambda cover: cv2.ellipse(
            cover, middle, axes, float(rng.uniform(0, 180)), 0, 360, 255, thick
        ),
    )
    ink = _pen(rng)
    return _levels(_inked(_inked(_paper(page.shape), _cover(page), ink), ring, ink))


def _underlined(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    left, top, right, bottom = _ink_box(bitmap)
    side = max(right - left, bottom - top)
    y = bottom + int(side * rng.uniform(0.1, 0.2))
    ends = left - int(0.1 * side), right + int(0.1 * side)
    pad = int(0.3 * side)
    page = cv2.copyMakeBorder(bitmap, *(4 * [pad]), cv2.BORDER_CONSTANT, value=0)
    lean = int(side * rng.uniform(-0.06, 0.06))
    line = _drawn(
        page.shape,
        lambda cover: cv2.line(
            cover,
            (ends[0] + pad, y + pad),
            (ends[1] + pad, y + pad + lean),
            255,
            max(2, int(side * rng.uniform(0.04, 0.1))),
            cv2.LINE_AA,
        ),
    )
    ink = _pen(rng)
    return _levels(_inked(_inked(_paper(page.shape), _cover(page), ink), line, ink))


def _full_stop(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    left, top, right, bottom = _ink_box(bitmap)
    side = max(right - left, bottom - top)
    radius = max(2, int(side * rng.uniform(0.04, 0.08)))
    pad = int(0.4 * side)
    page = cv2.copyMakeBorder(bitmap, *(4 * [pad]), cv2.BORDER_CONSTANT, value=0)
    at = right + pad + int(side * rng.uniform(0.1, 0.25)), bottom + pad - radius
    stop = _drawn(page.shape, lambda cover: cv2.circle(cover, at, radius, 255, -1))
    ink = _pen(rng)
    return _levels(_inked(_inked(_paper(page.shape), _cover(page), ink), stop, ink))


def _small_in_photo(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Photograph a whole sheet with one small digit: 1/12 to 1/20 of its width."""
    page = np.zeros((768, 1024), np.uint8)
    left, top, right, bottom = _ink_box(bitmap)
    ink = bitmap[top:bottom, left:right]
    scale = 1024 / rng.uniform(12, 20) / max(ink.shape)
    small = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    y, x = (int(rng.uniform(0.15, 0.75) * side) for side in page.shape)
    page[y : y + small.shape[0], x : x + small.shape[1]] = small
    return _photographed(_inked(_paper(page.shape), _cover(page), _pen(rng)), rng)


def _cut_close(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Cut it at the ink, 20 px high."""
    left, top, right, bottom = _ink_box(bitmap)
    page = _simple(bitmap, rng)[top:bottom, left:right]
    scale = 20 / page.shape[0]
    size = max(3, round(page.shape[1] * scale)), 20
    return _levels(cv2.resize(page, size, interpolation=cv2.INTER_AREA))


def _dusty(bitmap: Bitmap, rng: np.random.Generator, *, specks: int) -> Picture:
    page = _simple(bitmap, rng)
    for y, x in rng.integers(0, np.array(bitmap.shape) - 2, (specks, 2)):
        side = int(rng.integers(1, 4))
        page[y : y + side, x : x + side] = rng.integers(40, 200)
    return _levels(page)


def _salted(bitmap: Bitmap, rng: np.random.Generator, *, share: float) -> Picture:
    """Set this share of the pixels to black or white."""
    page = _levels(_simple(bitmap, rng))
    at = rng.random(bitmap.shape) < share
    page[at] = rng.choice([0, 255], int(at.sum()))[:, None]
    return page


def _with_neighbours(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Show parts of other ink at the left and right edges, and photograph it."""
    page = bitmap.copy()
    height, width = page.shape
    for at in (0, width - 1):
        middle = at, int(rng.uniform(0.3, 0.7) * height)
        axes = [int(n) for n in rng.uniform(0.05, 0.11, 2) * (width, 3 * height)]
        cv2.ellipse(page, middle, axes, 0, 0, 360, 255, int(rng.integers(6, 16)))
    return _photographed(_inked(_paper(page.shape), _cover(page), _pen(rng)), rng)


def _cut_off(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    """Cut off a third of the digit at an edge."""
    left, top, right, bottom = _ink_box(bitmap)
    page = _simple(bitmap, rng)
    cuts = (
        np.s_[(2 * top + bottom) // 3 :, :],
        np.s_[: (top + 2 * bottom) // 3, :],
        np.s_[:, (2 * left + right) // 3 :],
        np.s_[:, : (left + 2 * right) // 3],
    )
    return _levels(page[cuts[rng.integers(4)]])


def _upside_down(bitmap: Bitmap, rng: np.random.Generator) -> Picture:
    return np.ascontiguousarray(_levels(_simple(bitmap, rng))[::-1, ::-1])


SCENES: Mapping[str, Scene] = {
    "in a printed box": _printed_box,
    "in a drawn box": partial(_drawn_box, ink=(30, 30, 30)),
    "in a thin grey box": partial(_drawn_box, ink=(190, 190, 190)),
    "1 px border": partial(_framed, width_px=1, ink=(0, 0, 0)),
    "2 px frame": partial(_framed, width_px=2, ink=(40, 40, 40)),
    "one pixel far away": _far_pixel,
    "line at an edge": _edge_line,
    "dark title bar": _title_bar,
    "hard shadow edge": _hard_shadow,
    "a hand's shadow": _hand_shadow,
    "yellow on white": partial(_coloured, paper=WHITE, ink=(250, 225, 20)),
    "blue on pink": partial(_coloured, paper=(250, 150, 170), ink=(90, 150, 250)),
    "red on green": partial(_coloured, paper=(0, 130, 0), ink=(220, 20, 20)),
    "sheet on a dark desk": _on_desk,
    "desk along one side": _desk_strip,
    "circled": _circled,
    "underlined": _underlined,
    "full stop behind": _full_stop,
    "small in a photo": _small_in_photo,
    "cut close, 20 px high": _cut_close,
    "20 specks": partial(_dusty, specks=20),
    "2 % salt and pepper": partial(_salted, share=0.02),
    "neighbours at the edges": _with_neighbours,
    "cut off at an edge": _cut_off,
    "upside down": _upside_down,
}
"""By their names in reports. A digit in each is read right or, where it is cut off or
upside down, refused."""


# --- pictures without a digit ---------------------------------------------------------

Emptiness = Callable[[np.random.Generator], Picture]


def _blank(rng: np.random.Generator) -> Picture:
    """Return white paper, or grey paper with grain."""
    shape = tuple(int(side) for side in rng.integers(30, 300, 2))
    if rng.random() < 0.5:
        return _levels(_paper(shape))
    return _photographed(_paper(shape, (235, 230, 225)), rng)


def _empty_box(rng: np.random.Generator) -> Picture:
    """Cut an empty cell from a form: lines at some of its edges, faint specks."""
    height, width = (int(side) for side in rng.integers(24, 170, 2))
    page = _paper((height, width))
    thick = int(rng.integers(1, 6))
    level = int(rng.integers(0, 200))
    at_edge = rng.random(4) < 0.7
    inset = rng.integers(0, max(2, min(height, width) // 8), 4)
    if at_edge[0]:
        page[inset[0] : inset[0] + thick] = level
    if at_edge[1]:
        page[height - inset[1] - thick : height - inset[1]] = level
    if at_edge[2]:
        page[:, inset[2] : inset[2] + thick] = level
    if at_edge[3]:
        page[:, width - inset[3] - thick : width - inset[3]] = level
    broken = rng.random((height, width)) < rng.choice([0.0, 0.1, 0.4])
    page[broken] = 255
    soft = cv2.GaussianBlur(page, (0, 0), rng.uniform(0.4, 1.0))
    return _levels(
        soft + rng.normal(0, rng.choice([0, 1, 3]), page.shape[:2])[..., None]
    )


def _check_box(rng: np.random.Generator) -> Picture:
    """Draw a whole small box in the middle, with nothing in it."""
    side = int(rng.integers(20, 120))
    page = np.zeros((side, side + int(rng.integers(0, 12))), np.uint8)
    gap = [int(n) for n in rng.integers(1, max(2, side // 5), 4)]
    cv2.rectangle(
        page,
        (gap[0], gap[1]),
        (page.shape[1] - gap[2] - 1, page.shape[0] - gap[3] - 1),
        255,
        int(rng.integers(1, 4)),
    )
    return _levels(_inked(_paper(page.shape), _cover(page), (40, 40, 40)))


def _specks(rng: np.random.Generator) -> Picture:
    page = _levels(_paper((int(rng.integers(100, 300)), int(rng.integers(100, 300)))))
    for _ in range(int(rng.integers(1, 30))):
        y, x = (int(rng.integers(0, side - 3)) for side in page.shape[:2])
        side = int(rng.integers(1, 4))
        page[y : y + side, x : x + side] = rng.integers(0, 220)
    return page


def _lines(rng: np.random.Generator) -> Picture:
    """Rule a page, or leave one line at an edge."""
    page = _levels(_paper((int(rng.integers(80, 300)), int(rng.integers(80, 300)))))
    if rng.random() < 0.5:
        return _line_at_edge(page, rng)
    page[int(rng.integers(10, 40)) :: int(rng.integers(20, 50))] = rng.integers(0, 200)
    return page


def _noise(rng: np.random.Generator) -> Picture:
    shape = (*(int(side) for side in rng.integers(20, 300, 2)), 3)
    return np.asarray(rng.integers(0, 256, shape), np.uint8)


def _tap(rng: np.random.Generator) -> Picture:
    page = np.zeros((280, 280), np.uint8)
    at = [int(n) for n in rng.integers(60, 220, 2)]
    axes = [int(n) for n in rng.integers(4, 50) * rng.uniform(0.8, 1.2, 2)]
    cv2.ellipse(page, at, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    return _levels(_inked(_paper(page.shape), _cover(page), _pen(rng)))


EMPTY: Mapping[str, Emptiness] = {
    "blank paper": _blank,
    "an empty cell": _empty_box,
    "an empty box": _check_box,
    "specks only": _specks,
    "lines only": _lines,
    "noise only": _noise,
    "one dot": _tap,
}
"""Pictures in which there is nothing to read, by their names in reports."""


def row(bitmaps: list[Bitmap], rng: np.random.Generator) -> Picture:
    """Write several digits in one row."""
    cuts = []
    for bitmap in bitmaps:
        left, _, right, _ = _ink_box(bitmap)
        cut = bitmap[:, left:right]
        gap = np.zeros((bitmap.shape[0], int(rng.uniform(20, 70))), np.uint8)
        cuts += [gap, cut]
    page = np.hstack([*cuts, cuts[0]])
    return _levels(_inked(_paper(page.shape), _cover(page), _pen(rng)))
