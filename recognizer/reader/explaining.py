"""The digit and the network that the page How it learns explains."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.judging import show
from mlcore.reading import anatomy
from mlcore.reading.anatomy import Layer as Layer
from mlcore.reading.bundle import KERAS_WEIGHTS, BundleError, open_bundle
from mlcore.reading.preprocess import BOX_PX, SIDE_PX, normalize
from mlcore.reading.rasterise import DEFAULT_PEN_WIDTH_PX, rasterise
from mlcore.reading.specimens import CANVAS_PX, specimens

SHOWN = (7, "crossed")


@dataclass(frozen=True)
class ExplainedDigit:
    """A specimen digit, from strokes to the image that the network gets.

    strokes: points (x, y) on a canvas of `canvas` x `canvas` px, drawn `pen` wide.
    levels: `side` rows of grey levels, 0 to 255.
    box: left, top, width and height of the ink in `levels`.
    dots: the rows of `levels` as dots and zeros.
    """

    digit: int
    canvas: int
    pen: int
    strokes: list[list[tuple[float, float]]]
    side: int
    longest: int
    levels: list[list[int]]
    box: tuple[int, int, int, int]
    dots: list[str]


@dataclass(frozen=True)
class ExplainedNetwork:
    """The layers of a bundle's network, and the recipe of its training."""

    layers: list[Layer]
    recipe: Mapping[str, Any]

    @property
    def weights(self) -> int:
        """The number of all weights."""
        return sum(layer.weights for layer in self.layers)


@lru_cache(maxsize=1)
def explained_digit() -> ExplainedDigit:
    """Normalise a specimen digit as every drawing is normalised."""
    (one,) = [s for s in specimens() if (s.digit, s.style) == SHOWN]
    image = np.rint(normalize(rasterise(one.strokes))[..., 0] * 255).astype(np.uint8)
    rows, columns = (np.flatnonzero(image.any(axis=axis)) for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    return ExplainedDigit(
        digit=one.digit,
        canvas=int(CANVAS_PX),
        pen=int(DEFAULT_PEN_WIDTH_PX),
        strokes=[
            [(float(x), float(y)) for x, y in np.round(stroke)]
            for stroke in one.strokes
        ],
        side=SIDE_PX,
        longest=BOX_PX,
        levels=image.tolist(),
        box=(left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1),
        dots=show.dots_and_zeros(image),
    )


@lru_cache(maxsize=1)
def explained_network(folder: Path) -> ExplainedNetwork | None:
    """Describe a bundle's network; None if its files cannot be read."""
    try:
        bundle = open_bundle(folder)
        layers = anatomy.layers_of(folder / KERAS_WEIGHTS)
    except (BundleError, ValueError):
        return None
    return ExplainedNetwork(layers, bundle.manifest["provenance"].get("config", {}))
