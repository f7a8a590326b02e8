"""How well a model reads, by the labels of reviewers."""

from dataclasses import dataclass

from recognizer.drawings import tallies
from recognizer.drawings.statistics import Share, Stats, stats, wilson
from recognizer.models import ModelVersion


@dataclass(frozen=True)
class Counted:
    """How many of some drawings were read right."""

    cases: int
    right: int

    @property
    def share(self) -> Share | None:
        """The share read right; None without any case."""
        return wilson(self.right, self.cases)


@dataclass(frozen=True)
class Band:
    """Readings that were so sure of their likeliest digit."""

    low: float
    high: float
    counted: Counted


@dataclass(frozen=True)
class Reviewed:
    """What reviewed drawings say of the model that read them, refused or not.

    confusion: a row for each true digit, how often each digit was the likeliest.
    """

    confusion: list[list[int]]
    bands: list[Band]

    @property
    def by_digit(self) -> list[Counted]:
        """The drawings of each digit."""
        return [
            Counted(sum(row), row[digit]) for digit, row in enumerate(self.confusion)
        ]

    @property
    def all(self) -> Counted:
        """All of them."""
        each = self.by_digit
        return Counted(sum(one.cases for one in each), sum(one.right for one in each))


def reviewed_by_model(version: ModelVersion) -> Reviewed:
    """Return what reviewers' labels say of one model, without counting anything."""
    counts = tallies.of_model(version)
    bands = []
    for number, low in enumerate(tallies.SURE_FROM):
        wrong, right = (counts.get(f"sure:{number}:{is_it}", 0) for is_it in (0, 1))
        high = (*tallies.SURE_FROM, 1.0)[number + 1]
        bands.append(Band(low, high, Counted(wrong + right, right)))
    return Reviewed(
        confusion=[
            [counts.get(f"{digit}:{read}", 0) for read in range(10)]
            for digit in range(10)
        ],
        bands=bands,
    )


@dataclass(frozen=True)
class ModelCard:
    """What the site knows of the model that reads now, and which others it has.

    active, reviewed: None while no model is active.
    """

    active: ModelVersion | None
    reviewed: Reviewed | None
    stats: Stats
    versions: list[ModelVersion]


VERSIONS_SHOWN = 50


def model_card() -> ModelCard:
    """Return the card of the active model; the versions are the newest ones."""
    active = ModelVersion.objects.filter(stage=ModelVersion.Stage.ACTIVE).first()
    return ModelCard(
        active=active,
        reviewed=reviewed_by_model(active) if active else None,
        stats=stats(),
        versions=list(ModelVersion.objects.newest_first()[:VERSIONS_SHOWN]),
    )
