"""Delete visitors and accounts permanently, with everything that belongs to them.

The admin, the account page and the API all call these functions.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q

from recognizer.drawings import erasing
from recognizer.models import AuditEntry, User, Visitor
from recognizer.people.security_log import note
from recognizer.people.sessions import end_all_sessions


class LastAdministratorError(RuntimeError):
    """Without this account, nobody could administer the site."""


@dataclass(frozen=True)
class Erased:
    """How many drawings, visitors and accounts of a backup were deleted again."""

    drawings: int
    visitors: int
    accounts: int

    @property
    def rows(self) -> int:
        """How many they are together."""
        return self.drawings + self.visitors + self.accounts


def delete_account(*, user: User, by: User | None = None) -> None:
    """Delete an account with its visitors, drawings, tokens and sessions.

    Args:
        by: the member of staff who deletes it; None for the owner.

    Raises:
        LastAdministratorError: it is the only active superuser.
        PermissionDenied: it, or the member of staff, has been deleted meanwhile.
    """
    _check(user, by)
    erasing.delete_all(visitors=list(user.visitors.all()), by=by)  # step by step
    with transaction.atomic():
        _check(user, by)
        if by is not None:
            erasing.erased_by(by, user.erasure_id).save()
        number = user.pk
        _erase(user)
    note("account deleted", user=number, by=by.pk if by else "its owner")


def delete_visitors(*, visitors: Sequence[Visitor], by: User | None = None) -> None:
    """Delete visitors with their drawings.

    Args:
        by: the member of staff who deletes them, for the audit log.
    """
    erasing.delete_all(visitors=visitors, by=by)
    with transaction.atomic():
        ids = [visitor.pk for visitor in visitors]
        # The lock keeps new drawings away until the visitors are gone.
        locked = list(Visitor.objects.select_for_update().filter(pk__in=ids))
        erasing.delete_all(visitors=locked, by=by)
        if by is not None:
            AuditEntry.objects.bulk_create(erasing.erased_by(by, pk) for pk in ids)
        erasing.list_as_erased(ids)
        Visitor.objects.filter(pk__in=ids).delete()
        transaction.on_commit(erasing.empty_the_log)
    if by is not None:
        note("visitors deleted", by=by.pk, number=len(ids))


def erase_again(*, ids: Collection[UUID]) -> Erased:
    """Delete again what a restored backup has of the list of deletions."""
    drawings = erasing.erase_again(ids=sorted(ids))
    users = [user for user in User.objects.iterator() if user.erasure_id in ids]
    for user in users:
        drawings += erasing.delete_all(visitors=list(user.visitors.all()))
        with transaction.atomic():
            _erase(user)
    visitors = [one for one in Visitor.objects.iterator() if one.pk in ids]
    for visitor in visitors:
        delete_visitors(visitors=[visitor])
    return Erased(drawings, len(visitors), len(users))


def is_last_administrator(user: User) -> bool:
    """Return whether nobody could administer the site without this account."""
    others = User.objects.filter(is_superuser=True, is_active=True).exclude(pk=user.pk)
    return user.is_superuser and user.is_active and not others.exists()


def _check(user: User, by: User | None) -> None:
    """Lock whom the deletion concerns, in one order, and raise if it must not happen.

    Two administrators who delete each other at once: the second is refused.
    """
    keys = {user.pk} if by is None else {user.pk, by.pk}
    concerned = Q(is_superuser=True, is_active=True) | Q(pk__in=keys)
    with transaction.atomic():
        locked = User.objects.select_for_update().filter(concerned).order_by("pk")
        if not keys <= {one.pk for one in locked}:
            raise PermissionDenied("The account has been deleted meanwhile.")
        if is_last_administrator(user):
            raise LastAdministratorError


def _erase(user: User) -> None:
    """Delete an account's rows, and what other rows say of it."""
    erasing.list_as_erased([user.erasure_id])
    delete_visitors(visitors=list(user.visitors.all()))
    end_all_sessions(user=user)
    LogEntry.objects.filter(
        content_type__app_label="recognizer",
        content_type__model="user",
        object_id=str(user.pk),
    ).update(object_repr="", change_message="")
    User.objects.filter(pk=user.pk).delete()
    transaction.on_commit(erasing.empty_the_log)
