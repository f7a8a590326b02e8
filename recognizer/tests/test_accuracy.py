"""How well the shipped model reads, asked as programs ask: through the REST API.

A little below what the model card quotes; `make evaluate` prints the figures. Of the
pen drawings only those of judged writers count, whom no training has seen.
"""

import base64
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import cv2
import numpy as np
import pytest
from django.test import Client

from mlcore import paths
from mlcore.reading.pictures import encode_png
from mlcore.reading.rasterise import Points
from mlcore.reading.specimens import jittered, specimens
from mlcore.training.data import Digits, load_mnist, read_pen_drawings, scale_to_canvas
from recognizer.tests.conftest import post_json, record_figure

pytestmark = pytest.mark.usefixtures("active_model")


def accuracy(client: Client, drawings: Iterable[Any], labels: Iterable[int]) -> float:
    """Send drawings in batches of 256; return the share read right."""
    read: list[int] = []
    left = iter(drawings)
    while batch := list(islice(left, 256)):
        answer = post_json(client, "/api/v1/readings/", {"drawings": batch}).json()
        read += [int(np.argmax(r["probabilities"])) for r in answer["readings"]]
    return float(np.mean(np.array(read) == np.fromiter(labels, int)))


def as_pixels(image: np.ndarray) -> dict[str, Any]:
    return {"pixels": image.tolist()}


def as_enlarged_png(image: np.ndarray) -> dict[str, Any]:
    large = cv2.resize(255 - image, (280, 280), interpolation=cv2.INTER_LINEAR)
    png = encode_png(np.asarray(large, np.uint8))
    return {"image": f"data:image/png;base64,{base64.b64encode(png).decode()}"}


def as_strokes(strokes: list[Points]) -> dict[str, Any]:
    placed = [stroke.tolist() for stroke in scale_to_canvas(strokes)]
    return {"strokes": placed, "width": 280, "height": 280}


@pytest.fixture(scope="module")
def mnist_test() -> Digits:
    return load_mnist().test


class TestMnist:
    # The recipe reads 99.71 % over seeds, the network that ships 99.68 %.
    @pytest.mark.parametrize(
        ("sent_as", "bar"),
        [
            (as_pixels, 0.9965),
            pytest.param(as_enlarged_png, 0.9955, marks=pytest.mark.long),
        ],
    )
    def test_is_read(
        self,
        program: Client,
        mnist_test: Digits,
        sent_as: Callable[[np.ndarray], dict[str, Any]],
        bar: float,
    ) -> None:
        drawings = map(sent_as, mnist_test.images)

        share = accuracy(program, drawings, mnist_test.labels)

        record_figure(f"MNIST test {sent_as.__name__}: {share:.2%}")
        assert share >= bar


def our_templates() -> Iterator[tuple[int, list[Points]]]:
    """Each template by twenty hands."""
    rng = np.random.default_rng(7)
    for specimen in specimens():
        for _ in range(20):
            yield specimen.digit, jittered(specimen, rng).strokes


def real(name: str) -> Iterator[tuple[int, list[Points]]]:
    """The judged writers of a file of real drawings."""
    folder = paths.pen_folder()
    assert folder
    for drawing in read_pen_drawings(folder / name):
        if drawing.split == "judged":
            yield int(drawing.label), drawing.strokes


STROKES: dict[str, tuple[Callable[[], Iterator[tuple[int, list[Points]]]], float]] = {
    "our templates": (our_templates, 0.98)
}
if paths.pen_folder():
    STROKES |= {
        "pendigits": (lambda: real("pendigits-train.jsonl.gz"), 0.99),
        "unipen": (lambda: real("unipen-digits.jsonl.gz"), 0.99),
    }


class TestPen:
    @pytest.mark.parametrize("name", STROKES)
    def test_drawings_are_read(self, program: Client, name: str) -> None:
        make, bar = STROKES[name]
        labels, strokes = zip(*make(), strict=True)

        share = accuracy(program, map(as_strokes, strokes), labels)

        record_figure(f"{name}, {len(labels):,} drawings as strokes: {share:.2%}")
        assert share >= bar
