"""Pictures as people send them, and whether they are read right, refused or misread.

Scenes and pictures without a digit are drawn by `scenes`. Real pictures are in the
folder that PICTURES_DIR names; they belong to other people, so they are counted and
never shown:

- truth.json maps each file to its "value", a digit or null, and its "source". Those in
  own/ are also read with seven kinds of trouble.
- reports/truth.json, if any, lists bug reports, each with its "file" and the "right"
  answer, a digit or "refuse". Reports that are no pictures are left out.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from mlcore.judging.changes import CHANGES
from mlcore.judging.scenes import EMPTY, HARDER, SCENES, row
from mlcore.reading.inference import Reading, Recogniser
from mlcore.reading.pictures import Picture, decode_picture, shrink
from mlcore.reading.preprocess import Bitmap
from mlcore.training.progress import progress

THUMBNAIL_PX = 120
BOXED = "in a printed box"
ROWS = range(2, 9)
"""Numbers of digits in a row."""
REPORTS = "bug reports"
MADE_HARDER = "own"
"""The folder whose pictures are also read with each trouble of HARDER."""

LabelledBitmaps = tuple[Sequence[Bitmap], NDArray[np.uint8]]


class Outcomes(TypedDict):
    """How pictures were read, in shares that sum to 1.

    right: as the true digit, or refused where there is none. refused: although there is
    a digit. wrong: as another digit, or as a digit where there is none.
    """

    pictures: int
    right: float
    refused: float
    wrong: float


@dataclass(frozen=True)
class Sample:
    """A picture, small, and how it was read. truth: None if it should be refused."""

    picture: Picture
    truth: int | None
    reading: Reading

    @property
    def is_right(self) -> bool:
        """Whether it was read as its digit, or refused without one."""
        return self.reading.digit == self.truth

    @property
    def is_wrong(self) -> bool:
        """Whether it was read as another digit than its own."""
        return self.reading.digit is not None and not self.is_right


def outcomes(samples: Sequence[Sample]) -> Outcomes:
    """Count what was read right, refused and wrong."""
    right = sum(sample.is_right for sample in samples)
    wrong = sum(sample.is_wrong for sample in samples)
    return {
        "pictures": len(samples),
        "right": right / len(samples),
        "refused": (len(samples) - right - wrong) / len(samples),
        "wrong": wrong / len(samples),
    }


def together(parts: Sequence[Outcomes]) -> Outcomes:
    """Return the outcomes of several sets as one."""
    rows = [(part["right"], part["refused"], part["wrong"]) for part in parts]
    sizes = [part["pictures"] for part in parts]
    right, refused, wrong = np.average(rows, axis=0, weights=sizes).tolist()
    return {
        "pictures": sum(sizes),
        "right": right,
        "refused": refused,
        "wrong": wrong,
    }


def read_pictures(
    recogniser: Recogniser, pictures: Iterable[tuple[Picture, int | None]]
) -> list[Sample]:
    """Read pictures with their digits, or None."""
    return [
        Sample(shrink(picture, THUMBNAIL_PX), truth, recogniser.read_picture(picture))
        for picture, truth in pictures
    ]


def read_scenes(
    recogniser: Recogniser, sets: Mapping[str, LabelledBitmaps]
) -> tuple[dict[str, dict[str, Outcomes]], dict[str, list[Sample]]]:
    """Read each set of digits in every scene.

    Returns:
        the outcomes by scene, then by set; and of each scene a picture that was read
        right and one that was not, if there are any.
    """
    found: dict[str, dict[str, Outcomes]] = {}
    shown: dict[str, list[Sample]] = {}
    for place, (scene, draw) in enumerate(progress(SCENES.items(), "scenes")):
        found[scene] = {}
        read: list[Sample] = []
        for name, (bitmaps, labels) in sets.items():
            rng = np.random.default_rng(0)
            in_scene = (
                (draw(bitmap, rng), int(label))
                for bitmap, label in zip(bitmaps, labels, strict=True)
            )
            samples = read_pictures(recogniser, in_scene)
            found[scene][name] = outcomes(samples)
            read += samples
        right = [sample for sample in read if sample.is_right]
        missed = [sample for sample in read if not sample.is_right]
        shown[scene] = [some[place % len(some)] for some in (right, missed) if some]
    return found, shown


def read_without_digit(
    recogniser: Recogniser,
    *,
    number: int,
    others: Mapping[str, Sequence[Bitmap]],
    digits: Sequence[Bitmap],
) -> dict[str, Outcomes]:
    """Read pictures that should be refused.

    Args:
        number: of pictures of each kind.
        others: drawings that are no digits, by kind; read alone and in a printed box.
        digits: for rows of several.
    """
    rng = np.random.default_rng(0)
    found = {}

    def read(name: str, pictures: Iterable[Picture]) -> None:
        found[name] = outcomes(read_pictures(recogniser, ((p, None) for p in pictures)))

    for name, draw in EMPTY.items():
        read(name, (draw(rng) for _ in range(number)))
    for name, bitmaps in others.items():
        read(name, (CHANGES["unchanged"](bitmap, rng) for bitmap in bitmaps))
        read(f"{name}, {BOXED}", (SCENES[BOXED](bitmap, rng) for bitmap in bitmaps))
    for size in ROWS:
        places = rng.integers(len(digits), size=(number, size))
        rows = (row([digits[at] for at in chosen], rng) for chosen in places)
        read(f"{size} digits in a row", rows)
    return found


# --- real pictures -------------------------------------------------------------------


def real_pictures(folder: Path) -> Iterator[tuple[str, Path, int | None]]:
    """Yield source, file and digit of each real picture; None if it has no digit."""
    for name, told in json.loads((folder / "truth.json").read_text()).items():
        value = told["value"]
        truth = None if value is None else int(value)
        yield f"{Path(name).parent}, {told['source']}", folder / name, truth
    reports = folder / "reports"
    if not reports.is_dir():
        return
    for told in json.loads((reports / "truth.json").read_text()):
        path = reports / told["file"]
        if path.suffix != ".json":
            truth = None if told["right"] == "refuse" else int(told["right"])
            yield REPORTS, path, truth


def read_real(recogniser: Recogniser, folder: Path) -> dict[str, Outcomes]:
    """Read the real pictures; return the outcomes by source."""
    by_source: dict[str, list[tuple[Path, int | None]]] = {}
    for source, path, truth in real_pictures(folder):
        by_source.setdefault(source, []).append((path, truth))
    found = {
        source: outcomes(
            read_pictures(
                recogniser,
                ((decode_picture(path.read_bytes()), truth) for path, truth in files),
            )
        )
        for source, files in progress(by_source.items(), "real pictures")
    }
    single = [
        (decode_picture(path.read_bytes()), truth)
        for source, files in by_source.items()
        if source.startswith(f"{MADE_HARDER},")
        for path, truth in files
    ]
    for trouble, made in progress(HARDER.items() if single else (), "made harder"):
        rng = np.random.default_rng(0)
        harder = ((made(picture, rng), truth) for picture, truth in single)
        found[f"{MADE_HARDER} with {trouble}"] = outcomes(
            read_pictures(recogniser, harder)
        )
    return found
