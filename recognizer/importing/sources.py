"""What files hold: pictures with labels, in the forms that can be imported.

- IDX, as MNIST has it, also gzipped: `...images-idx3-ubyte`, `...labels-idx1-ubyte`.
- `labels.csv` with the columns file and label, and writer if there are several.
- Label Studio's JSON; its pictures are data URLs or lie beside it.
- Folders named `0` to `9`.

What is fatal raises ImportRefusedError; a picture that alone is left out does not.
"""

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any, Literal

from django.conf import settings
from django.db.models import TextChoices
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from recognizer.importing.files import (
    Files,
    ImportRefusedError,
    damaged,
    too_large,
)
from recognizer.learning.review import Decision
from recognizer.models import Rejection
from recognizer.reader.drawing import (
    ONE_DIGIT,
    DrawingError,
    Expected,
    PictureDrawing,
    PixelDrawing,
)
from recognizer.reader.numbers import is_number
from recognizer.reader.pictures import (
    Pay,
    idx_header,
    picture_from_bytes,
    picture_from_data_url,
    pixels_from_bytes,
)

DIGITS = tuple("0123456789")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp")
_SIDE = 28
_PIECE = 1 << 16  # characters of JSON that are read at once
_LONGEST_TASK = 20_000_000  # characters
_LONGEST_WRITER = 100


class Reason(TextChoices):
    """Why a picture is left out."""

    UNREADABLE = "unreadable", gettext_lazy("no picture that can be read")
    NO_LABEL = "no_label", gettext_lazy("without a label")
    MISSING = "missing", gettext_lazy("the file is missing")


@dataclass(frozen=True)
class Labelled:
    """A picture with its label: a file's bytes, a data URL, or 784 grey levels."""

    name: str
    decision: Decision
    content: bytes
    form: Literal["file", "url", "pixels"] = "file"
    writer: str = ""

    @property
    def label(self) -> str:
        """The digit, `number`, or the reason for neither."""
        digit = self.decision.digit
        if digit is not None:
            return str(digit)
        return self.decision.rejected or "number"

    def drawing(self, *, pay: Pay | None = None) -> PictureDrawing | PixelDrawing:
        """Decode the picture; raises DrawingError."""
        expected = Expected("auto") if self.decision.number else ONE_DIGIT
        match self.form:
            case "pixels":
                return pixels_from_bytes(self.content)
            case "url":
                url = self.content.decode()
                return picture_from_data_url(url, expected=expected, pay=pay)
        if len(self.content) > settings.MAX_BODY_BYTES:
            raise DrawingError("body_too_large", "The file is too large.")
        return picture_from_bytes(self.content, expected=expected, pay=pay)


@dataclass(frozen=True)
class Refused:
    """A picture that is left out."""

    name: str
    reason: Reason


Found = Labelled | Refused
Row = tuple[str, str, Decision | None, str]
"""Where it stands, the picture's file or data URL, its label, and the writer."""


def labelled_in(files: Files) -> Iterator[Found]:
    """Yield the pictures in files, in the same order each time.

    Raises:
        ImportRefusedError: the files are damaged, or name a label that is none.
    """
    names = files.names()
    pictures = [name for name in names if name.lower().endswith(PICTURES)]
    lists = [name for name in names if _base(name) == "labels.csv" or _is_json(name)]
    if any("idx3" in _base(name) or "idx1" in _base(name) for name in names):
        yield from _idx_files(files, names)
        return
    if len(lists) > 1:
        raise ImportRefusedError(
            _("There are several lists of labels: %(names)s. Import one at a time."),
            names=", ".join(lists[:5]),
        )
    if not lists:
        folders = ((name, PurePosixPath(name).parent.name) for name in pictures)
        rows: Iterator[Row] = (
            (name, name, _digit(folder, name), "") for name, folder in folders
        )
    elif _is_json(lists[0]):
        rows = _tasks(files, lists[0])
    else:
        rows = _lines(files, lists[0])
    yield from _pictures(files, rows, names)


def _is_json(name: str) -> bool:
    return name.lower().endswith(".json")


def _base(name: str) -> str:
    return PurePosixPath(name).name


def _pictures(files: Files, rows: Iterator[Row], names: list[str]) -> Iterator[Found]:
    """Yield the pictures of rows, then those that no row names."""
    often = Counter(map(_base, names))
    beside = {_base(name): name for name in names if often[_base(name)] == 1}
    beside |= {name: name for name in names}
    left = {name for name in names if name.lower().endswith(PICTURES)}
    for where, image, decision, writer in rows:
        name = beside.get(image) or beside.get(_base(image), "")
        left.discard(name)
        if decision is None:
            yield Refused(where, Reason.NO_LABEL)
        elif image.startswith("data:"):
            content = image.encode(errors="replace")
            yield Labelled(where, decision, content, "url", writer)
        elif name:
            with files.open(name) as file:
                # One byte more than the limit tells that it is over.
                content = file.read(settings.MAX_BODY_BYTES + 1)
            yield Labelled(name, decision, content, writer=writer)
        else:
            yield Refused(image[:200], Reason.MISSING)
    for name in sorted(left):
        yield Refused(name, Reason.NO_LABEL)


def _digit(text: str, where: str) -> Decision:
    if text not in DIGITS:
        raise ImportRefusedError(
            _(
                "%(where)s: the label %(text)s is no digit from 0 to 9. Correct it or "
                "leave it out."
            ),
            where=where,
            text=repr(text[:40]),
        )
    return Decision(digit=int(text))


def _lines(files: Files, table: str) -> Iterator[Row]:
    """Yield the rows of labels.csv."""
    with files.open(table) as file:
        try:
            lines = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", newline=""))
            if not {"file", "label"} <= set(lines.fieldnames or ()):
                raise ImportRefusedError(
                    _(
                        "The first line of labels.csv must name its columns: "
                        "file,label or file,label,writer."
                    )
                )
            for line in lines:
                image = PurePosixPath(table).parent / (line["file"] or "")
                where = f"labels.csv, {lines.line_num}"
                decision = _digit((line["label"] or "").strip(), where)
                writer = (line.get("writer") or "")[:_LONGEST_WRITER]
                yield where, image.as_posix(), decision, writer
        except (csv.Error, UnicodeDecodeError) as error:
            raise ImportRefusedError(
                _("labels.csv cannot be read. Save it as CSV in UTF-8, with commas.")
            ) from error


# --- IDX ------------------------------------------------------------------------------


def _idx_files(files: Files, names: list[str]) -> Iterator[Found]:
    """Yield the pictures of MNIST's two files, or of its four."""
    labels = {name.removesuffix(".gz"): name for name in names if "idx1" in name}
    pairs = {
        name: labels.get(
            name.removesuffix(".gz").replace("images", "labels").replace("idx3", "idx1")
        )
        for name in names
        if "idx3" in name
    }
    for images, of_it in pairs.items() or [("", None)]:
        if of_it is None:
            raise ImportRefusedError(
                _(
                    "IDX needs two files with names such as train-images-idx3-ubyte "
                    "and train-labels-idx1-ubyte. Give both."
                )
            )
        yield from _idx(files, images, of_it)


def _idx(files: Files, images: str, labels: str) -> Iterator[Found]:
    with _unpacked(files, labels) as file:
        head, digits = file.read(8), file.read(files.bounds.drawings + 1)
    if len(digits) > files.bounds.drawings:
        raise too_large(files.bounds)
    if head != idx_header(len(digits)):
        raise damaged(labels)
    with _unpacked(files, images) as file:
        if file.read(16) != idx_header(len(digits), _SIDE, _SIDE):
            raise ImportRefusedError(
                _(
                    "%(labels)s has %(number)s labels, but %(images)s is not an IDX "
                    "file of as many pictures of 28x28. Give two files that belong "
                    "together."
                ),
                images=images,
                labels=labels,
                number=len(digits),
            )
        for at, digit in enumerate(digits):
            name = f"{images} {at}"
            levels = file.read(_SIDE * _SIDE)
            if len(levels) != _SIDE * _SIDE:
                raise damaged(images)
            yield Labelled(name, _digit(str(digit), name), levels, "pixels")
        if file.read(1):
            raise damaged(images)


@contextmanager
def _unpacked(files: Files, name: str) -> Iterator[IO[bytes] | gzip.GzipFile]:
    with files.open(name) as file:
        yield gzip.GzipFile(fileobj=file) if name.endswith(".gz") else file


# --- Label Studio ---------------------------------------------------------------------


def _tasks(files: Files, name: str) -> Iterator[Row]:
    """Yield the tasks of a JSON file, without reading it whole."""
    wrong = ImportRefusedError(
        _(
            "%(name)s is no JSON of Label Studio's tasks with data.image, or it is cut "
            "off. Export it again as JSON."
        ),
        name=name,
    )
    decode = json.JSONDecoder().raw_decode
    with files.open(name) as file:
        try:
            text = io.TextIOWrapper(file, "utf-8-sig")
            if not (rest := text.read(_PIECE).lstrip()).startswith("["):
                raise wrong
            rest, number = rest[1:], 1
            while not (rest := rest.lstrip(" \t\r\n,")).startswith("]"):
                try:
                    task, end = decode(rest)
                except (json.JSONDecodeError, RecursionError) as error:
                    # Perhaps it goes on. Doubling reads a long task in few tries.
                    more = text.read(max(_PIECE, len(rest)))
                    if not more or len(rest) > _LONGEST_TASK:
                        raise wrong from error
                    rest += more
                    continue
                match task:
                    case {"data": {"image": str(image), **data}}:
                        where = _("task %(number)s") % {"number": number}
                        writer = str(data.get("writer", ""))[:_LONGEST_WRITER]
                        yield where, image, _annotated(task, where), writer
                    case _:
                        raise wrong
                rest, number = rest[end:], number + 1
        except UnicodeDecodeError as error:
            raise wrong from error


def _annotated(task: dict[str, Any], where: str) -> Decision | None:
    """Return what the newest annotation says; None if there is none."""
    annotations = task.get("annotations")
    for annotation in reversed(annotations if isinstance(annotations, list) else []):
        match annotation:
            case {"was_cancelled": True}:
                pass
            case {"result": [{"value": {"choices": [str(choice)]}}, *_]}:
                is_reason = choice in Rejection.values
                return Decision(rejected=choice) if is_reason else _digit(choice, where)
            case {"result": [{"value": {"text": [str(text)]}}, *_]}:
                is_several = is_number(text)
                return Decision(number=text) if is_several else _digit(text, where)
    return None
