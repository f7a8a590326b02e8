"""The client, what it returns, and the one error it raises."""

import base64
import http.client
import http.cookiejar
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Point = Sequence[float]
"""x, y and optionally t: CSS pixels, y down, milliseconds."""
Strokes = Sequence[Sequence[Point]]
Picture = str | Path | bytes
"""The path of a PNG, JPEG, WebP, GIF or BMP file, or its bytes."""
Drawing = Picture | Strokes

_DRAWINGS_PER_CALL = 256  # the API's limit
_LONGEST_WAIT_S = 60.0
_MEDIA_TYPES = {
    b"\x89PNG": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"RIFF": "image/webp",
    b"GIF8": "image/gif",
    b"BM": "image/bmp",
}


class ApiError(Exception):
    """An error response of the API; status is 0 if the site did not respond."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = dict(fields or {})


Box = tuple[float, float, float, float]
"""x, y, width and height, in the units of the drawing."""


@dataclass(frozen=True)
class NumberDigit:
    """One digit of a number. strokes: their indices; empty in a picture."""

    digit: int | None
    confidence: float
    probabilities: tuple[float, ...]
    second: int | None
    box: Box
    strokes: tuple[int, ...]


@dataclass(frozen=True)
class Number:
    """A number, from left to right. ignored: boxes of ink that is no digit."""

    text: str
    confidence: float
    digits: tuple[NumberDigit, ...]
    ignored: tuple[Box, ...]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Number":
        """Build one from the API's JSON."""
        return cls(
            text=data["text"],
            confidence=data["confidence"],
            digits=tuple(
                NumberDigit(
                    digit=digit["digit"],
                    confidence=digit["confidence"],
                    probabilities=tuple(digit["probabilities"]),
                    second=digit["second"],
                    box=tuple(digit["box"]),
                    strokes=tuple(digit["strokes"]),
                )
                for digit in data["digits"]
            ),
            ignored=tuple(tuple(box) for box in data["ignored"]),
        )


@dataclass(frozen=True)
class Reading:
    """What a model reads in a drawing.

    digit is None if the model refused the drawing; refusal is then the code of the
    reason, and message explains it. second is the second likeliest digit. digitness
    says how much the ink looks like one digit, from 0 to 1. number is what
    `read_number` answers; beside a refusal it is the best guess.
    """

    digit: int | None
    confidence: float
    probabilities: tuple[float, ...]
    second: int | None
    digitness: float
    refusal: str | None
    message: str | None
    number: Number | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Reading":
        """Build one from the API's JSON."""
        refusal = data["refusal"] or {}
        return cls(
            digit=data["digit"],
            confidence=data["confidence"],
            probabilities=tuple(data["probabilities"]),
            second=data["second"],
            digitness=data["digitness"],
            refusal=refusal.get("code"),
            message=refusal.get("message"),
            number=Number.from_json(data["number"]) if "number" in data else None,
        )


@dataclass(frozen=True)
class Submission:
    """A stored drawing.

    strokes is None for a picture. verdict and true_digit or true_number are the
    visitor's latest feedback. A reviewer's decision is in label, the digit, in
    number_label, or in rejected, the reason why the drawing shows neither.
    """

    id: uuid.UUID
    created_at: str
    source: str
    strokes: list[list[list[float]]] | None
    prediction: Reading
    model: str
    verdict: str | None
    true_digit: int | None
    true_number: str | None
    label: int | None
    number_label: str | None
    rejected: str | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Submission":
        """Build one from the API's JSON."""
        feedback, label = data["feedback"] or {}, data["label"] or {}
        return cls(
            id=uuid.UUID(data["id"]),
            created_at=data["created_at"],
            source=data["source"],
            strokes=data["drawing"]["strokes"] if "drawing" in data else None,
            prediction=Reading.from_json(data["prediction"]),
            model=data["prediction"]["model"],
            verdict=feedback.get("verdict"),
            true_digit=feedback.get("digit"),
            true_number=feedback.get("number"),
            label=label.get("digit"),
            number_label=label.get("number"),
            rejected=label.get("rejected"),
        )


class Digitsite:
    """One site, called with a user's token or as an anonymous visitor.

    Without a token, the client keeps the cookie of its first stored drawing in memory.
    It repeats a call if the site asks it to wait (429, 503) or cannot be reached, but
    only if repeating is safe.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        timeout_s: float = 30.0,
        attempts: int = 3,
    ) -> None:
        """Take the address of a site.

        Raises:
            ValueError: the address is not valid.
        """
        address = urllib.parse.urlsplit(url)
        if address.scheme not in ("http", "https") or not address.netloc:
            raise ValueError(
                f"{url!r} is not the address of a site. Use one such as "
                "https://digits.example.org."
            )
        self._base = f"{url.rstrip('/')}/api/v1/"
        self._token = token
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._cookies)
        )

    def read(self, drawing: Drawing, *, side: float = 280) -> Reading:
        """Read one drawing without storing it.

        Args:
            drawing: strokes, a picture's path, or its bytes.
            side: width and height of the canvas of strokes, in CSS pixels.

        Raises:
            ApiError: the API did not accept the drawing.
        """
        (reading,) = self.read_all([drawing], side=side)
        if isinstance(reading, ApiError):
            raise reading
        return reading

    def read_number(
        self,
        drawing: Drawing,
        *,
        allowed: Sequence[str] | None = None,
        side: float = 280,
    ) -> Reading:
        """Read a drawing as a number of one digit or more, without storing it.

        Args:
            drawing: strokes, a picture's path, or its bytes.
            allowed: the only numbers that may be answered, at most 10,000.
            side: width and height of the canvas of strokes, in CSS pixels.

        Raises:
            ApiError: the API did not accept the drawing.
        """
        body = {**_as_json(drawing, side=side), "expect": "number"}
        if allowed is not None:
            body["allowed"] = list(allowed)
        (item,) = self._json(
            "POST", "readings/", {"drawings": [body]}, repeatable=True
        )["readings"]
        if "error" in item:
            raise ApiError(400, **item["error"])
        return Reading.from_json(item)

    def read_all(
        self, drawings: Iterable[Drawing], *, side: float = 280
    ) -> list[Reading | ApiError]:
        """Read many drawings in few calls; a bad drawing gets an error as its item."""
        bodies = [_as_json(drawing, side=side) for drawing in drawings]
        readings: list[Reading | ApiError] = []
        for start in range(0, len(bodies), _DRAWINGS_PER_CALL):
            body = {"drawings": bodies[start : start + _DRAWINGS_PER_CALL]}
            answer = self._json("POST", "readings/", body, repeatable=True)
            readings += [
                ApiError(400, **item["error"])
                if "error" in item
                else Reading.from_json(item)
                for item in answer["readings"]
            ]
        return readings

    def submit(self, drawing: Drawing, *, side: float = 280) -> Submission:
        """Store a drawing with its reading.

        Every call except an anonymous client's first sends an `Idempotency-Key`. The
        client can then repeat it without storing the drawing twice.
        """
        has_owner = self._token is not None or len(self._cookies) > 0
        answer = self._json(
            "POST",
            "submissions/",
            _as_json(drawing, side=side),
            headers=_new_key() if has_owner else {},
            repeatable=has_owner,
        )
        return Submission.from_json(answer)

    def iter_history(
        self,
        *,
        digit: int | None = None,
        refused: bool | None = None,
        feedback: Literal["right", "wrong", "not_a_digit", "none"] | None = None,
    ) -> Iterator[Submission]:
        """Yield your stored drawings, newest first, page by page."""
        query: dict[str, str] = {"page_size": "100"}
        if digit is not None:
            query["digit"] = str(digit)
        if refused is not None:
            query["refused"] = str(refused).lower()
        if feedback is not None:
            query["feedback"] = feedback
        page = f"submissions/?{urllib.parse.urlencode(query)}"
        while page:
            answer = self._json("GET", page, repeatable=True)
            yield from map(Submission.from_json, answer["results"])
            page = answer["next"]

    def get(self, submission: uuid.UUID) -> Submission:
        """Return one submission."""
        answer = self._json("GET", f"submissions/{submission}/", repeatable=True)
        return Submission.from_json(answer)

    def give_feedback(
        self,
        submission: uuid.UUID,
        verdict: Literal["right", "wrong", "not_a_digit", "withdrawn"],
        digit: int | None = None,
        *,
        number: str | None = None,
    ) -> Submission:
        """Say whether a submission was read correctly.

        `wrong` needs the true digit, or the true number such as "42".
        """
        body = {"verdict": verdict, **_given(digit=digit, number=number)}
        return self._add(f"submissions/{submission}/feedback/", body)

    def label(
        self,
        submission: uuid.UUID,
        digit: int | None = None,
        *,
        number: str | None = None,
        rejected: str | None = None,
    ) -> Submission:
        """Name the digit or number a submission shows, or why it shows neither.

        For reviewers; give exactly one of them.
        """
        body = _given(digit=digit, number=number, rejected=rejected)
        return self._add(f"submissions/{submission}/label/", body)

    def delete(self, submission: uuid.UUID) -> None:
        """Delete one submission."""
        self._call("DELETE", f"submissions/{submission}/").close()

    def delete_all(self) -> None:
        """Delete all of your submissions."""
        self._call("DELETE", "submissions/", repeatable=True).close()

    def export(
        self, path: str | Path, kind: Literal["ndjson", "zip", "idx"] = "ndjson"
    ) -> Path:
        """Export all of your submissions to a file; idx is a ZIP in MNIST's format."""
        path = Path(path)
        with (
            self._call("GET", f"submissions/export/?as={kind}") as answer,
            path.open("wb") as file,
        ):
            while piece := answer.read(1 << 16):
                file.write(piece)
        return path

    def me(self) -> dict[str, Any]:
        """Return who is calling."""
        return self._json("GET", "me/", repeatable=True)

    def set_consent(
        self, *, may_train: bool | None = None, may_publish: bool | None = None
    ) -> None:
        """Set whether your drawings may train models, and may be published.

        None leaves a consent as it is; give at least one.
        """
        told = {"may_train": may_train, "may_publish": may_publish}
        given = {name: value for name, value in told.items() if value is not None}
        self._json("PATCH", "me/", given, repeatable=True)

    def models(self) -> list[dict[str, Any]]:
        """Return the site's models, newest first."""
        results: list[dict[str, Any]]
        results = self._json("GET", "models/", repeatable=True)["results"]
        return results

    def stats(self) -> dict[str, Any]:
        """Return the site's statistics."""
        return self._json("GET", "stats/", repeatable=True)

    def _add(self, path: str, body: Mapping[str, Any]) -> Submission:
        answer = self._json("POST", path, body, headers=_new_key(), repeatable=True)
        return Submission.from_json(answer)

    def _json(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        repeatable: bool = False,
    ) -> dict[str, Any]:
        with self._call(method, path, body, headers, repeatable=repeatable) as answer:
            data: dict[str, Any] = json.load(answer)
            return data

    def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        repeatable: bool = False,
    ) -> http.client.HTTPResponse:
        request = self._request(method, path, body, headers or {})
        for left in reversed(range(self._attempts)):
            try:
                answer: http.client.HTTPResponse
                answer = self._opener.open(request, timeout=self._timeout_s)
                return answer
            except urllib.error.HTTPError as error:
                with error:
                    wait_s, problem = _wait_s(error), _error_of(error)
                # A 429 was not processed, so it can always be repeated.
                may_repeat = error.code == 429 or (error.code == 503 and repeatable)
            except OSError as error:
                wait_s, may_repeat = 1.0, repeatable
                problem = ApiError(0, "network", f"The site did not answer: {error}.")
            if not left or not may_repeat or wait_s > _LONGEST_WAIT_S:
                raise problem
            time.sleep(wait_s)
        raise AssertionError("at least one attempt is made")

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        headers: Mapping[str, str],
    ) -> urllib.request.Request:
        sent = {"Accept": "application/json, */*;q=0.5", **headers}
        if self._token is not None:
            sent["Authorization"] = f"Bearer {self._token}"
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        url = urllib.parse.urljoin(self._base, path)
        return urllib.request.Request(url, content, sent, method=method)  # noqa: S310  # http or https, see __init__


def _new_key() -> dict[str, str]:
    return {"Idempotency-Key": str(uuid.uuid4())}


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _as_json(drawing: Drawing, *, side: float) -> dict[str, Any]:
    """Return the API's JSON for a picture or for strokes."""
    if isinstance(drawing, str | Path):
        drawing = Path(drawing).read_bytes()
    if isinstance(drawing, bytes):
        # Unknown types are sent too: the site checks the bytes and refuses them.
        types = (of for start, of in _MEDIA_TYPES.items() if drawing.startswith(start))
        encoded = base64.b64encode(drawing).decode()
        return {"image": f"data:{next(types, 'image/png')};base64,{encoded}"}
    strokes = [[list(point) for point in stroke] for stroke in drawing]
    return {"strokes": strokes, "width": side, "height": side}


def _error_of(error: urllib.error.HTTPError) -> ApiError:
    """Read an error response; one from a proxy may not be in the API's format."""
    try:
        told = json.load(error)["error"]
        return ApiError(error.code, told["code"], told["message"], told["fields"])
    except (ValueError, KeyError, TypeError):
        return ApiError(error.code, f"http_{error.code}", str(error))


def _wait_s(error: urllib.error.HTTPError) -> float:
    try:
        return float(error.headers.get("Retry-After", 1))
    except ValueError:  # a date, from a proxy
        return 1.0
