"""The digit and the network that the page How it learns explains.

What layers make of a drawing is computed by the server: LiteRT keeps it on request. The
page would need another export of the network, with an output for each layer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.judging import show
from mlcore.reading import anatomy
from mlcore.reading.anatomy import Layer as Layer
from mlcore.reading.bundle import KERAS_WEIGHTS, BundleError, open_bundle
from mlcore.reading.calibrate import DIGITS
from mlcore.reading.pictures import encode_png
from mlcore.reading.preprocess import BOX_PX, SIDE_PX, normalize
from mlcore.reading.rasterise import DEFAULT_PEN_WIDTH_PX, rasterise
from mlcore.reading.specimens import CANVAS_PX, Specimen, specimens
from recognizer.models import Submission
from recognizer.reader.engine import drawing_of, seen_in
from recognizer.reader.pictures import as_data_url
from recognizer.reader.recognisers import ReaderUnavailableError, recogniser_for

SHOWN = (7, "crossed")
GAP_LEVEL = 96  # grey between tiles


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
    served_weights: bytes

    @property
    def weights(self) -> int:
        """The number of all weights."""
        return sum(layer.weights for layer in self.layers)


@dataclass(frozen=True)
class Tiles:
    """A picture of tiles as a data URL, and its size in pixels."""

    url: str
    width: int
    height: int


def _specimen() -> Specimen:
    (one,) = [s for s in specimens() if (s.digit, s.style) == SHOWN]
    return one


@lru_cache(maxsize=1)
def explained_digit() -> ExplainedDigit:
    """Normalise a specimen digit as every drawing is normalised."""
    one = _specimen()
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
    recipe = bundle.manifest["provenance"].get("config", {})
    return ExplainedNetwork(layers, recipe, bundle.served_weights())


def outputs_of(
    network: ExplainedNetwork,
    submission: Submission | None,
    *,
    shapes: Sequence[tuple[int, ...]],
) -> tuple[list[Tiles], list[float]]:
    """Return what the network's layers make of a drawing: pictures, and the logits.

    Args:
        submission: with its shown prediction. Without one, and where it has no ink, a
            specimen is used.
        shapes: of the layers' outputs; the last is that of the logits.
    """
    image = None if submission is None else _image_of(submission)
    if image is None:
        image = normalize(rasterise(_specimen().strokes))
    *maps, logits = anatomy.activations(network.served_weights, image, shapes=shapes)
    return [_picture_of(one) for one in maps], logits[:DIGITS].tolist()


def _image_of(submission: Submission) -> NDArray[np.float32] | None:
    version = submission.shown_prediction.model_version
    try:
        drawing = drawing_of(submission)
        return seen_in(drawing, recogniser=lambda: recogniser_for(version))
    except ReaderUnavailableError:
        return None


def _picture_of(maps: NDArray[np.float32]) -> Tiles:
    """Draw (H, W, C) maps beside each other, each from 0 to the strongest of them."""
    height, width, count = maps.shape
    rows = max(n for n in range(1, count + 1) if count % n == 0 and n * n <= count)
    levels = np.rint(maps / max(float(maps.max()), 1e-6) * 255).astype(np.uint8)
    framed = np.pad(levels, ((0, 1), (0, 1), (0, 0)), constant_values=GAP_LEVEL)
    tiles = framed.transpose(2, 0, 1).reshape(rows, -1, height + 1, width + 1)
    sheet = tiles.transpose(0, 2, 1, 3).reshape(rows * (height + 1), -1)[:-1, :-1]
    return Tiles(as_data_url(encode_png(sheet)), sheet.shape[1], sheet.shape[0])
