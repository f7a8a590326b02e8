"""Changes of digits as in real pictures: moved, rotated, noisy, badly lit.

Each takes a drawing in the middle of a picture, ink 255 on paper 0, and returns a grey
picture as somebody might send it, mostly dark on light. They are for judging only;
training uses other changes, in `augment`.
"""

from collections.abc import Callable, Mapping
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.preprocess import Bitmap

Grey = NDArray[np.uint8]
"""(H, W) uint8 grey levels, as `Recogniser.read_picture` takes them."""

Change = Callable[[Bitmap, np.random.Generator], Grey]


def rounded(levels: NDArray) -> NDArray[np.uint8]:
    """Round to levels from 0 to 255."""
    return np.asarray(np.clip(np.rint(levels), 0, 255), np.uint8)


def _on_paper(bitmap: NDArray) -> Grey:
    return 255 - rounded(bitmap)


def _moved(bitmap: Bitmap, rng: np.random.Generator, *, share: float) -> Grey:
    """Move it into a corner of a picture `share` times as large."""
    height, width = bitmap.shape
    page = np.zeros((round(height * share), round(width * share)), np.uint8)
    top, left = rng.choice([0, page.shape[0] - height]), page.shape[1] - width
    page[top : top + height, left : left + width] = bitmap
    return _on_paper(page)


def _scaled(bitmap: Bitmap, rng: np.random.Generator, *, scale: float) -> Grey:
    """Scale the drawing. Its canvas keeps its size, or grows if the ink grows."""
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(bitmap, None, fx=scale, fy=scale, interpolation=way)
    page = np.zeros(np.maximum(bitmap.shape, small.shape), np.uint8)
    top, left = (np.array(page.shape) - small.shape) // 2
    page[top : top + small.shape[0], left : left + small.shape[1]] = small
    return _on_paper(page)


def _warped(
    bitmap: Bitmap,
    rng: np.random.Generator,
    *,
    turn_deg: float = 0.0,
    shear: float = 0.0,
) -> Grey:
    side = bitmap.shape[0]
    sign = rng.choice([-1, 1])
    turn = np.deg2rad(turn_deg) * sign
    cos, sin = np.cos(turn), np.sin(turn)
    change = np.array([[cos, -sin], [sin, cos]]) @ [[1, shear * sign], [0, 1]]
    # onto a page twice as large, so that nothing is cut off
    offset = np.full(2, side) - change @ np.full(2, side / 2)
    matrix = np.hstack([change, offset[:, None]])
    return _on_paper(cv2.warpAffine(bitmap, matrix, (2 * side, 2 * side)))


def _noisy(bitmap: Bitmap, rng: np.random.Generator, *, deviation: float) -> Grey:
    # light paper that is not pure white, so that the grain shows on both sides
    grey = 225 - 0.8 * bitmap.astype(float) + rng.normal(0, deviation, bitmap.shape)
    return rounded(grey)


def _blurred(bitmap: Bitmap, rng: np.random.Generator, *, sigma_px: float) -> Grey:
    return _on_paper(cv2.GaussianBlur(bitmap, (0, 0), sigma_px))


def _levels(
    bitmap: Bitmap, rng: np.random.Generator, *, paper: float, ink: float
) -> Grey:
    """Use these grey levels for paper and ink."""
    return rounded(paper + (ink - paper) / 255 * bitmap.astype(float))


def _lit_from_a_side(bitmap: Bitmap, rng: np.random.Generator) -> Grey:
    """Light it from one side: the paper's grey level falls from 235 to 130."""
    light = np.linspace(235, 130, bitmap.shape[1])[:: rng.choice([-1, 1])]
    grey = light * (1 - 0.75 / 255 * bitmap.astype(float))
    return rounded(grey + rng.normal(0, 3, bitmap.shape))


def _on_printed_lines(
    bitmap: Bitmap, rng: np.random.Generator, *, squared: bool
) -> Grey:
    """Put it on ruled or squared paper: grey lines 2 px thick, 35 px apart."""
    page = np.zeros_like(bitmap)
    first = int(rng.integers(35))
    for offset in (0, 1):
        page[first + offset :: 35] = 110
        if squared:
            page[:, first + offset :: 35] = 110
    return _on_paper(np.maximum(page, bitmap))


def _struck_through(bitmap: Bitmap, rng: np.random.Generator, *, lines: int) -> Grey:
    """Draw thin lines through it, a third as wide as the pen."""
    struck = bitmap.copy()
    side = bitmap.shape[0]
    for _ in range(lines):
        y = rng.uniform(0.2, 0.8, size=2) * side
        ends = np.array([[0.15 * side, y[0]], [0.85 * side, y[1]]]).astype(int)
        cv2.line(struck, ends[0].tolist(), ends[1].tolist(), 255, 5, cv2.LINE_AA)
    return _on_paper(struck)


def _other_pen(bitmap: Bitmap, rng: np.random.Generator, *, change_px: int) -> Grey:
    """Make its lines thinner or thicker; keep it if all its ink would vanish."""
    side = abs(change_px) + 1
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    morph = cv2.dilate if change_px > 0 else cv2.erode
    changed = morph(bitmap, pen)
    return _on_paper(changed if changed.max() > 128 else bitmap)


def _as_jpeg(bitmap: Bitmap, rng: np.random.Generator, *, quality: int) -> Grey:
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality]
    packed = cv2.imencode(".jpg", _on_paper(bitmap), flags)[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE), np.uint8)


CHANGES: Mapping[str, Change] = {
    "unchanged": lambda bitmap, rng: _on_paper(bitmap),
    "light on dark": lambda bitmap, rng: bitmap,
    "in a corner": partial(_moved, share=2.5),
    "half the size": partial(_scaled, scale=0.5),
    "tiny, an eighth": partial(_scaled, scale=0.125),
    "twice the size": partial(_scaled, scale=2.0),
    "turned by 10 degrees": partial(_warped, turn_deg=10),
    "turned by 20 degrees": partial(_warped, turn_deg=20),
    "turned by 30 degrees": partial(_warped, turn_deg=30),
    "slanted by 0.2": partial(_warped, shear=0.2),
    "slanted by 0.4": partial(_warped, shear=0.4),
    "thinner by 8 px": partial(_other_pen, change_px=-8),
    "thicker by 8 px": partial(_other_pen, change_px=8),
    "thicker by 16 px": partial(_other_pen, change_px=16),
    "blurred by 4 px": partial(_blurred, sigma_px=4),
    "blurred by 8 px": partial(_blurred, sigma_px=8),
    "grain of 10 grey levels": partial(_noisy, deviation=10),
    "grain of 25 grey levels": partial(_noisy, deviation=25),
    "faint, 60 of 255 levels": partial(_levels, paper=250, ink=190),
    "grey paper, grey ink": partial(_levels, paper=140, ink=60),
    "lit from a side": _lit_from_a_side,
    "JPEG of quality 15": partial(_as_jpeg, quality=15),
    "on ruled paper": partial(_on_printed_lines, squared=False),
    "on squared paper": partial(_on_printed_lines, squared=True),
    "one line through it": partial(_struck_through, lines=1),
    "two lines through it": partial(_struck_through, lines=2),
}
"""By their names in reports; sizes are for a picture 280 px wide."""
