"""One's own submissions, and what is said about them."""

import hashlib
from collections.abc import Mapping
from typing import Any, cast
from uuid import UUID

from django.core.files.uploadedfile import UploadedFile
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
from recognizer.api.views.base import RecognizerView
from recognizer.drawings.erasing import delete_all, delete_submissions
from recognizer.drawings.feedback import give_feedback
from recognizer.drawings.idempotency import RequestKey
from recognizer.drawings.listing import filtered, submission_page
from recognizer.drawings.submitting import submit_drawing
from recognizer.learning.labels import label_submission
from recognizer.metrics import stage
from recognizer.models import Scope, Submission, SubmissionQuerySet, User
from recognizer.people.visitors import caller_of, remember_visitor
from recognizer.reader.drawing import Drawing, DrawingError, StrokeDrawing
from recognizer.reader.explanations import extras_of
from recognizer.reader.pictures import picture_from_bytes


class SubmissionsView(RecognizerView):
    """One's own submissions: read a drawing and keep it, list what was kept."""

    parser_classes = (JSONParser, MultiPartParser, PictureParser)

    @call("listSubmissions", query=PageQuery, answers={200: SubmissionPageOut})
    def get(self, request: Request) -> Response:
        """Answer one page of one's own submissions, newest first."""
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
                results=[submission_out(item) for item in page.submissions],
            )
        )

    @call(
        "storeDrawing",
        query=IncludeQuery,
        takes=DRAWING_BODIES,
        answers={201: SubmissionOut},
        headers=[LOCATION],
        once=True,
    )
    def post(self, request: Request) -> Response:
        """Store one drawing with its prediction."""
        caller = caller_of(request)
        content = _content_of(request)
        once = _request_key(request, content)
        with stage("parse"):
            is_picture = isinstance(content, bytes)
            drawing = picture_from_bytes(content) if is_picture else drawing_in(content)
        submission = submit_drawing(
            drawing=drawing,
            visitor=caller.visitor,
            user=caller.user,
            source=_source(request, drawing),
            once=once,
        )
        response = Response(
            submission_out(submission, extras=extras_of(submission, self.query.extras)),
            status=201,
            headers={"Location": f"{request.path}{submission.pk}/"},
        )
        if caller.key is None:
            remember_visitor(response, submission.visitor)
        return response

    @call("deleteSubmissions", answers={204: None})
    def delete(self, request: Request) -> Response:
        """Delete all of one's own submissions with their chains."""
        delete_all(visitors=caller_of(request).visitors)
        return Response(status=204)


class SubmissionView(RecognizerView):
    """One submission of one's own; another's is as if it did not exist."""

    @call(
        "getSubmission", query=IncludeQuery, answers={200: SubmissionOut}, of_one=True
    )
    def get(self, request: Request, submission_id: UUID) -> Response:
        """Answer the submission with its prediction."""
        submission = own_submission(request, submission_id)
        extras = extras_of(submission, self.query.extras)
        return Response(submission_out(submission, extras=extras))

    @call("deleteSubmission", answers={204: None}, of_one=True)
    def delete(self, request: Request, submission_id: UUID) -> Response:
        """Delete the submission with its chain."""
        own = Submission.objects.owned_by(*caller_of(request).visitors)
        if not delete_submissions(submissions=own.filter(pk=submission_id)):
            raise Http404
        return Response(status=204)


class FeedbackView(RecognizerView):
    """The visitor's answer to what they were shown."""

    @call(
        "giveFeedback",
        takes=FeedbackIn,
        answers={201: SubmissionOut},
        of_one=True,
        once=True,
    )
    def post(self, request: Request, submission_id: UUID) -> Response:
        """Add an answer; the latest counts, all are kept."""
        submission = own_submission(request, submission_id)
        given = judged(FeedbackIn, request.data)
        stored = give_feedback(
            submission=submission,
            verdict=given.verdict,
            digit=given.digit,
            once=_request_key(request, request.data),
        )
        return Response(submission_out(stored), status=201)


class LabelView(RecognizerView):
    """What a reviewer decides, of anybody's drawing."""

    scopes: Mapping[str, str] = {"POST": Scope.REVIEW}

    @call(
        "labelSubmission",
        takes=LabelIn,
        answers={201: SubmissionOut},
        of_one=True,
        once=True,
    )
    def post(self, request: Request, submission_id: UUID) -> Response:
        """Add a decision; the latest counts, all are kept."""
        given = judged(LabelIn, request.data)
        anybodys = Submission.objects.with_shown_prediction()
        stored = label_submission(
            submission=get_object_or_404(anybodys, pk=submission_id),
            reviewer=cast(User, request.user),  # checked with the scope review
            digit=given.digit,
            rejected=given.rejected or "",
            once=_request_key(request, request.data),
        )
        return Response(submission_out(stored), status=201)


def own_submission(request: Request, submission_id: UUID) -> Submission:
    """Return one of the caller's own submissions; anything else is a 404."""
    owned = Submission.objects.owned_by(*caller_of(request).visitors)
    return get_object_or_404(owned.with_shown_prediction(), pk=submission_id)


def narrowed(query: FilterQuery) -> SubmissionQuerySet:
    """Return the submissions that a query looks for, of everybody."""
    return filtered(
        Submission.objects.all(),
        digit=query.digit,
        refused=query.refused,
        feedback=query.feedback,
    )


def _page_url(request: Request, key: str, place: UUID | None) -> str | None:
    """Return this call's address with another place in the list."""
    if place is None:
        return None
    query = request.query_params.copy()
    for former in ("before", "after"):
        query.pop(former, None)
    query[key] = str(place)
    return request.build_absolute_uri(f"{request.path}?{query.urlencode()}")


def _request_key(request: Request, content: Any) -> RequestKey | None:
    """Return the `Idempotency-Key` of a call; None without one.

    Its digest is of the parsed body: the boundary of a form differs each time.
    """
    if "Idempotency-Key" not in request.headers:
        return None
    sent = {"Idempotency-Key": request.headers["Idempotency-Key"]}
    key = judged(IdempotencyKeyIn, sent).key
    owner = caller_of(request).key
    if owner is None:
        raise DrawingError(
            "unknown_visitor",
            "An Idempotency-Key needs a known caller. Send the cookie of your first "
            "stored drawing, or a token.",
        )
    body = content if isinstance(content, bytes) else canonical(content)
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + body)
    return RequestKey(owner, key, digest.hexdigest())


def _content_of(request: Request) -> Any:
    """Return the body of a call: the bytes of a picture, or parsed JSON."""
    body = request.data
    if not (request.content_type or "").startswith("multipart/"):
        return body
    picture = request.FILES.get("image")
    if not isinstance(picture, UploadedFile):
        raise DrawingError(
            "invalid",
            "A multipart body must contain the picture as a file named image.",
            {"image": "missing"},
        )
    return picture.read()


def _source(request: Request, drawing: Drawing) -> str:
    """Tell our own page, which a browser names as the sender, from programs."""
    if request.headers.get("Sec-Fetch-Site") != "same-origin":
        return Submission.Source.API
    if isinstance(drawing, StrokeDrawing):
        return Submission.Source.PAGE
    return Submission.Source.UPLOAD
