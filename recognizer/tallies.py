"""The site's numbers, kept in the transactions that change them.

Counting a million rows takes seconds; a number kept along costs one UPDATE. Minutes of
the last day are kept apart, because that number shrinks while nothing happens.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from recognizer.models import Submission, Tally

REFUSED, LABELLED, NAMED, READ_RIGHT = "refused", "labelled", "named", "read_right"
_MINUTE = "minute:"
BINS = 20  # of confidence in [0, 1] and of ink in [0, MOST_INK]
MOST_INK = 0.4  # mean of a digit image; more falls into the last bin


def digit_tally(digit: int) -> str:
    """Name the number of drawings shown as this digit."""
    return f"digit:{digit}"


def minute_tally(moment: datetime) -> str:
    """Name the number of drawings of a minute; names sort as time does."""
    return f"{_MINUTE}{moment:%Y-%m-%dT%H:%M}"


def tallies_of(submission: Submission) -> Counter[str]:
    """Return what one submission adds; needs its shown prediction."""
    shown = submission.shown_digit
    reading = submission.shown_prediction
    pointer = submission.pointer or "unknown"
    counts = Counter(
        [
            REFUSED if shown is None else digit_tally(shown),
            minute_tally(submission.created_at),
            f"day:{submission.created_at:%Y-%m-%d}",
            f"confidence:{confidence_bin(reading.confidence)}",
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
        pointer = submission.pointer or "unknown"
        read = submission.shown_prediction.likeliest
        is_right = read == submission.label_digit
        counts[NAMED] = counts[f"pointer_named:{pointer}"] = 1
        counts[f"read:{submission.label_digit}:{read}"] = 1
        counts[READ_RIGHT] = counts[f"pointer_right:{pointer}"] = int(is_right)
    return counts


def confidence_bin(confidence: float) -> int:
    """Say into which of BINS a confidence falls."""
    return min(int(confidence * BINS), BINS - 1)


def ink_bin(ink: float) -> int:
    """Say into which of BINS the mean of a digit image falls."""
    return min(int(ink / MOST_INK * BINS), BINS - 1)


def add(counts: Counter[str]) -> None:
    """Add to the numbers, or take away; belongs inside the change's transaction."""
    for name in sorted(counts):  # in one order, so that no two wait for each other
        if not counts[name]:
            continue
        row = Tally.objects.filter(pk=name)
        if not row.update(count=F("count") + counts[name]):
            Tally.objects.bulk_create([Tally(name=name)], ignore_conflicts=True)
            row.update(count=F("count") + counts[name])
            if name.startswith(_MINUTE):  # a new one: once a minute
                forget_old_minutes()


def take_away(counts: Counter[str]) -> None:
    """Take from the numbers what is gone."""
    add(Counter({name: -count for name, count in counts.items()}))


def since(moment: datetime) -> Iterable[int]:
    """Return the numbers of all minutes from this one on."""
    return Tally.objects.filter(
        name__gte=minute_tally(moment), name__lt=f"{_MINUTE}~"
    ).values_list("count", flat=True)


def forget_old_minutes() -> None:
    """Drop the minutes that no answer needs any more."""
    Tally.objects.filter(
        name__gte=_MINUTE, name__lt=minute_tally(timezone.now() - timedelta(days=2))
    ).delete()
