"""Pictures as files of PICTURES_FOLDER instead of in the database.

The folder is Django's storage "pictures". A file is on the disk before its row is
committed, and is deleted after the row's deletion is committed, so each row has its
file. `manage.py expire` deletes what an interrupted deletion left.
"""

import io
import os
import tarfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import IO, Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.db import transaction
from django.db.models import QuerySet

from recognizer.models import (
    Archived,
    Erasure,
    Picture,
    PicturesUnavailableError,
    picture_files,
)

_AT_ONCE = 200


class PictureFolder(FileSystemStorage):
    """A folder whose files survive a power failure once they are saved."""

    def save(
        self, name: str | None, content: IO[Any], max_length: int | None = None
    ) -> str:
        """Save a file, and sync it and its folders to the disk."""
        saved = super().save(name, content, max_length)
        path = Path(self.path(saved))
        for one in (path, path.parent, path.parent.parent):
            handle = os.open(one, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        return saved


def write_files(contents: Sequence[tuple[Picture, bytes]]) -> None:
    """Write pictures' contents into the folder; all of them, or none.

    Call it last in the transaction that stores the rows: what fails earlier leaves no
    file.

    Raises:
        PicturesUnavailableError: the folder cannot be written to.
    """
    if not contents:
        return
    files = _files()
    try:
        for picture, png in contents:
            files.save(picture.name, ContentFile(png))
    except OSError as error:
        with suppress(OSError):
            _delete(files, [picture.name for picture, _ in contents])
        raise PicturesUnavailableError(f"A picture was not stored: {error}") from error


def delete_files(ids: Collection[UUID]) -> None:
    """Delete the files of these drawings after the commit."""
    files = picture_files()
    if files is None:
        return
    gone = Picture.objects.filter(pk__in=ids, png=None)
    names = [picture.name for picture in gone]
    transaction.on_commit(lambda: _delete(files, names), robust=True)


def delete_left_over() -> int:
    """Delete files of drawings that were deleted or archived; return their number.

    Other files without a row stay: the database may be another one by mistake.
    """
    files = picture_files()
    if files is None:
        return 0
    deleted = 0
    names = _names(files)
    while some := {_key(name): name for name in islice(names, _AT_ONCE)}:
        gone: set[UUID] = set()
        for listed in (Erasure, Archived):
            gone.update(listed.objects.filter(pk__in=some).values_list("pk", flat=True))
        kept = Picture.objects.filter(pk__in=gone).values_list("pk", flat=True)
        left = gone.difference(kept)
        _delete(files, [some[pk] for pk in left])
        deleted += len(left)
    return deleted


def move(*, to_folder: bool, tell: Callable[[int], None]) -> int:
    """Move all pictures into the folder, or back to the database; return how many.

    Raises:
        PicturesUnavailableError: there is no folder, or it cannot be used.
    """
    files = _files()
    elsewhere = Picture.objects.filter(png__isnull=not to_folder).order_by("pk")
    moved = 0
    while some := _moved(elsewhere, files, to_folder=to_folder):
        moved += some
        tell(some)
    return moved


@transaction.atomic
def _moved(elsewhere: QuerySet[Picture], files: Storage, *, to_folder: bool) -> int:
    some = list(elsewhere.select_for_update()[:_AT_ONCE])
    contents = [(picture, picture.content()) for picture in some]
    for picture, png in contents:
        picture.png = None if to_folder else png
        picture.save(update_fields=["png"])
    if to_folder:
        write_files(contents)
    else:
        names = [picture.name for picture in some]
        transaction.on_commit(lambda: _delete(files, names), robust=True)
    return len(some)


# --- in backups -----------------------------------------------------------------------


def write_tar(to: Path) -> None:
    """Write all files into a tar file, if there is a folder."""
    files = picture_files()
    if files is None:
        return
    with tarfile.open(to, "w") as tar:
        for name in _names(files):
            with suppress(FileNotFoundError), files.open(name) as file:  # deleted now
                _add(tar, name, file.read())


def copy_tar(tar: Path, to: Path, *, without: Collection[UUID]) -> int:
    """Copy what `write_tar` has written, without some drawings; return how many."""
    with tarfile.open(tar) as opened:
        left_out = sum(_key(name) in without for name in opened.getnames())
    with tarfile.open(to, "w") as copy:
        for name, content in _in(tar, without):
            _add(copy, name, content)
    return left_out


def restore_tar(tar: Path, *, without: Collection[UUID]) -> None:
    """Write the files into the folder again, without some drawings.

    Raises:
        PicturesUnavailableError: there is no folder.
    """
    files = _files()
    for name, content in _in(tar, without):
        files.save(name, ContentFile(content))


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _in(tar: Path, without: Collection[UUID]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(tar) as opened:
        for entry in opened:
            file = opened.extractfile(entry)
            if file is not None and _key(entry.name) not in without:
                yield entry.name, file.read()


# --- names ----------------------------------------------------------------------------


def _key(name: str) -> UUID:
    return UUID(Path(name).stem)


def _files() -> Storage:
    if (files := picture_files()) is None:
        raise PicturesUnavailableError("PICTURES_FOLDER is not set.")
    return files


def _names(files: Storage) -> Iterator[str]:
    for folder in files.listdir("")[0]:
        yield from (f"{folder}/{name}" for name in files.listdir(folder)[1])


def _delete(files: Storage, names: Collection[str]) -> None:
    for name in names:
        files.delete(name)
