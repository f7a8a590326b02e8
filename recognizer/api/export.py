"""Stream the caller's submissions as NDJSON, ZIP, or MNIST's IDX.

Memory does not grow with the number of drawings: rows are read by key in small batches,
and temporary files hold the ids and labels of IDX. Drawings stored after the start of
the export are left out.
"""

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO
from uuid import UUID

from recognizer.api.contract.outgoing import submission_out
from recognizer.api.json import as_json
from recognizer.api.zip_stream import ZipStream
from recognizer.models import Submission, SubmissionQuerySet, Visitor
from recognizer.reader import engine
from recognizer.reader.pictures import drawing_png, idx_header, idx_image

_LOT = 50  # rows per query; a row may hold 10,000 points
_KEY_BYTES = 16


def as_ndjson(
    submissions: SubmissionQuerySet, visitors: Sequence[Visitor]
) -> Iterator[bytes]:
    """Yield one submission per line, oldest first."""
    for submission in _each(submissions.with_shown_prediction(), visitors):
        yield as_json(submission_out(submission)) + b"\n"


def as_zip(
    submissions: SubmissionQuerySet, visitors: Sequence[Visitor]
) -> Iterator[bytes]:
    """Yield a ZIP: `submissions.ndjson`, then a PNG of each drawing."""
    archive = ZipStream()
    yield from archive.add("submissions.ndjson", as_ndjson(submissions, visitors))
    for submission in _each(submissions, visitors):
        png = drawing_png(engine.drawing_of(submission))
        yield from archive.add(f"images/{submission.pk}.png", [png])
    yield from archive.finish()


def as_idx(
    submissions: SubmissionQuerySet, visitors: Sequence[Visitor]
) -> Iterator[bytes]:
    """Yield a ZIP of MNIST's two files, with the drawings whose digit is known.

    `ids.txt` lists their ids, one per line. If a drawing is deleted during the export,
    the stream breaks off, because the number of images was already sent.
    """
    archive = ZipStream()
    with tempfile.TemporaryFile() as keys, tempfile.TemporaryFile() as labels:
        known = submissions.only(
            "shown_digit", "verdict", "corrected_digit", "label_digit", "rejection"
        )
        for submission in _each(known, visitors):
            if submission.known_digit is not None:
                keys.write(submission.pk.bytes)
                labels.write(bytes([submission.known_digit]))
        number = labels.tell()
        yield from archive.add("labels-idx1-ubyte", _labels(labels, idx_header(number)))
        yield from archive.add("ids.txt", (f"{key}\n".encode() for key in _keys(keys)))
        yield from archive.add(
            "images-idx3-ubyte", _images(keys, idx_header(number, 28, 28))
        )
    yield from archive.finish()


def _labels(labels: IO[bytes], header: bytes) -> Iterator[bytes]:
    yield header
    labels.seek(0)
    while piece := labels.read(1 << 16):
        yield piece


def _images(keys: IO[bytes], header: bytes) -> Iterator[bytes]:
    yield header
    for key in _keys(keys):
        yield idx_image(Submission.objects.get(pk=key)).tobytes()


def _keys(keys: IO[bytes]) -> Iterator[UUID]:
    keys.seek(0)
    while lot := keys.read(_LOT * _KEY_BYTES):
        for start in range(0, len(lot), _KEY_BYTES):
            yield UUID(bytes=lot[start : start + _KEY_BYTES])


def _each(
    submissions: SubmissionQuerySet, visitors: Sequence[Visitor]
) -> Iterator[Submission]:
    """Yield rows by owner and id, in index order, up to the newest at the start."""
    for visitor in visitors:
        own = submissions.owned_by(visitor)
        newest = own.order_by("-pk").values_list("pk", flat=True).first()
        if newest is None:
            continue
        rest = own.filter(pk__lte=newest).order_by("pk")
        lot = list(rest[:_LOT])
        while lot:
            yield from lot
            lot = list(rest.filter(pk__gt=lot[-1].pk)[:_LOT])
