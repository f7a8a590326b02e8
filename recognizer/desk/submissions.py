"""Drawings in the admin: staff can look at them but not edit them."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from recognizer.desk import review
from recognizer.desk.access import page
from recognizer.desk.readonly import ReadOnlyAdmin
from recognizer.drawings.svg import svg_of
from recognizer.models import Prediction, Submission
from recognizer.reader import engine, pictures
from recognizer.reader.active import seen_in
from recognizer.reader.drawing import Drawing
from recognizer.responses import picture_response


class DigitFilter(admin.AllValuesFieldListFilter):
    """Filters by digit or none; it offers all of them without querying for values."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices: Any = [*range(10), None]
        self.lookup_choices = choices


@admin.register(Submission)
class SubmissionAdmin(ReadOnlyAdmin):
    """The drawings with their readings."""

    list_display = (
        "thumbnail",
        "reading",
        "feedback",
        "label",
        "source",
        "form",
        "pointer",
        "created_at",
    )
    list_display_links = ("thumbnail", "reading")
    list_filter = (
        ("shown_digit", DigitFilter),
        "refusal",
        "verdict",
        ("label_digit", DigitFilter),
        "rejection",
        "source",
        "pointer",
    )
    list_per_page = 50
    readonly_fields = (
        "drawing",
        "seen",
        "reading",
        "feedback",
        "label",
        "probabilities",
        "read_by",
        "other_readings",
        "source",
        "pointer",
        "visitor",
        "created_at",
        "id",
    )
    fields = readonly_fields

    def get_queryset(self, request: HttpRequest) -> Any:
        """Load the shown predictions too."""
        return Submission.objects.with_shown_prediction()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Let the figures' plots ask for the drawings behind a bar."""
        columns = ("role", "confidence", "ink", "model_version")
        of_predictions = tuple(f"predictions__{column}__" for column in columns)
        return lookup.startswith(of_predictions) or super().lookup_allowed(
            lookup, value, request
        )

    def get_urls(self) -> list[URLPattern]:
        """Add the pictures' addresses."""
        return [
            page("<uuid:pk>/drawing.svg", self.drawing_svg, name="drawing-svg"),
            page("<uuid:pk>/seen.png", self.seen_png, name="drawing-seen"),
            *review.addresses(),
            *super().get_urls(),
        ]

    def drawing_svg(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        """Answer a drawing's picture as SVG."""
        drawing = self._drawing_to_view(request, pk)
        return picture_response(request, svg_of(drawing).encode(), "image/svg+xml")

    def seen_png(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        """Answer the 28x28 picture the model saw."""
        image = seen_in(self._drawing_to_view(request, pk))
        return picture_response(request, pictures.seen_png(image), "image/png")

    def _drawing_to_view(self, request: HttpRequest, pk: UUID) -> Drawing:
        """Return a drawing if the user may view drawings; being staff is not enough."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return engine.drawing_of(get_object_or_404(Submission, pk=pk))

    @admin.display(description=_("drawing"))
    def thumbnail(self, submission: Submission) -> SafeString:
        """The drawing, small."""
        return _picture("drawing-svg", submission, side=64)

    @admin.display(description=_("drawing"))
    def drawing(self, submission: Submission) -> SafeString:
        """The drawing, large."""
        return _picture("drawing-svg", submission, side=280)

    @admin.display(description=_("what the model saw"))
    def seen(self, submission: Submission) -> SafeString:
        """The digit image, enlarged."""
        return _picture("drawing-seen", submission, side=140)

    @admin.display(description=_("read as"), ordering="shown_digit")
    def reading(self, submission: Submission) -> str:
        """The digit with its probability, or why there is none."""
        shown = submission.shown_prediction
        if shown.refusal:
            return shown.get_refusal_display()
        # Never 100 %, as on the public pages.
        return f"{shown.digit} ({min(shown.confidence, 0.999):.1%})"

    @admin.display(description=_("feedback"), ordering="verdict", empty_value="")
    def feedback(self, submission: Submission) -> str:
        """The visitor's feedback on the reading, if any."""
        verdict, digit = submission.get_verdict_display(), submission.corrected_digit
        return verdict if digit is None else f"{verdict}: {digit}"

    @admin.display(description=_("label"), ordering="label_digit", empty_value="")
    def label(self, submission: Submission) -> str:
        """The reviewers' decision, if any."""
        digit = submission.label_digit
        return submission.get_rejection_display() if digit is None else str(digit)

    @admin.display(description=_("probabilities"))
    def probabilities(self, submission: Submission) -> SafeString:
        """The ten probabilities, one per line."""
        return format_html_join(
            "",
            '{}: <progress max="1" value="{}"></progress> {}<br>',
            (
                (digit, f"{share:.4f}", f"{share:.2%}")
                for digit, share in enumerate(submission.shown_prediction.probabilities)
            ),
        )

    @admin.display(description=_("model"))
    def read_by(self, submission: Submission) -> str:
        """The version that made the shown reading."""
        return submission.shown_prediction.model_version.short_digest

    @admin.display(description=_("other readings"))
    def other_readings(self, submission: Submission) -> SafeString | str:
        """Other versions' readings."""
        others = submission.predictions.exclude(role=Prediction.Role.SHOWN)
        lines = (
            (
                one.model_version,
                one.get_refusal_display() or one.digit,
                f"{min(one.confidence, 0.999):.1%}",
            )
            for one in others.select_related("model_version").order_by("pk")
        )
        none = gettext("none")
        return format_html_join("", "{}: {} ({})<br>", lines) or none


def _picture(view: str, submission: Submission, *, side: int) -> SafeString:
    return format_html(
        '<img src="{}" width="{}" height="{}" alt="" loading="lazy">',
        reverse(f"admin:{view}", args=[submission.pk]),
        side,
        side,
    )
