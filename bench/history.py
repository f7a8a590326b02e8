"""A history made up in bulk, to see how the site does with millions of drawings.

Some thousand drawings are really read, and what is said of them follows from what they
show; those rows are stored again and again for other people at other times. Rows go
past the ORM, but carry what its services would have derived, numbers included:
`manage.py rebuild` finds nothing to mend.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, cast

import numpy as np
from django.conf import settings
from django.db import connection, models, transaction
from django.utils import timezone

from recognizer import tallies
from recognizer.ml import engine
from recognizer.ml.samples import Sample, samples
from recognizer.models import (
    Feedback,
    Label,
    Prediction,
    Rejection,
    Submission,
    Verdict,
    Visitor,
)
from recognizer.priority import review_priority
from recognizer.services import active_model, columns_of, prediction_of

DISTINCT = 2_000  # drawings that are really read
ANSWERED, LABELLED = 0.3, 0.03  # shares of the drawings
MAY_TRAIN = 0.4  # share of the people
DAYS = 365  # over which the drawings lie
_LOT = 50_000  # rows in a transaction
_WITHOUT_INDEXES = 200_000  # from so many on indexes are made afterwards
_TABLES = (Submission, Prediction, Feedback, Label)

BYTES_EACH = {"sqlite": 1_400, "postgresql": 1_200}
SECONDS_PER_MILLION = {"sqlite": 90, "postgresql": 90}
"""Rounded up from what was measured, with indexes and what is said of drawings."""


@dataclass(frozen=True)
class Plan:
    """What is to be made. most: drawings of one visitor, the first of all."""

    drawings: int
    visitors: int
    most: int
    seed: int = 0

    @property
    def bytes_needed(self) -> int:
        """Room that it takes in the database, about."""
        return self.drawings * BYTES_EACH[connection.vendor]

    @property
    def seconds_needed(self) -> float:
        """Time that it takes, about, on one core."""
        return 20 + self.drawings * SECONDS_PER_MILLION[connection.vendor] / 1e6


@dataclass(frozen=True)
class _Kind:
    """One drawing with all that was said of it: what its rows have in common."""

    submission: tuple[Any, ...]
    prediction: tuple[Any, ...]
    feedback: tuple[Any, ...] | None
    label: tuple[Any, ...] | None
    counts: Counter[str]


class _Table:
    """Stores rows of one model: those columns first that differ from row to row."""

    def __init__(self, model: type[models.Model], *varying: str) -> None:
        fields = {field.attname: field for field in model._meta.concrete_fields}
        self._constant = [
            field for name, field in fields.items() if name not in varying
        ]
        in_order = [*(fields[name] for name in varying), *self._constant]
        columns = ", ".join(str(field.column) for field in in_order)
        self._into = f"{model._meta.db_table} ({columns})"
        self._places = ", ".join(["%s"] * len(in_order))

    def constants(self, row: models.Model) -> tuple[Any, ...]:
        """Return what all rows like this one hold, as the database takes it."""
        return tuple(
            field.get_db_prep_save(getattr(row, field.attname), connection)
            for field in self._constant
        )

    def store(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Store rows by the quickest way the database has."""
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                with cursor.copy(f"COPY {self._into} FROM STDIN") as copy:
                    for row in rows:
                        copy.write_row(row)
            else:
                # Names of our own tables and columns: nothing that anybody sends.
                insert = f"INSERT INTO {self._into} VALUES ({self._places})"  # noqa: S608
                cursor.executemany(insert, cast(Sequence[Any], rows))


def seed(plan: Plan, *, tell: Callable[[int], None]) -> Visitor:
    """Make a history; return the visitor with most drawings.

    Each lot is one transaction with the numbers that follow from it, so whoever stops
    it has a whole, if smaller history. Indexes that a killed run has left unmade are
    made by the next one.

    Args:
        tell: is told how many drawings each step has added.
    """
    restore_indexes()
    rng = np.random.default_rng(plan.seed)
    kinds, shares = _kinds(plan)
    until = timezone.now()
    since = until - timedelta(days=DAYS)
    visitors = _visitors(plan, rng, since)
    for_later = plan.drawings >= _WITHOUT_INDEXES
    if for_later:
        _hurry()
        _leave_indexes_for_later()
    try:
        done = 0
        while done < plan.drawings:
            count = min(_LOT, plan.drawings - done)
            span = (until - since) / plan.drawings
            begin = since + span * done
            _store_lot(
                count,
                times=(begin, begin + span * count),
                kinds=kinds,
                chosen=rng.choice(len(kinds), count, p=shares),
                owners=_owners(plan, visitors, count, rng),
                rng=rng,
            )
            done += count
            tell(count)
    finally:
        restore_indexes()
    tallies.forget_old_minutes()
    return Visitor.objects.get(pk=visitors[0])


# --- what is stored ------------------------------------------------------------------


def _tables() -> dict[str, _Table]:
    return {
        "submission": _Table(Submission, "id", "visitor_id", "created_at"),
        "prediction": _Table(Prediction, "id", "submission_id", "created_at"),
        "feedback": _Table(Feedback, "id", "submission_id", "created_at"),
        "label": _Table(Label, "id", "submission_id", "created_at"),
    }


def _kinds(plan: Plan) -> tuple[list[_Kind], Any]:
    """Return all that may be stored, and how large a share each has."""
    tables = _tables()
    version = active_model()
    recogniser = engine.recogniser_for(version)
    kinds, shares = [], []
    for sample in samples(min(DISTINCT, plan.drawings), seed=plan.seed):
        reading = engine.read(sample.drawing, recogniser=recogniser)
        for is_answered, is_labelled in product((True, False), repeat=2):
            submission = Submission(
                source=Submission.Source.PAGE,
                pointer=sample.drawing.pointer,
                created_at=timezone.now(),
                shown_digit=reading.digit,
                refusal=reading.refusal or "",
                **columns_of(sample.drawing),
            )
            shown = prediction_of(
                reading,
                submission=submission,
                version=version,
                role=Prediction.Role.SHOWN,
            )
            submission.loaded_shown = [shown]
            said = _answer_to(sample, submission) if is_answered else None
            decided = _decision_on(sample, submission) if is_labelled else None
            submission.review_priority = review_priority(submission)
            counts = tallies.tallies_of(submission)
            kinds.append(
                _Kind(
                    submission=tables["submission"].constants(submission),
                    prediction=tables["prediction"].constants(shown),
                    feedback=tables["feedback"].constants(said) if said else None,
                    label=tables["label"].constants(decided) if decided else None,
                    counts=Counter(
                        {
                            name: count
                            for name, count in counts.items()
                            if not name.startswith(("minute:", "day:"))
                        }
                    ),
                )
            )
            shares.append(
                (ANSWERED if is_answered else 1 - ANSWERED)
                * (LABELLED if is_labelled else 1 - LABELLED)
            )
    return kinds, np.array(shares) / sum(shares)


def _answer_to(sample: Sample, submission: Submission) -> Feedback:
    """Answer as somebody would who knows what they drew."""
    if sample.digit is None:
        verdict, digit = Verdict.NOT_A_DIGIT, None
    elif sample.digit == submission.shown_digit:
        verdict, digit = Verdict.RIGHT, None
    else:
        verdict, digit = Verdict.WRONG, sample.digit
    submission.verdict, submission.corrected_digit = verdict, digit
    return Feedback(verdict=verdict, digit=digit)


def _decision_on(sample: Sample, submission: Submission) -> Label:
    """Decide as a reviewer would."""
    rejected = Rejection.NOT_A_DIGIT if sample.digit is None else ""
    submission.label_digit, submission.rejection = sample.digit, rejected
    return Label(digit=sample.digit, rejected=rejected)


def _visitors(plan: Plan, rng: np.random.Generator, since: datetime) -> list[str]:
    """Make people; return their ids."""
    ids = _ids(_milliseconds(since, since, plan.visitors, rng))
    may_train = rng.random(plan.visitors) < MAY_TRAIN
    made = [
        Visitor(pk=pk, may_train=bool(may), created_at=since)
        for pk, may in zip(ids, may_train, strict=True)
    ]
    Visitor.objects.bulk_create(made, batch_size=1_000)
    return ids


def _owners(
    plan: Plan, visitors: Sequence[str], count: int, rng: np.random.Generator
) -> list[str]:
    """Say whose each of some drawings is."""
    which = rng.integers(min(1, plan.visitors - 1), plan.visitors, count)
    which[rng.random(count) < plan.most / plan.drawings] = 0
    return [visitors[place] for place in which.tolist()]


def _store_lot(
    count: int,
    *,
    times: tuple[datetime, datetime],
    kinds: list[_Kind],
    chosen: Any,
    owners: list[str],
    rng: np.random.Generator,
) -> None:
    """Store drawings that lie in a stretch of time, with the numbers that change."""
    moments = _milliseconds(*times, count, rng)
    ids = _ids(moments)
    written = [datetime.fromtimestamp(ms / 1000, UTC) for ms in moments.tolist()]
    adapted = list(map(connection.ops.adapt_datetimefield_value, written))
    all_of = [kinds[place] for place in chosen.tolist()]
    rows = list(zip(ids, owners, adapted, all_of, strict=True))
    about = [(one, when, kind) for one, _, when, kind in rows]
    tables = _tables()
    with transaction.atomic():
        tables["submission"].store(
            (one, owner, when, *kind.submission) for one, owner, when, kind in rows
        )
        tables["prediction"].store(
            (own, one, when, *kind.prediction)
            for own, (one, when, kind) in zip(_ids(moments), about, strict=True)
        )
        tables["feedback"].store(
            (own, one, when, *kind.feedback)
            for own, (one, when, kind) in zip(_ids(moments), about, strict=True)
            if kind.feedback
        )
        tables["label"].store(
            (own, one, when, *kind.label)
            for own, (one, when, kind) in zip(_ids(moments), about, strict=True)
            if kind.label
        )
        tallies.add(_numbers(kinds, chosen, written))


def _numbers(kinds: list[_Kind], chosen: Any, written: list[datetime]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for place, times in zip(*np.unique(chosen, return_counts=True), strict=True):
        for name, count in kinds[place].counts.items():
            counts[name] += count * int(times)
    counts.update(f"day:{moment.date()}" for moment in written)
    # Older minutes are forgotten, and a year of them would take long to store.
    recent = timezone.now() - timedelta(days=2)
    counts.update(tallies.minute_tally(one) for one in written if one >= recent)
    return counts


def _milliseconds(
    since: datetime, until: datetime, count: int, rng: np.random.Generator
) -> Any:
    """Draw moments between two, in order, as ms since 1970."""
    first, last = since.timestamp() * 1000, until.timestamp() * 1000
    return np.sort(rng.uniform(first, last, count)).astype(np.int64)


def _ids(moments: Any) -> list[str]:
    """Make UUIDv7s of moments in ms, as 32 hexadecimal digits, in order.

    Source: RFC 9562, section 5.7.
    """
    random = np.random.default_rng().integers(0, 2**63, (len(moments), 2), np.uint64)
    halves = np.empty((len(moments), 2), ">u8")
    halves[:, 0] = moments.astype(np.uint64) << 16 | 0x7000 | random[:, 0] & 0xFFF
    halves[:, 1] = random[:, 1] & (2**62 - 1) | 2**63
    text = halves.tobytes().hex()
    return sorted(text[start : start + 32] for start in range(0, len(text), 32))


# --- how it is stored quickly --------------------------------------------------------


def _hurry() -> None:
    """Let this connection wait for no disk: what is lost can be made again."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA synchronous=OFF")
            cursor.execute("PRAGMA cache_size=-500000")  # kB
        else:
            cursor.execute("SET synchronous_commit=off")
            cursor.execute("SET maintenance_work_mem='512MB'")


def _left_for_later() -> Path:
    path: Path = settings.DIGITSITE_VAR / "indexes-to-make.json"
    return path


def _leave_indexes_for_later() -> None:
    """Drop the tables' indexes, and note down how they are made."""
    found = _indexes()
    _left_for_later().write_text(json.dumps(found))
    with connection.cursor() as cursor:
        for name in found:
            cursor.execute(f"DROP INDEX {connection.ops.quote_name(name)}")


def restore_indexes() -> None:
    """Make what was left for later, if anything was."""
    path = _left_for_later()
    if not path.exists():
        return
    _hurry()
    there = _indexes()
    with connection.cursor() as cursor:
        for name, statement in json.loads(path.read_text()).items():
            if name not in there:
                cursor.execute(statement)
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE")
    path.unlink()


_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master "
    "WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = %s",
    # Those of constraints stay: without a primary key nothing finds its row.
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s "
    "AND indexname NOT IN (SELECT conname FROM pg_constraint)",
}


def _indexes() -> dict[str, str]:
    """Return the statements that make the tables' indexes, by name."""
    found: dict[str, str] = {}
    with connection.cursor() as cursor:
        for model in _TABLES:
            cursor.execute(_INDEXES[connection.vendor], [model._meta.db_table])
            found.update(cursor.fetchall())
    return found
