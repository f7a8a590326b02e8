"""Stream the caller's submissions: NDJSON, ZIP, IDX, Parquet, Label Studio's JSON.

Memory does not grow with the number of drawings: rows are read by key in small batches,
and temporary files hold the ids and labels of IDX. Drawings stored after the start of
the export are left out.
"""

import tempfile
from collections.abc import Iterator, Sequence
from typing import IO, Any
from uuid import UUID

from recognizer.api.contract.outgoing import submission_out
from recognizer.api.json import as_json
from recognizer.api.zip_stream import ZipStream
from recognizer.drawings import parquet
from recognizer.drawings.label_studio import task_of
from recognizer.models import Submission, SubmissionQuerySet, Visitor
from recognizer.reader import engine
from recognizer.reader.explanations import number_of
from recognizer.reader.pictures import (
    as_data_url,
    drawing_png,
    idx_header,
    idx_image,
)

_LOT = 50  # rows per query; a row may hold 10,000 points
_KEY_BYTES = 16


def as_ndjson(
    submissions: SubmissionQuerySet, visitors: Sequence[Visitor], *, shows_numbers: bool
) -> Iterator[bytes]:
    """Yield one submission per line, oldest first."""
    for submission in _each(submissions.with_shown_prediction(), visitors):
        number = number_of(submission, is_wanted=shows_numbers)
        yield as_json(submission_out(submission, number=number)) + b"\n"


def as_zip(
    submissions: SubmissionQuerySet, visitors: Sequence[Visitor], *, shows_numbers: bool
) -> Iterator[bytes]:
    """Yield a ZIP: `submissions.ndjson`, then a PNG of each drawing."""
    archive = ZipStream()
    lines = as_ndjson(submissions, visitors, shows_numbers=shows_numbers)
    yield from archive.add("submissions.ndjson", lines)
    for submission in _each(submissions, visitors):
        png = drawing_png(engine.drawing_of(submission))
        yield from archive.add(f"images/{submission.pk}.png", [png])
    yield from archive.finish()


def as_idx(
    submissions: SubmissionQuerySet, visitors: Sequence[Visitor], *, shows_numbers: bool
) -> Iterator[bytes]:
    """Yield a ZIP of MNIST's two files, with the drawings whose digit is known.

    Numbers are left out, because MNIST's images show one digit.
    `ids.txt` lists their ids, one per line. If a drawing is deleted during the export,
    the stream breaks off, because the number of images was already sent.
    """
    archive = ZipStream()
    with tempfile.TemporaryFile() as keys, tempfile.TemporaryFile() as labels:
        known = submissions.only(
            *("shown_digit", "verdict", "corrected_digit"),
            *("label_digit", "label_number", "rejection"),
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


PARQUET_COLUMNS = {
    "id": "text",
    "image": "image",
    "strokes": "strokes",
    "width": "number",
    "height": "number",
    "pen_width": "number",
    "label": "digit",
    "number": "text",
    "rejected": "text",
    "labelled_by": "text",
    "prediction": "digit",
    "prediction_number": "text",
    "refusal": "text",
    "confidence": "number",
    "model": "text",
    "pointer": "text",
    "source": "text",
    "created_at": "time",
    "person": "text",
    "split": "text",
}
"""The columns of `as_parquet`, with the kind of each; see `drawings.parquet`."""


def as_parquet(
    submissions: SubmissionQuerySet, visitors: Sequence[Visitor], *, shows_numbers: bool
) -> Iterator[bytes]:
    """Yield a Parquet file for Hugging Face's `datasets`; numbers are always shown."""
    of_person = {visitor.pk: visitor for visitor in visitors}
    drawn = _each(submissions.with_shown_prediction(), visitors)
    rows = (_parquet_row(one, of_person[one.visitor_id]) for one in drawn)
    return parquet.as_parquet(rows, PARQUET_COLUMNS)


def _parquet_row(submission: Submission, visitor: Visitor) -> dict[str, Any]:
    shown = submission.shown_prediction
    png = drawing_png(engine.drawing_of(submission))
    by = "author" if submission.verdict else None
    return {
        "id": str(submission.pk),
        "image": parquet.image_cell(png, str(submission.pk)),
        "strokes": submission.strokes,
        "width": submission.width,
        "height": submission.height,
        "pen_width": submission.pen_width,
        "label": submission.known_digit,
        "number": submission.known_number or None,
        "rejected": submission.known_reason or None,
        "labelled_by": "reviewer" if submission.is_labelled else by,
        "prediction": shown.digit,
        "prediction_number": None if shown.refusal else shown.number_text or None,
        "refusal": shown.refusal or None,
        "confidence": shown.confidence,
        "model": shown.model_version.digest,
        "pointer": submission.pointer or None,
        "source": submission.source,
        "created_at": submission.created_at,
        "person": visitor.person_key,
        "split": visitor.split or None,
    }


def as_label_studio(
    submissions: SubmissionQuerySet, visitors: Sequence[Visitor], *, shows_numbers: bool
) -> Iterator[bytes]:
    """Yield a JSON array of Label Studio's tasks; numbers are always shown."""
    separator = b"[\n"
    for submission in _each(submissions.with_shown_prediction(), visitors):
        image = as_data_url(drawing_png(engine.drawing_of(submission)))
        yield separator + as_json(task_of(submission, image=image))
        separator = b",\n"
    yield b"[]\n" if separator == b"[\n" else b"\n]\n"


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
