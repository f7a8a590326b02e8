"""The site's numbers, and shares with their intervals."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from django.utils import timezone

from mlcore.shares import Share as Share
from mlcore.shares import wilson as wilson
from recognizer.drawings import tallies
from recognizer.models import ModelVersion, Submission


@dataclass(frozen=True)
class Counted:
    """The number of some drawings, and how many of them were read right."""

    cases: int
    right: int

    @property
    def share(self) -> Share | None:
        """The share read right; None without any case."""
        return wilson(self.right, self.cases)


@dataclass(frozen=True)
class Band:
    """Reviewed readings whose confidence is in a range."""

    low: float
    high: float
    counted: Counted


@dataclass(frozen=True)
class Reviewed:
    """Results of one model on reviewed drawings, including refused ones.

    confusion: a row for each true digit, a column for each likeliest digit.
    by_pointer: by the pointer's code.
    """

    confusion: list[list[int]]
    bands: list[Band]
    by_pointer: dict[str, Counted]

    @property
    def by_digit(self) -> list[Counted]:
        """The counts for each true digit."""
        return [
            Counted(sum(row), row[digit]) for digit, row in enumerate(self.confusion)
        ]

    @property
    def all(self) -> Counted:
        """The counts for all reviewed drawings."""
        each = self.by_digit
        return Counted(sum(one.cases for one in each), sum(one.right for one in each))


def reviewed_by_model(version: ModelVersion) -> Reviewed:
    """Return one model's results on reviewed drawings, from its tallies."""
    counts = tallies.of_model(version)

    def counted(name: str) -> Counted:
        wrong, right = (counts.get(f"{name}:{is_right}", 0) for is_right in (0, 1))
        return Counted(wrong + right, right)

    limits = pairwise((*tallies.SURE_FROM, 1.0))
    return Reviewed(
        confusion=[
            [counts.get(f"{digit}:{read}", 0) for read in range(10)]
            for digit in range(10)
        ],
        bands=[
            Band(low, high, counted(f"sure:{number}"))
            for number, (low, high) in enumerate(limits)
        ],
        by_pointer={
            code: counted(f"by:{code or 'unknown'}")
            for code in Submission.Pointer.values
        },
    )


@dataclass(frozen=True)
class Stats:
    """The numbers of the whole site.

    by_digit: drawings by shown digit, without refused ones. accuracy: how often the
    active model's likeliest digit is right, over drawings that it read and whose digit
    a reviewer named. model: the active model's digest; None if none is active.
    """

    submissions: int
    last_24h: int
    by_digit: list[int]
    refused: int
    reviewed: int
    accuracy: Share | None
    model: str | None


def stats() -> Stats:
    """Return the site's numbers, from the tallies."""
    by_digit_names = [tallies.digit_tally(digit) for digit in range(10)]
    names = [*by_digit_names, tallies.NUMBER, tallies.REFUSED, tallies.LABELLED]
    counts = tallies.named(names)
    by_digit = [counts[name] for name in by_digit_names]
    active = ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).first()
    return Stats(
        submissions=sum(by_digit) + counts[tallies.NUMBER] + counts[tallies.REFUSED],
        last_24h=tallies.drawings_since(timezone.now() - timedelta(days=1)),
        by_digit=by_digit,
        refused=counts[tallies.REFUSED],
        reviewed=counts[tallies.LABELLED],
        accuracy=reviewed_by_model(active).all.share if active else None,
        model=active.digest if active else None,
    )
