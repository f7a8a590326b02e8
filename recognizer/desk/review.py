"""The review desk: drawings one by one by keyboard, or a sheet of them at once."""

from collections.abc import Callable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import URLPattern, reverse
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from django.views.decorators.http import require_GET, require_POST

from recognizer.desk.access import needs, on_page, page, staff
from recognizer.desk.timeline import author_of
from recognizer.drawings.comments import MOST_CHARACTERS, CommentError, add_comment
from recognizer.drawings.statistics import stats
from recognizer.learning import review
from recognizer.learning.review import Decision, ReviewConflictError
from recognizer.models import GateReport, Rejection, Submission, User
from recognizer.reader import engine
from recognizer.reader.numbers import is_number

ON_THE_DESK = 8  # drawings that the page holds, so that no key waits for the network
RECENT = 10  # decisions that stay in sight
ON_A_SHEET = 60  # drawings to approve at once
DIGITS = tuple("0123456789")


def desk(request: HttpRequest) -> HttpResponseBase:
    """Show the desk; its script claims drawings by itself."""
    numbers = stats()
    acts = ("claim", "decide", "undo", "comment", "skip", "unskip", "recent")
    return _desk(
        request,
        title=_("Review"),
        waiting=numbers.submissions - numbers.reviewed,
        addresses={name: reverse(f"admin:review-{name}") for name in acts},
    )


def second_desk(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Show the desk with the drawings whose labels a gate report doubts."""
    report = get_object_or_404(GateReport, pk=pk)
    acts = {
        "claim": reverse("admin:review-second-claim", args=[pk]),
        "decide": reverse("admin:review-second-decide"),
        "comment": reverse("admin:review-comment"),
        "skip": reverse("admin:review-skip"),
        "unskip": reverse("admin:review-unskip"),
    }
    return _desk(
        request,
        title=_("Second opinions"),
        waiting=len(report.report.get("doubted", [])),
        addresses=acts,
    )


def _desk(request: HttpRequest, *, title: str, **context: Any) -> HttpResponseBase:
    rejections = [(value, Rejection(value).label, key) for value, key in KEYS.items()]
    context = on_page(
        request,
        title=title,
        rejections=rejections,
        most_characters=MOST_CHARACTERS,
        digits=range(10),
        texts={text: _(text) for text in TEXTS},
        **context,
    )
    return render(request, "admin/recognizer/review.html", context)


KEYS = {
    Rejection.NOT_A_DIGIT: "n",
    Rejection.AMBIGUOUS: "a",
    Rejection.SEVERAL: "m",
    Rejection.UNREADABLE: "r",
    Rejection.OFFENSIVE: "o",
}
"""The key for each rejection reason, pressed after x."""

TEXTS = (
    gettext_noop("The site refused this. Reload the page."),
    gettext_noop(
        "A second opinion cannot be undone. If it differs, the drawing is back in the "
        "queue."
    ),
    gettext_noop("There is nothing to undo."),
    gettext_noop("%(label)s: undo"),
    gettext_noop("Undone. Label this drawing again."),
    gettext_noop("The comment has been added."),
    gettext_noop("There is nothing left to review."),
    gettext_noop(" (%(seconds)s s each)"),
    gettext_noop("the picture"),
    gettext_noop("The author says it is %(digit)s."),
    gettext_noop("The author says it is not a digit."),
    gettext_noop("The author confirmed the reading."),
    gettext_noop("The author has not answered."),
)
"""Messages of the desk's script, for translation."""


def claim(request: HttpRequest) -> HttpResponseBase:
    """Return the next drawings for this reviewer's desk."""
    only_trainable = "trainable" in request.POST
    return _claimed(request, partial(review.claim_next, only_trainable=only_trainable))


def second_claim(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Return drawings that need a second opinion."""
    report = get_object_or_404(GateReport, pk=pk)
    return _claimed(request, partial(review.doubted, report=report))


def _claimed(
    request: HttpRequest, take: Callable[..., list[Submission]]
) -> HttpResponse:
    """Return as many drawings as the desk lacks."""
    here = _ids(request, "have")
    found = take(
        reviewer=staff(request), count=max(0, ON_THE_DESK - len(here)), but=here
    )
    prefetch_related_objects(found, "comments__author")
    return JsonResponse({"drawings": [_as_shown(one) for one in found]})


def decide(request: HttpRequest) -> HttpResponseBase:
    """Store a decision: `digit`, or `rejected` with the reason."""
    return _decided(request, review.decide)


def second_decide(request: HttpRequest) -> HttpResponseBase:
    """Store a second opinion, sent in the same form as a decision."""
    return _decided(request, review.give_second_opinion)


def _decided(request: HttpRequest, decide: Callable[..., Submission]) -> HttpResponse:
    try:
        decision = decision_in(request)
    except BadRequest as error:
        return _refused(400, str(error))
    return _answer(request, partial(decide, decision=decision))


def decision_in(request: HttpRequest) -> Decision:
    """Read a decision from a form: `digit`, `number`, or `rejected` with the reason.

    Raises:
        BadRequest: it has not just one of them; the message is for the reviewer.
    """
    fields = ("digit", "number", "rejected")
    given = {name: value for name in fields if (value := request.POST.get(name))}
    match given:
        case {"digit": digit, **others} if digit in DIGITS and not others:
            return Decision(digit=int(digit))
        case {"number": number, **others} if is_number(number) and not others:
            return Decision(number=number)
        case {"rejected": rejected, **others} if (
            rejected in Rejection.values and not others
        ):
            return Decision(rejected=rejected)
    raise BadRequest(
        _("Give a digit from 0 to 9, a number, or a reason why it is neither.")
    )


def undo(request: HttpRequest) -> HttpResponseBase:
    """Undo the reviewer's own decision; the drawing returns to the desk."""
    return _answer(request, review.take_back, shows=True)


def recent(request: HttpRequest) -> HttpResponseBase:
    """Return the reviewer's last decisions, newest first."""
    found = review.latest_decisions(reviewer=staff(request), count=RECENT)
    decisions = [
        {
            "id": str(label.submission_id),
            "label": label.get_rejected_display() or label.number or str(label.digit),
            "picture": reverse("admin:drawing-svg", args=[label.submission_id]),
        }
        for label in found
    ]
    return JsonResponse({"decisions": decisions})


def comment(request: HttpRequest) -> HttpResponseBase:
    """Add a comment to a drawing; answer all of its comments."""

    def add(*, submission_id: UUID, reviewer: User) -> Submission:
        made = add_comment(
            submission_id=submission_id,
            author=reviewer,
            text=request.POST.get("text", ""),
        )
        return made.submission

    try:
        return _answer(request, add, shows=True)
    except CommentError:
        return _refused(400, comment_refusal())


def comment_refusal() -> str:
    """Say what a comment must be."""
    return _("A comment has 1 to %(most)s characters.") % {"most": MOST_CHARACTERS}


def skip(request: HttpRequest) -> HttpResponseBase:
    """Leave a drawing to others."""
    return _answer(request, review.skip)


def unskip(request: HttpRequest) -> HttpResponseBase:
    """Offer the reviewer their skipped drawings again."""
    return JsonResponse({"back": review.forget_skips(reviewer=staff(request))})


def approve(request: HttpRequest) -> HttpResponseBase:
    """Show drawings whose visitor agreed with the reading; label those left ticked."""
    reviewer = staff(request)
    digit = _digit_of(request)
    if request.method == "POST":
        shown, good = _ids(request, "shown"), _ids(request, "good")
        approved = review.approve(submission_ids=good, reviewer=reviewer)
        review.skip_all(submission_ids=set(shown) - set(good), reviewer=reviewer)
        left = len(good) - approved
        messages.success(
            request,
            _("%(number)s drawings labelled as %(digit)s.")
            % {"number": approved, "digit": digit}
            + (
                " "
                + _("%(number)s were already labelled by others.") % {"number": left}
                if left
                else ""
            ),
        )
        return redirect(f"{reverse('admin:review-approve')}?digit={digit}")
    found = review.claim_agreed(reviewer=reviewer, digit=digit, count=ON_A_SHEET)
    context = on_page(
        request,
        title=_("Drawings read as %(digit)s and confirmed by their authors")
        % {"digit": digit},
        digit=digit,
        digits=range(10),
        drawings=found,
    )
    return render(request, "admin/recognizer/approve.html", context)


def _ids(request: HttpRequest, name: str) -> list[UUID]:
    try:
        return [UUID(text) for text in request.POST.getlist(name)]
    except ValueError as error:
        raise BadRequest(f"{name}: not a list of drawing ids.") from error


def _digit_of(request: HttpRequest) -> int:
    text = request.GET.get("digit", "")
    return int(text) if text in DIGITS else 0


def _answer(
    request: HttpRequest, act: Callable[..., Any], *, shows: bool = False
) -> HttpResponse:
    """Call `act` with the drawing `id`; answer the drawing if `shows` is true."""
    try:
        submission_id = UUID(request.POST.get("id", ""))
    except ValueError:
        return _refused(400, _("The id of the drawing is missing or malformed."))
    try:
        submission = act(submission_id=submission_id, reviewer=staff(request))
    except Submission.DoesNotExist:
        return _refused(404, _("The owner has deleted this drawing."))
    except ReviewConflictError as error:
        return _refused(409, str(error))
    return JsonResponse({"drawing": _as_shown(submission)} if shows else {})


def _refused(status: int, message: str) -> JsonResponse:
    return JsonResponse({"message": message}, status=status)


def _as_shown(submission: Submission) -> dict[str, Any]:
    """Return what the desk shows of a drawing."""
    reading = submission.shown_prediction
    comments = sorted(submission.comments.all(), key=lambda comment: comment.pk)
    shown: dict[str, Any] = {
        "id": str(submission.pk),
        "reading": reading.get_refusal_display() or reading.answer,
        "number": reading.number_text,
        "likeliest": reading.likeliest,
        "probabilities": reading.probabilities,
        "digitness": reading.digitness,
        "verdict": submission.verdict,
        "corrected": submission.correction,
        "picture": reverse("admin:drawing-svg", args=[submission.pk]),
        "details": reverse("admin:recognizer_submission_change", args=[submission.pk]),
        "comments": [
            {
                "author": author_of(one),
                "at": date_format(localtime(one.created_at), "DATETIME_FORMAT"),
                "text": one.text,
            }
            for one in comments
        ],
    }
    if submission.form == Submission.Form.STROKES:
        shown["strokes"] = submission.strokes
        shown["frame"] = list(engine.strokes_of(submission).frame())
        shown["pen_width"] = submission.pen_width
    return shown


def addresses() -> list[URLPattern]:
    """Return the desk's addresses for reviewers, below the submissions' address."""
    views: list[tuple[str, str, Callable[..., HttpResponseBase]]] = [
        ("", "desk", require_GET(desk)),
        ("claim/", "claim", require_POST(claim)),
        ("decide/", "decide", require_POST(decide)),
        ("undo/", "undo", require_POST(undo)),
        ("recent/", "recent", require_GET(recent)),
        ("comment/", "comment", require_POST(comment)),
        ("skip/", "skip", require_POST(skip)),
        ("unskip/", "unskip", require_POST(unskip)),
        ("approve/", "approve", approve),
        ("second/<uuid:pk>/", "second", require_GET(second_desk)),
        ("second-claim/<uuid:pk>/", "second-claim", require_POST(second_claim)),
        ("second-decide/", "second-decide", require_POST(second_decide)),
    ]
    is_reviewer = needs("add_label", "view_submission")
    return [
        page(f"review/{route}", is_reviewer(view), name=f"review-{name}")
        for route, name, view in views
    ]
