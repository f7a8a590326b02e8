"""Fill an empty database with a synthetic history of up to millions of drawings.

    DIGITSITE_VAR=/tmp/large python -m bench.history --submissions 1000000

The model reads up to 2,000 drawings. Their rows are stored many times, for other people
at other times. Plain SQL inserts them, because the ORM takes ten times as long. Derived
columns and tallies are filled too: `manage.py rebuild` finds nothing to correct. A
database with drawings is refused. Takes two minutes and 1.2 GB for a million drawings.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import django
import numpy as np
import uuid_utils
from django.core.management import call_command
from django.db import connection, models, transaction
from django.utils import timezone
from tqdm import tqdm

from bench.samples import Sample, as_body, samples
from mlcore.commands import command_parser, ends_with_a_sentence

if __name__ == "__main__":  # before the models are imported
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "digitsite.settings")
    django.setup()

from recognizer.drawings import tallies
from recognizer.drawings.inserts import insert_statement
from recognizer.drawings.priority import review_priority
from recognizer.drawings.submitting import columns_of, prediction_of
from recognizer.models import (
    Feedback,
    Label,
    Prediction,
    Rejection,
    Submission,
    Verdict,
    Visitor,
)
from recognizer.reader import engine
from recognizer.reader.active import active_model
from recognizer.reader.drawing import StrokeDrawing
from recognizer.reader.recognisers import recogniser_for

DISTINCT = 2_000  # drawings that the model reads
ANSWERED, LABELLED = 0.3, 0.03  # shares of the drawings
MAY_TRAIN = 0.4  # share of the people
POINTERS = ("mouse", "touch", "pen")
DAYS = 365  # that the drawings are spread over
LOT = 50_000  # drawings per transaction


class HistoryError(Exception):
    """The history cannot be made."""


class Table:
    """Stores rows of one model; the columns that vary come first."""

    def __init__(self, model: type[models.Model], *varying: str) -> None:
        fields = {field.attname: field for field in model._meta.concrete_fields}
        self._constant = [f for name, f in fields.items() if name not in varying]
        in_order = [*(fields[name] for name in varying), *self._constant]
        columns = tuple(str(field.column) for field in in_order)
        self._insert = insert_statement(model, columns)

    def constants(self, row: models.Model) -> tuple[Any, ...]:
        """Return the constant columns of a row, as database values."""
        return tuple(
            field.get_db_prep_save(getattr(row, field.attname), connection)
            for field in self._constant
        )

    def store(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Insert rows."""
        with connection.cursor() as cursor:
            cursor.executemany(self._insert, list(rows))


@dataclass(frozen=True)
class Kind:
    """A drawing, its feedback and label: what its copies have in common."""

    submission: tuple[Any, ...]
    prediction: tuple[Any, ...]
    feedback: tuple[Any, ...] | None
    label: tuple[Any, ...] | None
    counts: Counter[str]


def make_history(
    *,
    drawings: int,
    visitors: int,
    most: int,
    seed: int = 0,
    tell: Callable[[int], object] = lambda _: None,
) -> Visitor:
    """Make a history; return the visitor with the most drawings.

    Each lot is stored with its tallies in one transaction, so an interrupted history is
    consistent, only smaller.

    Args:
        most: approximate number of drawings of the first visitor.
        tell: called with the number of drawings each step has added.

    Raises:
        HistoryError: the database holds drawings, or the numbers contradict each other.
    """
    if min(drawings, visitors) < 1 or not 0 <= most <= drawings:
        raise HistoryError(
            "--submissions and --visitors are at least 1, and --most at most the "
            "number of submissions."
        )
    if Submission.objects.exists():
        raise HistoryError(
            "This database holds drawings: name an empty one by DIGITSITE_VAR or "
            "DATABASE_URL."
        )
    rng = np.random.default_rng(seed)
    kinds, shares = kinds_of(samples(min(DISTINCT, drawings), seed=seed))
    until = timezone.now()
    since = until - timedelta(days=DAYS)
    owners = make_visitors(visitors, rng, since)
    step = (until - since) / drawings
    for done in range(0, drawings, LOT):
        count = min(LOT, drawings - done)
        which = rng.integers(min(1, visitors - 1), visitors, count)
        which[rng.random(count) < most / drawings] = 0
        store_lot(
            kinds,
            chosen=rng.choice(len(kinds), count, p=shares),
            owners=[owners[place] for place in which.tolist()],
            moments=[since + step * (done + number) for number in range(count)],
        )
        tell(count)
    tallies.forget_old_minutes()
    return Visitor.objects.get(pk=owners[0])


def tables() -> dict[str, Table]:
    """Return the tables of a history."""
    fact = ("id", "submission_id", "created_at")
    return {
        "submission": Table(Submission, "id", "visitor_id", "created_at"),
        "prediction": Table(Prediction, *fact),
        "feedback": Table(Feedback, *fact),
        "label": Table(Label, *fact),
    }


def kinds_of(drawn: Iterable[Sample]) -> tuple[list[Kind], Any]:
    """Read drawings; return the kinds of drawings to store, and each one's share."""
    version = active_model()
    recogniser = recogniser_for(version)
    stored = tables()
    kinds, shares = [], []
    for number, sample in enumerate(drawn):
        drawing = StrokeDrawing(
            **as_body(sample.strokes), pointer=POINTERS[number % len(POINTERS)]
        )
        reading = engine.read(drawing, recogniser=recogniser)
        for is_answered, is_labelled in product((True, False), repeat=2):
            submission = Submission(
                source=Submission.Source.PAGE,
                pointer=drawing.pointer,
                created_at=timezone.now(),
                shown_digit=reading.digit,
                refusal=reading.refusal or "",
                **columns_of(drawing),
            )
            shown = prediction_of(
                reading,
                submission=submission,
                version=version,
                role=Prediction.Role.SHOWN,
            )
            submission.loaded_shown = [shown]
            said = answer_to(sample, submission) if is_answered else None
            decided = decision_on(sample, submission) if is_labelled else None
            submission.review_priority = review_priority(submission)
            counts = {
                name: count
                for name, count in tallies.tallies_of(submission).items()
                if not name.startswith(("minute:", "day:"))  # these differ
            }
            kinds.append(
                Kind(
                    stored["submission"].constants(submission),
                    stored["prediction"].constants(shown),
                    stored["feedback"].constants(said) if said else None,
                    stored["label"].constants(decided) if decided else None,
                    Counter(counts),
                )
            )
            answered = ANSWERED if is_answered else 1 - ANSWERED
            shares.append(answered * (LABELLED if is_labelled else 1 - LABELLED))
    return kinds, np.array(shares) / sum(shares)


def answer_to(sample: Sample, submission: Submission) -> Feedback:
    """Give the feedback of a visitor who knows what they drew."""
    if sample.digit is None:
        verdict, digit = Verdict.NOT_A_DIGIT, None
    elif sample.digit == submission.shown_digit:
        verdict, digit = Verdict.RIGHT, None
    else:
        verdict, digit = Verdict.WRONG, sample.digit
    submission.verdict, submission.corrected_digit = verdict, digit
    return Feedback(verdict=verdict, digit=digit)


def decision_on(sample: Sample, submission: Submission) -> Label:
    """Decide as a reviewer would."""
    rejected = Rejection.NOT_A_DIGIT if sample.digit is None else ""
    submission.label_digit, submission.rejection = sample.digit, rejected
    return Label(digit=sample.digit, rejected=rejected)


def make_visitors(count: int, rng: np.random.Generator, since: datetime) -> list[str]:
    """Make visitors; return their ids."""
    keys = ids([since] * count)
    made = [
        Visitor(pk=key, may_train=bool(may), created_at=since)
        for key, may in zip(keys, rng.random(count) < MAY_TRAIN, strict=True)
    ]
    Visitor.objects.bulk_create(made, batch_size=1_000)
    return keys


def store_lot(
    kinds: list[Kind], *, chosen: Any, owners: list[str], moments: list[datetime]
) -> None:
    """Store drawings with their feedback, labels and tallies."""
    times = list(map(connection.ops.adapt_datetimefield_value, moments))
    all_of = [kinds[place] for place in chosen.tolist()]
    rows = list(zip(ids(moments), owners, times, all_of, strict=True))
    counts: Counter[str] = Counter()
    for place, number in Counter(chosen.tolist()).items():
        for name, count in kinds[place].counts.items():
            counts[name] += count * number
    counts.update(f"day:{moment.date()}" for moment in moments)
    # The site deletes older minutes, and a year of them would take long to store.
    recent = timezone.now() - timedelta(days=2)
    counts.update(tallies.minute_tally(one) for one in moments if one >= recent)
    with transaction.atomic():
        for name, table in tables().items():
            if name == "submission":
                table.store(
                    (pk, own, at, *kind.submission) for pk, own, at, kind in rows
                )
                continue
            table.store(
                (fact, pk, at, *constants)
                for fact, (pk, _, at, kind) in zip(ids(moments), rows, strict=True)
                if (constants := getattr(kind, name)) is not None
            )
        tallies.add(counts)


def ids(moments: Iterable[datetime]) -> list[str]:
    """Make a UUIDv7 for each moment, sorted, as 32 hexadecimal digits."""
    return sorted(
        uuid_utils.uuid7(nanoseconds=int(one.timestamp() * 1e9)).hex for one in moments
    )


def main() -> None:
    """Make a history; print the visitor with the most drawings."""
    parser = command_parser(__doc__)
    parser.add_argument("--submissions", type=int, default=10_000)
    parser.add_argument("--visitors", type=int, default=100)
    parser.add_argument("--most", type=int, default=0, help="of the first visitor")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    call_command("prepare", verbosity=0)
    with (
        ends_with_a_sentence(HistoryError),
        tqdm(total=given.submissions, unit=" drawings") as bar,
    ):
        first = make_history(
            drawings=given.submissions,
            visitors=given.visitors,
            most=given.most,
            seed=given.seed,
            tell=bar.update,
        )
    print(f"Visitor {first.pk} has the most drawings.")


if __name__ == "__main__":
    main()
