"""Writes a snapshot's drawings to disk for a training run."""

import hashlib
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.reading.preprocess import SIDE_PX
from mlcore.training import snapshot as on_disk
from mlcore.training.snapshot import Duplicates as Duplicates
from recognizer.learning.opinions import voices
from recognizer.models import Picture, Snapshot, SnapshotItem, Submission
from recognizer.reader import engine
from recognizer.reader.active import seen_in

_AT_ONCE = 200


def content_of(submission: Submission) -> str:
    """Return a digest of the drawing alone, without feedback and labels."""
    if submission.form == Submission.Form.STROKES:
        drawn = [submission.strokes, submission.width, submission.height]
        content = json.dumps(drawn, separators=(",", ":")).encode()
    else:
        content = bytes(Picture.objects.get(submission=submission).png)
    return hashlib.sha256(content).hexdigest()


def image_of(submission: Submission) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Return the drawing as the model sees it: (28, 28) uint8, all 0 without ink."""
    image = seen_in(engine.drawing_of(submission))
    if image is None:
        return np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    return np.asarray(np.rint(image[..., 0] * 255), np.uint8)


def write_folder(snapshot: Snapshot, folder: Path) -> int:
    """Write a snapshot's drawings for a training; return how many there are."""
    items = snapshot.items.order_by("submission_id")
    lines = _lines(items.iterator(chunk_size=_AT_ONCE))
    return on_disk.write_snapshot(folder, digest=snapshot.digest, lines=lines)


def write_earlier(snapshot: Snapshot, folder: Path) -> int:
    """Write the hold-outs of all earlier snapshots; a drawing's latest label counts."""
    items = SnapshotItem.objects.filter(
        snapshot__pk__lt=snapshot.pk, split="holdout"
    ).order_by("submission_id", "-snapshot_id")
    lines = _lines(_first_of_each(items.iterator(chunk_size=_AT_ONCE)))
    return on_disk.write_snapshot(folder, digest=f"before {snapshot}", lines=lines)


def _first_of_each(items: Iterator[SnapshotItem]) -> Iterator[SnapshotItem]:
    latest = None
    for item in items:
        if item.submission_id != latest:
            yield item
        latest = item.submission_id


def _lines(items: Iterator[SnapshotItem]) -> Iterator[dict[str, Any] | None]:
    """Yield each item's line; None if its owner has deleted or withdrawn it."""
    for some in _batched(items):
        ids = [item.submission_id for item in some]
        allowed = Submission.objects.filter(visitor__may_train=True)
        here = allowed.select_related("visitor").in_bulk(ids)
        said = voices(here.values())
        for item in some:
            submission = here.get(item.submission_id)
            if submission is None:
                yield None
                continue
            label = (item.digit, "" if item.digit is not None else item.kind)
            yield on_disk.line_of(
                id=str(submission.pk),
                kind=item.kind,
                digit=item.digit,
                split=item.split,
                strokes=submission.strokes,
                image=None if submission.strokes else image_of(submission),
                is_borne_out=len(said[submission.pk, label]) > 1,
            )


def _batched(items: Iterator[SnapshotItem]) -> Iterator[list[SnapshotItem]]:
    while some := list(islice(items, _AT_ONCE)):
        yield some
