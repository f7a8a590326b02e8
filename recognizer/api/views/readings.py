"""Read drawings and store nothing."""

import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.conf import settings
from rest_framework.request import Request
from rest_framework.response import Response

from recognizer.api.contract.incoming import IncludeQuery, ReadingsIn, drawing_in
from recognizer.api.contract.judging import judged
from recognizer.api.contract.outgoing import ReadingsOut, reading_out
from recognizer.api.errors import drawing_error_body
from recognizer.api.schema import call
from recognizer.api.throttles import ThrottledError, pay_for
from recognizer.api.views.base import RecognizerView
from recognizer.models import Scope
from recognizer.reader import engine, explanations
from recognizer.reader.active import active_reader
from recognizer.reader.drawing import DrawingError
from recognizer.reader.explanations import number_out
from recognizer.responses import error_body


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
                drawing = drawing_in(data, pay=partial(pay_for, request, self))
                reading = engine.read(drawing, recogniser=recogniser)
            except DrawingError as error:
                answers.append(drawing_error_body(error))
            except ThrottledError as error:
                answers.append(error_body("throttled", str(error.detail)))
            else:
                extras = explanations.extras(
                    include, reading.image, recogniser=recogniser
                )
                number = None
                if drawing.expected.kind != "digit":
                    number = number_out(reading.number, with_images="seen" in include)
                answers.append(reading_out(reading, extras=extras, number=number))
        return Response(ReadingsOut(model=version.digest, readings=answers))
