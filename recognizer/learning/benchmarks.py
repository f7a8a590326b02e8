"""Freeze a benchmark: drawings whose owners agreed to publication, and pen drawings.

What is frozen is a copy in files. It holds no id, name or address of a person, and
nothing here can take it back.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, cast
from uuid import UUID

import numpy as np
from django.db import transaction
from django.db.models import Q
from django.template.loader import render_to_string
from django.utils import timezone

from mlcore import paths
from mlcore.judging import benchmark as on_disk
from mlcore.judging.benchmark import Benchmark, BenchmarkError, Drawing
from mlcore.judging.benchmark import counted as counted
from mlcore.training.data import (
    PEN_DIGIT_FILES,
    PEN_FILE_ENDING,
    DataError,
    PenDrawing,
    read_pen_drawings,
    scale_to_canvas,
)
from mlcore.training.snapshot import as_read
from recognizer.learning import datasets, snapshots
from recognizer.learning.opinions import voices
from recognizer.models import (
    AuditEntry,
    InBenchmark,
    Picture,
    Split,
    Submission,
    Visitor,
)

ERRORS = (BenchmarkError, DataError)
"""What `freeze` raises; the message says what to do."""

LICENCE = "CC BY 4.0"
"""What visitors agree to; the consent names it."""

SITE = "site"
_SITE_SOURCE = {
    "title": "Drawings made on a Digitsite",
    "by": "its visitors, who are not named",
    "licence": LICENCE,
    "labels": "what a reviewer of the site decided after seeing the drawing",
    "changes": "times are left out; of an uploaded picture only the 28x28 image is in",
}
_PEN_CHANGES = (
    "only the writers that Digitsite's own training never sees; scaled to a canvas of "
    "280, rounded to two decimals"
)
PEN_SOURCES = {
    "pendigits-train": {
        "title": "Pen-Based Recognition of Handwritten Digits, original trajectories",
        "by": "E. Alpaydin, F. Alimoglu, UCI Machine Learning Repository, 1998, "
        "doi 10.24432/C5MG6K",
        "licence": "CC BY 4.0",
        "labels": "the collection's: the digit that the writer was asked for",
        "changes": _PEN_CHANGES,
    },
    "unipen-digits": {
        "title": "UNIPEN train_r01_v07, category 1a",
        "by": "I. Guyon et al., 1994, Zenodo 1195803",
        "licence": "CC BY 4.0",
        "labels": "the collection's; some are known to be wrong, and some drawings "
        "lack strokes",
        "changes": _PEN_CHANGES,
    },
}
"""The pen drawings that may be published, by the names of their files.

PEN_DIR may hold other files, under any licence; they are left out.
"""
CANVAS_PX, PEN_PX = 280, 18

_CHANGED = (
    "Somebody withdrew consent, or deleted or labelled drawings, while they were read. "
    "Nothing is frozen; run the command again."
)
_LOCKED_AT_ONCE = 500

PUBLISHABLE = Q(label_digit__isnull=False)


@dataclass
class _Selected:
    """The drawings so far, each with a key of its person; and what was left out.

    digits: by id of this site's drawings. of_visitors: their number by visitor's id.
    """

    drawings: list[tuple[bytes, Drawing]] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    confirmed: int = 0
    digits: dict[UUID, int | None] = field(default_factory=dict)
    of_visitors: Counter[UUID] = field(default_factory=Counter)


def freeze(
    folder: Path,
    *,
    most_of_one: int = snapshots.MOST_OF_ONE_PERSON,
    seen: Callable[[], object] = lambda: None,
) -> tuple[Benchmark, bool]:
    """Write a benchmark into a folder of benchmarks, as its next version.

    Args:
        most_of_one: the most drawings of one person of this site.
        seen: called for each drawing that was looked at.

    Returns:
        The benchmark, and whether it is new: equal drawings are one benchmark.

    Raises:
        BenchmarkError: there is nothing to freeze, or consent was withdrawn meanwhile.
        DataError: a file of PEN_DIR is damaged.
    """
    selected = _Selected()
    _select_here(selected, most_of_one=most_of_one, seen=seen)
    for drawing in _pen_drawings():
        seen()
        selected.drawings.append(drawing)
    if not selected.drawings:
        raise BenchmarkError(
            "There is nothing to freeze. Review drawings of people who allow "
            "publication on the Account page, or name the pen drawings in PEN_DIR."
        )
    drawings = _numbered(selected.drawings)
    present = {drawing.source for drawing in drawings}
    sources = {SITE: _SITE_SOURCE, **PEN_SOURCES}
    with transaction.atomic():
        if not _still_publishable(selected):
            raise BenchmarkError(_CHANGED)
        made, is_new = on_disk.write_benchmark(
            folder,
            drawings,
            sources={key: sources[key] for key in sources if key in present},
            datasheet=lambda made: _datasheet(made, selected, most_of_one=most_of_one),
        )
        # Also if it is not new: an earlier command may have been killed before this.
        InBenchmark.objects.bulk_create(
            [
                InBenchmark(visitor_id=key, benchmark=made.folder.name, drawings=number)
                for key, number in selected.of_visitors.items()
            ],
            ignore_conflicts=True,
        )
        if is_new:
            AuditEntry.objects.create(
                action=AuditEntry.Action.FREEZE,
                subject=made.digest,
                after={"drawings": len(drawings)},
            )
    return made, is_new


def _still_publishable(selected: _Selected) -> bool:
    """Lock the drawings and their visitors; return whether they are as they were."""
    willing = Visitor.objects.filter(pk__in=selected.of_visitors, may_publish=True)
    if len(willing.select_for_update()) < len(selected.of_visitors):
        return False
    ids = iter(sorted(selected.digits))
    while some := list(islice(ids, _LOCKED_AT_ONCE)):
        # In the order of deletions, and without a wait for people who answer.
        here = Submission.objects.filter(pk__in=some).order_by("pk")
        locked = here.select_for_update(no_key=True)
        if dict(locked.values_list("pk", "label_digit")) != {
            pk: selected.digits[pk] for pk in some
        }:
            return False
    return True


def _numbered(drawings: list[tuple[bytes, Drawing]]) -> list[Drawing]:
    """Number people in the order of their keys, which tells nothing about them."""
    keys = sorted({(drawing.source, key) for key, drawing in drawings})
    numbers = {key: number for number, key in enumerate(keys, 1)}
    numbered = [
        replace(drawing, person=numbers[drawing.source, key])
        for key, drawing in drawings
    ]
    return sorted(numbered, key=lambda one: (one.split, one.source, one.person))


# --- drawings of this site -----------------------------------------------------------


def _select_here(
    selected: _Selected, *, most_of_one: int, seen: Callable[[], object]
) -> None:
    """Add reviewed drawings of people who allow publication, near duplicates once.

    Those whose drawings may train models here keep their side.
    """
    snapshots.freeze_people(PUBLISHABLE, consent="may_publish")
    duplicates = datasets.Duplicates()
    # The test side first: near duplicates of its drawings are in no other.
    for side in (Split.HOLDOUT, Split.TRAIN):
        for visitors in snapshots.people_of(side, consent="may_publish"):
            key = Visitor.objects.get(pk=visitors[0]).person_key.encode()
            theirs = Submission.objects.filter(
                PUBLISHABLE, visitor__in=visitors, visitor__may_publish=True
            ).select_related("visitor")
            taken: list[tuple[Submission, Drawing]] = []
            for submission in theirs.order_by("-pk").iterator(chunk_size=200):
                seen()
                try:
                    image = datasets.image_of(submission)
                except Picture.DoesNotExist as error:
                    raise BenchmarkError(_CHANGED) from error
                if len(taken) == most_of_one:
                    selected.left_out["over one person's share"] += 1
                elif not image.any():
                    selected.left_out["without ink"] += 1
                elif not duplicates.is_new(image, of=submission.label_digit):
                    selected.left_out["near-identical"] += 1
                else:
                    taken.append((submission, _drawn_here(submission, image, side)))
            said = voices(submission for submission, _ in taken)
            selected.confirmed += sum(
                len(said[submission.pk, (submission.label_digit, "")]) > 1
                for submission, _ in taken
            )
            selected.drawings += [(key, drawing) for _, drawing in reversed(taken)]
            selected.digits.update({one.pk: one.label_digit for one, _ in taken})
            selected.of_visitors.update(one.visitor_id for one, _ in taken)


def _drawn_here(
    submission: Submission, image: "np.ndarray[Any, np.dtype[np.uint8]]", side: Split
) -> Drawing:
    drawing = Drawing(
        digit=cast(int, submission.label_digit),  # as PUBLISHABLE has it
        split=datasets.SPLIT_NAMES[side],
        source=SITE,
        person=0,
        image=image,
    )
    if submission.strokes is None:
        return drawing
    return replace(
        drawing,
        strokes=[[list(p[:2]) for p in stroke] for stroke in submission.strokes],
        width=submission.width,
        height=submission.height,
        pen_width=submission.pen_width,
    )


# --- pen drawings --------------------------------------------------------------------


def _pen_drawings() -> Iterator[tuple[bytes, Drawing]]:
    """Yield the drawings of the judged writers, where PEN_DIR names them."""
    folder = paths.pen_folder()
    if folder is None:
        return
    for name in PEN_DIGIT_FILES:
        source = name.removesuffix(PEN_FILE_ENDING)
        if source not in PEN_SOURCES or not (folder / name).is_file():
            continue
        for drawing in read_pen_drawings(folder / name):
            if drawing.split == "judged" and drawing.writer is not None:
                yield _key_of(drawing.writer), _drawn_by_pen(drawing, source)


def _key_of(writer: str) -> bytes:
    return hashlib.sha256(f"benchmark: {writer}".encode()).digest()


def _drawn_by_pen(drawing: PenDrawing, source: str) -> Drawing:
    placed = scale_to_canvas(drawing.strokes, side=CANVAS_PX)
    strokes = [
        [[round(float(x), 2), round(float(y), 2)] for x, y in stroke]
        for stroke in placed
    ]
    return Drawing(
        digit=int(drawing.label),
        split="test",
        source=source,
        person=0,
        image=as_read([np.array(stroke, np.float32) for stroke in strokes]),
        strokes=strokes,
        width=CANVAS_PX,
        height=CANVAS_PX,
        pen_width=PEN_PX,
    )


# --- the datasheet -------------------------------------------------------------------


def _datasheet(made: Benchmark, selected: _Selected, *, most_of_one: int) -> str:
    """Describe a benchmark for people, in Markdown."""
    parts = [(source, split) for source, split, *_ in counted(made.drawings)]
    by_part = {part: Counter[int]() for part in parts}
    by_person = {part: Counter[int]() for part in parts}
    for drawing in made.drawings:
        by_part[drawing.source, drawing.split][drawing.digit] += 1
        by_person[drawing.source, drawing.split][drawing.person] += 1
    people = [
        (*part, sum(of), len(of), min(of), median(of), max(of))
        for part, of in ((part, of.values()) for part, of in by_person.items())
    ]
    context = {
        "made": made,
        "today": timezone.now().date().isoformat(),
        "parts": [" ".join(part) for part in parts],
        "digits": [
            (digit, *(by_part[part][digit] for part in parts)) for digit in range(10)
        ],
        "people": people,
        "missing": _missing(made, by_part),
        "here": sum(drawing.source == SITE for drawing in made.drawings),
        "confirmed": selected.confirmed,
        "without_strokes": sum(drawing.strokes is None for drawing in made.drawings),
        "left_out": sorted(selected.left_out.items()),
        "most_of_one": most_of_one,
        "licence": LICENCE,
    }
    return render_to_string("recognizer/benchmark.md", context)


def _missing(
    made: Benchmark, by_part: dict[tuple[str, str], Counter[int]]
) -> Iterator[str]:
    """Yield what a reader may expect and does not find."""
    for split in on_disk.SPLITS:
        of_split = Counter[int]()
        for (_, of), digits in by_part.items():
            of_split.update(digits if of == split else {})
        lacking = [str(digit) for digit in range(10) if not of_split[digit]]
        if len(lacking) == 10:
            yield f"The {split} split has no drawings."
        elif lacking:
            yield f"The {split} split lacks the digits {', '.join(lacking)}."
    if SITE not in made.sources:
        yield "No visitor of the site had a reviewed drawing and allowed publication."
    for key, source in PEN_SOURCES.items():
        if key not in made.sources:
            yield f"{source['title']}: not at hand when this was made."
