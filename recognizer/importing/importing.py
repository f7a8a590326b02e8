"""Preview, store and undo imports of labelled pictures.

An import leaves the rows of drawings that were sent and labelled. Its drawings belong
to a person of its own, or to one for each writer that the files name; a reviewer has
chosen that they may train. A killed import goes on where it stopped.
"""

import contextlib
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import timedelta
from itertools import islice

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from recognizer.drawings.group_commit import only_writer
from recognizer.drawings.submitting import submit_drawing
from recognizer.importing.files import Files, ImportRefusedError, too_large
from recognizer.importing.sources import Found, Labelled, Reason, Refused, labelled_in
from recognizer.learning.labels import add_label
from recognizer.models import (
    Import,
    ImportedFile,
    ImportedPerson,
    Label,
    Submission,
    User,
    Visitor,
)
from recognizer.people.erasing import delete_visitors
from recognizer.reader.drawing import DrawingError, PictureDrawing, PixelDrawing

LISTED = 20  # pictures that are left out, with their reasons
PREVIEW_KEPT = timedelta(days=1)
_AT_ONCE = 20  # drawings of a transaction: a tenth of a second, or others would wait
_PEOPLE_AT_ONCE = 200
Decoded = PictureDrawing | PixelDrawing
Tell = Callable[[int], None]
"""Called with the number of pictures that were looked at or stored just now."""


def no_tell(number: int) -> None:
    """Tell nobody."""


def preview(*, files: Files, name: str, reviewer: User, tell: Tell = no_tell) -> Import:
    """Look at all pictures; return an unsaved import that says what it would store.

    If the same pictures and labels were begun to be stored, that import is returned.

    Raises:
        ImportRefusedError: the files are refused, hold nothing to import, or were
            imported before, however they were packed.
    """
    counts: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    listed: list[tuple[str, str]] = []
    digest = hashlib.sha256()
    for found, drawing in _decoded(files):
        tell(1)
        if isinstance(found, Labelled) and drawing is not None:
            counts[found.label] += 1
            digest.update(hashlib.sha256(found.content).digest())
            digest.update(f"{found.decision} {found.writer}\n".encode())
            continue
        reason = found.reason if isinstance(found, Refused) else Reason.UNREADABLE
        refused[reason.value] += 1
        if len(listed) < LISTED:
            listed.append((found.name, reason.value))
    if not counts:
        raise ImportRefusedError(
            _(
                "There are no labelled pictures to import. Put pictures into folders "
                "named 0 to 9, name them in labels.csv, or give IDX files or Label "
                "Studio's JSON."
            )
        )
    return _begun(digest.hexdigest()) or Import(
        reviewer=reviewer,
        name=name[:200],
        digest=digest.hexdigest(),
        counts=dict(sorted(counts.items())),
        refused=dict(refused),
        listed=listed,
        total=counts.total(),
    )


def _begun(digest: str) -> Import | None:
    """Return an incomplete import of the same pictures; raise if there is a whole."""
    states = [Import.State.STORING, Import.State.DONE]
    found = Import.objects.filter(digest=digest, state__in=states).first()
    if found and found.state == Import.State.DONE:
        raise ImportRefusedError(
            _(
                "These pictures and labels were imported on %(date)s as %(name)s "
                "(%(id)s). Undo that import first if you want to import them again."
            ),
            date=date_format(timezone.localtime(found.created_at)),
            name=found.name,
            id=found.pk,
        )
    return found


def _decoded(files: Files) -> Iterator[tuple[Found, Decoded | None]]:
    """Yield what files hold, with the drawings of pictures that can be read."""
    pixels = 0

    def pay(more: int) -> None:
        nonlocal pixels
        pixels += more
        if pixels > files.bounds.pixels:
            raise ImportRefusedError(
                _(
                    "The pictures have too many pixels together. Make them smaller, or "
                    "use manage.py import_labelled."
                )
            )

    for number, found in enumerate(labelled_in(files), 1):
        if number > files.bounds.drawings:
            raise too_large(files.bounds)
        drawing = None
        if isinstance(found, Labelled):
            with contextlib.suppress(DrawingError):
                drawing = found.drawing(pay=pay)
        yield found, drawing


def first_of_each(files: Files) -> dict[str, Decoded]:
    """Return the first picture of each label."""
    first: dict[str, Decoded] = {}
    for found in labelled_in(files):
        if isinstance(found, Labelled) and found.label not in first:
            with contextlib.suppress(DrawingError):
                first[found.label] = found.drawing()
    return dict(sorted(first.items()))


def _drawings(files: Files) -> Iterator[tuple[Labelled, Decoded]]:
    """Yield the pictures that an import stores, in the same order each time."""
    for found, drawing in _decoded(files):
        if isinstance(found, Labelled) and drawing is not None:
            yield found, drawing


def store(*, imported: Import, files: Files, tell: Tell = no_tell) -> Import:
    """Store an import's drawings with their labels, or those that are still missing.

    Raises:
        ImportRefusedError: its pictures are on the site already, it was undone,
            somebody else is storing it now, or the files have changed.
    """
    _begin(imported)
    tell(imported.stored)
    rest = islice(_drawings(files), imported.stored, imported.total)
    while batch := list(islice(rest, _AT_ONCE)):
        _store_batch(imported, batch)
        tell(len(batch))
    if imported.stored != imported.total:
        raise ImportRefusedError(
            _("The files have changed since the preview. Undo this import.")
        )
    with transaction.atomic():
        _locked(imported)
        imported.state = Import.State.DONE
        imported.save(update_fields=["state"])
        ImportedFile.objects.filter(of_import=imported).delete()
    return imported


def _begin(imported: Import) -> None:
    """Mark an import as begun; the database refuses a second of the same pictures."""
    previewed = Import.objects.filter(pk=imported.pk, state=Import.State.PREVIEWED)
    try:
        with transaction.atomic():
            previewed.update(state=Import.State.STORING)
    except IntegrityError:
        _begun(imported.digest)
        raise _not_ours() from None
    imported.refresh_from_db()


def _locked(imported: Import) -> None:
    """Lock an import; raise if it is no longer ours to store."""
    locked = Import.objects.select_for_update().get(pk=imported.pk)
    if (locked.state, locked.stored) != (Import.State.STORING, imported.stored):
        raise _not_ours()


def _not_ours() -> ImportRefusedError:
    return ImportRefusedError(
        _(
            "This import has been stored or undone meanwhile, or is being stored. Load "
            "its page again."
        )
    )


def _store_batch(imported: Import, batch: Sequence[tuple[Labelled, Decoded]]) -> None:
    with only_writer(), transaction.atomic():
        _locked(imported)
        for labelled, drawing in batch:
            submission = submit_drawing(
                drawing=drawing,
                visitor=_person(imported, labelled.writer),
                source=Submission.Source.IMPORT,
            )
            decided = asdict(labelled.decision)
            add_label(submission, Label(reviewer=imported.reviewer, **decided))
        stored = imported.stored + len(batch)
        Import.objects.filter(pk=imported.pk).update(stored=stored)
    imported.stored = stored


def _person(imported: Import, writer: str) -> Visitor:
    """Return the owner of a writer's drawings: no browser or account has it."""
    people = ImportedPerson.objects.filter(of_import=imported, writer=writer)
    found = people.select_related("visitor").first()
    if found is None:
        found = ImportedPerson.objects.create(
            of_import=imported,
            writer=writer,
            visitor=Visitor.objects.create(may_train=True),
        )
    return found.visitor


def undo(*, imported: Import, by: User | None) -> int:
    """Delete what an import stored, for good; return the number of drawings.

    by: the member of staff who undoes it, for the audit log. A second call deletes what
    a killed one left.
    """
    with transaction.atomic():  # from here on, nobody stores more of it
        Import.objects.filter(pk=imported.pk).update(
            state=Import.State.UNDONE, listed=[]
        )
        ImportedFile.objects.filter(of_import=imported).delete()
    total = 0
    visitors = Visitor.objects.filter(
        pk__in=ImportedPerson.objects.filter(of_import=imported).values("visitor")
    )
    while some := list(visitors.order_by("pk")[:_PEOPLE_AT_ONCE]):
        total += Submission.objects.owned_by(*some).count()
        delete_visitors(visitors=some, by=by)
    imported.refresh_from_db()
    return total


def discard_previews(*, reviewer: User | None = None) -> None:
    """Delete a reviewer's previews, or all that are older than a day."""
    previews = Import.objects.filter(state=Import.State.PREVIEWED)
    if reviewer is None:
        previews.filter(created_at__lt=timezone.now() - PREVIEW_KEPT).delete()
    else:
        previews.filter(reviewer=reviewer).delete()
