"""Retention: delete old drawings, or move them to archives that can be restored.

An archive is gzipped NDJSON. A line holds all rows of one drawing in the format of
Django's fixtures, and the file's name ends with its sha256. A killed run loses nothing:
lines are on disk before their rows are deleted, and the next run continues.

A line is valid only while `Archived` lists its drawing. When people delete all their
drawings or their account, their `Archived` rows are deleted too, and the next run
rewrites the archives without those lines.
"""

import gzip
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.core import serializers
from django.core.management import call_command
from django.db import transaction

from recognizer.drawings import tallies
from recognizer.drawings.erasing import delete_submissions
from recognizer.importing.importing import discard_previews
from recognizer.models import (
    Archived,
    Comment,
    Feedback,
    Label,
    ModelVersion,
    Picture,
    Prediction,
    Submission,
    SubmissionQuerySet,
    User,
    new_id,
)
from recognizer.models.base import first_id_of
from recognizer.webhooks import outbox

IN_A_FILE = 100_000  # drawings at most
_AT_ONCE = 200
_TASKS_KEPT_DAYS = 30
_WRITING, _DELETING, _DONE = ".partial", ".pending", ".ndjson.gz"
Tell = Callable[[int], None]


class ArchiveError(ValueError):
    """An archive cannot be used; the message says why and what to do."""


def expire(*, before: datetime, folder: Path | None, tell: Tell) -> int:
    """Delete or archive all drawings sent before a moment; return how many.

    Args:
        folder: where the archives go; None deletes permanently.
        tell: called after each step with its number of drawings.
    """
    old = Submission.objects.filter(pk__lt=first_id_of(before)).order_by("pk")
    if folder is None:
        total = 0
        while gone := delete_submissions(submissions=_first(old, IN_A_FILE)):
            tell(gone)
            total += gone
        return total
    folder.mkdir(parents=True, exist_ok=True)
    total = sum(_finish(path, tell) for path in sorted(folder.glob(f"*{_DELETING}")))
    while (path := _written(old, folder)) is not None:
        total += _finish(path, tell)
    return total


def clear_away() -> None:
    """Delete ended sessions, old tasks and messages, and previews of imports."""
    outbox.clear_away()
    discard_previews()
    call_command("clearsessions")
    call_command(
        "prune_db_task_results",
        queue_name="*",
        min_age_days=_TASKS_KEPT_DAYS,
        verbosity=0,
    )


def forget_erased(folder: Path) -> int:
    """Rewrite archives without erased drawings; return how many lines that removed.

    Raises:
        ArchiveError: an archive does not match the sha256 in its name.
    """
    return sum(_settle(path) for path in sorted(folder.glob(f"*{_DONE}")))


def restore(path: Path, *, tell: Tell) -> int:
    """Restore an archive's drawings; return how many, and delete the file.

    Raises:
        ArchiveError: the file is damaged, or this database lacks one of its models.
    """
    _check(path)
    total = 0
    for lines in _batches(path):
        with transaction.atomic():
            listed = _listed(lines)
            for line in lines:
                if _key(line) in listed:
                    _bring_back(line)
            Archived.objects.filter(pk__in=listed).delete()
        total += len(listed)
        tell(len(listed))
    path.unlink()
    return total


def _first(submissions: SubmissionQuerySet, count: int) -> SubmissionQuerySet:
    """Limit to the first drawings, so that a long deletion can report progress."""
    last = submissions.values_list("pk", flat=True)[count - 1 : count]
    return submissions.filter(pk__lte=last[0]) if last else submissions


# --- writing -------------------------------------------------------------------------


def _written(old: SubmissionQuerySet, folder: Path) -> Path | None:
    """Write the oldest drawings into a new file; None if there are none."""
    lines = islice(_lines_of(old), IN_A_FILE)
    first = next(lines, None)
    if first is None:
        return None
    path = folder / f"drawings-{new_id()}{_DELETING}"
    _write(path.with_suffix(_WRITING), chain([first], lines))
    path.with_suffix(_WRITING).replace(path)
    _sync(folder)
    return path


def _lines_of(submissions: SubmissionQuerySet) -> Iterator[bytes]:
    lot = list(submissions[:_AT_ONCE])
    while lot:
        yield from _as_lines(lot).values()
        lot = list(submissions.filter(pk__gt=lot[-1].pk)[:_AT_ONCE])


def _as_lines(submissions: list[Submission]) -> dict[UUID, bytes]:
    """Return each drawing with its rows as one line, without leases and skips."""
    rows: dict[UUID, list[Any]] = {}
    for submission in submissions:
        submission.leased_by = submission.leased_until = None
        rows[submission.pk] = [submission]
    for model in (Picture, Prediction, Feedback, Label, Comment):
        found = model._default_manager.filter(submission__in=list(rows))
        for row in found.order_by("pk"):
            rows[row.submission_id].append(row)
    # Not the serializer "json", which cuts times to milliseconds.
    return {
        pk: orjson.dumps(serializers.serialize("python", chain))
        for pk, chain in rows.items()
    }


def _write(path: Path, lines: Iterator[bytes]) -> str:
    """Write a file and sync it to disk; return its sha256."""
    with path.open("wb") as file:
        with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
            for line in lines:
                packed.write(line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return _digest(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """Sync new file names to disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- archiving -----------------------------------------------------------------------


def _finish(path: Path, tell: Tell) -> int:
    """Delete the drawings that a file contains, and give it its final name.

    A drawing that has changed since the file was written stays for the next run.
    """
    total = 0
    for lines in _batches(path):
        with transaction.atomic():
            wanted = {_key(line): line for line in lines}
            here = list(Submission.objects.filter(pk__in=wanted).locked())
            now = _as_lines(here)
            same = [one for one in here if now[one.pk] == wanted[one.pk]]
            Archived.objects.bulk_create(
                Archived(submission_id=one.pk, visitor_id=one.visitor_id)
                for one in same
            )
            gone = [one.pk for one in same]
            archived = Submission.objects.filter(pk__in=gone)
            delete_submissions(submissions=archived, is_for_good=False)
        total += len(gone)
        tell(len(gone))
    _settle(path)
    return total


def _settle(path: Path) -> int:
    """Remove the lines that `Archived` does not list; return their number."""
    is_done = path.name.endswith(_DONE)
    if is_done:
        _check(path)
    lines = unlisted = 0
    for some in _batches(path):
        lines += len(some)
        unlisted += len(some) - len(_listed(some))
    if is_done and not unlisted:
        return 0
    if lines > unlisted:
        kept = (
            line
            for some in _batches(path)
            for listed in [_listed(some)]
            for line in some
            if _key(line) in listed
        )
        stem = path.name.split(".")[0]
        partial = path.with_name(stem + _WRITING)
        digest = _write(partial, kept)
        partial.replace(path.with_name(f"{stem}.{digest}{_DONE}"))
        _sync(path.parent)
    path.unlink()
    return unlisted


# --- reading -------------------------------------------------------------------------


def _check(path: Path) -> None:
    """Compare a file with the sha256 in its name; raises ArchiveError."""
    try:
        is_whole = path.name.split(".")[1] == _digest(path)
    except (IndexError, OSError) as error:
        raise ArchiveError(f"{path} is not an archive of drawings: {error}.") from error
    if not is_whole:
        raise ArchiveError(
            f"{path} has been changed: its sha256 does not match its name. Restore it "
            "from a backup."
        )


def _batches(path: Path) -> Iterator[list[bytes]]:
    with gzip.open(path, "rb") as packed:
        lines = io.BufferedReader(packed)
        while some := [line.rstrip(b"\n") for line in islice(lines, _AT_ONCE)]:
            yield some


def _key(line: bytes) -> UUID:
    return UUID(orjson.loads(line)[0]["pk"])


def _listed(lines: list[bytes]) -> set[UUID]:
    found = Archived.objects.filter(pk__in=[_key(line) for line in lines])
    return set(found.values_list("pk", flat=True))


def _bring_back(line: bytes) -> None:
    rows = [
        read.object for read in serializers.deserialize("python", orjson.loads(line))
    ]
    for row in rows:
        if (
            isinstance(row, Prediction)
            and not ModelVersion.objects.filter(pk=row.model_version_id).exists()
        ):
            raise ArchiveError(
                f"The model {row.model_version_id} that read these drawings is not in "
                "this database. Restore into the database they came from."
            )
        # A deleted reviewer becomes None, as in labels that were not archived.
        if isinstance(row, Label) and row.reviewer_id is not None:
            row.reviewer = User.objects.filter(pk=row.reviewer_id).first()
        if isinstance(row, Comment) and row.author_id is not None:
            row.author = User.objects.filter(pk=row.author_id).first()
        row.save_base(raw=True, force_insert=True)
    stored = Submission.objects.with_shown_prediction().get(pk=rows[0].pk)
    tallies.add(tallies.tallies_of(stored))
