"""Import public pen drawings into the format that PEN_DIR holds.

    python -m mlcore.training.collect unipen pendigits-orig.tra --writers pd-train- \
        --out pen/pendigits-train.jsonl.gz
    python -m mlcore.training.collect unipen data/1a/*/*.dat --include include \
        --out pen/unipen-digits.jsonl.gz
    python -m mlcore.training.collect quickdraw cat.ndjson bear.ndjson --at-most 60 \
        --out pen/sketches.jsonl.gz

docs/pen-data.md says where the public sets come from and what may be done with them.
"""

import gzip
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.commands import command_parser, ends_with_a_sentence
from mlcore.files import replaced
from mlcore.reading.rasterise import Points
from mlcore.training.data import PEN_FILE_ENDING, DataError, PenDrawing
from mlcore.training.progress import progress

_SEGMENT = re.compile(r'\.SEGMENT\s+(\S+)\s+([\d:,-]+)\s+\S+\s+"((?:\\.|[^"\\])*)"')
_MOST_INCLUDES = 20
"""Deepest nesting of includes: files could include each other endlessly."""


# --- UNIPEN -------------------------------------------------------------------------


@dataclass
class _Component:
    """Points between two pen keywords: with the pen on the tablet, or above it."""

    is_down: bool
    points: list[list[float]] = field(default_factory=list)


@dataclass
class _Segment:
    label: str
    span: str
    """Its components, such as "3-7"; "0" if its ink follows it in the file."""
    start: int
    """Number of components read before it."""
    comment: list[str] = field(default_factory=list)


@dataclass
class _Unipen:
    components: list[_Component] = field(default_factory=list)
    segments: list[_Segment] = field(default_factory=list)
    writer: str | None = None
    columns: list[str] = field(default_factory=lambda: ["X", "Y"])


def read_unipen(
    path: Path, *, include: Path | None = None, writers: str = ""
) -> Iterator[PenDrawing]:
    """Read the labelled segments of a UNIPEN file that hold one character each.

    Args:
        include: folder of the files that `.INCLUDE` names; by default the file's own.
        writers: prefix of each writer's name, to keep collections apart.

    Raises:
        DataError: names the file, and the line or segment that breaks the format.

    Source: UNIPEN 1.0 format definition, I. Guyon 1994. y points up there, so it is
    negated. In some collections every segment's span is "0" and its ink follows it. A
    comment after it names the writer ("8 12 224": digit, writer, count).
    """
    found = _Unipen()
    _read_unipen_lines(path, found, include or path.parent, depth=0)
    ink_follows = all(segment.span == "0" for segment in found.segments)
    count = len(found.components)
    ends = [s.start for s in found.segments[1:]] + [count]
    for number, (segment, end) in enumerate(zip(found.segments, ends, strict=True)):
        if len(segment.label) != 1:
            continue
        components = (
            range(segment.start, end) if ink_follows else _components(segment, path)
        )
        strokes = [
            np.array(component.points, np.float32)
            for component in (found.components[i] for i in components if i < count)
            if component.is_down and component.points
        ]
        if not strokes:
            continue
        writer = found.writer
        if writer is None and len(segment.comment) > 1:
            writer = segment.comment[1]
        yield PenDrawing(
            id=f"{path.name}-{number}",
            label=segment.label,
            writer=None if writer is None else f"{writers}{writer}",
            strokes=strokes,
        )


def _read_unipen_lines(
    path: Path, found: _Unipen, include: Path, *, depth: int
) -> None:
    if depth > _MOST_INCLUDES:
        raise DataError(f"{path}: its .INCLUDE lines never end.")
    try:
        text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        match words[0]:
            case ".INCLUDE":
                named = include / " ".join(words[1:])
                _read_unipen_lines(named, found, include, depth=depth + 1)
            case ".COORD":
                found.columns = words[1:]
            case ".PEN_DOWN" | ".PEN_UP":
                found.components.append(_Component(words[0] == ".PEN_DOWN"))
            case ".WRITER_ID":
                found.writer = " ".join(words[1:])
            case ".SEGMENT":
                if labelled := _SEGMENT.match(line):
                    _, span, label = labelled.groups()
                    label = re.sub(r"\\(.)", r"\1", label)
                    found.segments.append(_Segment(label, span, len(found.components)))
            case ".COMMENT" if found.segments and not found.segments[-1].comment:
                found.segments[-1].comment = words[1:]
            case word if not word.startswith(".") and found.components:
                if (point := _point(words, found.columns)) is None:
                    raise DataError(f"{path}, line {number} is no point: {line!r}.")
                found.components[-1].points.append(point)


def _point(words: Sequence[str], columns: Sequence[str]) -> list[float] | None:
    try:
        x, y = (float(words[columns.index(axis)]) for axis in "XY")
    except (ValueError, IndexError):
        return None
    return [x, -y]


def _components(segment: _Segment, path: Path) -> Iterable[int]:
    """Turn "3-5,8" into 3, 4, 5, 8; points within components ("3:10") are dropped."""
    try:
        for stretch in segment.span.split(","):
            ends = [int(end.split(":")[0]) for end in stretch.split("-")]
            yield from range(ends[0], ends[-1] + 1)
    except ValueError as error:
        raise DataError(f"{path}: {segment.span!r} names no components.") from error


# --- Quick, Draw! -------------------------------------------------------------------


def read_quickdraw(path: Path) -> Iterator[PenDrawing]:
    """Read the recognised sketches of a Quick, Draw! ndjson file, raw or simplified.

    Raises:
        DataError: names the line that is not a sketch.

    Source: the Quick, Draw! dataset, Google. A sketch is a list of strokes. A stroke
    has a list of x, a list of y and, in the raw files, a list of times.
    """
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                entry: dict[str, Any] = json.loads(line)
                if not entry.get("recognized", True):
                    continue
                yield PenDrawing(
                    id=f"quickdraw-{entry['key_id']}",
                    label=str(entry["word"]),
                    writer=None,
                    strokes=[
                        np.array(stroke[:2], np.float32).T
                        for stroke in entry["drawing"]
                    ],
                )
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f"{path}, line {number} is not a sketch: {error!r}."
                ) from error


# --- writing ------------------------------------------------------------------------


def write_pen_drawings(path: Path, drawings: Iterable[PenDrawing]) -> int:
    """Write drawings as gzipped JSON lines, completely or not at all; return how many.

    Raises:
        DataError: there were none, or the name does not end in .jsonl.gz.
    """
    if not path.name.endswith(PEN_FILE_ENDING):
        raise DataError(f"{path.name} must end in {PEN_FILE_ENDING}, to be found.")
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with replaced(path) as partial:
        with gzip.open(partial, "wt", encoding="utf-8") as lines:
            for drawing in drawings:
                lines.write(json.dumps(_as_entry(drawing)) + "\n")
                written += 1
        if not written:
            raise DataError("No labelled drawing was found: nothing was written.")
    return written


def _as_entry(drawing: PenDrawing) -> dict[str, Any]:
    def plain(stroke: Points) -> list[list[float]]:
        rounded = np.round(stroke.astype(float), 2).tolist()
        return [[int(c) if c == int(c) else c for c in point] for point in rounded]

    return {
        "id": drawing.id,
        "label": drawing.label,
        "writer": drawing.writer,
        "strokes": [plain(stroke) for stroke in drawing.strokes],
    }


def main() -> None:
    """Read public files and write one pen data file."""
    parser = command_parser(__doc__)
    parser.add_argument("format", choices=["unipen", "quickdraw"])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True, help="a .jsonl.gz file")
    parser.add_argument("--include", type=Path, help="folder of what .INCLUDE names")
    parser.add_argument("--writers", default="", help="put before writers' names")
    parser.add_argument("--at-most", type=int, help="drawings of each file")
    told = parser.parse_args()

    def of_file(path: Path) -> Iterator[PenDrawing]:
        if told.format == "quickdraw":
            return read_quickdraw(path)
        return read_unipen(path, include=told.include, writers=told.writers)

    files = progress(told.files, "files")
    drawings = (d for path in files for d in islice(of_file(path), told.at_most))
    with ends_with_a_sentence(DataError, OSError):
        written = write_pen_drawings(told.out, drawings)
    print(f"{written:,} drawings in {told.out}")


if __name__ == "__main__":
    main()
