"""The form of what comes in and goes out; nothing is saved here.

Drawings are judged by hand: nested serializer fields take 2.8 ms for 784 pixels where
this takes 0.1 and the reading 0.3, and 0.6 ms for 90 points where this takes 0.2.
"""

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any
from uuid import UUID

import numpy as np
from django.conf import settings
from django.urls import get_script_prefix, reverse

from mlcore.inference import Reading
from recognizer.drawings.refusals import refusal_message
from recognizer.drawings.statistics import Stats
from recognizer.models import (
    ModelVersion,
    Prediction,
    Rejection,
    Submission,
    Verdict,
)
from recognizer.people.visitors import Caller
from recognizer.reader import engine
from recognizer.reader.drawing import (
    Drawing,
    DrawingError,
    PictureDrawing,
    StrokeDrawing,
)
from recognizer.reader.pictures import picture_from_data_url

# --- in ------------------------------------------------------------------------------

_WAYS = ("strokes", "image", "pixels")
POINTERS = tuple(pointer for pointer in Submission.Pointer.values if pointer)


def drawing_in(data: Any) -> Drawing:
    """Judge one Drawing of a JSON body.

    Raises:
        DrawingError: names the field, what it got, and what belongs there.
    """
    if not isinstance(data, Mapping):
        raise _bad("A drawing is a JSON object.", "drawing", data)
    given = [way for way in _WAYS if way in data]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise DrawingError(
            "invalid",
            "A drawing holds exactly one of strokes, image and pixels; this one has "
            f"{found}.",
        )
    pointer = _pointer(data.get("pointer", ""))
    if given == ["image"]:
        if not isinstance(data["image"], str):
            raise _bad("image is a data URL in a string.", "image", data["image"])
        return picture_from_data_url(data["image"], pointer=pointer)
    if given == ["pixels"]:
        return PictureDrawing(_pixels(data["pixels"]), is_ink=True, pointer=pointer)
    return StrokeDrawing(
        strokes=_strokes(data["strokes"]),
        width=_side(data, "width"),
        height=_side(data, "height"),
        pen_width=_side(data, "pen_width", default=engine.DEFAULT_PEN_WIDTH_PX),
        pointer=pointer,
    )


def drawings_in(data: Any) -> list[Any]:
    """Judge the frame of a batch; its drawings are judged one by one."""
    drawings = data.get("drawings") if isinstance(data, Mapping) else None
    most = settings.MAX_DRAWINGS_PER_CALL
    if not isinstance(drawings, list) or not 1 <= len(drawings) <= most:
        raise DrawingError(
            "invalid",
            f'Send {{"drawings": [...]}} with 1 to {most} drawings.',
            {"drawings": _short(drawings)},
        )
    return drawings


def include_in(query: Mapping[str, str]) -> frozenset[str]:
    """Judge `?include=`: a comma-separated list of extras."""
    if "include" not in query:
        return frozenset()
    value = query["include"]
    asked = frozenset(value.split(","))
    unknown = sorted(asked - {"seen", "why"})
    if unknown:
        raise DrawingError(
            "invalid",
            f"include knows seen and why, not {', '.join(unknown)[:80]!r}.",
            {"include": value[:80]},
        )
    return asked


@dataclass(frozen=True)
class PageQuery:
    """Which page of a list was asked for."""

    page_size: int = 50
    before: UUID | None = None
    after: UUID | None = None


PAGE_SIZE_MAX = 100


def page_in(query: Mapping[str, str]) -> PageQuery:
    """Judge what of a list's query chooses the page."""
    size = query.get("page_size", "50")
    if not re.fullmatch(r"[0-9]{1,3}", size) or not 1 <= int(size) <= PAGE_SIZE_MAX:
        raise _bad(
            f"page_size is a whole number from 1 to {PAGE_SIZE_MAX}.", "page_size", size
        )
    return PageQuery(int(size), _place(query, "before"), _place(query, "after"))


def _place(query: Mapping[str, str], name: str) -> UUID | None:
    try:
        return UUID(query[name]) if name in query else None
    except ValueError as error:
        raise _bad(
            f"{name} is the id of a submission: follow next and previous instead of "
            "making their addresses.",
            name,
            query[name],
        ) from error


EXPORTS = ("ndjson", "zip", "idx")


def export_in(query: Mapping[str, str]) -> str:
    """Judge `?as=` of an export."""
    asked = query.get("as", "ndjson")
    if asked not in EXPORTS:
        raise _bad(f"as is one of {', '.join(EXPORTS)}.", "as", asked)
    return asked


def consent_in(data: Any) -> bool:
    """Judge `{"may_train": true}`."""
    given = data.get("may_train") if isinstance(data, Mapping) else None
    if not isinstance(given, bool):
        raise _bad(
            "may_train is true or false: whether your drawings may train models.",
            "may_train",
            given,
        )
    return given


def idempotency_key_in(key: str) -> str:
    """Judge an `Idempotency-Key`."""
    if not re.fullmatch(r"[\x21-\x7e]{1,200}", key):
        raise _bad(
            "An Idempotency-Key is 1 to 200 visible ASCII characters, such as a UUID.",
            "Idempotency-Key",
            key,
        )
    return key


@dataclass(frozen=True)
class FeedbackIn:
    """A visitor's answer to the shown prediction."""

    verdict: str
    digit: int | None


def feedback_in(data: Any, *, shown_digit: int | None) -> FeedbackIn:
    """Judge `{"verdict": "right"}` or `{"verdict": "wrong", "digit": 7}`."""
    verdict = data.get("verdict") if isinstance(data, Mapping) else None
    if verdict not in Verdict.values:
        raise _bad(
            f"verdict is one of {', '.join(Verdict.values)}.", "verdict", verdict
        )
    digit = data.get("digit")
    if verdict != Verdict.WRONG:
        if digit is not None:
            raise _bad("A digit goes with the verdict wrong only.", "digit", digit)
        return FeedbackIn(verdict, None)
    if (true_digit := _digit(digit)) is None:
        raise _bad(
            "wrong needs the true digit, a whole number from 0 to 9; if it is none, "
            "the verdict is not_a_digit.",
            "digit",
            digit,
        )
    if true_digit == shown_digit:
        raise _bad(
            f"{true_digit} is what was read: then the verdict is right.", "digit", digit
        )
    return FeedbackIn(verdict, true_digit)


@dataclass(frozen=True)
class LabelIn:
    """A reviewer's decision: a digit, or why there is none."""

    digit: int | None
    rejected: str


def label_in(data: Any) -> LabelIn:
    """Judge `{"digit": 7}` or `{"rejected": "ambiguous"}`."""
    digit = data.get("digit") if isinstance(data, Mapping) else None
    rejected = data.get("rejected") if isinstance(data, Mapping) else None
    if (digit is None) == (rejected is None):
        raise _bad(
            'A label is {"digit": 7}, or {"rejected": ...} with the reason, not both.',
            "digit",
            digit,
        )
    if rejected is None:
        if (named := _digit(digit)) is None:
            raise _bad("digit is a whole number from 0 to 9.", "digit", digit)
        return LabelIn(named, "")
    if rejected not in Rejection.values:
        raise _bad(
            f"rejected is one of {', '.join(Rejection.values)}.", "rejected", rejected
        )
    return LabelIn(None, rejected)


def _digit(value: Any) -> int | None:
    """Return a digit as one, whether it came as 7 or as 7.0; None where it is none."""
    return int(value) if _is_number(value) and value in range(10) else None


def _strokes(value: Any) -> list[list[list[float]]]:
    if not isinstance(value, list) or not value:
        raise _bad("strokes is a list of at least one stroke.", "strokes", value)
    if len(value) > settings.MAX_STROKES:
        raise DrawingError(
            "too_many_strokes",
            f"The drawing has {len(value):,} strokes and at most "
            f"{settings.MAX_STROKES:,} are read: send one digit.",
        )
    points = 0
    for number, stroke in enumerate(value):
        if not isinstance(stroke, list) or not stroke:
            raise _bad(
                "A stroke is a list of at least one point.",
                f"strokes[{number}]",
                stroke,
            )
        points += len(stroke)
        if points > settings.MAX_POINTS:
            raise DrawingError(
                "too_many_points",
                f"The drawing has more than the {settings.MAX_POINTS:,} points that "
                "are read: thin the strokes out.",
            )
    if not _are_points(list(chain.from_iterable(value))):
        raise _bad_point(value)
    return value


def _are_points(points: list[Any]) -> bool:
    """Judge points all at once: one by one takes five times as long."""
    if {*map(type, points)} != {list} or not {*map(len, points)} <= {2, 3}:
        return False
    xs, ys, *_ = zip(*points, strict=False)  # as many as all have
    times = [point[2] for point in points if len(point) == 3]
    far = settings.MAX_COORDINATE
    return (
        _are_numbers(xs, far)
        and _are_numbers(ys, far)
        and (not times or _are_numbers(times, settings.MAX_TIME_MS))
    )


def _are_numbers(values: Sequence[Any], most: float) -> bool:
    # By `type`, because True is an int to isinstance; NaN passes comparisons.
    return (
        {*map(type, values)} <= {int, float}
        and -most <= min(values)
        and max(values) <= most
        and math.isfinite(sum(values))
    )


def _bad_point(strokes: list[list[Any]]) -> DrawingError:
    """Say which point is the first that is none."""
    number, place, point = next(
        (number, place, point)
        for number, stroke in enumerate(strokes)
        for place, point in enumerate(stroke)
        if not _are_points([point])
    )
    return _bad(
        "A point is [x, y] or [x, y, t], finite numbers of at most "
        f"{settings.MAX_COORDINATE:,} in x and y; t is ms, up to a day.",
        f"strokes[{number}][{place}]",
        point,
    )


def _is_number(value: Any) -> bool:
    # `type`, because True is an int to isinstance; no number here needs more than a
    # float, and isfinite refuses integers too large for one.
    if type(value) not in (int, float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _side(data: Mapping[str, Any], name: str, default: float | None = None) -> float:
    value = data.get(name, default)
    most = settings.MAX_CANVAS_SIDE
    low = 1 if name != "pen_width" else 0.1
    if not _is_number(value) or not low <= value <= most:
        raise _bad(
            f"{name} is a number of CSS pixels from {low} to {most:,}.", name, value
        )
    return float(value)


def _pixels(value: Any) -> np.ndarray:
    message = "pixels is 28 rows of 28 whole numbers from 0 to 255, ink high."
    if not isinstance(value, list) or len(value) != 28:
        raise _bad(message, "pixels", value)
    for number, row in enumerate(value):
        if (
            not isinstance(row, list)
            or len(row) != 28
            or not all(
                # JSON knows no integers: 7.0 is the number 7.
                (type(pixel) is int or (type(pixel) is float and pixel.is_integer()))
                and 0 <= pixel <= 255
                for pixel in row
            )
        ):
            raise _bad(message, f"pixels[{number}]", row)
    return np.array(value, np.uint8)


def _pointer(value: Any) -> str:
    if value in ("", None):
        return ""
    if value not in POINTERS:
        raise _bad(f"pointer is one of {', '.join(POINTERS)}.", "pointer", value)
    return str(value)


def _bad(message: str, field: str, value: Any) -> DrawingError:
    return DrawingError("invalid", message, {field: f"got {_short(value)}"})


def _short(value: Any) -> str:
    """Show a bad value in at most 60 characters, without writing out a huge one."""
    if isinstance(value, list | dict):
        kind = "a list" if isinstance(value, list) else "an object"
        return f"{kind} of {len(value):,}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1e18:
        return "a huge number"
    text = repr(value[:60] if isinstance(value, str) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# --- out -----------------------------------------------------------------------------


def reading_out(
    reading: Reading | Prediction, *, extras: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Shape a Reading, fresh or stored, with what `?include=` asked for."""
    refusal = None
    if reading.refusal:
        message = refusal_message(reading.refusal, reading.probabilities)
        refusal = {"code": str(reading.refusal), "message": message}
    shaped: dict[str, Any] = {
        "digit": reading.digit,
        "confidence": reading.confidence,
        "probabilities": list(reading.probabilities),
        "second": reading.second,
        "digitness": reading.digitness,
        "refusal": refusal,
    }
    return {**shaped, **(extras or {})}


def submission_out(
    submission: Submission, *, extras: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Shape a Submission with its shown prediction."""
    shown = submission.shown_prediction
    return {
        "id": str(submission.pk),
        "created_at": submission.created_at.isoformat(),
        "source": submission.source,
        **_drawing_out(submission),
        "prediction": {
            **reading_out(shown, extras=extras),
            "model": shown.model_version.digest,
        },
        "feedback": feedback_out(submission),
        "label": label_out(submission),
    }


def feedback_out(submission: Submission) -> dict[str, Any] | None:
    """Shape the latest feedback; null where none was given or it was withdrawn."""
    if not submission.verdict:
        return None
    return {"verdict": submission.verdict, "digit": submission.corrected_digit}


def label_out(submission: Submission) -> dict[str, Any] | None:
    """Shape the latest label; null before a reviewer decided."""
    if not submission.is_labelled:
        return None
    return {"digit": submission.label_digit, "rejected": submission.rejection or None}


def model_out(version: ModelVersion) -> dict[str, Any]:
    """Shape a model version with what was measured when it was finished."""
    return {
        "digest": version.digest,
        "stage": version.stage,
        "origin": version.origin,
        "created_at": version.created_at.isoformat(),
        "preprocessing": version.manifest.get("preprocessing"),
        "metrics": version.manifest.get("metrics", {}),
    }


def stats_out(stats: Stats) -> dict[str, Any]:
    """Shape the site's numbers; accuracy is null before the first review."""
    return dataclasses.asdict(stats)


def me_out(caller: Caller) -> dict[str, Any]:
    """Shape who is calling."""
    token = caller.token
    return {
        "username": caller.user.get_username() if caller.user else None,
        "may_train": caller.may_train,
        "may_review": caller.may_review,
        "token": token
        and {
            "name": token.name,
            "prefix": token.prefix,
            "scopes": token.scopes,
            "expires_at": token.expires_at and token.expires_at.isoformat(),
        },
    }


def _drawing_out(submission: Submission) -> dict[str, Any]:
    if submission.form != Submission.Form.STROKES:
        return {"drawing_url": png_url(submission.pk)}
    drawing = {
        "strokes": submission.strokes,
        "width": submission.width,
        "height": submission.height,
        "pen_width": submission.pen_width,
    }
    if submission.pointer:
        drawing["pointer"] = submission.pointer
    return {"drawing": drawing}


_URLS = "recognizer.api.urls"


def png_url(submission_id: UUID) -> str:
    """Return the address of a drawing's picture."""
    return str(submission_id).join(_around_id("submission-png", get_script_prefix()))


def svg_url(submission_id: UUID) -> str:
    """Return the address of a drawing's scalable picture."""
    return str(submission_id).join(_around_id("submission-svg", get_script_prefix()))


@lru_cache(8)
def _around_id(name: str, prefix: str) -> list[str]:
    """Return what stands before and behind an id: to look it up takes 80 us."""
    nobody = UUID(int=0)
    return reverse(f"api:{name}", _URLS, args=[nobody]).rsplit(str(nobody), 1)
