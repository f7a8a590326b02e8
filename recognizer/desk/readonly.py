"""Admin classes for rows that nobody edits."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

LISTED = 10_000  # newest rows; counting and sorting all of them takes ever longer


class NewestRows(ChangeList):
    """A list of the newest rows only, however it is filtered and sorted.

    Subclasses narrow `rows` by what an index serves, and may name the `first_key`; all
    other filters look only at the newest of those.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.leaves_out = False
        super().__init__(*args, **kwargs)
        if self.leaves_out:
            self.title = _("%(title)s (newest %(number)s only)") % {
                "title": self.title,
                "number": f"{LISTED:,}",
            }

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> QuerySet[Any]:
        """Leave out older rows."""
        rows = self.rows(request, self.root_queryset)
        first = self.first_key()
        if (oldest := oldest_of_newest(rows)) and (not first or oldest > first):
            self.leaves_out = True
            first = oldest
        self.root_queryset = self.since(rows, first)
        return super().get_queryset(request, exclude_parameters)

    def first_key(self) -> UUID | None:
        """Return the key from which rows are listed, if the address names one."""
        return None

    def rows(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of which the newest are listed."""
        return rows

    def since(self, rows: QuerySet[Any], first: UUID | None) -> QuerySet[Any]:
        """Return the rows that are listed: those from this key, or all."""
        # One bound only: of two, SQLite searches by either, and filters by the other.
        return rows.filter(pk__gte=first) if first else rows


def oldest_of_newest(rows: QuerySet[Any]) -> UUID | None:
    """Return the key of the last row that is listed; None if all are."""
    keys = rows.order_by("-pk").values_list("pk", flat=True)
    return next(iter(keys[LISTED - 1 : LISTED]), None)


class ReadOnlyAdmin(admin.ModelAdmin):
    """Rows that the site adds and nobody edits."""

    ordering = ("-id",)
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """List the newest rows only."""
        return NewestRows

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody adds by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody edits."""
        return False


class KeptAdmin(ReadOnlyAdmin):
    """Rows that nobody edits or deletes."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes."""
        return False
