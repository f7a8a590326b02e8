"""The site's numbers, kept in the transactions that change them.

Counting a million rows takes seconds; a number kept along costs one UPDATE. Minutes of
the last day are kept apart, because that number shrinks while nothing happens.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from mlcore.reading.histograms import BINS, MOST_INK
from recognizer.models import ModelVersion, Submission, Tally

REFUSED, LABELLED = "refused", "labelled"
_MINUTE = "minute:"
# Of a moment as ISO 8601, which takes a third of the time that a pattern takes.
_TO_MINUTES, _TO_DAYS = len("2026-01-31T12:59"), len("2026-01-31")

# How sure a reading was of its likeliest digit, from each of these on: finer where
# most readings lie.
SURE_FROM = (0.0, 0.5, 0.7, 0.9, 0.95, 0.99)


def digit_tally(digit: int) -> str:
    """Name the number of drawings shown as this digit."""
    return f"digit:{digit}"


def minute_tally(moment: datetime) -> str:
    """Name the number of drawings of a minute; names sort as time does."""
    return _MINUTE + moment.isoformat(timespec="minutes")[:_TO_MINUTES]


def model_tallies(version: ModelVersion) -> str:
    """Name the start of all numbers that are kept for one model."""
    return f"model:{version.short_digest}:"


def read_tally(version: ModelVersion, *, digit: int, read: int) -> str:
    """Name the number of drawings of a digit by the likeliest that a model read."""
    return f"{model_tallies(version)}{digit}:{read}"


def sure_tally(version: ModelVersion, *, confidence: float, is_right: bool) -> str:
    """Name the number of drawings read as surely as this, and rightly or not."""
    band = bisect_right(SURE_FROM, confidence) - 1
    return f"{model_tallies(version)}sure:{band}:{int(is_right)}"


def confidence_tally(version: ModelVersion, confidence: float) -> str:
    """Name the number of drawings that a model read with a confidence like this."""
    return f"{model_tallies(version)}confidence:{confidence_bin(confidence)}"


def pointer_tally(version: ModelVersion, *, pointer: str, is_right: bool) -> str:
    """Name the number of drawings made with a pointer, read rightly or not."""
    return f"{model_tallies(version)}by:{pointer or 'unknown'}:{int(is_right)}"


def tallies_of(submission: Submission) -> Counter[str]:
    """Return what one submission adds; needs its shown prediction."""
    shown = submission.shown_digit
    reading = submission.shown_prediction
    pointer = submission.pointer or "unknown"
    counts = Counter(
        [
            REFUSED if shown is None else digit_tally(shown),
            minute_tally(submission.created_at),
            f"day:{submission.created_at.isoformat()[:_TO_DAYS]}",
            confidence_tally(reading.model_version, reading.confidence),
            f"pointer:{pointer}",
        ]
    )
    if submission.refusal:
        counts[f"refusal:{submission.refusal}"] = 1
        counts[f"pointer_refused:{pointer}"] = 1
    if reading.ink is not None:
        counts[f"ink:{ink_bin(reading.ink)}"] = 1
    return counts + label_tallies_of(submission)


def label_tallies_of(submission: Submission) -> Counter[str]:
    """Return what one submission's label adds."""
    counts: Counter[str] = Counter()
    if submission.is_labelled:
        counts[LABELLED] = 1
    if submission.label_digit is not None:
        shown, digit = submission.shown_prediction, submission.label_digit
        version, read = shown.model_version, shown.likeliest
        is_right = read == digit
        confidence, pointer = shown.confidence, submission.pointer
        counts[read_tally(version, digit=digit, read=read)] = 1
        counts[sure_tally(version, confidence=confidence, is_right=is_right)] = 1
        counts[pointer_tally(version, pointer=pointer, is_right=is_right)] = 1
    return counts


def confidence_bin(confidence: float) -> int:
    """Say into which of BINS a confidence falls."""
    return min(int(confidence * BINS), BINS - 1)


def ink_bin(ink: float) -> int:
    """Say into which of BINS the mean of a digit image falls."""
    return min(int(ink / MOST_INK * BINS), BINS - 1)


def add(counts: Counter[str]) -> None:
    """Add to the numbers, or take away; belongs inside the change's transaction."""
    # In one order, so that no two wait for each other.
    changes = sorted((name, count) for name, count in counts.items() if count)
    if not changes:
        return
    table = connection.ops.quote_name(Tally._meta.db_table)
    rows = ", ".join(["(%s, %s)"] * len(changes))
    with connection.cursor() as cursor:
        # One statement for all, which the ORM has no words for; only our
        # table's name and place holders are written into it.
        cursor.execute(
            f"INSERT INTO {table} (name, count) VALUES {rows} "  # noqa: S608
            f"ON CONFLICT (name) DO UPDATE SET count = {table}.count + excluded.count",
            [value for change in changes for value in change],
        )
    if any(name.startswith(_MINUTE) for name, _ in changes):
        _forget_once_a_minute()


def take_away(counts: Counter[str]) -> None:
    """Take from the numbers what is gone."""
    add(Counter({name: -count for name, count in counts.items()}))


def of_model(version: ModelVersion) -> dict[str, int]:
    """Return the numbers of one model, by what follows the start of their names."""
    start = model_tallies(version)
    found = Tally.objects.filter(name__gte=start, name__lt=f"{start}~")
    return {
        name.removeprefix(start): count
        for name, count in found.values_list("name", "count")
    }


def since(moment: datetime) -> Iterable[int]:
    """Return the numbers of all minutes from this one on."""
    return Tally.objects.filter(
        name__gte=minute_tally(moment), name__lt=f"{_MINUTE}~"
    ).values_list("count", flat=True)


_forgotten_at = ""  # the last minute in which this process did it


def _forget_once_a_minute() -> None:
    global _forgotten_at
    minute = minute_tally(timezone.now())
    if minute != _forgotten_at:
        _forgotten_at = minute
        forget_old_minutes()


def forget_old_minutes() -> None:
    """Drop the minutes that no answer needs any more."""
    Tally.objects.filter(
        name__gte=_MINUTE, name__lt=minute_tally(timezone.now() - timedelta(days=2))
    ).delete()
