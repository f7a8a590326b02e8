"""The files of an import: those of a ZIP, of a folder, or single ones.

Nothing is unpacked to the disk, and a file is read only as far as it is needed.
"""

import io
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any

from django.utils.formats import number_format
from django.utils.translation import gettext as _


class ImportRefusedError(ValueError):
    """Nothing is imported, or no more; the message says why and what to do."""

    def __init__(self, message: str, **values: Any) -> None:
        super().__init__(message % values)


@dataclass(frozen=True)
class Bounds:
    """The most that an import may have.

    content_bytes: unpacked. pixels: of all pictures, as `decode_picture` counts them.
    """

    drawings: int
    content_bytes: int
    pixels: int

    @property
    def entries(self) -> int:
        """The most files: besides the pictures, some that are ignored."""
        return 2 * self.drawings + 100


PAGE = Bounds(drawings=2_000, content_bytes=100_000_000, pixels=500_000_000)
COMMAND = Bounds(drawings=5_000_000, content_bytes=10**12, pixels=10**14)

_MOST_RATIO = 200  # a large drawing as BMP has 115
_HARMLESS_BYTES = 10_000_000
_ENTRY = b"PK\x01\x02"  # begins each entry of a ZIP's directory
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError),  # zipfile's, for packing it does not know
)


@dataclass(frozen=True)
class Files:
    """Files by name, each with what opens it; names have slashes."""

    openers: Mapping[str, Callable[[], IO[Any]]]
    bounds: Bounds

    def names(self) -> list[str]:
        """Return the names in order, without hidden files such as macOS adds."""
        return sorted(name for name in self.openers if "/." not in f"/{name}")

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file; raises ImportRefusedError if it turns out to be damaged."""
        try:
            with self.openers[name]() as file:
                yield file
        except _DAMAGED as error:
            raise damaged(name) from error


def open_paths(paths: Sequence[Path]) -> Files:
    """Return the files of a ZIP, or of folders and single files.

    Raises:
        ImportRefusedError: a path does not exist, or the ZIP is refused.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if not path.exists():
            raise ImportRefusedError(
                _("There is no file or folder %(path)s."), path=path
            )
        inside = (one for one in path.rglob("*") if one.is_file())
        found |= {one.relative_to(path).as_posix(): one for one in inside}
        if path.is_file():
            found[path.name] = path
    if _are_zip(found):
        (path,) = found.values()
        return _zip_files(path, size=path.stat().st_size, bounds=COMMAND)
    return Files(
        {name: partial(one.open, "rb") for name, one in found.items()}, COMMAND
    )


def pack(uploads: Sequence[tuple[str, bytes]]) -> bytes:
    """Pack uploads, each a name with its content, as one ZIP, unless they are one."""
    if _are_zip(name for name, _content in uploads):
        return uploads[0][1]
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in uploads:
            archive.writestr(name, content)
    return stream.getvalue()


def open_packed(content: bytes | memoryview) -> Files:
    """Return the files of an upload; raises ImportRefusedError."""
    packed = bytes(content)
    if packed.count(_ENTRY) > PAGE.entries:  # before zipfile lists them all
        raise too_large(PAGE)
    return _zip_files(io.BytesIO(packed), size=len(packed), bounds=PAGE)


def _are_zip(names: Iterable[str]) -> bool:
    """Return whether one file is a ZIP, by its name: it may be cut off."""
    return [PurePosixPath(name).suffix.lower() for name in names] == [".zip"]


def _zip_files(file: Path | IO[bytes], *, size: int, bounds: Bounds) -> Files:
    """Check a ZIP's directory before anything is unpacked."""
    try:
        archive = zipfile.ZipFile(file)
    except (*_DAMAGED, ValueError) as error:
        raise damaged(_("The ZIP")) from error
    entries = archive.infolist()
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > bounds.entries or unpacked > bounds.content_bytes:
        raise too_large(bounds)
    if unpacked > max(_HARMLESS_BYTES, _MOST_RATIO * size):
        raise ImportRefusedError(
            _(
                "The ZIP unpacks to more than %(ratio)s times its size. Pack the files "
                "without compression if they are what you want to import."
            ),
            ratio=_MOST_RATIO,
        )
    for entry in entries:
        place = PurePosixPath(entry.filename.replace("\\", "/"))
        if place.is_absolute() or ".." in place.parts:
            raise ImportRefusedError(
                _("The ZIP has a file outside of its folder: %(name)s. Pack it again."),
                name=entry.filename[:200],
            )
        if entry.flag_bits & 1:
            raise ImportRefusedError(
                _("The ZIP needs a password. Pack the files without one.")
            )
    # No more of a file is read than the directory says.
    openers = {one.filename: partial(archive.open, one) for one in entries}
    return Files(openers, bounds)


def damaged(name: str) -> ImportRefusedError:
    """Return the error of a file that is not what it should be."""
    return ImportRefusedError(
        _("%(name)s is damaged or cut off. Make or copy the file again."), name=name
    )


def too_large(bounds: Bounds) -> ImportRefusedError:
    """Return the error of an import that is over its bounds."""
    megabytes = bounds.content_bytes // 10**6
    return ImportRefusedError(
        _(
            "This is too large: at most %(drawings)s pictures with %(megabytes)s MB "
            "unpacked are imported at once. Split it, or use manage.py import_labelled."
        ),
        drawings=number_format(bounds.drawings, force_grouping=True),
        megabytes=number_format(megabytes, force_grouping=True),
    )
