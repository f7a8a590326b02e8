"""Score any server that has our `readings/` call on a benchmark.

    python -m mlcore.judging.score_server http://127.0.0.1:8000 FOLDER
    python -m mlcore.judging.score_server https://example.org FOLDER --as pixels

Checks the benchmark's digests first. Sends strokes in batches, and pixels of drawings
without strokes, or with `--as pixels` of all; `--token` sends a bearer token. Prints
for each split and source: accuracy (the largest probability, refused or not), the share
that was answered, and the share of wrong ones among those, with 95 % intervals
(Wilson). A server that is busy (429 or 503) is asked again after the time it names.
"""

import json
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mlcore.commands import command_parser, ends_with_a_sentence
from mlcore.judging.benchmark import (
    Benchmark,
    BenchmarkError,
    Drawing,
    open_benchmark,
)
from mlcore.shares import wilson

CALL = "/api/v1/readings/"
MOST_AT_ONCE = 256
BATCH_SIZE = 64
TIMEOUT_S = 60
WAIT_S = 5.0
"""How long to wait for a busy server that does not say it."""
LONGEST_WAIT_S = 600.0
MOST_WAITS = 100
"""How often in a row one batch may find the server busy."""
_BUSY = {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token elsewhere, and make a GET of the call."""

    def redirect_request(self, *args: Any, **named: Any) -> None:
        """Follow none: it is then an error with its status."""


_OPENER = urllib.request.build_opener(_NoRedirects)


class ServerError(RuntimeError):
    """The server is away, refuses, or has another contract; one sentence."""


@dataclass(frozen=True)
class Outcome:
    """How one drawing was read.

    likeliest: the digit with the largest probability; None if there was an error.
    answer: the digit that was answered; None if it was refused.
    """

    drawing: Drawing
    likeliest: int | None
    answer: int | None


@dataclass(frozen=True)
class Score:
    """The outcomes of a server; model: what it calls its model, "" if nothing."""

    model: str
    outcomes: Sequence[Outcome]


def score(
    benchmark: Benchmark,
    url: str,
    *,
    token: str = "",
    as_pixels: bool = False,
    batch_size: int = BATCH_SIZE,
) -> Score:
    """Let a server read a benchmark.

    Args:
        url: of the site, or of its `readings/` call.

    Raises:
        ServerError: it is away, refuses, or has another contract.
    """
    address = url if url.rstrip("/").endswith("readings") else url.rstrip("/") + CALL
    if not address.startswith(("http://", "https://")):
        raise ServerError(f"{url} is no address: it must begin with http or https.")
    outcomes: list[Outcome] = []
    model = ""
    with tqdm(
        total=len(benchmark.drawings), unit=" drawings", leave=False, disable=None
    ) as bar:
        for batch in _batches(benchmark.drawings, batch_size):
            sent = {"drawings": [_body(drawing, as_pixels) for drawing in batch]}
            answer = _post(address, sent, token=token)
            read = _readings_in(answer, len(batch), address)
            model = str(answer.get("model") or "")
            outcomes += map(_outcome, batch, read)
            bar.update(len(batch))
    return Score(model, outcomes)


def report(found: Score) -> str:
    """Write the figures of each split, and of each source in it."""
    parts: dict[str, list[Outcome]] = {}
    for outcome in found.outcomes:
        split, source = outcome.drawing.split, outcome.drawing.source
        for part in (split, f"{split}, {source}"):
            parts.setdefault(part, []).append(outcome)
    head = ("", "drawings", "people", "accuracy", "answered", "wrong among answered")
    rows = [head, *(_row(part, parts[part]) for part in sorted(parts))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    )


def _row(part: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    right = sum(one.likeliest == one.drawing.digit for one in outcomes)
    answered = [one for one in outcomes if one.answer is not None]
    wrong = sum(one.answer != one.drawing.digit for one in answered)
    return (
        part,
        f"{len(outcomes):,}",
        str(len({one.drawing.person for one in outcomes})),
        _share(right, len(outcomes)),
        _share(len(answered), len(outcomes)),
        _share(wrong, len(answered)),
    )


def _share(number: int, cases: int) -> str:
    share = wilson(number, cases)
    if share is None:
        return "none"
    value, low, high = (f"{100 * x:.2f}" for x in (share.value, share.low, share.high))
    return f"{value} % ({low} to {high})"


# --- the contract --------------------------------------------------------------------


def _body(drawing: Drawing, as_pixels: bool) -> dict[str, Any]:
    if as_pixels or drawing.strokes is None:
        return {"pixels": drawing.image.tolist()}
    return {
        "strokes": drawing.strokes,
        "width": drawing.width,
        "height": drawing.height,
        "pen_width": drawing.pen_width,
    }


def _batches(drawings: Sequence[Drawing], size: int) -> Iterator[Sequence[Drawing]]:
    for start in range(0, len(drawings), size):
        yield drawings[start : start + size]


def _post(address: str, body: Mapping[str, Any], *, token: str) -> dict[str, Any]:
    """Send one batch; wait as long as the server is busy."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = json.dumps(body, separators=(",", ":")).encode()
    for _ in range(MOST_WAITS):
        try:
            request = urllib.request.Request(address, data=data, headers=headers)  # noqa: S310  # http or https, as `score` checks
            with _OPENER.open(request, timeout=TIMEOUT_S) as answer:
                return _parsed(answer.read(), address)
        except urllib.error.HTTPError as error:
            with error:
                message = _message(error)
            if error.code not in _BUSY:
                raise ServerError(
                    f"{address} answers {error.code}: {message}"
                ) from error
            _wait(error.headers.get("Retry-After", ""))
        except (OSError, HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise ServerError(f"{address} does not answer: {reason}.") from error
    raise ServerError(f"{address} was busy {MOST_WAITS} times in a row: try later.")


def _wait(told: str) -> None:
    seconds = min(float(told) if told.isdecimal() else WAIT_S, LONGEST_WAIT_S)
    tqdm.write(f"The server is busy: waiting for {seconds:g} s.", file=sys.stderr)
    time.sleep(seconds)


def _message(error: urllib.error.HTTPError) -> str:
    """Return the message of our contract's errors, else the status in words."""
    try:
        return str(json.loads(error.read())["error"]["message"])
    except (OSError, HTTPException, ValueError, LookupError, TypeError):
        return f"{error.reason}."


def _parsed(content: bytes, address: str) -> dict[str, Any]:
    try:
        parsed = json.loads(content)
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        raise _contract(address, "the answer is no JSON object")
    return parsed


def _readings_in(answer: Mapping[str, Any], sent: int, address: str) -> list[Any]:
    readings = answer.get("readings")
    if not isinstance(readings, list) or len(readings) != sent:
        got = len(readings) if isinstance(readings, list) else "no"
        raise _contract(address, f"{sent} drawings got {got} readings")
    for reading in readings:
        if not _is_reading(reading):
            told = json.dumps(reading)[:80]
            raise _contract(address, f"{told} is no reading with digit, probabilities")
    return readings


def _is_reading(reading: Any) -> bool:
    if not isinstance(reading, dict):
        return False
    if "error" in reading:
        return True
    probabilities = reading.get("probabilities")
    return (
        "digit" in reading
        and (reading["digit"] is None or reading["digit"] in range(10))
        and isinstance(probabilities, list)
        and len(probabilities) == 10
        and all(isinstance(one, int | float) for one in probabilities)
    )


def _contract(address: str, what: str) -> ServerError:
    return ServerError(
        f"{address} has another contract: {what}. docs/api.md describes readings/."
    )


def _outcome(drawing: Drawing, reading: Mapping[str, Any]) -> Outcome:
    if "error" in reading:
        return Outcome(drawing, None, None)
    probabilities = reading["probabilities"]
    likeliest = max(range(10), key=lambda digit: probabilities[digit])
    return Outcome(drawing, likeliest, reading["digit"])


def main() -> None:
    """Check a benchmark, let a server read it, and print its figures."""
    parser = command_parser(__doc__)
    parser.add_argument("url", help="of the site, or of its readings/ call")
    parser.add_argument("folder", type=Path, help="the benchmark's folder")
    parser.add_argument("--token", default="", help="a bearer token")
    parser.add_argument(
        "--as", dest="form", choices=["strokes", "pixels"], default="strokes"
    )
    parser.add_argument(
        "--batch", type=int, default=BATCH_SIZE, help="drawings in one call"
    )
    told = parser.parse_args()
    if not 1 <= told.batch <= MOST_AT_ONCE:
        parser.error(f"--batch={told.batch}: must be from 1 to {MOST_AT_ONCE}.")
    with ends_with_a_sentence(BenchmarkError, ServerError):
        benchmark = open_benchmark(told.folder)
        found = score(
            benchmark,
            told.url,
            token=told.token,
            as_pixels=told.form == "pixels",
            batch_size=told.batch,
        )
    print(f"{benchmark.name} at {told.url}, model {found.model[:12] or 'unknown'}\n")
    print(report(found))
    failed = sum(one.likeliest is None for one in found.outcomes)
    if failed:
        print(f"\n{failed} drawings got an error: they count as wrong and unanswered.")


if __name__ == "__main__":
    main()
