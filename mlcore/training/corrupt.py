"""Corruptions of digit images, each with a strength: backgrounds, noise, lines, blur.

Training applies them to its digits and non-digits (`augment`), and the model card shows
how well each kind is read. Each takes a (28, 28) float32 image in [0, 1] with ink high,
and a strength in (0, 1]: at 1 a person can just about still read most digits. It
returns an image of the same shape, in [0, 1] after `corrupted`.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from mlcore.reading.preprocess import SIDE_PX

Image = NDArray[np.float32]
"""(28, 28) float32, ink 1 on paper 0."""

Corruption = Callable[[Image, float, np.random.Generator], NDArray]


def corrupted(
    image: Image, kind: str, strength: float, rng: np.random.Generator
) -> Image:
    """Apply a kind of CORRUPTIONS or ONLY_JUDGED; return a new image in [0, 1]."""
    changed = (CORRUPTIONS | ONLY_JUDGED)[kind](image, strength, rng)
    return np.asarray(np.clip(changed, 0, 1), np.float32)


# --- backgrounds ----------------------------------------------------------------------


def _field(rng: np.random.Generator, knots: int) -> NDArray:
    """Make a smooth random field between 0 and 1, with so many knots along a side."""
    field = _resized(rng.random((knots, knots)), SIDE_PX, cv2.INTER_CUBIC)
    return np.asarray(np.clip(field, 0, 1))


def _resized(image: NDArray, side: int, how: int) -> NDArray:
    return np.asarray(cv2.resize(image, (side, side), interpolation=how))


def _on_background(image: Image, paper: NDArray, rng: np.random.Generator) -> NDArray:
    """Lay the ink over the paper, or add the two up and clip."""
    laid_over = rng.random() < 0.5
    return np.asarray(paper + (1 - paper if laid_over else 1) * image)


def _raised(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    return _on_background(image, np.full_like(image, 0.7 * strength), rng)


def _uneven(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    paper = 0.8 * strength * _field(rng, int(rng.integers(2, 5)))
    return _on_background(image, paper, rng)


def _foggy(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Add clouds: fields of ever smaller grain and strength."""
    falls = rng.uniform(1.3, 2.5)
    cloud = np.sum([_field(rng, 2**n + 1) / falls**n for n in range(5)], axis=0)
    cloud = (cloud - cloud.min()) / np.ptp(cloud)
    density = 2 * strength
    return np.asarray((image + density * cloud) / (1 + density))


def _faint(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    return image * (1 - 0.85 * strength)


# --- noise ----------------------------------------------------------------------------


def _grainy(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    return image + rng.normal(0, 0.4 * strength, image.shape)


def _shot(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Count few photons: Poisson noise, which grows with the light."""
    photons = 3 / strength
    return rng.poisson(image * photons) / photons


def _salted(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    salted = image.copy()
    hit = rng.random(image.shape) < 0.25 * strength
    salted[hit] = rng.integers(0, 2, int(hit.sum()))
    return salted


def _splashed(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Splash ink, or paper, in drops over it."""
    field = _field(rng, int(rng.integers(8, 17)))
    drops = field > 1 - 0.35 * strength
    soft = cv2.GaussianBlur(drops.astype(np.float32), (0, 0), rng.uniform(0.2, 0.8))
    level = rng.choice([0, rng.uniform(0.5, 1)])
    return np.asarray(image * (1 - soft) + level * soft)


def _patched(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Cover a rectangle with paper or ink."""
    height, width = rng.integers(2, 3 + round(4 * strength), size=2)
    top, left = rng.integers(2, SIDE_PX - 8, size=2)
    patched = image.copy()
    patched[top : top + height, left : left + width] = rng.choice([0.0, 0.0, 1.0])
    return patched


# --- blur -----------------------------------------------------------------------------


def _blurred(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.3 + 1.2 * strength))


def _smeared(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Blur it in one direction, to one side or to both."""
    reach = 2 + 8 * strength
    steps = np.linspace(rng.choice([-1.0, 0.0]) * reach, reach, 33)
    weights = np.exp(-((steps / reach) ** 2) * rng.uniform(0.5, 5))
    angle = rng.uniform(0, np.pi)
    side = 2 * int(np.ceil(reach)) + 1
    kernel = np.zeros((side, side), np.float32)
    x = np.rint(steps * np.cos(angle)).astype(int) + side // 2
    y = np.rint(steps * np.sin(angle)).astype(int) + side // 2
    np.add.at(kernel, (y, x), weights)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()))


def _jumbled(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Take each pixel from a place nearby, as behind rippled glass."""
    places = _GRID + rng.normal(0, 1.4 * strength, _GRID.shape).astype(np.float32)
    jumbled = cv2.remap(image, places[..., 0], places[..., 1], cv2.INTER_NEAREST)
    return np.asarray(cv2.GaussianBlur(jumbled, (0, 0), rng.uniform(0.3, 0.8)))


_GRID = np.stack(
    np.meshgrid(np.arange(SIDE_PX), np.arange(SIDE_PX)), axis=-1, dtype=np.float32
)


def _coarse(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Show it in fewer pixels."""
    few = _resized(image, round(20 - 11 * strength), cv2.INTER_AREA)
    how = cv2.INTER_NEAREST if rng.random() < 0.5 else cv2.INTER_LINEAR
    return _resized(few, SIDE_PX, how)


# --- lines ----------------------------------------------------------------------------


def _across(rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Return a point near the middle and a direction."""
    angle = rng.uniform(0, np.pi)
    return rng.uniform(5, SIDE_PX - 6, 2), np.array([np.cos(angle), np.sin(angle)])


def _inked(image: Image, points: NDArray, ink: float, width: int = 1) -> NDArray:
    """Draw a smooth line through (N, 2) points."""
    line = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    sixteenths = np.rint(points * 16).astype(np.int32)
    cv2.polylines(line, [sixteenths], False, 255, width, cv2.LINE_AA, shift=4)
    return np.asarray(np.maximum(image, line * np.float32(ink / 255)))


def _lined(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    for _ in range(int(rng.integers(1, 2 + round(2 * strength)))):
        middle, way = _across(rng)
        ends = middle + np.outer(rng.choice([40, 8, -8, -40], 2, replace=False), way)
        width = 1 + int(rng.random() < 0.3 * strength)
        image = _inked(image, ends, rng.uniform(0.4, 1), width).astype(np.float32)
    return image


def _dotted(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    middle, way = _across(rng)
    apart = rng.uniform(2, 5)
    dots = np.rint(middle + np.outer(np.arange(-40, 40, apart), way)).astype(int)
    inside = dots[((dots >= 0) & (dots < SIDE_PX - 1)).all(axis=1)]
    dotted = image.copy()
    for x, y in inside:
        wide, high = rng.integers(1, 3, size=2) if strength > 0.5 else (1, 1)
        dotted[y : y + high, x : x + wide] = rng.uniform(0.6, 1)
    return dotted


def _zigzagged(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    middle, way = _across(rng)
    steps = np.arange(-40, 40, rng.uniform(2.5, 7))
    swing = np.resize([-1, 1], len(steps)) * rng.uniform(0.5, 1 + 3 * strength)
    corners = middle + np.outer(steps, way) + np.outer(swing, way[::-1] * (1, -1))
    return _inked(image, corners, rng.uniform(0.6, 1))


# --- shape ----------------------------------------------------------------------------


def _outlined(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Keep only the edges of the ink."""
    soft = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    levels = np.asarray(soft * 255, np.uint8)
    edges = np.asarray(cv2.Canny(levels, 40, 120), np.float32) / 255
    return edges if strength > 0.5 else np.maximum(edges, image * 0.5)


def _inverted(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Invert bands along two edges, one side, or a rectangle."""
    where = np.zeros(image.shape, bool)
    width = round(rng.uniform(2, 4 + 6 * strength))
    kind = rng.integers(3)
    if kind == 0:
        where[:, :width] = where[:, SIDE_PX - width :] = True
    elif kind == 1:
        where[:, : 2 * width] = True
    else:
        top, left = rng.integers(0, SIDE_PX - width, size=2)
        where[top : top + 2 * width, left : left + 2 * width] = True
    where = np.rot90(where, int(rng.integers(4)))
    return np.where(where, 1 - image, image)


def _misplaced(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Scale and shift it; what leaves the picture is cut off."""
    scale = np.exp(rng.uniform(-0.6, 0.25) * strength)
    shift = rng.uniform(-4, 4, size=2) * strength
    offset = (SIDE_PX - 1) / 2 * (1 - scale) + shift
    frame = np.array([[scale, 0, offset[0]], [0, scale, offset[1]]])
    return np.asarray(cv2.warpAffine(image, frame, (SIDE_PX, SIDE_PX)))


CORRUPTIONS: dict[str, Corruption] = {
    "raised background": _raised,
    "uneven background": _uneven,
    "fog": _foggy,
    "low contrast": _faint,
    "grain": _grainy,
    "shot noise": _shot,
    "salt and pepper": _salted,
    "splashes": _splashed,
    "patch": _patched,
    "blur": _blurred,
    "blur in a direction": _smeared,
    "jumbled pixels": _jumbled,
    "coarse pixels": _coarse,
    "lines across": _lined,
    "dotted line": _dotted,
    "zigzag": _zigzagged,
    "outline": _outlined,
    "partly inverted": _inverted,
    "misplaced": _misplaced,
}
"""By their names in recipes and reports."""


def _striped(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Add soft parallel stripes, as of a screen's flicker."""
    angle, wave = rng.uniform(0, np.pi), rng.uniform(3, 9)
    along = _GRID @ np.array([np.cos(angle), np.sin(angle)])
    stripes = 0.5 + 0.5 * np.sin(2 * np.pi * (along / wave + rng.random()))
    return np.asarray(image + 0.6 * strength * stripes * (1 - image))


def _ringed(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Set a cup on it: a part of a large ring."""
    middle, radius = rng.uniform(-4, 32, 2), rng.uniform(8, 20)
    turn = np.linspace(0, 2 * np.pi, 60)
    ring = middle + radius * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    return _inked(image, ring, 0.4 + 0.6 * strength, 1 + round(strength))


def _squeezed(image: Image, strength: float, rng: np.random.Generator) -> NDArray:
    """Store it as a JPEG of low quality."""
    levels = np.asarray(image * 255, np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, round(40 - 35 * strength)]
    packed = cv2.imencode(".jpg", levels, quality)[1]
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_GRAYSCALE)) / 255


ONLY_JUDGED: dict[str, Corruption] = {
    "stripes": _striped,
    "ring of a cup": _ringed,
    "JPEG": _squeezed,
}
"""Kinds that are never trained on, to show how well unseen ones are read."""

WITHOUT_A_DIGIT: Sequence[str] = (
    *("uneven background", "fog", "grain", "salt and pepper", "splashes"),
    *("dotted line", "zigzag", "partly inverted"),
)
"""Kinds that make a picture without a digit of blank paper.

Of the others, some leave it blank, and a line may be a 1.
"""
