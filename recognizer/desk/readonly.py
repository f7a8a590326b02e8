"""Admin classes for rows that nobody edits."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

LISTED = 10_000  # newest rows; counting and sorting all of them takes ever longer


class NewestRows(ChangeList):
    """A list of the newest rows only, however it is filtered and sorted."""

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
        keys = self.model._default_manager.order_by("-pk").values_list("pk", flat=True)
        for oldest in keys[LISTED - 1 : LISTED]:
            self.leaves_out = True
            self.root_queryset = self.root_queryset.filter(pk__gte=oldest)
        return super().get_queryset(request, exclude_parameters)


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
