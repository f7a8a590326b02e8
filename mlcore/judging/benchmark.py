"""A benchmark on disk: frozen drawings of digits, with their digests.

    benchmark.json    the version, the digest, the sources, and the digest's files
    drawings.jsonl    one drawing a line: digit, split, source, person, and its strokes
    images.npy        (N, 28, 28) uint8, ink 255 on paper 0, in the order of the lines
    datasheet.md      the same for people
    baselines.json    once `python -m mlcore.judging.baselines` has measured them
    SHA256SUMS        of all other files, for `sha256sum --check SHA256SUMS`

The digest is that of the lines and the pixels: equal drawings have an equal digest.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.files import replaced
from mlcore.reading.preprocess import SIDE_PX

FORMAT = 1
HEADER, DRAWINGS, IMAGES = "benchmark.json", "drawings.jsonl", "images.npy"
DATASHEET, SUMS = "datasheet.md", "SHA256SUMS"
SPLITS = ("train", "test")
Strokes = list[list[list[float]]]


class BenchmarkError(ValueError):
    """A benchmark that is missing or damaged; the message says which file."""


@dataclass(frozen=True)
class Drawing:
    """One drawing of a benchmark.

    split: one of SPLITS; a person's drawings are all in one. source: key of the
    header's sources. person: a number that the person's drawings share, in this
    benchmark alone. image: (28, 28) uint8, framed as MNIST frames its digits. strokes:
    points [x, y] in CSS pixels of a canvas; None if it was not drawn here.
    """

    digit: int
    split: str
    source: str
    person: int
    image: NDArray[np.uint8]
    strokes: Strokes | None = None
    width: float | None = None
    height: float | None = None
    pen_width: float | None = None

    def as_line(self) -> dict[str, Any]:
        """Return the drawing's line, without its image."""
        told = {
            "digit": self.digit,
            "split": self.split,
            "source": self.source,
            "person": self.person,
        }
        if self.strokes is not None:
            told |= {
                "strokes": self.strokes,
                "width": self.width,
                "height": self.height,
                "pen_width": self.pen_width,
            }
        return told


@dataclass(frozen=True)
class Benchmark:
    """A benchmark in its folder. sources: a description of each, by key."""

    folder: Path
    version: int
    digest: str
    sources: Mapping[str, Mapping[str, Any]]
    drawings: Sequence[Drawing]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return name_of(self.version, self.digest)


def name_of(version: int, digest: str) -> str:
    """Return what a benchmark's folder is called."""
    return f"digits-v{version}-{digest[:12]}"


def write_benchmark(
    parent: Path,
    drawings: Iterable[Drawing],
    *,
    sources: Mapping[str, Mapping[str, Any]],
    datasheet: Callable[[Benchmark], str],
) -> tuple[Benchmark, bool]:
    """Write a benchmark as the next version in a folder, completely or not at all.

    Args:
        datasheet: returns the text for people.

    Returns:
        The benchmark, and whether it is new: if the folder has one with the same
        drawings, that is returned and left as it is.

    Raises:
        BenchmarkError: there are no drawings, a person is in two splits, or another
            benchmark in the folder is damaged.
    """
    kept = list(drawings)
    if not kept:
        raise BenchmarkError("A benchmark needs at least one drawing.")
    _check_people(kept)
    lines = "".join(f"{_compact(drawing.as_line())}\n" for drawing in kept)
    images = np.stack([drawing.image for drawing in kept])
    content = {DRAWINGS: lines.encode(), IMAGES: _as_npy(images)}
    digest = _digest_of(content[DRAWINGS], images)
    parent.mkdir(parents=True, exist_ok=True)
    version = 1
    for header in _headers(parent):
        if header["digest"] == digest:
            folder = parent / name_of(header["version"], digest)
            return open_benchmark(folder), False
        version = max(version, header["version"] + 1)
    folder = parent / name_of(version, digest)
    benchmark = Benchmark(folder, version, digest, sources, kept)
    header = {
        "format": FORMAT,
        "version": version,
        "digest": digest,
        "drawings": len(kept),
        "sources": sources,
    }
    content[HEADER] = f"{json.dumps(header, indent=1)}\n".encode()
    content[DATASHEET] = datasheet(benchmark).encode()
    with TemporaryDirectory(dir=parent, prefix=".") as tmp:
        partial = Path(tmp) / "benchmark"
        partial.mkdir()
        for name, data in content.items():
            (partial / name).write_bytes(data)
        write_sums(partial)
        partial.rename(folder)
    return benchmark, True


def open_benchmark(folder: Path) -> Benchmark:
    """Check a benchmark's files against their digests, and load it.

    Raises:
        BenchmarkError: it is missing, damaged, or of another format.
    """
    check_sums(folder)
    try:
        header = json.loads((folder / HEADER).read_bytes())
        if header["format"] != FORMAT:
            raise BenchmarkError(
                f"{folder} has format {header['format']}, this code reads {FORMAT}."
            )
        images = np.load(folder / IMAGES, allow_pickle=False)
        told = (folder / DRAWINGS).read_bytes()
        lines = [json.loads(line) for line in told.splitlines()]
        if images.shape != (len(lines), SIDE_PX, SIDE_PX) or images.dtype != np.uint8:
            raise BenchmarkError(
                f"{folder} has {len(lines)} drawings, and images of shape "
                f"{images.shape} and type {images.dtype}."
            )
        drawings = [
            Drawing(**line, image=image)
            for line, image in zip(lines, images, strict=True)
        ]
        digest = _digest_of(told, images)
        if digest != header["digest"]:
            raise BenchmarkError(
                f"{folder} has other drawings than its digest {header['digest'][:12]} "
                "names."
            )
        return Benchmark(folder, header["version"], digest, header["sources"], drawings)
    except BenchmarkError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BenchmarkError(f"{folder} is not a benchmark: {error}.") from error


def check_sums(folder: Path) -> None:
    """Compare every file with SHA256SUMS.

    Raises:
        BenchmarkError: names the file that is missing, changed or not listed.
    """
    try:
        text = (folder / SUMS).read_text()
    except OSError as error:
        raise BenchmarkError(
            f"{folder} is not a benchmark: it has no {SUMS}."
        ) from error
    told = {name: sha256 for sha256, _, name in map(_parted, text.splitlines())}
    for name in sorted({DRAWINGS, IMAGES, HEADER, *told, *_names_in(folder)}):
        if name not in told:
            raise BenchmarkError(f"{folder / name} is not listed in {SUMS}.")
        if not (folder / name).is_file():
            raise BenchmarkError(f"{folder / name} is missing.")
        if _sha256_of(folder / name) != told[name]:
            raise BenchmarkError(
                f"{folder / name} is damaged: its SHA-256 is not that of {SUMS}. "
                "Fetch the benchmark again."
            )


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS, in the form that `sha256sum --check` reads."""
    lines = (f"{_sha256_of(folder / name)}  {name}\n" for name in _names_in(folder))
    with replaced(folder / SUMS) as partial:
        partial.write_text("".join(lines))


def counted(drawings: Iterable[Drawing]) -> list[tuple[str, str, int, int]]:
    """Return source, split, drawings and people, for each source and split."""
    number: Counter[tuple[str, str]] = Counter()
    people: dict[tuple[str, str], set[int]] = {}
    for drawing in drawings:
        key = drawing.source, drawing.split
        number[key] += 1
        people.setdefault(key, set()).add(drawing.person)
    return [(*key, number[key], len(people[key])) for key in sorted(number)]


def _check_people(drawings: Iterable[Drawing]) -> None:
    split_of: dict[int, str] = {}
    for drawing in drawings:
        if split_of.setdefault(drawing.person, drawing.split) != drawing.split:
            raise BenchmarkError(f"Person {drawing.person} is in two splits.")


def _headers(parent: Path) -> list[dict[str, Any]]:
    """Return version and digest of each benchmark in a folder."""
    headers = []
    for path in sorted(parent.glob(f"digits-v*/{HEADER}")):
        try:
            header = json.loads(path.read_bytes())
            headers.append({"version": header["version"], "digest": header["digest"]})
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BenchmarkError(f"{path} is damaged: {error}.") from error
    return headers


def _names_in(folder: Path) -> list[str]:
    names = (path.name for path in folder.iterdir() if path.name != SUMS)
    return sorted(name for name in names if not name.startswith("."))


def _parted(line: str) -> tuple[str, str, str]:
    return line.partition("  ")


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _as_npy(array: NDArray[Any]) -> bytes:
    file = BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def _digest_of(lines: bytes, images: NDArray[np.uint8]) -> str:
    """Return the digest of what is in the files, whatever wrote their headers."""
    parts = [hashlib.sha256(part).hexdigest() for part in (lines, images.tobytes())]
    told = f"digits, format {FORMAT}\n" + "\n".join(parts)
    return hashlib.sha256(told.encode()).hexdigest()


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
