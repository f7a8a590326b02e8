"""Read drawings and store nothing."""

import time
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from recognizer.api.contract.incoming import IncludeQuery, ReadingsIn, drawing_in
from recognizer.api.contract.judging import judged
from recognizer.api.contract.outgoing import ReadingsOut, reading_out
from recognizer.api.errors import drawing_error_body
from recognizer.api.schema import call
from recognizer.api.views.base import RecognizerView
from recognizer.models import Scope
from recognizer.reader import engine, explanations
from recognizer.reader.active import active_reader
from recognizer.reader.drawing import DrawingError


class ReadingsView(RecognizerView):
    """Read drawings without storing anything."""

    scopes: Mapping[str, str] = {"POST": Scope.READ}

    @call(
        "readDrawings", query=IncludeQuery, takes=ReadingsIn, answers={200: ReadingsOut}
    )
    def post(self, request: Request) -> Response:
        """Read drawings; return a reading or an error for each, in the same order."""
        include = self.query.extras
        batch = judged(ReadingsIn, request.data).drawings
        version, recogniser = active_reader()
        answers: list[Any] = []
        stop_at = time.monotonic() + settings.MAX_SECONDS_PER_CALL
        for data in batch:
            try:
                if time.monotonic() > stop_at:
                    raise DrawingError(
                        "too_slow",
                        "The drawings before this one used up the time limit of the "
                        "call. Send it again with fewer drawings or smaller pictures.",
                    )
                reading = engine.read(drawing_in(data), recogniser=recogniser)
            except DrawingError as error:
                answers.append(drawing_error_body(error))
            else:
                extras = explanations.extras(
                    include, reading.image, recogniser=recogniser
                )
                answers.append(reading_out(reading, extras=extras))
        return Response(ReadingsOut(model=version.digest, readings=answers))
