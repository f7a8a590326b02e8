"""The site's numbers, and shares with their intervals."""

import math
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from recognizer.drawings import tallies
from recognizer.models import Tally


@dataclass(frozen=True)
class Share:
    """A share of a number of cases, with the interval it lies in at 95 %."""

    value: float
    low: float
    high: float


def wilson(successes: int, cases: int) -> Share | None:
    """Return a share with Wilson's score interval; None without any case.

    Source: E. B. Wilson 1927, doi 10.1080/01621459.1927.10502953.
    """
    if cases <= 0:
        return None
    z = 1.959964  # of the normal distribution, 95 % two-sided
    share = successes / cases
    middle = share + z * z / (2 * cases)
    reach = z * math.sqrt(share * (1 - share) / cases + z * z / (4 * cases * cases))
    scale = 1 + z * z / cases
    low, high = (middle - reach) / scale, (middle + reach) / scale
    # Rounding may carry an end past the share, or past 0 and 1.
    return Share(share, max(0.0, min(low, share)), min(1.0, max(high, share)))


@dataclass(frozen=True)
class Stats:
    """The numbers of the whole site; by_digit as shown, refused ones apart.

    accuracy: of the largest probability, over drawings whose digit a reviewer named.
    """

    submissions: int
    last_24h: int
    by_digit: list[int]
    refused: int
    reviewed: int
    accuracy: Share | None


def stats() -> Stats:
    """Return the site's numbers without counting anything."""
    by_digit_names = [tallies.digit_tally(digit) for digit in range(10)]
    names = [
        *by_digit_names,
        tallies.REFUSED,
        tallies.LABELLED,
        tallies.NAMED,
        tallies.READ_RIGHT,
    ]
    found = dict(Tally.objects.filter(pk__in=names).values_list("name", "count"))
    counts = {name: found.get(name, 0) for name in names}
    by_digit = [counts[name] for name in by_digit_names]
    return Stats(
        submissions=sum(by_digit) + counts[tallies.REFUSED],
        last_24h=sum(tallies.since(timezone.now() - timedelta(days=1))),
        by_digit=by_digit,
        refused=counts[tallies.REFUSED],
        reviewed=counts[tallies.LABELLED],
        accuracy=wilson(counts[tallies.READ_RIGHT], counts[tallies.NAMED]),
    )
