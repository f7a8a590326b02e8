"""A snapshot on disk: reviewed drawings with their labels, for one training.

    snapshot.json       the digest, the number of drawings, and how many were erased
    drawings.jsonl.gz   one drawing a line: id, kind, digit, split, a key of its author,
                        and its strokes or its digit image

The site writes it for a run and deletes it afterwards, so that a drawing which its
owner may delete is stored in the database only.
"""

import base64
import gzip
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore.reading.preprocess import SIDE_PX
from mlcore.reading.rasterise import Points, rasterise
from mlcore.training.augment import framed
from mlcore.training.data import DataError

HEADER, DRAWINGS = "snapshot.json", "drawings.jsonl.gz"
Kind = Literal["digit", "several", "not_a_digit"]
Split = Literal["train", "holdout"]


@dataclass(frozen=True)
class SnapshotDrawing:
    """One reviewed drawing.

    digit: 0 to 9 if the kind is "digit", else None. strokes: as drawn, in CSS pixels;
    None for a picture. image: (28, 28) uint8, as the model reads it. is_borne_out:
    whether two people agree: a reviewer, and its author or another reviewer. person: a
    key that the drawings of one person share; empty if unknown.
    """

    id: str
    kind: Kind
    digit: int | None
    split: Split
    strokes: list[Points] | None
    image: NDArray[np.uint8]
    is_borne_out: bool
    person: str = ""


@dataclass(frozen=True)
class Snapshot:
    """Reviewed drawings, and the digest of their selection."""

    digest: str
    drawings: list[SnapshotDrawing]
    erased: int = 0

    def of(self, split: Split) -> list[SnapshotDrawing]:
        """Return the drawings of one side."""
        return [drawing for drawing in self.drawings if drawing.split == split]


def write_snapshot(
    folder: Path, *, digest: str, lines: Iterable[Mapping[str, Any] | None]
) -> int:
    """Write a snapshot line by line; return its number of drawings.

    Args:
        lines: from `line_of`; None for a drawing that was erased since selection.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = erased = 0
    with gzip.open(folder / DRAWINGS, "wt", encoding="utf-8", compresslevel=1) as file:
        for line in lines:
            if line is None:
                erased += 1
                continue
            file.write(json.dumps(line) + "\n")
            written += 1
    header = {"digest": digest, "drawings": written, "erased": erased}
    (folder / HEADER).write_text(json.dumps(header) + "\n")
    return written


def line_of(
    *,
    id: str,
    kind: str,
    digit: int | None,
    split: str,
    strokes: Sequence[Sequence[Sequence[float]]] | None,
    image: NDArray[np.uint8] | None,
    is_borne_out: bool,
    person: str = "",
) -> dict[str, Any]:
    """Return a drawing's line of the file, with its strokes or its digit image."""
    return {
        "id": id,
        "kind": kind,
        "digit": digit,
        "split": split,
        "strokes": strokes,
        "image": (
            None if image is None else base64.b64encode(image.tobytes()).decode()
        ),
        "is_borne_out": is_borne_out,
        "person": person,
    }


def load_snapshot(folder: Path) -> Snapshot:
    """Load a snapshot.

    Raises:
        DataError: it is missing, damaged or incomplete.
    """
    try:
        header = json.loads((folder / HEADER).read_text())
        drawings = list(_read(folder / DRAWINGS))
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{folder} is not a snapshot: {error}.") from error
    if len(drawings) != header["drawings"]:
        raise DataError(f"{folder} holds {len(drawings)} of {header['drawings']}.")
    return Snapshot(header["digest"], drawings, header["erased"])


def _read(path: Path) -> Iterator[SnapshotDrawing]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            given = json.loads(line)
            strokes = given["strokes"] and [
                np.array([point[:2] for point in stroke], np.float32)
                for stroke in given["strokes"]
            ]
            yield SnapshotDrawing(
                id=given["id"],
                kind=given["kind"],
                digit=given["digit"],
                split=given["split"],
                strokes=strokes,
                image=(
                    as_read(strokes)
                    if strokes
                    else np.frombuffer(
                        base64.b64decode(given["image"]), np.uint8
                    ).reshape(SIDE_PX, SIDE_PX)
                ),
                is_borne_out=given["is_borne_out"],
                person=given.get("person", ""),  # older folders have none
            )


def as_read(strokes: Sequence[Points]) -> NDArray[np.uint8]:
    """Frame strokes as serving does: (28, 28) uint8; all 0 where there is no ink."""
    return framed(rasterise(strokes, pen_width=0))


# --- near-identical drawings --------------------------------------------------------


SAME_ABOVE = 0.97
"""Cosine of two digit images above which they count as one drawing.

Among pairs of drawings of one digit by one writer of pendigits-train 0.12 % are above
it (0.36 % for ones, the most alike). For a drawing that is sent again, moved and
smaller, the cosine is 1.000.
"""


class Duplicates:
    """Finds near-identical digit images among those seen so far; each takes 1.6 kB.

    Random hyperplanes put similar images into the same bucket with high probability,
    and only images in a common bucket are compared. Two images at the largest angle
    that SAME_ABOVE allows, 14 degrees, share one of eight buckets in 99 % of cases.

    Source: Charikar 2002, "Similarity estimation techniques from rounding algorithms".
    """

    _TABLES, _BITS = 8, 10

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        shape = (self._TABLES, self._BITS, SIDE_PX * SIDE_PX)
        self._planes = rng.normal(size=shape).astype(np.float32)
        self._powers = 2 ** np.arange(self._BITS)
        self._buckets: dict[tuple[object, int, int], list[int]] = {}
        self._kept: list[NDArray[np.float16]] = []

    def is_new(self, image: NDArray[np.uint8], *, of: object) -> bool:
        """Return whether no similar image has the same label; remember it if so.

        Args:
            image: (28, 28) uint8. of: its label, such as its digit.
        """
        vector = image.ravel().astype(np.float32)
        vector /= max(float(np.linalg.norm(vector)), 1e-6)
        bits = (self._planes @ (vector - vector.mean())) > 0
        keys = [
            (of, table, int(key))
            for table, key in enumerate((bits * self._powers).sum(axis=1))
        ]
        near = {place for key in keys for place in self._buckets.get(key, ())}
        for place in near:
            if float(self._kept[place].astype(np.float32) @ vector) > SAME_ABOVE:
                return False
        for key in keys:
            self._buckets.setdefault(key, []).append(len(self._kept))
        self._kept.append(vector.astype(np.float16))
        return True
