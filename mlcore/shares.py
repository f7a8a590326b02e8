"""Shares with their intervals. Serving imports it; it needs no arrays."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """A proportion with its 95 % confidence interval."""

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
    # Rounding may move a limit past the share, past 0 or past 1.
    return Share(share, max(0.0, min(low, share)), min(1.0, max(high, share)))
