"""A client of Digitsite's REST API: one module, the standard library alone.

    from digitsite_client import Digitsite

    site = Digitsite("https://digits.example.org", token="dgs_...")
    print(site.read("seven.png").digit)
    submission = site.submit([[(70, 70), (205, 66), (125, 225)]])
    for submission in site.iter_history(feedback="wrong"):
        print(submission.id, submission.prediction.digit)

Without a token a client is an anonymous visitor as long as it lives: it keeps the
cookie of its first stored drawing. Calls that may be repeated without harm are, where
the site asks to wait (429, 503) or cannot be reached.
"""

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

__all__ = ["ApiError", "Digitsite", "Reading", "Submission"]

Point = Sequence[float]
"""x, y and optionally t: CSS pixels, y down, milliseconds."""
Strokes = Sequence[Sequence[Point]]
Picture = str | Path | bytes
"""The path of a PNG, JPEG or WebP file, or its bytes."""
Drawing = Picture | Strokes

_BATCH = 256  # drawings a call, as the API takes them
_LONGEST_WAIT_S = 60.0
_KINDS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}


class ApiError(Exception):
    """What the API answers instead; status 0 where the site could not be reached."""

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


@dataclass(frozen=True)
class Reading:
    """What a model says of a drawing.

    digit: None where it was refused; then refusal says why, and message in words.
    probabilities: ten, by digit. second: the runner-up. digitness: how much the ink is
    like one digit, 0 to 1.
    """

    digit: int | None
    confidence: float
    probabilities: tuple[float, ...]
    second: int | None
    digitness: float
    refusal: str | None
    message: str | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Reading":
        """Take a Reading of the API."""
        refusal = data["refusal"] or {}
        return cls(
            digit=data["digit"],
            confidence=data["confidence"],
            probabilities=tuple(data["probabilities"]),
            second=data["second"],
            digitness=data["digitness"],
            refusal=refusal.get("code"),
            message=refusal.get("message"),
        )


@dataclass(frozen=True)
class Submission:
    """A stored drawing.

    strokes: None where it came as a picture. verdict, true_digit: the visitor's latest
    feedback. label: the digit a reviewer named; rejected: or why none.
    """

    id: uuid.UUID
    created_at: str
    source: str
    strokes: list[list[list[float]]] | None
    prediction: Reading
    model: str
    verdict: str | None
    true_digit: int | None
    label: int | None
    rejected: str | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Submission":
        """Take a Submission of the API."""
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
            label=label.get("digit"),
            rejected=label.get("rejected"),
        )


class Digitsite:
    """One site, called as the user of a token or as one anonymous visitor."""

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        token: str | None = None,
        timeout_s: float = 30.0,
        attempts: int = 3,
    ) -> None:
        self._base = f"{url.rstrip('/')}/api/v1/"
        self._token = token
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._cookies = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(self._cookies)
        )

    # --- reading -------------------------------------------------------------------

    def read(self, drawing: Drawing, *, side: float = 280) -> Reading:
        """Read one drawing; nothing is stored.

        Args:
            side: of the square canvas of strokes, CSS pixels.

        Raises:
            ApiError: it cannot be taken as a drawing.
        """
        (reading,) = self.read_all([drawing], side=side)
        if isinstance(reading, ApiError):
            raise reading
        return reading

    def read_all(
        self, drawings: Iterable[Drawing], *, side: float = 280
    ) -> list[Reading | ApiError]:
        """Read many drawings, in as few calls as can be; an error in its place."""
        bodies = [_as_json(drawing, side=side) for drawing in drawings]
        readings: list[Reading | ApiError] = []
        for start in range(0, len(bodies), _BATCH):
            body = {"drawings": bodies[start : start + _BATCH]}
            answer = self._json("POST", "readings/", body, repeatable=True)
            readings += [_reading_or_error(item) for item in answer["readings"]]
        return readings

    # --- storing -------------------------------------------------------------------

    def submit(self, drawing: Drawing, *, side: float = 280) -> Submission:
        """Store a drawing with its reading.

        It carries an `Idempotency-Key` as soon as the site knows whose it is, so that
        no lost answer stores it twice.
        """
        is_known = self._token is not None or len(self._cookies) > 0
        answer = self._json(
            "POST",
            "submissions/",
            _as_json(drawing, side=side),
            headers={"Idempotency-Key": str(uuid.uuid4())} if is_known else {},
            repeatable=is_known,
        )
        return Submission.from_json(answer)

    def iter_history(
        self,
        *,
        digit: int | None = None,
        refused: bool | None = None,
        feedback: Literal["right", "wrong", "not_a_digit", "none"] | None = None,
    ) -> Iterator[Submission]:
        """Yield what is stored, newest first, page by page."""
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
    ) -> Submission:
        """Say whether a submission was read right; `wrong` names the true digit."""
        body = {"verdict": verdict} | ({} if digit is None else {"digit": digit})
        return self._add(f"submissions/{submission}/feedback/", body)

    def label(
        self,
        submission: uuid.UUID,
        digit: int | None = None,
        *,
        rejected: str | None = None,
    ) -> Submission:
        """Decide, as a reviewer, what a submission shows, or why that is no digit."""
        body = {"rejected": rejected} if digit is None else {"digit": digit}
        return self._add(f"submissions/{submission}/label/", body)

    def delete(self, submission: uuid.UUID) -> None:
        """Delete one submission."""
        self._call("DELETE", f"submissions/{submission}/").close()

    def delete_all(self) -> None:
        """Delete all of one's own."""
        self._call("DELETE", "submissions/", repeatable=True).close()

    def export(
        self, path: str | Path, kind: Literal["ndjson", "zip", "idx"] = "ndjson"
    ) -> Path:
        """Write all of one's own into a file; idx is a ZIP with MNIST's two files."""
        path = Path(path)
        with (
            self._call("GET", f"submissions/export/?as={kind}") as answer,
            path.open("wb") as file,
        ):
            while piece := answer.read(1 << 16):
                file.write(piece)
        return path

    # --- the site --------------------------------------------------------------------

    def me(self) -> dict[str, Any]:
        """Say who is calling."""
        return self._json("GET", "me/", repeatable=True)

    def set_consent(self, *, may_train: bool) -> None:
        """Say whether one's drawings may train models."""
        self._json("PATCH", "me/", {"may_train": may_train}, repeatable=True)

    def models(self) -> list[dict[str, Any]]:
        """Return the site's models, newest first."""
        results: list[dict[str, Any]]
        results = self._json("GET", "models/", repeatable=True)["results"]
        return results

    def stats(self) -> dict[str, Any]:
        """Return the site's numbers."""
        return self._json("GET", "stats/", repeatable=True)

    # --- calls -----------------------------------------------------------------------

    def _add(self, path: str, body: Mapping[str, Any]) -> Submission:
        key = {"Idempotency-Key": str(uuid.uuid4())}
        return Submission.from_json(
            self._json("POST", path, body, headers=key, repeatable=True)
        )

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
        request = urllib.request.Request(  # noqa: S310  # the site its owner named
            urllib.parse.urljoin(self._base, path), method=method
        )
        request.add_header("Accept", "application/json, */*;q=0.5")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        if self._token is not None:
            request.add_header("Authorization", f"Bearer {self._token}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        for left in reversed(range(self._attempts)):
            try:
                answer: http.client.HTTPResponse
                answer = self._opener.open(request, timeout=self._timeout_s)
                return answer
            except urllib.error.HTTPError as error:
                with error:
                    wait_s = _wait_s(error)
                    problem = _error_of(error)
                # Too many calls: it was not done, so it may be done again.
                may_repeat = error.code == 429 or (error.code == 503 and repeatable)
            except OSError as error:
                wait_s, may_repeat = 1.0, repeatable
                problem = ApiError(0, "network", f"The site did not answer: {error}.")
            if not left or not may_repeat or wait_s > _LONGEST_WAIT_S:
                raise problem
            time.sleep(wait_s)
        raise AssertionError("at least one attempt is made")


def _as_json(drawing: Drawing, *, side: float) -> dict[str, Any]:
    """Make a Drawing of the API of a picture or of strokes."""
    if isinstance(drawing, str | Path):
        drawing = Path(drawing).read_bytes()
    if isinstance(drawing, bytes):
        # The site looks at the bytes, so a kind unknown here is its to refuse.
        kinds = (kind for start, kind in _KINDS.items() if drawing.startswith(start))
        encoded = base64.b64encode(drawing).decode()
        return {"image": f"data:{next(kinds, 'image/png')};base64,{encoded}"}
    strokes = [[list(point) for point in stroke] for stroke in drawing]
    return {"strokes": strokes, "width": side, "height": side}


def _reading_or_error(item: Mapping[str, Any]) -> Reading | ApiError:
    return (
        ApiError(400, **item["error"]) if "error" in item else Reading.from_json(item)
    )


def _error_of(error: urllib.error.HTTPError) -> ApiError:
    """Read the API's one error form; a proxy in between may answer otherwise."""
    try:
        said = json.load(error)["error"]
        return ApiError(error.code, said["code"], said["message"], said["fields"])
    except (ValueError, KeyError, TypeError):
        return ApiError(error.code, f"http_{error.code}", str(error))


def _wait_s(error: urllib.error.HTTPError) -> float:
    try:
        return float(error.headers.get("Retry-After", 1))
    except ValueError:  # a date, from a proxy
        return 1.0
