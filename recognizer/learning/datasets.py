"""Writes a snapshot's drawings to disk for a training run."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from django.template.loader import render_to_string

from mlcore.reading.pictures import encode_png
from mlcore.reading.preprocess import SIDE_PX
from mlcore.training import snapshot as on_disk
from mlcore.training.snapshot import Duplicates as Duplicates
from recognizer.drawings import parquet
from recognizer.learning.opinions import What, voices
from recognizer.models import Picture, Snapshot, SnapshotItem, Split, Submission
from recognizer.models.strokes import Stroke
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


def image_of(
    submission: Submission, *, place: int = 0
) -> "np.ndarray[Any, np.dtype[np.uint8]]":
    """Return the drawing as the model sees it: (28, 28) uint8, all 0 without ink.

    place: of a number's digit; then the submission needs its shown prediction.
    """
    drawing = engine.drawing_of(submission)
    image = (
        engine.digit_image(drawing, _digit_at(submission, place))
        if place
        else seen_in(drawing)
    )
    if image is None:
        return np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    return np.asarray(np.rint(image[..., 0] * 255), np.uint8)


def _digit_at(submission: Submission, place: int) -> dict[str, Any]:
    number: Any = submission.shown_prediction.number
    digit: dict[str, Any] = number["digits"][place - 1]
    return digit


@dataclass(frozen=True)
class _Example:
    """An item of a snapshot with what its row says now."""

    item: SnapshotItem
    submission: Submission
    strokes: list[Stroke] | None
    is_borne_out: bool

    def image(self) -> "np.ndarray[Any, np.dtype[np.uint8]]":
        return image_of(self.submission, place=self.item.place)


def write_folder(snapshot: Snapshot, folder: Path) -> int:
    """Write a snapshot's drawings for a training; return how many there are."""
    items = snapshot.items.order_by("submission_id", "place")
    lines = _lines(items.iterator(chunk_size=_AT_ONCE))
    return on_disk.write_snapshot(folder, digest=snapshot.digest, lines=lines)


COLUMNS = {
    "id": "text",
    "image": "image",
    "strokes": "strokes",
    "label": "digit",
    "kind": "text",
    "is_borne_out": "truth",
    "pointer": "text",
    "person": "text",
}
"""The columns of `write_parquet`, with the kind of each; see `drawings.parquet`."""


def write_parquet(snapshot: Snapshot, folder: Path) -> int:
    """Write a snapshot as a data set that `datasets.load_dataset(folder)` loads.

    `data/train.parquet` and `data/test.parquet` hold the two sides, README.md the
    dataset card. Returns the number of drawings.
    """
    parquet.require_parquet()
    (folder / "data").mkdir(parents=True, exist_ok=True)
    numbers = Counter[str]()
    for split, name in SPLIT_NAMES.items():
        items = snapshot.items.filter(split=split).order_by("submission_id", "place")

        def rows(items: Any = items, name: str = name) -> Iterator[dict[str, Any]]:
            for example in _examples(items.iterator(chunk_size=_AT_ONCE)):
                if example is not None:
                    numbers[name] += 1
                    yield _row_of(example)

        with (folder / "data" / f"{name}.parquet").open("wb") as file:
            file.writelines(parquet.as_parquet(rows(), COLUMNS))
    context = {"snapshot": snapshot, "numbers": dict(numbers)}
    card = render_to_string("recognizer/dataset_card.md", context)
    (folder / "README.md").write_text(card)
    return numbers.total()


SPLIT_NAMES = {Split.TRAIN: "train", Split.HOLDOUT: "test"}
"""What data sets call the two sides."""


def _row_of(example: _Example) -> dict[str, Any]:
    item, submission = example.item, example.submission
    name = f"{submission.pk}-{item.place}" if item.place else str(submission.pk)
    return {
        "id": name,
        "image": parquet.image_cell(encode_png(example.image()), name),
        "strokes": example.strokes,
        "label": item.digit,
        "kind": item.kind,
        "is_borne_out": example.is_borne_out,
        "pointer": submission.pointer or None,
        "person": submission.visitor.person_key,
    }


def write_earlier(snapshot: Snapshot, folder: Path) -> int:
    """Write the hold-outs of all earlier snapshots; a drawing's latest label counts."""
    items = SnapshotItem.objects.filter(
        snapshot__pk__lt=snapshot.pk, split="holdout"
    ).order_by("submission_id", "place", "-snapshot_id")
    lines = _lines(_first_of_each(items.iterator(chunk_size=_AT_ONCE)))
    return on_disk.write_snapshot(folder, digest=f"before {snapshot}", lines=lines)


def _first_of_each(items: Iterator[SnapshotItem]) -> Iterator[SnapshotItem]:
    latest = None
    for item in items:
        if (item.submission_id, item.place) != latest:
            yield item
        latest = item.submission_id, item.place


def _lines(items: Iterator[SnapshotItem]) -> Iterator[dict[str, Any] | None]:
    """Yield each item's line; None if its owner has deleted or withdrawn it."""
    for example in _examples(items):
        if example is None:
            yield None
            continue
        yield on_disk.line_of(
            id=str(example.submission.pk),
            kind=example.item.kind,
            digit=example.item.digit,
            split=example.item.split,
            strokes=example.strokes,
            image=None if example.strokes else example.image(),
            is_borne_out=example.is_borne_out,
            person=example.submission.visitor.person_key,
        )


def _examples(items: Iterator[SnapshotItem]) -> Iterator[_Example | None]:
    """Yield each item with its row; None if its owner has deleted or withdrawn it."""
    for some in _batched(items):
        ids = [item.submission_id for item in some]
        allowed = Submission.objects.filter(visitor__may_train=True)
        here = allowed.select_related("visitor").with_shown_prediction().in_bulk(ids)
        said = voices(here.values())
        for item in some:
            submission = here.get(item.submission_id)
            if submission is None:
                yield None
                continue
            strokes: Any = submission.strokes
            label: What = item.digit, "" if item.digit is not None else item.kind
            if item.place:
                label = None, submission.label_number
                of_it = _digit_at(submission, item.place)["strokes"]
                strokes = [strokes[at] for at in of_it]
            yield _Example(
                item, submission, strokes, len(said[submission.pk, label]) > 1
            )


def _batched(items: Iterator[SnapshotItem]) -> Iterator[list[SnapshotItem]]:
    while some := list(islice(items, _AT_ONCE)):
        yield some
