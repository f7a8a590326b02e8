"""Views of the caller's own submissions, and of their feedback and labels."""

import hashlib
from collections.abc import Mapping
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from recognizer.api.contract.incoming import (
    FeedbackIn,
    FilterQuery,
    IdempotencyKeyIn,
    IncludeQuery,
    LabelIn,
    PageQuery,
    StoreQuery,
    VisitorIdIn,
    drawing_in,
)
from recognizer.api.contract.judging import judged
from recognizer.api.contract.outgoing import (
    SubmissionOut,
    SubmissionPageOut,
    submission_out,
)
from recognizer.api.json import JSONParser, PictureParser, canonical
from recognizer.api.schema import DRAWING_BODIES, LOCATION, call
from recognizer.api.throttles import pay_for
from recognizer.api.views.base import RecognizerView
from recognizer.drawings.erasing import delete_all, delete_submissions
from recognizer.drawings.feedback import give_feedback
from recognizer.drawings.idempotency import RequestKey
from recognizer.drawings.listing import filtered, submission_page
from recognizer.drawings.submitting import submit_drawing
from recognizer.learning.labels import label_submission
from recognizer.metrics import stage
from recognizer.models import Scope, Submission, SubmissionQuerySet, User
from recognizer.people.limits import charge_storage
from recognizer.people.visitors import (
    Caller,
    caller_as,
    caller_of,
    remember_visitor,
)
from recognizer.reader.drawing import (
    Drawing,
    DrawingError,
    Expected,
    StrokeDrawing,
)
from recognizer.reader.explanations import extras_of, number_of
from recognizer.reader.pictures import picture_from_bytes


class SubmissionsView(RecognizerView):
    """The caller's own submissions: store, list and delete them."""

    parser_classes = (JSONParser, MultiPartParser, PictureParser)

    @call("listSubmissions", query=PageQuery, answers={200: SubmissionPageOut})
    def get(self, request: Request) -> Response:
        """List one page of your submissions, newest first."""
        page = submission_page(
            narrowed(self.query),
            visitors=caller_of(request).visitors,
            size=self.query.page_size,
            before=self.query.before,
            after=self.query.after,
        )
        return Response(
            SubmissionPageOut(
                next=_page_url(request, "before", page.older_than),
                previous=_page_url(request, "after", page.newer_than),
                results=[
                    submission_out(
                        item,
                        number=number_of(item, is_wanted=bool(self.query.include)),
                    )
                    for item in page.submissions
                ],
            )
        )

    @call(
        "storeDrawing",
        query=StoreQuery,
        takes=DRAWING_BODIES,
        answers={201: SubmissionOut},
        headers=[LOCATION],
        once=True,
        as_one=True,
    )
    def post(self, request: Request) -> Response:
        """Read one drawing and store it with its prediction."""
        caller = _caller_of(request)
        content = _content_of(request)
        once = _request_key(request, content)
        with stage("parse"):
            is_picture = isinstance(content, bytes)
            pay = partial(pay_for, request, self)
            expect = self.query.expect
            drawing = (
                picture_from_bytes(content, expected=Expected(expect), pay=pay)
                if is_picture
                else drawing_in(content, expect=expect, pay=pay)
            )
        submission = submit_drawing(
            drawing=drawing,
            visitor=caller.visitor,
            user=caller.user,
            source=_source(request, drawing),
            once=once,
            charge=partial(charge_storage, request),
        )
        response = Response(
            submission_out(
                submission,
                extras=extras_of(submission, self.query.extras),
                number=number_of(
                    submission,
                    is_wanted=drawing.expected.kind != "digit",
                    with_images="seen" in self.query.extras,
                ),
            ),
            status=201,
            headers={"Location": f"{request.path}{submission.pk}/"},
        )
        if caller.key is None:
            remember_visitor(response, submission.visitor)
        return response

    @call("deleteSubmissions", answers={204: None})
    def delete(self, request: Request) -> Response:
        """Delete all your submissions and everything that belongs to them."""
        delete_all(visitors=caller_of(request).visitors)
        return Response(status=204)


class SubmissionView(RecognizerView):
    """One of the caller's own submissions; anybody else's is a 404."""

    @call(
        "getSubmission", query=IncludeQuery, answers={200: SubmissionOut}, of_one=True
    )
    def get(self, request: Request, submission_id: UUID) -> Response:
        """Return one of your submissions with its prediction."""
        submission = own_submission(request, submission_id)
        extras = extras_of(submission, self.query.extras)
        number = number_of(
            submission,
            is_wanted="number" in self.query.extras,
            with_images="seen" in self.query.extras,
        )
        return Response(submission_out(submission, extras=extras, number=number))

    @call("deleteSubmission", answers={204: None}, of_one=True, as_one=True)
    def delete(self, request: Request, submission_id: UUID) -> Response:
        """Delete one of your submissions and everything that belongs to it."""
        own = Submission.objects.owned_by(*_caller_of(request).visitors)
        if not delete_submissions(submissions=own.filter(pk=submission_id)):
            raise Http404
        return Response(status=204)


class FeedbackView(RecognizerView):
    """A visitor's feedback on the shown prediction."""

    @call(
        "giveFeedback",
        takes=FeedbackIn,
        answers={201: SubmissionOut},
        of_one=True,
        once=True,
        as_one=True,
    )
    def post(self, request: Request, submission_id: UUID) -> Response:
        """Add your feedback on a prediction; all is kept, the latest counts."""
        submission = own_submission(request, submission_id)
        given = judged(FeedbackIn, request.data)
        stored = give_feedback(
            submission=submission,
            verdict=given.verdict,
            digit=given.digit,
            number=given.number,
            once=_request_key(request, request.data),
        )
        return Response(submission_out(stored), status=201)


class LabelView(RecognizerView):
    """A reviewer's decision about anybody's drawing."""

    scopes: Mapping[str, str] = {"POST": Scope.REVIEW}

    @call(
        "labelSubmission",
        takes=LabelIn,
        answers={201: SubmissionOut},
        of_one=True,
        once=True,
    )
    def post(self, request: Request, submission_id: UUID) -> Response:
        """Add a reviewer's label; all labels are kept, the latest counts."""
        given = judged(LabelIn, request.data)
        anybodys = Submission.objects.with_shown_prediction()
        stored = label_submission(
            submission=get_object_or_404(anybodys, pk=submission_id),
            reviewer=cast(User, request.user),  # checked with the scope review
            digit=given.digit,
            number=given.number,
            rejected=given.rejected or "",
            once=_request_key(request, request.data),
        )
        return Response(submission_out(stored), status=201)


def own_submission(request: Request, submission_id: UUID) -> Submission:
    """Return one of the caller's own submissions; anything else is a 404."""
    owned = Submission.objects.owned_by(*_caller_of(request).visitors)
    return get_object_or_404(owned.with_shown_prediction(), pk=submission_id)


def _caller_of(request: Request) -> Caller:
    """Return the caller, as the one visitor that `Visitor-Id` names, if it does."""
    caller = caller_of(request)
    if "Visitor-Id" not in request.headers:
        return caller
    sent = {"Visitor-Id": request.headers["Visitor-Id"]}
    return caller_as(caller, judged(VisitorIdIn, sent).visitor_id)


def narrowed(query: FilterQuery) -> SubmissionQuerySet:
    """Return everybody's submissions that match a query."""
    return filtered(
        Submission.objects.all(),
        digit=query.digit,
        refused=query.refused,
        feedback=query.feedback,
    )


def _page_url(request: Request, key: str, place: UUID | None) -> str | None:
    """Return the URL of another page of this list."""
    if place is None:
        return None
    query = request.query_params.copy()
    for former in ("before", "after"):
        query.pop(former, None)
    query[key] = str(place)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _request_key(request: Request, content: Any) -> RequestKey | None:
    """Return the `Idempotency-Key` of a call; None without one.

    The digest covers the parsed body, because a form's boundary differs each time.
    """
    if "Idempotency-Key" not in request.headers:
        return None
    sent = {"Idempotency-Key": request.headers["Idempotency-Key"]}
    key = judged(IdempotencyKeyIn, sent).key
    owner = _caller_of(request).key
    if owner is None:
        raise DrawingError(
            "unknown_visitor",
            "An Idempotency-Key needs a known caller. Get a cookie by POST "
            "/api/v1/me/, or send a token.",
        )
    body = content if isinstance(content, bytes) else canonical(content)
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + body)
    return RequestKey(owner, key, digest.hexdigest())


def _content_of(request: Request) -> Any:
    """Return the body of a call: the bytes of a picture, or parsed JSON."""
    body = request.data
    if not (request.content_type or "").startswith("multipart/"):
        return body
    pictures = request.FILES.getlist("image")
    if len(pictures) != 1:
        raise DrawingError(
            "invalid",
            "A multipart body must contain the picture as one file named image.",
            {"image": f"got {len(pictures)} files"},
        )
    return pictures[0].read()


def _source(request: Request, drawing: Drawing) -> str:
    """Return the source: a program, or our own page with strokes or a picture."""
    if request.headers.get("Sec-Fetch-Site") != "same-origin":
        return Submission.Source.API
    if isinstance(drawing, StrokeDrawing):
        return Submission.Source.PAGE
    return Submission.Source.UPLOAD
