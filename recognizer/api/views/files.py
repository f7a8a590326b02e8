"""Views of the caller's drawings as files: single pictures, and exports."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from uuid import UUID

from django.conf import settings
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from rest_framework.request import Request

from recognizer.api import export
from recognizer.api.contract.incoming import ExportQuery
from recognizer.api.schema import CONTENT_DISPOSITION, ETAG, call
from recognizer.api.throttles import TooManyExportsError
from recognizer.api.views.base import AnyAccept, RecognizerView
from recognizer.api.views.submissions import narrowed, own_submission
from recognizer.drawings.parquet import MEDIA_TYPE, require_parquet
from recognizer.drawings.svg import svg_of
from recognizer.learning.model_files import MODEL_FILES, model_file
from recognizer.people.limits import caller_counted
from recognizer.people.slots import HeldStream, Slots
from recognizer.people.visitors import caller_of
from recognizer.reader import engine
from recognizer.reader.active import active_model
from recognizer.reader.pictures import drawing_png
from recognizer.responses import picture_response


class ExportView(RecognizerView):
    """The caller's submissions in one file."""

    content_negotiation_class = AnyAccept

    @call(
        "exportSubmissions",
        query=ExportQuery,
        files=[
            "application/x-ndjson",
            "application/zip",
            "application/json",
            MEDIA_TYPE,
        ],
        headers=[CONTENT_DISPOSITION],
        may_lack=True,
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        """Export your submissions as one file."""
        stream, media_type, name = _EXPORTS[self.query.kind]
        if self.query.kind == "parquet":
            require_parquet()
        visitors = caller_of(request).visitors
        who = ":".join(caller_counted(request))
        if not _running.take(who):
            raise TooManyExportsError
        return StreamingHttpResponse(
            HeldStream(
                stream(
                    narrowed(self.query),
                    visitors,
                    shows_numbers=self.query.include is not None,
                ),
                give_back=partial(_running.give_back, who),
            ),
            content_type=media_type,
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


_running = Slots(total=settings.EXPORTS_AT_ONCE, each=settings.EXPORTS_OF_A_CALLER)
_EXPORTS: Mapping[str, tuple[Callable[..., Iterator[bytes]], str, str]] = {
    "ndjson": (export.as_ndjson, "application/x-ndjson", "submissions.ndjson"),
    "zip": (export.as_zip, "application/zip", "submissions.zip"),
    "parquet": (export.as_parquet, MEDIA_TYPE, "submissions.parquet"),
    "labelstudio": (
        export.as_label_studio,
        "application/json",
        "submissions-labelstudio.json",
    ),
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


class ActiveModelFileView(RecognizerView):
    """The active model as a file."""

    content_negotiation_class = AnyAccept

    @call(
        "getActiveModelFile",
        files=["application/octet-stream"],
        headers=[CONTENT_DISPOSITION],
        of_one=True,
        may_lack=True,
    )
    def get(self, request: Request, name: str) -> HttpResponse:
        """Return the active model: model.keras, model.tflite or model.onnx."""
        if name not in MODEL_FILES:
            raise Http404
        version = active_model()
        saved_as = f"{version.short_digest}-{name}"
        return HttpResponse(
            model_file(version, name),
            content_type="application/octet-stream",
            headers={"Content-Disposition": f'attachment; filename="{saved_as}"'},
        )
