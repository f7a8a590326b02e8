"""What `?include=` adds to a reading: what the model saw, and why."""

from collections.abc import Collection
from typing import Any

import numpy as np

from mlcore.reading.inference import Number
from mlcore.reading.inference import Recogniser as Recogniser
from mlcore.reading.pictures import encode_png
from mlcore.reading.preprocess import SIDE_PX
from recognizer.models import Submission
from recognizer.reader.engine import digit_image, drawing_of, seen_in
from recognizer.reader.numbers import images_of, number_json
from recognizer.reader.pictures import as_data_url, seen_png
from recognizer.reader.recognisers import recogniser_for

FOR_RGB, AGAINST_RGB = (190, 36, 60), (30, 110, 200)


def extras(
    include: Collection[str], image: np.ndarray | None, *, recogniser: Recogniser
) -> dict[str, str]:
    """Return what `?include=` adds to a reading, as PNG data URLs.

    seen: the digit image. why: a transparent overlay for that image, with ink that
    counts for the likeliest digit in red and ink that counts against it in blue.
    """
    made = {}
    if "seen" in include:
        made["seen"] = as_data_url(seen_png(image))
    if "why" in include:
        made["why"] = as_data_url(why_png(image, recogniser=recogniser))
    return made


def extras_of(submission: Submission, include: Collection[str]) -> dict[str, str]:
    """Return the extras of a stored reading, made with the model that read it.

    The submission needs its shown prediction. Raises ReaderUnavailableError.
    """
    if not include:
        return {}
    recogniser = recogniser_for(submission.shown_prediction.model_version)
    image = submission.image_just_read
    if image is None:
        image = seen_in(drawing_of(submission), recogniser=lambda: recogniser)
    return extras(include, image, recogniser=recogniser)


def number_out(
    number: Number | None, *, with_images: bool = False
) -> dict[str, Any] | None:
    """Return a new reading's number as it is answered; None if there is none."""
    if number is None:
        return None
    made = number_json(number)
    if with_images:
        for digit, image in zip(made["digits"], images_of(number), strict=True):
            digit["seen"] = as_data_url(seen_png(image))
    return made


def number_of(
    submission: Submission, *, is_wanted: bool, with_images: bool = False
) -> dict[str, Any] | None:
    """Return a stored reading's number as it is answered; None if there is none.

    The submission needs its shown prediction.
    """
    if not is_wanted:
        return None
    if submission.number_just_read is not None:
        return number_out(submission.number_just_read, with_images=with_images)
    stored: dict[str, Any] | None = submission.shown_prediction.number
    if stored is None or not with_images:
        return stored
    drawing = drawing_of(submission)
    recogniser = recogniser_for(submission.shown_prediction.model_version)
    images = (
        digit_image(drawing, digit, recogniser=recogniser) for digit in stored["digits"]
    )
    digits = [
        {**digit, "seen": as_data_url(seen_png(image))}
        for digit, image in zip(stored["digits"], images, strict=True)
    ]
    return {**stored, "digits": digits}


def why_png(image: np.ndarray | None, *, recogniser: Recogniser) -> bytes:
    """Encode an overlay that shows the ink for and against the likeliest digit."""
    paint = np.zeros((SIDE_PX, SIDE_PX, 4), np.uint8)
    if image is not None:
        weight = recogniser.explain(image)
        paint[weight > 0, :3] = FOR_RGB
        paint[weight < 0, :3] = AGAINST_RGB
        paint[..., 3] = np.rint(np.abs(weight) * 255)
    return encode_png(paint)
