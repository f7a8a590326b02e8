"""The REST API: parse, one service or selector call, answer."""

import time
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.cache import patch_cache_control, patch_vary_headers
from rest_framework.exceptions import PermissionDenied
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from mlcore.preprocess import DigitImage
from recognizer import selectors, services
from recognizer.api.errors import drawing_error_body
from recognizer.api.json import JSONParser, PictureParser
from recognizer.api.serializers import (
    drawing_in,
    drawings_in,
    feedback_in,
    include_in,
    list_query_in,
    reading_out,
    submission_out,
)
from recognizer.drawing import Drawing, DrawingError, StrokeDrawing
from recognizer.ml import engine
from recognizer.models import Submission
from recognizer.svg import svg_of
from recognizer.visitors import remember_visitor, visitor_of

_FROM_OTHER_PAGES = {"cross-site", "same-site"}


class RecognizerView(APIView):
    """What all calls share: pages of other sites may not call in a visitor's name."""

    def initial(self, request: Request, *args: object, **kwargs: object) -> None:
        """Refuse what a browser sends for another site's page."""
        super().initial(request, *args, **kwargs)
        came_from = request.headers.get("Sec-Fetch-Site", "")
        if request.method not in ("GET", "HEAD", "OPTIONS") and (
            came_from in _FROM_OTHER_PAGES
        ):
            raise PermissionDenied(
                "A page of another site sent this: call from this site's pages, or "
                "from a program."
            )

    def finalize_response(
        self, request: Request, response: Any, *args: object, **kwargs: object
    ) -> Any:
        """Keep what is one visitor's out of shared caches."""
        final = super().finalize_response(request, response, *args, **kwargs)
        patch_vary_headers(final, ["Cookie"])
        if not final.has_header("Cache-Control"):
            patch_cache_control(final, private=True, no_cache=True)
        return final


class AnyPicture(BaseContentNegotiation):
    """A picture is what it is, whatever `Accept` says; errors are JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Take none: nothing is sent to a picture."""
        return None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> Any:
        """Take the first, which the errors are written with."""
        return renderers[0], renderers[0].media_type


class ReadingsView(RecognizerView):
    """Read drawings without storing anything."""

    def post(self, request: Request) -> Response:
        """Answer one reading, or one error, for each drawing, in order."""
        include = include_in(request.query_params.get("include", ""))
        batch = drawings_in(request.data)
        version = services.active_model()
        recogniser = engine.recogniser_for(version)
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
                extras = engine.extras(include, reading.image, recogniser=recogniser)
                answers.append(reading_out(reading, extras=extras))
        return Response({"model": version.digest, "readings": answers})


class SubmissionsView(RecognizerView):
    """One's own submissions: read a drawing and keep it, list what was kept."""

    parser_classes = (JSONParser, MultiPartParser, PictureParser)

    def get(self, request: Request) -> Response:
        """Answer one page of one's own submissions, newest first."""
        query = list_query_in(request.query_params.dict())
        page = selectors.submission_page(
            selectors.owned_submissions(
                visitor=visitor_of(request),
                digit=query.digit,
                refused=query.refused,
                verdict=query.feedback,
            ),
            size=query.page_size,
            before=query.before,
            after=query.after,
        )
        return Response(
            {
                "next": _page_url(request, "before", page.older_than),
                "previous": _page_url(request, "after", page.newer_than),
                "results": [submission_out(item) for item in page.submissions],
            }
        )

    def post(self, request: Request) -> Response:
        """Store one drawing with its prediction."""
        include = include_in(request.query_params.get("include", ""))
        drawing = _drawing_of(request)
        visitor = visitor_of(request)
        submission, reading = services.submit_drawing(
            drawing=drawing, visitor=visitor, source=_source(request, drawing)
        )
        extras = _extras(include, submission, reading.image)
        response = Response(
            submission_out(submission, extras=extras),
            status=201,
            headers={"Location": f"{request.path}{submission.pk}/"},
        )
        if visitor is None:
            remember_visitor(response, submission.visitor)
        return response


class SubmissionView(RecognizerView):
    """One submission of one's own; another's is as if it did not exist."""

    def get(self, request: Request, submission_id: UUID) -> Response:
        """Answer the submission with its prediction."""
        include = include_in(request.query_params.get("include", ""))
        submission = _own_submission(request, submission_id)
        extras = {}
        if include:
            image = engine.seen_in(engine.drawing_of(submission))
            extras = _extras(include, submission, image)
        return Response(submission_out(submission, extras=extras))

    def delete(self, request: Request, submission_id: UUID) -> Response:
        """Delete the submission with its chain."""
        services.delete_submission(submission=_own_submission(request, submission_id))
        return Response(status=204)


class FeedbackView(RecognizerView):
    """The visitor's answer to what they were shown."""

    def post(self, request: Request, submission_id: UUID) -> Response:
        """Add an answer; the latest counts, all are kept."""
        submission = _own_submission(request, submission_id)
        given = feedback_in(request.data, shown_digit=submission.shown_digit)
        services.give_feedback(
            submission=submission, verdict=given.verdict, digit=given.digit
        )
        return Response(submission_out(submission), status=201)


class SubmissionSvgView(RecognizerView):
    """The drawing as SVG."""

    content_negotiation_class = AnyPicture

    def get(self, request: Request, submission_id: UUID) -> HttpResponse:
        """Answer the picture."""
        submission = _own_submission(request, submission_id)
        return picture_response(
            svg_of(engine.drawing_of(submission)).encode(), "image/svg+xml"
        )


class SubmissionPngView(RecognizerView):
    """The drawing as PNG."""

    content_negotiation_class = AnyPicture

    def get(self, request: Request, submission_id: UUID) -> HttpResponse:
        """Answer the picture."""
        submission = _own_submission(request, submission_id)
        return picture_response(
            engine.drawing_png(engine.drawing_of(submission)), "image/png"
        )


def picture_response(content: bytes, media_type: str) -> HttpResponse:
    """Answer a drawing's picture: it never changes, but only its owner may see it."""
    response = HttpResponse(content, content_type=media_type)
    response["Cache-Control"] = "private, max-age=3600"
    response["Content-Security-Policy"] = "default-src 'none'; img-src data:"
    return response


def _extras(
    include: frozenset[str], submission: Submission, image: DigitImage | None
) -> dict[str, str]:
    """Make the extras of a stored reading with the model that read it."""
    if not include:
        return {}
    version = submission.shown_prediction.model_version
    recogniser = engine.recogniser_for(version)
    return engine.extras(include, image, recogniser=recogniser)


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
    visitor = visitor_of(request)
    if visitor is None:
        raise Http404
    owned = Submission.objects.owned_by(visitor).with_shown_prediction()
    return get_object_or_404(owned, pk=submission_id)


def _drawing_of(request: Request) -> Drawing:
    """Take the one drawing of a call in any of its three bodies."""
    body = request.data
    if isinstance(body, bytes):
        return engine.picture_from_bytes(body)
    if (request.content_type or "").startswith("multipart/"):
        picture = request.FILES.get("image")
        if not isinstance(picture, UploadedFile):
            raise DrawingError(
                "invalid",
                "A multipart body holds the picture as a file named image.",
                {"image": "missing"},
            )
        return engine.picture_from_bytes(picture.read())
    return drawing_in(body)


def _source(request: Request, drawing: Drawing) -> str:
    """Tell our own page, which a browser vouches for, from programs."""
    if request.headers.get("Sec-Fetch-Site") != "same-origin":
        return Submission.Source.API
    if isinstance(drawing, StrokeDrawing):
        return Submission.Source.PAGE
    return Submission.Source.UPLOAD
