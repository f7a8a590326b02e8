"""The history: one's own drawings as pages, and what can be done with them."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from recognizer.drawings import erasing, feedback
from recognizer.drawings.erasing import delete_submissions
from recognizer.drawings.listing import filtered, neighbours, submission_page
from recognizer.drawings.svg import path_of, view_box_of
from recognizer.models import (
    Refusal,
    Submission,
    SubmissionQuerySet,
    Verdict,
)
from recognizer.pages.caching import ones_own
from recognizer.pages.messages import translated_phrases
from recognizer.people import visitors
from recognizer.people.visitors import caller_of
from recognizer.reader import engine
from recognizer.reader.drawing import DrawingError
from recognizer.reader.explanations import extras_of
from recognizer.reader.recognisers import ReaderUnavailableError

PAGE_SIZE = 24

# --- what is looked for --------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """Which drawings are looked for; of what both say, both must hold.

    shown: "0" to "9", "refused", or "" for any. feedback: "wrong", "none", or "".
    """

    shown: str = ""
    feedback: str = ""

    @classmethod
    def by(cls, query: QueryDict) -> "Wanted":
        """Take it from an address; what is mangled there looks for nothing."""
        digit, feedback = query.get("digit", ""), query.get("feedback", "")
        shown = digit if digit in list("0123456789") else ""
        if not shown and query.get("refused") == "true":
            shown = "refused"
        return cls(shown, feedback if feedback in ("wrong", "none") else "")

    @property
    def query(self) -> dict[str, str]:
        """What an address says of it, in the words of the API."""
        asked = {}
        if self.shown == "refused":
            asked["refused"] = "true"
        elif self.shown:
            asked["digit"] = self.shown
        if self.feedback:
            asked["feedback"] = self.feedback
        return asked

    def among(self, submissions: SubmissionQuerySet) -> SubmissionQuerySet:
        """Keep the wanted ones."""
        return filtered(
            submissions,
            digit=int(self.shown) if self.shown.isdigit() else None,
            refused=True if self.shown == "refused" else None,
            feedback=self.feedback or None,
        )

    def nothing_found(self) -> str:
        """Say that there is none."""
        if self.shown and self.feedback:
            return _("No drawing matches both filters.")
        if self.shown == "refused":
            return _("None was refused: every drawing was read as a digit.")
        if self.shown:
            return _("None of your drawings was read as %(digit)s.") % {
                "digit": self.shown
            }
        if self.feedback == "wrong":
            return _("You have not marked any reading as wrong.")
        return _("Nothing to do: you have answered every reading.")


@dataclass(frozen=True)
class Choice:
    """A link that narrows the history down; one that is on lets go again."""

    words: str
    label: str
    url: str
    is_on: bool


def _choices(wanted: Wanted) -> tuple[list[Choice], list[Choice]]:
    """Return the words and the digits to choose from."""

    def by_reading(shown: str, words: str, label: str = "") -> Choice:
        is_on = wanted.shown == shown
        other = Wanted("" if is_on else shown, wanted.feedback)
        return Choice(words, label or words, _history_url(other), is_on)

    def by_feedback(feedback: str, words: str) -> Choice:
        is_on = wanted.feedback == feedback
        other = Wanted(wanted.shown, "" if is_on else feedback)
        return Choice(words, words, _history_url(other), is_on)

    words = [
        Choice(_("All"), _("All"), reverse("history"), wanted == Wanted()),
        by_reading("refused", _("Refused")),
        by_feedback("wrong", _("Wrong")),
        by_feedback("none", _("Unanswered")),
    ]
    digits = [
        by_reading(str(digit), str(digit), _("Read as %(digit)s") % {"digit": digit})
        for digit in range(10)
    ]
    return words, digits


def _query(wanted: Wanted) -> str:
    return f"?{urlencode(wanted.query)}" if wanted.query else ""


def _history_url(wanted: Wanted) -> str:
    return reverse("history") + _query(wanted)


def _page_url(wanted: Wanted, key: str, place: UUID | None) -> str | None:
    if place is None:
        return None
    return f"{reverse('history')}?{urlencode({**wanted.query, key: str(place)})}"


def _drawing_url(wanted: Wanted, submission_id: UUID) -> str:
    return reverse("drawing", args=[submission_id]) + _query(wanted)


# --- the list ------------------------------------------------------------------------


@require_safe
@ones_own
def history(request: HttpRequest) -> HttpResponse:
    """Show a visitor's own drawings, newest first."""
    caller = caller_of(request)
    wanted = Wanted.by(request.GET)
    page = submission_page(
        wanted.among(Submission.objects.defer("strokes")),
        visitors=caller.visitors,
        size=PAGE_SIZE,
        before=_uuid(request.GET.get("before")),
        after=_uuid(request.GET.get("after")),
    )
    shown = {
        "submissions": page.submissions,
        "query": _query(wanted),
        "choices": _choices(wanted),
        "nothing_found": wanted.nothing_found(),
        "next_url": _page_url(wanted, "before", page.older_than),
        "previous_url": _page_url(wanted, "after", page.newer_than),
        # Whether there is somebody to keep a consent for.
        "is_anybodys": bool(caller.visitors) or caller.user is not None,
        "is_empty": not page.submissions and not _own(request).exists(),
        "may_train": caller.may_train,
    }
    return render(request, "recognizer/history.html", shown)


def _uuid(value: str | None) -> UUID | None:
    """Take a page's key from the address; a mangled one means the first page."""
    try:
        return UUID(value) if value else None
    except ValueError:
        return None


# --- one drawing ---------------------------------------------------------------------


@require_safe
@ones_own
def drawing(request: HttpRequest, submission_id: UUID) -> HttpResponse:
    """Show one of the visitor's drawings with all that is known of it."""
    visitors = caller_of(request).visitors
    own = Submission.objects.owned_by(*visitors).with_shown_prediction()
    submission = get_object_or_404(own, pk=submission_id)
    wanted = Wanted.by(request.GET)
    beside = neighbours(
        wanted.among(Submission.objects.all()), visitors=visitors, of=submission.pk
    )
    reading = submission.shown_prediction
    second = reading.second
    shown = {
        "submission": submission,
        "reading": reading,
        "second_probability": None if second is None else reading.probabilities[second],
        "bars": [
            (digit, probability, f"{probability * 100:.2f}", digit == reading.digit)
            for digit, probability in enumerate(reading.probabilities)
        ],
        "canvas": _canvas(submission),
        "extras": _extras(submission),
        "other_digits": [digit for digit in range(10) if digit != reading.digit],
        "newer": beside.newer,
        "older": beside.older,
        "query": _query(wanted),
        "phrases": translated_phrases(),
    }
    return render(request, "recognizer/drawing.html", shown)


def _canvas(submission: Submission) -> dict[str, Any] | None:
    """Return the strokes as they are painted, and as they are replayed."""
    if submission.form != Submission.Form.STROKES:
        return None
    strokes = engine.strokes_of(submission)
    return {
        "view_box": view_box_of(strokes),
        "pen_width": f"{strokes.pen_width:g}",
        "paths": [path_of(stroke) for stroke in strokes.strokes],
        "strokes": strokes.strokes,
    }


def _extras(submission: Submission) -> dict[str, str]:
    """Make what the model saw and why; without a model the page goes without."""
    if submission.refusal == Refusal.BLANK:
        return {}
    try:
        return extras_of(submission, {"seen", "why"})
    except ReaderUnavailableError:
        return {}


@require_POST
def give_feedback(request: HttpRequest, submission_id: UUID) -> HttpResponse:
    """Take a visitor's answer: a verdict, or the digit that it truly is."""
    submission = get_object_or_404(_own(request), pk=submission_id)
    given = request.POST.get("digit", "")
    digit = int(given) if given in list("0123456789") else None
    verdict = Verdict.WRONG if given else request.POST.get("verdict", "")
    try:
        feedback.give_feedback(submission=submission, verdict=verdict, digit=digit)
    except DrawingError as error:
        messages.error(request, error.message)
    except Submission.DoesNotExist as error:  # deleted meanwhile
        raise Http404 from error
    back = _drawing_url(Wanted.by(request.GET), submission_id)
    return redirect(f"{back}#feedback")


@require_http_methods(["GET", "HEAD", "POST"])
@ones_own
def delete(request: HttpRequest, submission_id: UUID) -> HttpResponse:
    """Ask whether to delete a drawing, and delete it."""
    one = _own(request).filter(pk=submission_id)
    wanted = Wanted.by(request.GET)
    if request.method != "POST":
        if not one.exists():
            raise Http404
        shown = {
            "image_url": reverse("api:submission-svg", args=[submission_id]),
            "back_url": _drawing_url(wanted, submission_id),
        }
        return render(request, "recognizer/delete.html", shown)
    if not delete_submissions(submissions=one):
        raise Http404
    messages.success(
        request, _("The drawing and everything stored with it have been deleted.")
    )
    return redirect(_history_url(wanted))


def _own(request: HttpRequest) -> SubmissionQuerySet:
    return Submission.objects.owned_by(*caller_of(request).visitors)


# --- all of them ---------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@ones_own
def delete_all(request: HttpRequest) -> HttpResponse:
    """Ask whether to delete all drawings, and delete them."""
    if request.method != "POST":
        shown = {"is_all": True, "back_url": reverse("history")}
        return render(request, "recognizer/delete.html", shown)
    erasing.delete_all(visitors=caller_of(request).visitors)
    messages.success(request, _("All your drawings have been deleted."))
    return redirect("history")


@require_POST
def set_consent(request: HttpRequest) -> HttpResponse:
    """Note whether the visitor's drawings may train models."""
    caller = caller_of(request)
    if caller.key is None:
        raise Http404  # nobody to note it for: the page does not offer it
    visitors.set_consent(
        visitors=caller.visitors,
        user=caller.user,
        may_train="may_train" in request.POST,
    )
    return redirect(f"{reverse('history')}#yours")
