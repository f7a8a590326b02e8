"""Delete drawings permanently, with their readings, feedback and labels."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from uuid import UUID

from django.db import connection, transaction

from recognizer.drawings import tallies
from recognizer.models import (
    Archived,
    AuditEntry,
    Erasure,
    Submission,
    SubmissionQuerySet,
    User,
    Visitor,
)

_DELETED_AT_ONCE = 200


def delete_submissions(
    *,
    submissions: SubmissionQuerySet,
    is_for_good: bool = True,
    by: User | None = None,
) -> int:
    """Delete drawings with their readings, feedback and labels; return their number.

    Each transaction deletes 200, oldest first, so that other writers get a turn.
    Drawings that arrive meanwhile stay.

    Args:
        is_for_good: whether restoring a backup must delete them again. False for
            archiving.
        by: the member of staff who deletes other people's drawings, for the audit log.
    """
    newest = submissions.order_by("-pk").values_list("pk", flat=True).first()
    if newest is None:
        return 0
    chunk = submissions.filter(pk__lte=newest).order_by("pk")
    total = 0
    while True:
        with transaction.atomic():
            gone = list(chunk.locked().defer("strokes")[:_DELETED_AT_ONCE])
            counts: Counter[str] = Counter()
            for submission in gone:
                counts.update(tallies.tallies_of(submission))
            tallies.take_away(counts)
            ids = [one.pk for one in gone]
            if is_for_good:
                list_as_erased(ids)
            AuditEntry.objects.filter(subject__in=map(str, ids)).update(
                before={"erased": True}, after={"erased": True}
            )
            if by is not None:
                AuditEntry.objects.bulk_create(erased_by(by, pk) for pk in ids)
            Submission.objects.filter(pk__in=ids).delete()
        total += len(gone)
        if len(gone) < _DELETED_AT_ONCE:
            transaction.on_commit(empty_the_log)
            return total


def erased_by(actor: User, subject: UUID) -> AuditEntry:
    """Return the unsaved audit entry of a deletion by staff."""
    return AuditEntry(
        actor=actor,
        action=AuditEntry.Action.ERASE,
        subject=str(subject),
        after={"erased": True},
    )


def empty_the_log() -> None:
    """Remove deleted bytes from SQLite's write-ahead log too.

    If a long read keeps the log in use, the next deletion or the next run of
    `manage.py erasures` empties it.
    """
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def erase_again(*, ids: Iterable[UUID]) -> int:
    """Delete again the drawings that a backup restored; return their number."""
    erased = 0
    ids = iter(ids)
    while some := list(islice(ids, _DELETED_AT_ONCE)):
        erased += delete_submissions(submissions=Submission.objects.filter(pk__in=some))
        _erase_archived(some)
    return erased


def delete_all(*, visitors: Sequence[Visitor], by: User | None = None) -> int:
    """Delete all drawings of some visitors; return how many, without archived ones.

    The next run of `expire` removes the drawings from the archives.
    """
    archived = Archived.objects.filter(visitor__in=visitors)
    _erase_archived(archived.values_list("pk", flat=True))
    return sum(
        delete_submissions(submissions=Submission.objects.owned_by(visitor), by=by)
        for visitor in visitors
    )


def _erase_archived(ids: Iterable[UUID]) -> None:
    """List archived drawings as erased; `expire` then removes them."""
    ids = iter(ids)
    while some := list(islice(ids, _DELETED_AT_ONCE)):
        with transaction.atomic():
            list_as_erased(some)
            Archived.objects.filter(pk__in=some).delete()


def list_as_erased(ids: Iterable[UUID]) -> None:
    """List what has these ids as deleted, so that a restore deletes it again."""
    Erasure.objects.bulk_create(
        [Erasure(subject_id=pk) for pk in ids], ignore_conflicts=True
    )
