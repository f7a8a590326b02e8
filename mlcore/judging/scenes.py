"""Pictures as people send them: a digit in a box, on a desk, with dirt, in colours.

Each scene takes a drawing in the middle of a square picture, ink 255 on paper 0, and
returns an RGB picture of it with one kind of trouble. HARDER does the same to pictures
of a digit on paper. They are for judging and tests; nothing is trained on them.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.judging.changes import rounded
from mlcore.reading.pictures import Picture
from mlcore.reading.preprocess import Bitmap

Random = np.random.Generator
Scene = Callable[[Bitmap, Random], Picture]
Emptiness = Callable[[Random], Picture]
Colour = tuple[int, int, int]
Page = NDArray[np.float64]
"""(H, W, 3) RGB levels that are not rounded yet."""

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
DARK_GREY: Colour = (40, 40, 40)
DESK: Colour = (58, 44, 36)
PENS: Sequence[Colour] = ((20, 20, 20), (25, 35, 120), (95, 95, 95))
"""Black, blue and pencil grey."""


# --- parts of scenes -----------------------------------------------------------------


def _paper(shape: tuple[int, ...], colour: Colour = WHITE) -> Page:
    return np.full((*shape[:2], 3), colour, float)


def _inked(page: Page, bitmap: Bitmap, ink: Colour) -> Page:
    cover = bitmap[..., np.newaxis] / 255.0
    return page * (1 - cover) + np.array(ink) * cover


def _written(bitmap: Bitmap, rng: Random) -> Page:
    """Write a drawing on white paper, with one of the pens."""
    return _inked(_paper(bitmap.shape), bitmap, PENS[int(rng.integers(len(PENS)))])


def _photographed(page: Page, rng: Random) -> Picture:
    """Add a camera's uneven light, blur and grain."""
    height, width = page.shape[:2]
    slope = np.linspace(0, rng.uniform(0.05, 0.2), width)[:: rng.choice([-1, 1])]
    lit = page * (rng.uniform(0.75, 0.9) - slope)[None, :, None]
    soft = cv2.GaussianBlur(lit, (0, 0), max(height, width) / 500)
    return rounded(soft + rng.normal(0, 3.0, page.shape))


def _ink_box(bitmap: Bitmap) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom; the last two lie just outside."""
    left, top, width, height = cv2.boundingRect(bitmap)
    return left, top, left + width, top + height


def _with_margin(bitmap: Bitmap, share: float) -> tuple[Bitmap, int]:
    """Add paper on all sides, a share of the ink's longest side; return that side too.

    So there is room for marks around the ink.
    """
    left, top, right, bottom = _ink_box(bitmap)
    side = max(right - left, bottom - top)
    return np.pad(bitmap, round(share * side)), side


def _sides(rng: Random, least: int, most: int) -> tuple[int, int]:
    """Return a height and a width."""
    return int(rng.integers(least, most)), int(rng.integers(least, most))


# --- scenes --------------------------------------------------------------------------


def _coloured(bitmap: Bitmap, rng: Random, *, paper: Colour, ink: Colour) -> Picture:
    return rounded(_inked(_paper(bitmap.shape, paper), bitmap, ink))


def _printed_box(bitmap: Bitmap, rng: Random) -> Picture:
    """Put it into a cell of a form: dark lines that run on past the corners."""
    page, side = _with_margin(bitmap, 1)
    left, top, right, bottom = _ink_box(page)
    pad_x, pad_y = (int(side * rng.uniform(0.15, 0.6)) for _ in range(2))
    left, top, right, bottom = left - pad_x, top - pad_y, right + pad_x, bottom + pad_y
    thick = max(1, int(side * rng.uniform(0.01, 0.05)))
    lean, far = int(rng.integers(-2, 3)), page.shape[0]
    lines = np.zeros_like(page)
    for y in (top, bottom):
        cv2.line(lines, (0, y), (far, y + lean), 255, thick, cv2.LINE_AA)
    for x in (left, right):
        cv2.line(lines, (x, 0), (x - lean, far), 255, thick, cv2.LINE_AA)
    cell = _inked(_written(page, rng), lines, (25, 25, 25))
    out = int(side * rng.uniform(0.02, 0.12)) + 3
    cut = cell[top - out : bottom + out, left - out : right + out]
    return rounded(cut + rng.normal(0, 2, cut.shape))


def _drawn_box(bitmap: Bitmap, rng: Random, *, ink: Colour) -> Picture:
    """Draw a closed box around it, with paper around the box."""
    height, width = bitmap.shape
    gap = int(0.06 * width)
    far = width - gap, height - gap
    box = np.zeros_like(bitmap)
    cv2.rectangle(box, (gap, gap), far, 255, int(rng.integers(1, 4)))
    return rounded(_inked(_written(bitmap, rng), box, ink))


def _framed(bitmap: Bitmap, rng: Random, *, width_px: int, ink: Colour) -> Picture:
    page = _paper(bitmap.shape, ink)
    inside = np.s_[width_px:-width_px, width_px:-width_px]
    page[inside] = _written(bitmap, rng)[inside]
    return rounded(page)


def _far_pixel(bitmap: Bitmap, rng: Random) -> Picture:
    """Set one black pixel far away from the digit, in a clean scan."""
    page = rounded(_written(bitmap, rng))
    y, x = (int(rng.choice([3, side - 4])) for side in bitmap.shape)
    page[y, x] = 0
    return page


def _edge_line(bitmap: Bitmap, rng: Random) -> Picture:
    """Leave a line of one pixel at an edge, as of a table's cell or a window."""
    return _with_edge_line(rounded(_written(bitmap, rng)), rng)


def _with_edge_line(page: Picture, rng: Random) -> Picture:
    inset, level = int(rng.integers(0, 3)), int(rng.integers(0, 180))
    at = inset if rng.random() < 0.5 else -1 - inset
    if rng.random() < 0.5:
        page[at] = level
    else:
        page[:, at] = level
    return page


def _title_bar(bitmap: Bitmap, rng: Random) -> Picture:
    """Put a window's dark title bar above it."""
    bar = rounded(_paper((int(rng.integers(18, 45)), bitmap.shape[1]), (45, 45, 45)))
    middle = bar.shape[0] // 2
    cv2.circle(bar, (12, middle), 5, (220, 80, 70), -1)
    cv2.circle(bar, (30, middle), 5, (90, 190, 80), -1)
    return np.vstack([bar, rounded(_written(bitmap, rng))])


def _hard_shadow(bitmap: Bitmap, rng: Random) -> Picture:
    """Let the edge of a shadow fall across the page."""
    height, width = bitmap.shape
    turn = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[:height, :width]
    along = (x - width / 2) * np.cos(turn) + (y - height / 2) * np.sin(turn)
    is_dark = along > rng.uniform(-0.3, 0.3) * width
    light = np.where(is_dark, rng.uniform(0.45, 0.75), 1.0)[..., np.newaxis]
    page = _written(bitmap, rng) * light
    return rounded(page + rng.normal(0, 1.5, page.shape))


def _hand_shadow(bitmap: Bitmap, rng: Random) -> Picture:
    """Let a soft, round shadow fall on a part of the page, and photograph it."""
    return _photographed(_in_hand_shadow(_written(bitmap, rng), rng), rng)


def _in_hand_shadow(page: Page, rng: Random) -> Page:
    height, width = page.shape[:2]
    shadow = np.zeros((height, width))
    middle = [int(n) for n in rng.uniform(0, 1, 2) * (width, height)]
    cv2.circle(shadow, middle, int(width * rng.uniform(0.3, 0.6)), 1.0, -1)
    soft = cv2.GaussianBlur(shadow, (0, 0), width * rng.uniform(0.02, 0.1))
    light = 1 - np.asarray(soft, float) * rng.uniform(0.35, 0.6)
    return page * light[..., np.newaxis]


def _on_desk(bitmap: Bitmap, rng: Random) -> Picture:
    """Lay the sheet on a dark desk, a little turned, and photograph both."""
    height, width = bitmap.shape
    size = 2 * width, 2 * height
    turn = cv2.getRotationMatrix2D(
        (width / 2, height / 2), float(rng.uniform(-12, 12)), rng.uniform(0.8, 1.2)
    )
    turn[0, 2] += rng.uniform(0.3, 0.7) * width
    turn[1, 2] += rng.uniform(0.3, 0.7) * height
    sheet = np.asarray(cv2.warpAffine(_written(bitmap, rng), turn, size), float)
    lies = np.asarray(cv2.warpAffine(np.ones(bitmap.shape), turn, size), float)
    desk = _paper(size[::-1], DESK) + rng.normal(0, 6, (*size[::-1], 1))
    return _photographed(desk * (1 - lies[..., np.newaxis]) + sheet, rng)


def _desk_strip(bitmap: Bitmap, rng: Random) -> Picture:
    """Let the dark desk show along one side."""
    return _photographed(_beside_desk(_written(bitmap, rng), rng), rng)


def _beside_desk(page: Page, rng: Random) -> Page:
    wide = int(rng.uniform(0.04, 0.15) * page.shape[1]) + 1
    strip = _paper((page.shape[0], wide), DESK)
    return np.hstack([strip, page] if rng.random() < 0.5 else [page, strip])


def _circled(bitmap: Bitmap, rng: Random) -> Picture:
    page, _ = _with_margin(bitmap, 0.7)
    left, top, right, bottom = _ink_box(page)
    reach = float(np.hypot(right - left, bottom - top)) / 2
    middle = (left + right) // 2, (top + bottom) // 2
    axes = [int(n) for n in reach * rng.uniform(1.1, 1.35, 2)]
    thick = max(2, int(reach * rng.uniform(0.05, 0.14)))
    cv2.ellipse(page, middle, axes, float(rng.uniform(0, 180)), 0, 360, 255, thick)
    return rounded(_written(page, rng))


def _underlined(bitmap: Bitmap, rng: Random) -> Picture:
    page, side = _with_margin(bitmap, 0.3)
    left, _, right, bottom = _ink_box(page)
    y = bottom + int(side * rng.uniform(0.1, 0.2))
    lean = int(side * rng.uniform(-0.06, 0.06))
    thick = max(2, int(side * rng.uniform(0.04, 0.1)))
    out = int(0.1 * side)
    ends = (left - out, y), (right + out, y + lean)
    cv2.line(page, *ends, 255, thick, cv2.LINE_AA)
    return rounded(_written(page, rng))


def _full_stop(bitmap: Bitmap, rng: Random) -> Picture:
    page, side = _with_margin(bitmap, 0.4)
    _, _, right, bottom = _ink_box(page)
    radius = max(2, int(side * rng.uniform(0.04, 0.08)))
    at = right + int(side * rng.uniform(0.1, 0.25)), bottom - radius
    cv2.circle(page, at, radius, 255, -1)
    return rounded(_written(page, rng))


def _small_in_photo(bitmap: Bitmap, rng: Random) -> Picture:
    """Photograph a whole sheet with one small digit: 1/12 to 1/20 of its width."""
    page = np.zeros((768, 1024), np.uint8)
    left, top, right, bottom = _ink_box(bitmap)
    ink = bitmap[top:bottom, left:right]
    scale = 1024 / rng.uniform(12, 20) / max(ink.shape)
    small = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    y, x = (int(rng.uniform(0.15, 0.75) * side) for side in page.shape)
    page[y : y + small.shape[0], x : x + small.shape[1]] = small
    return _photographed(_written(page, rng), rng)


def _cut_close(bitmap: Bitmap, rng: Random) -> Picture:
    """Cut it at the ink, 20 px high."""
    left, top, right, bottom = _ink_box(bitmap)
    return rounded(_twenty_high(_written(bitmap[top:bottom, left:right], rng)))


def _twenty_high(page: Page) -> Page:
    size = max(3, round(page.shape[1] * 20 / page.shape[0])), 20
    return np.asarray(cv2.resize(page, size, interpolation=cv2.INTER_AREA))


def _dusty(bitmap: Bitmap, rng: Random, *, specks: int) -> Picture:
    return _with_specks(rounded(_written(bitmap, rng)), rng, specks=specks)


def _with_specks(page: Picture, rng: Random, *, specks: int) -> Picture:
    """Put grey or nearly black squares on a page: of 1 to 3 px, 1 if it is tiny."""
    most = min(3, 1 + min(page.shape[:2]) // 40)
    for y, x in rng.integers(0, np.array(page.shape[:2]) - most, (specks, 2)):
        side = int(rng.integers(1, most + 1))
        page[y : y + side, x : x + side] = rng.integers(0, 220)
    return page


def _salted(bitmap: Bitmap, rng: Random, *, share: float) -> Picture:
    """Set this share of the pixels to black or white."""
    return _with_salt(rounded(_written(bitmap, rng)), rng, share=share)


def _with_salt(page: Picture, rng: Random, *, share: float) -> Picture:
    at = rng.random(page.shape[:2]) < share
    page[at] = rng.choice([0, 255], int(at.sum()))[:, np.newaxis]
    return page


def _with_neighbours(bitmap: Bitmap, rng: Random) -> Picture:
    """Show parts of other ink at the left and right edges, and photograph it."""
    page = bitmap.copy()
    height, width = page.shape
    for at in (0, width - 1):
        middle = at, int(rng.uniform(0.3, 0.7) * height)
        axes = [int(n) for n in rng.uniform(0.05, 0.11, 2) * (width, 3 * height)]
        cv2.ellipse(page, middle, axes, 0, 0, 360, 255, int(rng.integers(6, 16)))
    return _photographed(_written(page, rng), rng)


def _cut_off(bitmap: Bitmap, rng: Random) -> Picture:
    """Cut off a third of the digit at an edge."""
    left, top, right, bottom = _ink_box(bitmap)
    cuts = (
        np.s_[(2 * top + bottom) // 3 :, :],
        np.s_[: (top + 2 * bottom) // 3, :],
        np.s_[:, (2 * left + right) // 3 :],
        np.s_[:, : (left + 2 * right) // 3],
    )
    return rounded(_written(bitmap, rng)[cuts[rng.integers(4)]])


def _upside_down(bitmap: Bitmap, rng: Random) -> Picture:
    return np.rot90(rounded(_written(bitmap, rng)), 2).copy()


SCENES: Mapping[str, Scene] = {
    "in a printed box": _printed_box,
    "in a drawn box": partial(_drawn_box, ink=(30, 30, 30)),
    "in a thin grey box": partial(_drawn_box, ink=(190, 190, 190)),
    "1 px border": partial(_framed, width_px=1, ink=BLACK),
    "2 px frame": partial(_framed, width_px=2, ink=DARK_GREY),
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
"""By their names in reports."""
UNREADABLE = ("cut off at an edge", "upside down")
"""Scenes in which a digit may well be refused."""


# --- troubles of whole pictures ------------------------------------------------------


def _with_border(picture: Picture, rng: Random) -> Picture:
    edges = (1, 1, 1, 1)
    return np.asarray(
        cv2.copyMakeBorder(picture, *edges, cv2.BORDER_CONSTANT, value=BLACK)
    )


def _with_grey_box(picture: Picture, rng: Random) -> Picture:
    """Draw a thin grey box near the edges, with paper around it."""
    wide = max(4, max(picture.shape) // 10)
    edges = (wide, wide, wide, wide)
    page = cv2.copyMakeBorder(picture, *edges, cv2.BORDER_REPLICATE)
    near, thick = wide // 2, max(1, wide // 12)
    far = page.shape[1] - 1 - near, page.shape[0] - 1 - near
    cv2.rectangle(page, (near, near), far, (170, 170, 170), thick)
    return np.asarray(page)


def _cropped(picture: Picture, rng: Random) -> Picture:
    """Cut it at what differs from the colour of its edges, 20 px high."""
    edges = np.concatenate([picture[[0, -1]].reshape(-1, 3), picture[:, 0]])
    unlike = np.abs(picture - np.median(edges, axis=0)).max(axis=-1)
    _, ink = cv2.threshold(unlike.astype(np.uint8), 0, 255, cv2.THRESH_OTSU)
    left, top, right, bottom = _ink_box(np.asarray(ink, np.uint8))
    return rounded(_twenty_high(picture[top:bottom, left:right].astype(float)))


HARDER: Mapping[str, Callable[[Picture, Random], Picture]] = {
    "1 px black border": _with_border,
    "thin grey box": _with_grey_box,
    "desk along one side": lambda picture, rng: rounded(
        _beside_desk(picture.astype(float), rng)
    ),
    "cut close, 20 px high": _cropped,
    "20 specks": lambda picture, rng: _with_specks(picture.copy(), rng, specks=20),
    "a hand's shadow": lambda picture, rng: rounded(
        _in_hand_shadow(picture.astype(float), rng)
    ),
    "2 % salt and pepper": lambda picture, rng: _with_salt(
        picture.copy(), rng, share=0.02
    ),
}
"""Troubles of a whole picture with one digit, by their names in reports."""


# --- pictures without a digit --------------------------------------------------------


def _blank(rng: Random) -> Picture:
    """Return white paper, or grey paper with grain."""
    shape = _sides(rng, 30, 300)
    if rng.random() < 0.5:
        return rounded(_paper(shape))
    return _photographed(_paper(shape, (235, 230, 225)), rng)


def _empty_cell(rng: Random) -> Picture:
    """Cut an empty cell from a form: whole or broken lines at some of its edges."""
    height, width = _sides(rng, 24, 170)
    page = np.full((height, width), 255.0)
    thick, level = int(rng.integers(1, 6)), int(rng.integers(0, 200))
    for turns in range(4):
        if rng.random() < 0.7:
            inset = int(rng.integers(0, max(2, min(height, width) // 8)))
            np.rot90(page, turns)[inset : inset + thick] = level
    page[rng.random(page.shape) < rng.choice([0.0, 0.1, 0.4])] = 255
    soft = cv2.GaussianBlur(page, (0, 0), rng.uniform(0.4, 1.0))
    grey = rounded(soft + rng.normal(0, rng.choice([0, 1, 3]), page.shape))
    return np.dstack([grey] * 3)


def _empty_box(rng: Random) -> Picture:
    """Draw a whole small box in the middle, with nothing in it."""
    side = int(rng.integers(20, 120))
    box = np.zeros((side, side + int(rng.integers(0, 12))), np.uint8)
    left, top, right, bottom = (int(n) for n in rng.integers(1, max(2, side // 5), 4))
    far = box.shape[1] - right - 1, box.shape[0] - bottom - 1
    cv2.rectangle(box, (left, top), far, 255, int(rng.integers(1, 4)))
    return rounded(_inked(_paper(box.shape), box, DARK_GREY))


def _specks_only(rng: Random) -> Picture:
    page = rounded(_paper(_sides(rng, 100, 300)))
    return _with_specks(page, rng, specks=int(rng.integers(1, 30)))


def _lines_only(rng: Random) -> Picture:
    """Rule a page, or leave one line at an edge."""
    page = rounded(_paper(_sides(rng, 80, 300)))
    if rng.random() < 0.5:
        return _with_edge_line(page, rng)
    page[int(rng.integers(10, 40)) :: int(rng.integers(20, 50))] = rng.integers(0, 200)
    return page


def _noise_only(rng: Random) -> Picture:
    shape = (*_sides(rng, 20, 300), 3)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def _one_dot(rng: Random) -> Picture:
    page = np.zeros((280, 280), np.uint8)
    middle = [int(n) for n in rng.integers(60, 220, 2)]
    axes = [int(n) for n in rng.integers(4, 50) * rng.uniform(0.8, 1.2, 2)]
    cv2.ellipse(page, middle, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1)
    return rounded(_written(page, rng))


EMPTY: Mapping[str, Emptiness] = {
    "blank paper": _blank,
    "an empty cell": _empty_cell,
    "an empty box": _empty_box,
    "specks only": _specks_only,
    "lines only": _lines_only,
    "noise only": _noise_only,
    "one dot": _one_dot,
}
"""Pictures in which there is nothing to read, by their names in reports."""


def row(bitmaps: Sequence[Bitmap], rng: Random) -> Picture:
    """Write several digits in one row."""
    cuts = []
    for bitmap in bitmaps:
        left, _, right, _ = _ink_box(bitmap)
        gaps = (int(rng.uniform(20, 70)), 0)
        cuts.append(np.pad(bitmap[:, left:right], ((0, 0), gaps)))
    return rounded(_written(np.pad(np.hstack(cuts), ((0, 0), (0, 20))), rng))
