"""The history: a visitor's own drawings, with answers, deletion and consent."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import (
    require_http_methods,
    require_POST,
    require_safe,
)

from recognizer.drawings import erasing, feedback, parquet
from recognizer.drawings.listing import filtered, neighbours, submission_page
from recognizer.drawings.svg import path_of, view_box_of
from recognizer.models import Refusal, Submission, SubmissionQuerySet, Verdict
from recognizer.pages.caching import ones_own
from recognizer.pages.messages import translated_phrases
from recognizer.pages.number_marks import choices_of, marks_on
from recognizer.people import visitors
from recognizer.people.visitors import caller_of
from recognizer.reader import engine
from recognizer.reader.drawing import DrawingError
from recognizer.reader.explanations import extras_of, number_of
from recognizer.reader.recognisers import ReaderUnavailableError

PAGE_SIZE = 24
DIGITS = tuple("0123456789")

# --- filters -------------------------------------------------------------------------

Filters = dict[str, str]
"""The filters in an address, named as in the API; a drawing must match all of them."""


def _filters_of(query: Mapping[str, Any]) -> Filters:
    """Take the filters from an address, in a fixed order; ignore malformed ones."""
    filters = {}
    if query.get("digit") in DIGITS:
        filters["digit"] = query["digit"]
    elif query.get("number") == "true":
        filters["number"] = "true"
    elif query.get("refused") == "true":
        filters["refused"] = "true"
    if query.get("feedback") in ("wrong", "none"):
        filters["feedback"] = query["feedback"]
    return filters


def _matching(submissions: SubmissionQuerySet, filters: Filters) -> SubmissionQuerySet:
    found = filtered(
        submissions,
        digit=int(filters["digit"]) if "digit" in filters else None,
        refused=True if "refused" in filters else None,
        feedback=filters.get("feedback"),
    )
    if "number" in filters:
        return found.exclude(shown_number="")
    # To the API's filter a number is refused, because callers may not know numbers.
    return found.filter(shown_number="") if "refused" in filters else found


def _nothing_found(filters: Filters) -> str:
    """Say that no drawing matches."""
    if len(filters) > 1:
        return _("No drawing matches both filters.")
    if "number" in filters:
        return _("None of your drawings was read as a number.")
    if "refused" in filters:
        return _("None was refused: every drawing was read as a digit.")
    if "digit" in filters:
        return _("None of your drawings was read as %(digit)s.") % filters
    if filters.get("feedback") == "wrong":
        return _("You have not marked any reading as wrong.")
    return _("Nothing to do: you have answered every reading.")


def _choices(filters: Filters) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return links that set or remove a filter: the filters in words, then by digit."""

    def choice(key: str, value: str, words: str, label: str = "") -> dict[str, Any]:
        is_on = filters.get(key) == value
        readings = ("digit", "number", "refused")
        replaced = ("feedback",) if key == "feedback" else readings
        other = {name: filters[name] for name in filters if name not in replaced}
        if not is_on:
            other[key] = value
        return {
            "words": words,
            "label": label or words,
            "url": reverse("history", query=_filters_of(other)),
            "is_on": is_on,
        }

    everything = _("All")
    words = [
        {
            "words": everything,
            "label": everything,
            "url": reverse("history"),
            "is_on": not filters,
        },
        choice("number", "true", _("Numbers")),
        choice("refused", "true", _("Refused")),
        choice("feedback", "wrong", _("Wrong")),
        choice("feedback", "none", _("Unanswered")),
    ]
    digits = [
        choice("digit", digit, digit, _("Read as %(digit)s") % {"digit": digit})
        for digit in DIGITS
    ]
    return words, digits


# --- the list ------------------------------------------------------------------------


@require_safe
@ones_own
def history(request: HttpRequest) -> HttpResponse:
    """Show a visitor's own drawings, newest first."""
    caller = caller_of(request)
    filters = _filters_of(request.GET)
    page = submission_page(
        _matching(Submission.objects.defer("strokes"), filters),
        visitors=caller.visitors,
        size=PAGE_SIZE,
        before=_uuid(request.GET.get("before")),
        after=_uuid(request.GET.get("after")),
    )
    older, newer = page.older_than, page.newer_than
    shown = {
        "submissions": page.submissions,
        "query": _query(filters),
        "choices": _choices(filters),
        "nothing_found": _nothing_found(filters),
        "next_url": older and reverse("history", query={**filters, "before": older}),
        "previous_url": newer and reverse("history", query={**filters, "after": newer}),
        # Whether there is a visitor or user whose consent can be stored.
        "is_anybodys": bool(caller.visitors) or caller.user is not None,
        "is_empty": not page.submissions and not _own(request).exists(),
        "caller": caller,
        "benchmarks": visitors.benchmarks_with(caller.visitors),
        "has_parquet": parquet.is_installed(),
    }
    return render(request, "recognizer/history.html", shown)


def _query(filters: Filters) -> str:
    return f"?{urlencode(filters)}" if filters else ""


def _uuid(value: str | None) -> UUID | None:
    """Take a page's key from the address; a malformed one means the first page."""
    try:
        return UUID(value) if value else None
    except ValueError:
        return None


# --- one drawing ---------------------------------------------------------------------


@require_safe
@ones_own
def drawing(request: HttpRequest, submission_id: UUID) -> HttpResponse:
    """Show one of the visitor's drawings with everything known about it."""
    visitors = caller_of(request).visitors
    own = Submission.objects.owned_by(*visitors).with_shown_prediction()
    submission = get_object_or_404(own, pk=submission_id)
    filters = _filters_of(request.GET)
    beside = neighbours(
        _matching(Submission.objects.all(), filters),
        visitors=visitors,
        of=submission.pk,
    )
    reading = submission.shown_prediction
    second = reading.second
    number = number_of(
        submission, is_wanted=submission.shown_digit is None, with_images=True
    )
    text = number["text"] if number else ""
    place = _place(request.GET.get("place"), text)
    shown = {
        "submission": submission,
        "reading": reading,
        "second_probability": None if second is None else reading.probabilities[second],
        "bars": [
            (digit, probability, f"{probability * 100:.2f}", digit == reading.digit)
            for digit, probability in enumerate(reading.probabilities)
        ],
        "canvas": _canvas(submission),
        "extras": {} if submission.shown_number else _extras(submission),
        "number": number,
        "number_text": text,
        "marks": marks_on(submission, number),
        "place": None if place is None else place + 1,
        "choices": choices_of(submission, text=text, place=place),
        "newer": beside.newer,
        "older": beside.older,
        "query": _query(filters),
        "phrases": translated_phrases(),
    }
    return render(request, "recognizer/drawing.html", shown)


def _place(given: str | None, text: str) -> int | None:
    """Take the place of a number's digit from the address, where it counts from 1."""
    places = {str(place + 1): place for place in range(len(text))}
    return places.get(given or "")


def _canvas(submission: Submission) -> dict[str, Any] | None:
    """Return the strokes as SVG paths, and as points for the replay."""
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
    """Return the images of what the model saw and why; none without a model."""
    if submission.refusal == Refusal.BLANK:
        return {}
    try:
        return extras_of(submission, {"seen", "why"})
    except ReaderUnavailableError:
        return {}


@require_POST
def give_feedback(request: HttpRequest, submission_id: UUID) -> HttpResponse:
    """Store a visitor's answer: a verdict, or the true digit or number."""
    submission = get_object_or_404(_own(request), pk=submission_id)
    given = request.POST.get("digit", "").strip()
    is_digit = given in DIGITS
    try:
        feedback.give_feedback(
            submission=submission,
            verdict=Verdict.WRONG if given else request.POST.get("verdict", ""),
            digit=int(given) if is_digit else None,
            number="" if is_digit else given,
        )
    except DrawingError as error:
        messages.error(request, error.message)
    except Submission.DoesNotExist as error:  # deleted meanwhile
        raise Http404 from error
    query = _filters_of(request.GET)
    return redirect(
        reverse("drawing", args=[submission_id], query=query, fragment="feedback")
    )


@require_http_methods(["GET", "HEAD", "POST"])
@ones_own
def delete(request: HttpRequest, submission_id: UUID) -> HttpResponse:
    """Ask whether to delete a drawing, and delete it."""
    one = _own(request).filter(pk=submission_id)
    query = _filters_of(request.GET)
    if request.method != "POST":
        if not one.exists():
            raise Http404
        shown = {
            "image_url": reverse("api:submission-svg", args=[submission_id]),
            "back_url": reverse("drawing", args=[submission_id], query=query),
        }
        return render(request, "recognizer/delete.html", shown)
    if not erasing.delete_submissions(submissions=one):
        raise Http404
    messages.success(
        request, _("The drawing and everything stored with it have been deleted.")
    )
    return redirect(reverse("history", query=query))


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
    """Store what the visitor's drawings may be used for."""
    caller = caller_of(request)
    if caller.key is None:
        raise Http404  # no visitor to store it for: the page does not offer it
    visitors.set_consent(
        visitors=caller.visitors,
        user=caller.user,
        given=visitors.consents_in(request.POST),
    )
    return redirect(reverse("history", fragment="yours"))
