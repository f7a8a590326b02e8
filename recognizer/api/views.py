"""The REST API: parse, one service or selector call, answer."""

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import UploadedFile
from django.http import (
    Http404,
    StreamingHttpResponse,
)
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.utils.cache import (
    patch_cache_control,
    patch_vary_headers,
)
from rest_framework.exceptions import PermissionDenied
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from recognizer.api import export
from recognizer.api.calls import (
    AS,
    DRAWING_BODIES,
    FILTER_PARAMETERS,
    INCLUDE,
    PAGE_PARAMETERS,
    call,
)
from recognizer.api.errors import drawing_error_body
from recognizer.api.json import JSONParser, PictureParser, canonical
from recognizer.api.parameters import refuse_unknown
from recognizer.api.serializers import (
    consent_in,
    drawing_in,
    drawings_in,
    export_in,
    feedback_in,
    idempotency_key_in,
    include_in,
    label_in,
    me_out,
    model_out,
    page_in,
    reading_out,
    stats_out,
    submission_out,
)
from recognizer.api.throttles import Allowance
from recognizer.drawings.erasing import delete_all, delete_submissions
from recognizer.drawings.feedback import give_feedback
from recognizer.drawings.filters import FILTERS, filtered
from recognizer.drawings.idempotency import RequestKey
from recognizer.drawings.listing import submission_page
from recognizer.drawings.statistics import stats
from recognizer.drawings.submitting import submit_drawing
from recognizer.drawings.svg import svg_of
from recognizer.learning.labels import label_submission
from recognizer.metrics import Stage
from recognizer.models import ModelVersion, Scope, Submission
from recognizer.people.visitors import caller_of, remember_visitor, set_consent
from recognizer.reader import engine, explanations
from recognizer.reader.active import active_model, active_reader
from recognizer.reader.drawing import Drawing, DrawingError, StrokeDrawing
from recognizer.reader.explanations import extras_of
from recognizer.reader.pictures import drawing_png, picture_from_bytes
from recognizer.responses import picture_response

_FROM_OTHER_PAGES = {"cross-site", "same-site"}


class RecognizerView(APIView):
    """What all calls share: pages of other sites may not call in a visitor's name.

    scopes: of tokens, by method, where they are not the usual ones. parameters: of the
    address, by method; any other is an error.
    """

    scopes: Mapping[str, str] = {}
    parameters: Mapping[str, Sequence[str]] = {}
    allowance: Allowance | None = None

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Refuse what a browser sends for another site's page."""
        super().initial(request, *args, **kwargs)
        method = "GET" if request.method == "HEAD" else request.method or ""
        if method != "OPTIONS" and method in self.allowed_methods:  # else a 405
            refuse_unknown(request.query_params, self.parameters.get(method, ()))
        came_from = request.headers.get("Sec-Fetch-Site", "")
        if request.method not in ("GET", "HEAD", "OPTIONS") and (
            came_from in _FROM_OTHER_PAGES
        ):
            raise PermissionDenied(
                "A page of another site sent this: call from this site's pages, or "
                "from a program."
            )

    def perform_authentication(self, request: Request) -> None:
        """Sign in and count the call: one that is refused counts too."""
        try:
            super().perform_authentication(request)
        finally:
            super().check_throttles(request)

    def check_throttles(self, request: Request) -> None:
        """Do nothing more: the call was counted with signing in."""

    def finalize_response(
        self, request: Request, response: Any, *args: object, **kwargs: object
    ) -> Any:
        """Keep what is one visitor's out of shared caches; say what calls are left."""
        final = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(final, ["Cookie", "Authorization"])
        if self.allowance is not None:
            for name, value in self.allowance.headers().items():
                final.headers[name] = value
        if not final.has_header("Cache-Control"):
            patch_cache_control(final, private=True, no_cache=True)
        return final


class AnyAccept(BaseContentNegotiation):
    """A file is what it is, whatever `Accept` says; errors are JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Take none: nothing is sent to a file."""
        return None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """Take the first, which the errors are written with."""
        return renderers[0], renderers[0].media_type


class ReadingsView(RecognizerView):
    """Read drawings without storing anything."""

    scopes: Mapping[str, str] = {"POST": Scope.READ}
    parameters: Mapping[str, Sequence[str]] = {"POST": ["include"]}

    @call(
        "readDrawings",
        "Read drawings and store nothing",
        tag="readings",
        takes="ReadingsRequest",
        answers={200: "Readings"},
        parameters=[INCLUDE],
    )
    def post(self, request: Request) -> Response:
        """Answer one reading, or one error, for each drawing, in order."""
        include = include_in(request.query_params)
        batch = drawings_in(request.data)
        version, recogniser = active_reader()
        answers = []
        stop_at = time.monotonic() + settings.MAX_SECONDS_PER_CALL
        for data in batch:
            try:
                if time.monotonic() > stop_at:
                    raise DrawingError(
                        "too_slow",
                        "The drawings before this one took all the time of a call: "
                        "send it again with fewer, or with smaller pictures.",
                    )
                reading = engine.read(drawing_in(data), recogniser=recogniser)
            except DrawingError as error:
                answers.append(drawing_error_body(error))
            else:
                extras = explanations.extras(
                    include, reading.image, recogniser=recogniser
                )
                answers.append(reading_out(reading, extras=extras))
        return Response({"model": version.digest, "readings": answers})


class SubmissionsView(RecognizerView):
    """One's own submissions: read a drawing and keep it, list what was kept."""

    parser_classes = (JSONParser, MultiPartParser, PictureParser)
    parameters: Mapping[str, Sequence[str]] = {
        "GET": [*FILTERS, "page_size", "before", "after"],
        "POST": ["include"],
    }

    @call(
        "listSubmissions",
        "List one's own submissions",
        tag="submissions",
        answers={200: "SubmissionPage"},
        parameters=[*FILTER_PARAMETERS, *PAGE_PARAMETERS],
    )
    def get(self, request: Request) -> Response:
        """Answer one page of one's own submissions, newest first."""
        place = page_in(request.query_params)
        page = submission_page(
            filtered(Submission.objects.all(), request.query_params),
            visitors=caller_of(request).visitors,
            size=place.page_size,
            before=place.before,
            after=place.after,
        )
        return Response(
            {
                "next": _page_url(request, "before", page.older_than),
                "previous": _page_url(request, "after", page.newer_than),
                "results": [submission_out(item) for item in page.submissions],
            }
        )

    @call(
        "storeDrawing",
        "Read a drawing and keep it",
        tag="submissions",
        takes=DRAWING_BODIES,
        answers={201: "Submission"},
        parameters=[INCLUDE],
        once=True,
    )
    def post(self, request: Request) -> Response:
        """Store one drawing with its prediction."""
        include = include_in(request.query_params)
        caller = caller_of(request)
        content = _content_of(request)
        once = _request_key(request, content)
        with Stage("parse"):
            drawing = _drawing_of(content)
        submission = submit_drawing(
            drawing=drawing,
            visitor=caller.visitor,
            user=caller.user,
            source=_source(request, drawing),
            once=once,
        )
        response = _created(request, submission, include)
        if caller.key is None:
            remember_visitor(response, submission.visitor)
        return response

    @call(
        "deleteSubmissions",
        "Delete all of one's own submissions",
        tag="submissions",
        answers={204: None},
    )
    def delete(self, request: Request) -> Response:
        """Delete all of one's own submissions with their chains."""
        delete_all(visitors=caller_of(request).visitors)
        return Response(status=204)


class SubmissionView(RecognizerView):
    """One submission of one's own; another's is as if it did not exist."""

    parameters: Mapping[str, Sequence[str]] = {"GET": ["include"]}

    @call(
        "getSubmission",
        "Get a submission",
        tag="submissions",
        answers={200: "Submission"},
        parameters=[INCLUDE],
        of_one=True,
    )
    def get(self, request: Request, submission_id: UUID) -> Response:
        """Answer the submission with its prediction."""
        include = include_in(request.query_params)
        submission = _own_submission(request, submission_id)
        return Response(
            submission_out(submission, extras=extras_of(submission, include))
        )

    @call(
        "deleteSubmission",
        "Delete a submission",
        tag="submissions",
        answers={204: None},
        of_one=True,
    )
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
        "Say whether a submission was read right",
        tag="submissions",
        takes="FeedbackRequest",
        answers={201: "Submission"},
        of_one=True,
        once=True,
    )
    def post(self, request: Request, submission_id: UUID) -> Response:
        """Add an answer; the latest counts, all are kept."""
        submission = _own_submission(request, submission_id)
        given = feedback_in(request.data, shown_digit=submission.shown_digit)
        once = _request_key(request, request.data)
        stored = give_feedback(
            submission=submission, verdict=given.verdict, digit=given.digit, once=once
        )
        return Response(submission_out(stored), status=201)


class LabelView(RecognizerView):
    """What a reviewer decides, of anybody's drawing."""

    scopes: Mapping[str, str] = {"POST": Scope.REVIEW}

    @call(
        "labelSubmission",
        "Decide what a submission shows",
        tag="review",
        takes="LabelRequest",
        answers={201: "Submission"},
        of_one=True,
        once=True,
    )
    def post(self, request: Request, submission_id: UUID) -> Response:
        """Add a decision; the latest counts, all are kept."""
        given = label_in(request.data)
        anybodys = Submission.objects.with_shown_prediction()
        stored = label_submission(
            submission=get_object_or_404(anybodys, pk=submission_id),
            reviewer=cast(User, request.user),  # the scope review has seen to it
            digit=given.digit,
            rejected=given.rejected,
            once=_request_key(request, request.data),
        )
        return Response(submission_out(stored), status=201)


class ExportView(RecognizerView):
    """All of one's own submissions in one file."""

    content_negotiation_class = AnyAccept
    parameters: Mapping[str, Sequence[str]] = {"GET": ["as", *FILTERS]}

    @call(
        "exportSubmissions",
        "Export one's own submissions",
        tag="submissions",
        files=["application/x-ndjson", "application/zip"],
        parameters=[AS, *FILTER_PARAMETERS],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Stream the file."""
        stream, media_type, name = _EXPORTS[export_in(request.query_params)]
        visitors = caller_of(request).visitors
        chosen = filtered(Submission.objects.all(), request.query_params)
        return StreamingHttpResponse(
            stream(chosen, visitors),
            content_type=media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


_EXPORTS: Mapping[str, tuple[Callable[[Any, Any], Iterator[bytes]], str, str]] = {
    "ndjson": (export.as_ndjson, "application/x-ndjson", "submissions.ndjson"),
    "zip": (export.as_zip, "application/zip", "submissions.zip"),
    "idx": (export.as_idx, "application/zip", "submissions-idx.zip"),
}


class MeView(RecognizerView):
    """Who is calling, and whether their drawings may train models."""

    @call("getMe", "Who is calling", tag="me", answers={200: "Me"})
    def get(self, request: Request) -> Response:
        """Answer who is calling."""
        return Response(me_out(caller_of(request)))

    @call(
        "setConsent",
        "Say whether one's drawings may train models",
        tag="me",
        takes="ConsentRequest",
        answers={200: "Me"},
    )
    def patch(self, request: Request) -> Response:
        """Note the consent, for all drawings so far and to come."""
        may_train = consent_in(request.data)
        caller = caller_of(request)
        if caller.key is None:
            raise DrawingError(
                "unknown_visitor",
                "Nothing of yours is kept yet, so there is nobody to note this for: "
                "store a drawing first and keep the cookie, or send a token.",
            )
        set_consent(visitors=caller.visitors, user=caller.user, may_train=may_train)
        return Response(me_out(caller_of(request)))


class ModelsView(RecognizerView):
    """The models the site knows."""

    @call(
        "listModels",
        "List the models",
        tag="site",
        answers={200: "ModelVersions"},
    )
    def get(self, request: Request) -> Response:
        """Answer all versions, newest first."""
        return Response(
            {
                "results": [
                    model_out(version)
                    for version in ModelVersion.objects.newest_first()
                ]
            }
        )


class ActiveModelView(RecognizerView):
    """The model that reads now."""

    @call(
        "getActiveModel",
        "Get the model that reads now",
        tag="site",
        answers={200: "ModelVersion"},
    )
    def get(self, request: Request) -> Response:
        """Answer the version."""
        return Response(model_out(active_model()))


class StatsView(RecognizerView):
    """The numbers of the whole site."""

    @call("getStats", "Get the site's numbers", tag="site", answers={200: "Stats"})
    def get(self, request: Request) -> Response:
        """Answer them."""
        return Response(stats_out(stats()))


class SubmissionSvgView(RecognizerView):
    """The drawing as SVG."""

    content_negotiation_class = AnyAccept

    @call(
        "getSubmissionSvg",
        "Get a drawing as SVG",
        tag="submissions",
        files=["image/svg+xml"],
        of_one=True,
    )
    def get(self, request: Request, submission_id: UUID) -> HttpResponseBase:
        """Answer the picture."""
        submission = _own_submission(request, submission_id)
        return picture_response(
            request, svg_of(engine.drawing_of(submission)).encode(), "image/svg+xml"
        )


class SubmissionPngView(RecognizerView):
    """The drawing as PNG."""

    content_negotiation_class = AnyAccept

    @call(
        "getSubmissionPng",
        "Get a drawing as PNG",
        tag="submissions",
        files=["image/png"],
        of_one=True,
    )
    def get(self, request: Request, submission_id: UUID) -> HttpResponseBase:
        """Answer the picture."""
        submission = _own_submission(request, submission_id)
        return picture_response(
            request, drawing_png(engine.drawing_of(submission)), "image/png"
        )


def _created(
    request: Request, submission: Submission, include: frozenset[str]
) -> Response:
    return Response(
        submission_out(submission, extras=extras_of(submission, include)),
        status=201,
        headers={"Location": f"{request.path}{submission.pk}/"},
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


def _own_submission(request: Request, submission_id: UUID) -> Submission:
    owned = Submission.objects.owned_by(*caller_of(request).visitors)
    return get_object_or_404(owned.with_shown_prediction(), pk=submission_id)


def _request_key(request: Request, content: Any) -> RequestKey | None:
    """Take the `Idempotency-Key` of a call; None without.

    The digest is of what the body means: a form's boundary differs each time.
    """
    if "Idempotency-Key" not in request.headers:
        return None
    key = idempotency_key_in(request.headers["Idempotency-Key"])
    owner = caller_of(request).key
    if owner is None:
        raise DrawingError(
            "unknown_visitor",
            "An Idempotency-Key needs to know whose it is: keep the cookie of your "
            "first stored drawing and send it along, or send a token.",
        )
    body = content if isinstance(content, bytes) else canonical(content)
    digest = hashlib.sha256(f"{request.method} {request.path}\n".encode() + body)
    return RequestKey(owner, key, digest.hexdigest())


def _content_of(request: Request) -> Any:
    """Take the body of a call: a picture's bytes, or parsed JSON."""
    body = request.data
    if not (request.content_type or "").startswith("multipart/"):
        return body
    picture = request.FILES.get("image")
    if not isinstance(picture, UploadedFile):
        raise DrawingError(
            "invalid",
            "A multipart body holds the picture as a file named image.",
            {"image": "missing"},
        )
    return picture.read()


def _drawing_of(content: Any) -> Drawing:
    if isinstance(content, bytes):
        return picture_from_bytes(content)
    return drawing_in(content)


def _source(request: Request, drawing: Drawing) -> str:
    """Tell our own page, which a browser vouches for, from programs."""
    if request.headers.get("Sec-Fetch-Site") != "same-origin":
        return Submission.Source.API
    if isinstance(drawing, StrokeDrawing):
        return Submission.Source.PAGE
    return Submission.Source.UPLOAD
