"""Filters of the list of drawings; all of them are in the address."""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.timezone import make_aware
from django.utils.translation import gettext_lazy as _

from recognizer.models import ModelVersion
from recognizer.models.base import first_id_of

Choices = Iterable[tuple[Any, Any]]


class DateRange(admin.ListFilter):
    """Keeps drawings of some days, both included; ids sort by time."""

    title = _("date")
    template = "admin/recognizer/date_range.html"

    def __init__(self, request: HttpRequest, params: dict[str, Any], *args: Any):
        super().__init__(request, params, *args)
        for name in ("since", "until"):
            if name in params:
                self.used_parameters[name] = params.pop(name)[-1]

    def expected_parameters(self) -> list[str | None]:
        """Return the names in the address."""
        return ["since", "until"]

    def has_output(self) -> bool:
        """Always offer it."""
        return True

    def choices(self, changelist: ChangeList) -> Iterator[dict[str, Any]]:
        """Give the template the two dates, and all other parameters to keep."""
        kept = {
            name: value
            for name, value in changelist.params.items()
            if name not in self.expected_parameters()
        }
        yield {**self.used_parameters, "kept": kept}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep all: `SubmissionList.rows` has kept these days already."""
        return queryset


def bounds_of(days: dict[str, Any]) -> tuple[UUID | None, UUID | None]:
    """Return the first key of the day `since`, and the first after the day `until`.

    Raises:
        IncorrectLookupParameters: one is no date.
    """
    since, until = (_day(days.get(name)) for name in ("since", "until"))
    return (
        first_id_of(since) if since else None,
        first_id_of(until + timedelta(days=1)) if until else None,
    )


def _day(text: str | None) -> datetime | None:
    """Return the start of a day; None without a text."""
    if not text:
        return None
    try:
        return make_aware(datetime.combine(date.fromisoformat(text), time.min))
    except (ValueError, OverflowError) as error:
        raise IncorrectLookupParameters(f"{text} is not a date.") from error


class DigitFilter(admin.AllValuesFieldListFilter):
    """Filters by digit or none; it offers all of them without querying for values."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: Any = [*range(10), None]
        self.lookup_choices = choices


class Consent(admin.BooleanFieldListFilter):
    """Filters by a consent of the drawing's owner; named after what was asked."""

    titles: ClassVar = {
        "may_train": _("consent to training"),
        "may_publish": _("consent to publication"),
    }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = self.titles[self.field.name]


class Confidence(admin.SimpleListFilter):
    """Filters by the largest probability of the shown reading."""

    title = _("confidence")
    parameter_name = "confidence"
    bands = (("0", 0.0, 0.5), ("50", 0.5, 0.9), ("90", 0.9, 0.99), ("99", 0.99, 1.1))

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Offer four ranges."""
        return [
            ("0", _("below 50 %")),
            ("50", _("50 to 90 %")),
            ("90", _("90 to 99 %")),
            ("99", _("99 % and more")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep drawings whose reading is in the range."""
        for name, low, high in self.bands:
            if self.value() == name:
                return queryset.filter(
                    shown__confidence__gte=low, shown__confidence__lt=high
                )
        return queryset


class ReadBy(admin.SimpleListFilter):
    """Filters by the version that made the shown reading."""

    title = _("model")
    parameter_name = "model"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Offer the newest versions."""
        versions = ModelVersion.objects.newest_first().only("digest")[:10]
        return [(version.short_digest, version.short_digest) for version in versions]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep drawings that it read."""
        if not self.value():
            return queryset
        return queryset.filter(shown__model_version__digest__startswith=self.value())


class Layout(admin.SimpleListFilter):
    """Remembers in the address whether drawings are shown as a table or as a grid."""

    title = "layout"
    parameter_name = "layout"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        """Offer none: two buttons above the list switch."""
        return []

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Keep all."""
        return queryset
