"""Views of the caller's drawings as files: single pictures, and exports."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from recognizer.api import export
from recognizer.api.contract.incoming import ExportQuery
from recognizer.api.schema import CONTENT_DISPOSITION, ETAG, call
from recognizer.api.views.base import AnyAccept, RecognizerView
from recognizer.api.views.submissions import narrowed, own_submission
from recognizer.drawings.svg import svg_of
from recognizer.people.visitors import caller_of
from recognizer.reader import engine
from recognizer.reader.pictures import drawing_png
from recognizer.responses import picture_response


class ExportView(RecognizerView):
    """The caller's submissions in one file."""

    content_negotiation_class = AnyAccept

    @call(
        "exportSubmissions",
        query=ExportQuery,
        files=["application/x-ndjson", "application/zip"],
        headers=[CONTENT_DISPOSITION],
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Export your submissions as one file."""
        stream, media_type, name = _EXPORTS[self.query.kind]
        return StreamingHttpResponse(
            stream(narrowed(self.query), caller_of(request).visitors),
            content_type=media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


_EXPORTS: Mapping[str, tuple[Callable[[Any, Any], Iterator[bytes]], str, str]] = {
    "ndjson": (export.as_ndjson, "application/x-ndjson", "submissions.ndjson"),
    "zip": (export.as_zip, "application/zip", "submissions.zip"),
    "idx": (export.as_idx, "application/zip", "submissions-idx.zip"),
}


class SubmissionSvgView(RecognizerView):
    """The drawing as SVG."""

    content_negotiation_class = AnyAccept

    @call("getSubmissionSvg", files=["image/svg+xml"], headers=[ETAG], of_one=True)
    def get(self, request: Request, submission_id: UUID) -> HttpResponseBase:
        """Return a drawing as SVG."""
        drawing = engine.drawing_of(own_submission(request, submission_id))
        return picture_response(request, svg_of(drawing).encode(), "image/svg+xml")


class SubmissionPngView(RecognizerView):
    """The drawing as PNG."""

    content_negotiation_class = AnyAccept

    @call("getSubmissionPng", files=["image/png"], headers=[ETAG], of_one=True)
    def get(self, request: Request, submission_id: UUID) -> HttpResponseBase:
        """Return a drawing as PNG."""
        drawing = engine.drawing_of(own_submission(request, submission_id))
        return picture_response(request, drawing_png(drawing), "image/png")
