"""Tallies: the site's numbers, updated in the transactions that change them.

Counting a million rows takes seconds; updating a tally takes one statement. Each minute
has its own tally, because the last 24 hours change even if no drawing arrives.

A row that a transaction has changed is locked until its commit is on the disk. So on
PostgreSQL a tally is the sum of several rows, its shards, and each process adds to one
of them. docs/scaling.md has the measurement. SQLite has one writer and one row.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from os import getpid
from socket import gethostname

from django.db import connection
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from mlcore.reading.histograms import BINS, MOST_INK
from recognizer.models import ModelVersion, Submission, Tally

REFUSED, LABELLED, NUMBER = "refused", "labelled", "number"
_MINUTE, _MODEL = "minute:", "model:"
SHARDS = [f"~{number}" for number in range(16)]
"""Ends of the names of shards."""
_LAST = "zzzz"
"""Sorts behind what names contain, in every collation."""

# Where each band of confidence begins; bands are narrow where most readings are.
SURE_FROM = (0.0, 0.5, 0.7, 0.9, 0.95, 0.99)


def digit_tally(digit: int) -> str:
    """Return the name of the tally of drawings shown as this digit."""
    return f"digit:{digit}"


def minute_tally(moment: datetime) -> str:
    """Return the name of the tally of a minute's drawings; names sort by time."""
    return f"{_MINUTE}{moment:%Y-%m-%dT%H:%M}"


def model_tallies(version: ModelVersion) -> str:
    """Return the prefix of the names of one model's tallies."""
    return f"{_MODEL}{version.short_digest}:"


def tallies_of(submission: Submission) -> Counter[str]:
    """Return what one submission adds to tallies; needs its shown prediction."""
    reading = submission.shown_prediction
    pointer = submission.pointer or "unknown"
    counts = Counter(
        [
            _answer_tally(submission),
            minute_tally(submission.created_at),
            f"day:{submission.created_at:%Y-%m-%d}",
            f"{model_tallies(reading.model_version)}confidence:"
            f"{bin_of(reading.confidence)}",
            f"pointer:{pointer}",
        ]
    )
    if submission.refusal:
        counts[f"refusal:{submission.refusal}"] = 1
        counts[f"pointer_refused:{pointer}"] = 1
    if reading.ink is not None:
        counts[f"ink:{bin_of(reading.ink / MOST_INK)}"] = 1
    return counts + label_tallies_of(submission)


def _answer_tally(submission: Submission) -> str:
    if submission.shown_digit is not None:
        return digit_tally(submission.shown_digit)
    return NUMBER if submission.shown_number else REFUSED


def label_tallies_of(submission: Submission) -> Counter[str]:
    """Return what one submission's label adds to tallies."""
    counts: Counter[str] = Counter()
    if submission.is_labelled:
        counts[LABELLED] = 1
    if submission.label_digit is not None:
        shown, digit = submission.shown_prediction, submission.label_digit
        model = model_tallies(shown.model_version)
        is_right = int(shown.likeliest == digit)
        band = bisect_right(SURE_FROM, shown.confidence) - 1
        counts[f"{model}{digit}:{shown.likeliest}"] = 1
        counts[f"{model}sure:{band}:{is_right}"] = 1
        counts[f"{model}by:{submission.pointer or 'unknown'}:{is_right}"] = 1
    return counts


def bin_of(share: float) -> int:
    """Return which of the BINS bins a number from 0 to 1 is in."""
    return min(int(share * BINS), BINS - 1)


def add(counts: Counter[str]) -> None:
    """Add to tallies. Call it in the transaction that changes the rows."""
    shard = _own_shard() if connection.vendor == "postgresql" else ""
    # Sorted, so that two transactions cannot deadlock.
    changes = sorted((name + shard, count) for name, count in counts.items() if count)
    if not changes:
        return
    table = connection.ops.quote_name(Tally._meta.db_table)
    rows = ", ".join(["(%s, %s)"] * len(changes))
    with connection.cursor() as cursor:
        # The ORM cannot add in an upsert. Only our table's name and placeholders
        # are written into the statement.
        cursor.execute(
            f"INSERT INTO {table} (name, count) VALUES {rows} "  # noqa: S608
            f"ON CONFLICT (name) DO UPDATE SET count = {table}.count + excluded.count",
            [value for change in changes for value in change],
        )
    if any(name.startswith(_MINUTE) for name, _ in changes):
        _forget_once_a_minute()


def _own_shard() -> str:
    """Return the shard of this process.

    It is one for all its transactions: those that add twice, each time to another
    shard, would deadlock. Process numbers repeat in containers, names of hosts do not.
    """
    return SHARDS[hash((gethostname(), getpid())) % len(SHARDS)]


def take_away(counts: Counter[str]) -> None:
    """Subtract from tallies."""
    add(Counter({name: -count for name, count in counts.items()}))


def total(rows: QuerySet[Tally]) -> Counter[str]:
    """Add up the shards of each tally."""
    counts: Counter[str] = Counter()
    for name, count in rows.values_list("name", "count"):
        counts[name.partition("~")[0]] += count
    return counts


def named(names: Iterable[str]) -> Counter[str]:
    """Return the tallies of these names."""
    keys = [name + shard for name in names for shard in ("", *SHARDS)]
    return total(Tally.objects.filter(pk__in=keys))


def of_site() -> Counter[str]:
    """Return all tallies but those of minutes and of models."""
    others = Q(name__startswith=_MINUTE) | Q(name__startswith=_MODEL)
    return total(Tally.objects.exclude(others))


def of_model(version: ModelVersion) -> dict[str, int]:
    """Return one model's tallies; names are without their prefix."""
    start = model_tallies(version)
    found = total(Tally.objects.filter(name__gte=start, name__lt=f"{start}{_LAST}"))
    return {name.removeprefix(start): count for name, count in found.items()}


def drawings_since(moment: datetime) -> int:
    """Return the number of drawings of all minutes from this one on."""
    minutes = Tally.objects.filter(
        name__gte=minute_tally(moment), name__lt=f"{_MINUTE}{_LAST}"
    )
    drawings: int = minutes.aggregate(drawings=Sum("count", default=0))["drawings"]
    return drawings


_forgotten_at = ""  # the last minute in which this process deleted old tallies


def _forget_once_a_minute() -> None:
    global _forgotten_at
    minute = minute_tally(timezone.now())
    if minute != _forgotten_at:
        _forgotten_at = minute
        forget_old_minutes()


def forget_old_minutes() -> None:
    """Delete the minute tallies older than two days, which nothing needs."""
    Tally.objects.filter(
        name__gte=_MINUTE, name__lt=minute_tally(timezone.now() - timedelta(days=2))
    ).delete()
