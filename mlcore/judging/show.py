"""Show a digit in a terminal as dots and zeros, with what a model reads in it.

    python -m mlcore.judging.show test 42   # of MNIST's 10,000 test images, from 0
    python -m mlcore.judging.show train 7   # of its 60,000 training images
    python -m mlcore.judging.show file seven.png

Reads by the starter, or by the bundle that BUNDLE names; `manage.py show_digit` shows
submissions as well and reads by the site's model. At most 80 columns, plain ASCII.
"""

import textwrap
from itertools import zip_longest
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlcore import paths
from mlcore.commands import command_parser, ends_with_a_sentence
from mlcore.reading.bundle import BundleError, open_bundle
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.pictures import Picture, PictureError, decode_picture
from mlcore.reading.preprocess import SIDE_PX
from mlcore.training.data import DataError, mnist_folder, parse_idx

Part = Literal["train", "test"]
PARTS: dict[Part, str] = {"train": "train", "test": "t10k"}
"""First word in the names of MNIST's files."""
INK_FROM = 85
"""Lowest grey level, of 255, of a pixel shown as 0: a third of full ink."""

COLUMNS = 80
_BAR = 12
_REFUSED = {
    "blank": "no ink",
    "several": "several shapes",
    "not_a_digit": "not a digit",
    "unsure": "too unsure",
}


def mnist_digit(part: Part, index: int) -> tuple[NDArray[np.uint8], int]:
    """Return an image of MNIST's raw files, (28, 28) uint8, and its label.

    Raises:
        DataError: there is no such image, or MNIST cannot be loaded.
    """
    folder = mnist_folder()
    images, labels = (
        parse_idx((folder / f"{PARTS[part]}-{what}-ubyte").read_bytes())
        for what in ("images-idx3", "labels-idx1")
    )
    if not 0 <= index < len(images):
        raise DataError(
            f"MNIST's {part} images are counted from 0 to {len(images) - 1:,}: there "
            f"is no {index}."
        )
    return images[index], int(labels[index])


def picture_in(path: Path) -> Picture:
    """Decode a picture file.

    Raises:
        DataError: the file cannot be read or is not a picture.
    """
    try:
        return decode_picture(path.read_bytes())
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path} cannot be read: {reason}.") from error
    except PictureError as error:
        raise DataError(f"{path}: {error}") from error


def dots_and_zeros(image: NDArray[np.uint8]) -> list[str]:
    """Write (H, W) uint8 as lines, two characters a pixel to keep the proportions."""
    return [
        " ".join("0" if level >= INK_FROM else "." for level in row) for row in image
    ]


def shown(title: str, reading: Reading) -> str:
    """Write the image that a model saw, and its reading beside it."""
    image = reading.image
    if image is None:
        image = np.zeros((SIDE_PX, SIDE_PX, 1), np.float32)
    picture = dots_and_zeros(np.asarray(np.rint(image[..., 0] * 255), np.uint8))
    beside = _panel(reading)
    panel = [""] * ((len(picture) - len(beside)) // 2) + beside
    lines = [
        f"{left}  {right}".rstrip()
        for left, right in zip_longest(picture, panel, fillvalue="")
    ]
    return "\n".join([*textwrap.wrap(title, COLUMNS), "", *lines])


def _panel(reading: Reading) -> list[str]:
    """Write digit or refusal, runner-up and all ten probabilities in 23 columns."""
    said = (
        f"read as {reading.digit}"
        if reading.refusal is None
        else f"refused: {_REFUSED[reading.refusal]}"
    )
    if reading.second is None:
        return [said]
    likeliest = int(np.argmax(reading.probabilities))
    lines = [
        said,
        f"{likeliest} first    {_percent(reading.confidence)}",
        f"{reading.second} second   {_percent(reading.probabilities[reading.second])}",
        f"one digit  {_percent(reading.digitness)}",
        "",
    ]
    for digit, probability in enumerate(reading.probabilities):
        bar = "=" * round(probability * _BAR)
        lines.append(f"{digit} {bar:{_BAR}} {_percent(probability)}")
    return lines


def _percent(share: float) -> str:
    return f"{share:6.1%}".replace("%", " %")


def main() -> None:
    """Print a digit."""
    parser = command_parser(__doc__, prog="python -m mlcore.judging.show")
    parser.add_argument("what", choices=(*PARTS, "file"))
    parser.add_argument("which", help="a number counted from 0, or a file's path")
    told = parser.parse_args()
    with ends_with_a_sentence(DataError, BundleError):
        bundle = open_bundle(paths.bundle_folder())
        recogniser = Recogniser(bundle)
        title, reading = read(what=told.what, which=told.which, by=recogniser)
    print(shown(f"{title}, read by {bundle.short_digest}", reading))


def read(*, what: str, which: str, by: Recogniser) -> tuple[str, Reading]:
    """Read an MNIST image or a picture file; return what it is, and its reading.

    Args:
        what: "train", "test" or "file".

    Raises:
        DataError: nothing is found; says why.
    """
    if what == "file":
        return which, by.read_picture(picture_in(Path(which)))
    part: Part = "train" if what == "train" else "test"
    if not which.isdecimal():
        raise DataError(f"A number counted from 0 belongs after {what}, not {which!r}.")
    image, label = mnist_digit(part, int(which))
    return f"MNIST {part} {which}, labelled {label}", by.read(image)


if __name__ == "__main__":
    main()
