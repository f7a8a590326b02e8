"""Drawings in the admin: staff can look at them but not edit them."""

import contextlib
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import FilteredRelation, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from recognizer.desk import imports, review
from recognizer.desk.access import needs, on_page, page, staff
from recognizer.desk.filters import (
    Confidence,
    Consent,
    DateRange,
    DigitFilter,
    Layout,
    ReadBy,
    bounds_of,
)
from recognizer.desk.readonly import NewestRows, ReadOnlyAdmin, oldest_of_newest
from recognizer.desk.timeline import author_of, timeline
from recognizer.drawings.comments import (
    MOST_CHARACTERS,
    CommentError,
    add_comment,
    delete_comment,
)
from recognizer.drawings.erasing import delete_submissions
from recognizer.drawings.svg import svg_of
from recognizer.learning.labels import label_submission
from recognizer.learning.review import ReviewConflictError, approve, take_back
from recognizer.models import (
    Comment,
    Prediction,
    Rejection,
    Submission,
    SubmissionQuerySet,
    Verdict,
    Visitor,
)
from recognizer.people.security_log import note
from recognizer.reader import engine, pictures
from recognizer.reader.active import seen_in
from recognizer.reader.drawing import Drawing
from recognizer.reader.numbers import is_number
from recognizer.responses import picture_response
from recognizer.templatetags.figures import share

APPROVED_AT_ONCE = 1_000  # each in a transaction of its own: about three seconds


class SubmissionList(NewestRows):
    """The newest drawings of the chosen days, of those that were searched for."""

    def rows(self, request: HttpRequest, rows: QuerySet[Any]) -> QuerySet[Any]:
        """Keep what was searched for, up to the last of the chosen days."""
        found, _ = self.model_admin.get_search_results(request, rows, self.query)
        _since, until = bounds_of(self.params)
        return found.filter(pk__lt=until) if until else found

    def first_key(self) -> UUID | None:
        """Return the first key of the chosen days."""
        since, _until = bounds_of(self.params)
        return since

    def since(self, rows: QuerySet[Any], first: UUID | None) -> QuerySet[Any]:
        """Let filters ask for the `shown` reading; it is joined only if one does."""
        is_listed = Q(predictions__role=Prediction.Role.SHOWN)
        if first:  # without it, PostgreSQL looks for each drawing's reading by itself
            is_listed &= Q(predictions__submission__gte=first)
        shown = FilteredRelation("predictions", condition=is_listed)
        return super().since(rows.annotate(shown=shown), first)


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
        DateRange,
        ("shown_digit", DigitFilter),
        "refusal",
        Confidence,
        "verdict",
        ("label_digit", DigitFilter),
        "rejection",
        ReadBy,
        "source",
        "form",
        "pointer",
        ("visitor__may_train", Consent),
        ("visitor__may_publish", Consent),
        Layout,
    )
    list_per_page = 50
    actions = ("approve_selected", "label_selected", "take_back_selected")
    search_fields = ("pk",)
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

    def delete_model(self, request: HttpRequest, obj: Submission) -> None:
        """Delete a drawing for good."""
        self.delete_queryset(request, Submission.objects.filter(pk=obj.pk))

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete drawings for good."""
        keys = list(queryset.values_list("pk", flat=True))
        actor = staff(request)
        number = delete_submissions(
            submissions=Submission.objects.filter(pk__in=keys), by=actor
        )
        note("drawings deleted", request=request, by=actor.pk, number=number)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """Let the figures' plots ask for the drawings behind a bar."""
        columns = ("role", "confidence", "ink", "model_version")
        of_predictions = tuple(f"predictions__{column}__" for column in columns)
        return lookup.startswith(of_predictions) or super().lookup_allowed(
            lookup, value, request
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """List the newest of the chosen drawings."""
        return SubmissionList

    def get_search_results(
        self, request: HttpRequest, queryset: Any, search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Find a drawing by its id, or all of a user's, or all of a number."""
        term = search_term.strip()
        if not term:
            return queryset, False
        try:
            return queryset.filter(pk=UUID(term)), False
        except ValueError:
            theirs = Visitor.objects.filter(user__username=term)
            if is_number(term) and not theirs.exists():
                return queryset.with_number(term), False
            return newest_of(queryset, theirs), False

    def has_label_permission(self, request: HttpRequest) -> bool:
        """Whether the user may label drawings."""
        return request.user.has_perm("recognizer.add_label")

    @admin.action(
        description=_("Label the selected drawings as their authors confirmed"),
        permissions=["label"],
    )
    def approve_selected(
        self, request: HttpRequest, queryset: SubmissionQuerySet
    ) -> None:
        """Label drawings with the readings that their authors called right."""
        confirmed = queryset.filter(verdict=Verdict.RIGHT).awaiting_review()
        found = list(confirmed.values_list("pk", flat=True)[: APPROVED_AT_ONCE + 1])
        approved = approve(
            submission_ids=found[:APPROVED_AT_ONCE], reviewer=staff(request)
        )
        told = ngettext(
            "%(number)s drawing labelled as confirmed.",
            "%(number)s drawings labelled as confirmed.",
            approved,
        ) % {"number": approved}
        if len(found) > APPROVED_AT_ONCE:
            told += " " + gettext("There are more: do it again.")
        messages.success(request, told)

    @admin.action(description=_("Label the selected drawings"), permissions=["label"])
    def label_selected(
        self, request: HttpRequest, queryset: QuerySet[Submission]
    ) -> HttpResponse | None:
        """Show the selected drawings; label them once a label has been chosen."""
        if "digit" not in request.POST and "rejected" not in request.POST:
            context = on_page(
                request,
                title=gettext("Label the selected drawings"),
                drawings=queryset,
                digits=range(10),
                rejections=Rejection.choices,
            )
            return render(request, "admin/recognizer/label.html", context)
        decision = review.decision_in(request)
        labelled = 0
        for submission in queryset:
            with contextlib.suppress(Submission.DoesNotExist):  # just deleted
                label_submission(
                    submission=submission,
                    reviewer=staff(request),
                    digit=decision.digit,
                    rejected=decision.rejected,
                )
                labelled += 1
        told = ngettext(
            "%(number)s drawing labelled. To undo it, take back your label.",
            "%(number)s drawings labelled. To undo it, take back your labels.",
            labelled,
        )
        messages.success(request, told % {"number": labelled})
        return None

    @admin.action(
        description=_("Take back my labels of the selected drawings"),
        permissions=["label"],
    )
    def take_back_selected(
        self, request: HttpRequest, queryset: QuerySet[Submission]
    ) -> None:
        """Withdraw the user's own labels; drawings with another newest label stay."""
        taken = 0
        for submission in queryset:
            with contextlib.suppress(ReviewConflictError, Submission.DoesNotExist):
                take_back(submission_id=submission.pk, reviewer=staff(request))
                taken += 1
        told = ngettext(
            "%(number)s label taken back.", "%(number)s labels taken back.", taken
        )
        messages.success(request, told % {"number": taken})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """Show the drawing with its life, and let reviewers label it again."""
        submission = self.get_object(request, object_id)
        comments = Comment.objects.filter(submission=submission).order_by("pk")
        context = {
            "timeline": timeline(submission) if submission else [],
            "comments": [
                (one, author_of(one)) for one in comments.select_related("author")
            ],
            "most_characters": MOST_CHARACTERS,
            "digits": range(10),
            "rejections": Rejection.choices,
            **(extra_context or {}),
        }
        return super().change_view(request, object_id, form_url, context)

    def get_urls(self) -> list[URLPattern]:
        """Add the pictures' addresses, the review desk's, and that for labels."""
        may_label = needs("add_label", "view_submission")
        return [
            page(
                "<uuid:pk>/label/",
                require_POST(may_label(label_again)),
                name="label-again",
            ),
            page(
                "<uuid:pk>/comment/",
                require_POST(may_label(comment_on)),
                name="comment-on",
            ),
            page(
                "comment/<uuid:pk>/delete/",
                require_POST(may_label(delete_own_comment)),
                name="comment-delete",
            ),
            page("<uuid:pk>/drawing.svg", self.drawing_svg, name="drawing-svg"),
            page("<uuid:pk>/seen.png", self.seen_png, name="drawing-seen"),
            *review.addresses(),
            *imports.addresses(),
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
        return _picture(
            "drawing-svg", submission, side=64, alt=self.reading(submission)
        )

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
        return f"{shown.answer} ({share(min(shown.confidence, 0.999), 1)})"

    @admin.display(description=_("feedback"), ordering="verdict", empty_value="")
    def feedback(self, submission: Submission) -> str:
        """The visitor's feedback on the reading, if any."""
        verdict, correction = submission.get_verdict_display(), submission.correction
        return f"{verdict}: {correction}" if correction else verdict

    @admin.display(description=_("label"), ordering="label_digit", empty_value="")
    def label(self, submission: Submission) -> str:
        """The reviewers' decision, if any."""
        return submission.labelled_as or submission.get_rejection_display()

    @admin.display(description=_("probabilities"))
    def probabilities(self, submission: Submission) -> SafeString:
        """The ten probabilities, one per line."""
        return format_html_join(
            "",
            '{}: <progress max="1" value="{}"></progress> {}<br>',
            (
                (digit, f"{value:.4f}", share(value))
                for digit, value in enumerate(submission.shown_prediction.probabilities)
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
                one.get_refusal_display() or one.answer,
                share(min(one.confidence, 0.999), 1),
            )
            for one in others.select_related("model_version").order_by("pk")
        )
        none = gettext("none")
        return format_html_join("", "{}: {} ({})<br>", lines) or none


def newest_of(
    rows: QuerySet[Submission], visitors: QuerySet[Visitor]
) -> QuerySet[Submission]:
    """Keep the drawings of these visitors, of each at least as many as are listed.

    The index has a visitor's drawings in order; those of several would be sorted.
    """
    keys = [visitor.pk for visitor in visitors]
    theirs = rows.filter(visitor__in=keys)
    oldest = [oldest_of_newest(rows.filter(visitor=key)) for key in keys]
    last = max((key for key in oldest if key), default=None)
    return theirs.filter(pk__gte=last) if last else theirs


def label_again(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Add a label to a drawing; earlier ones are kept, the newest counts."""
    submission = get_object_or_404(Submission, pk=pk)
    try:
        decision = review.decision_in(request)
    except BadRequest as error:
        messages.error(request, str(error))
    else:
        label_submission(
            submission=submission,
            reviewer=staff(request),
            digit=decision.digit,
            rejected=decision.rejected,
        )
        messages.success(request, gettext("The drawing has a new label."))
    return redirect("admin:recognizer_submission_change", pk)


def comment_on(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Add a comment to a drawing."""
    get_object_or_404(Submission, pk=pk)
    try:
        add_comment(
            submission_id=pk, author=staff(request), text=request.POST.get("text", "")
        )
    except CommentError:
        messages.error(request, review.comment_refusal())
    else:
        messages.success(request, gettext("The comment has been added."))
    return redirect("admin:recognizer_submission_change", pk)


def delete_own_comment(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Delete a comment of the user's own."""
    comment = get_object_or_404(Comment, pk=pk)
    delete_comment(comment_id=pk, author=staff(request))
    return redirect("admin:recognizer_submission_change", comment.submission_id)


def _picture(
    view: str, submission: Submission, *, side: int, alt: str = ""
) -> SafeString:
    return format_html(
        '<img src="{}" width="{}" height="{}" alt="{}" loading="lazy">',
        reverse(f"admin:{view}", args=[submission.pk]),
        side,
        side,
        alt,
    )
