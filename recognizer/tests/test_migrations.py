"""Each migration with rows, forwards from the first release and back again.

Rows are written as the first release had them. What they were is there after each
step; columns that a step back drops are derived anew by the step forwards.
"""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.apps.registry import Apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from recognizer.drawings.derived import rebuild_derived
from recognizer.models import Submission, Tally
from recognizer.ops.migrated import migrations_of_this_code, missing_migrations

FIRST = "0001_first_schema"
NAMES = sorted(
    name for app, name in MigrationLoader(None).disk_migrations if app == "recognizer"
)
DRAWINGS = [
    # (strokes, None for a picture; probabilities)
    ([[[70, 70], [205, 66], [125, 225]]], [0.01] * 7 + [0.91] + [0.01] * 2),
    ([[[70, 70.5, 0], [205.1, 66, 17]], [[125, 225, 250]]], [0.1] * 10),
    ([[[1 / 3, 2], [3, 4, 5.5]]], [0.1 / 3, *[0.05] * 8, 1 - 0.4 - 0.1 / 3]),
    (None, [0.1] * 10),
]


def migrate(name: str) -> Apps:
    """Bring the schema to a migration; return the models as they were then."""
    executor = MigrationExecutor(connection)
    executor.migrate([("recognizer", name)])
    return MigrationExecutor(connection).loader.project_state(("recognizer", name)).apps


@pytest.fixture
def first_release(transactional_db: None) -> Iterator[Apps]:
    """The first release's schema with its rows."""
    apps = migrate(FIRST)
    version = apps.get_model("recognizer", "ModelVersion").objects.create(
        id=UUID(int=9), digest="d" * 64, origin="starter", stage="active", manifest={}
    )
    visitor = apps.get_model("recognizer", "Visitor").objects.create(id=UUID(int=8))
    for number, (strokes, probabilities) in enumerate(DRAWINGS):
        digit = probabilities.index(max(probabilities)) if number == 0 else None
        size = None if strokes is None else 280
        submission = apps.get_model("recognizer", "Submission").objects.create(
            id=UUID(int=number + 1),
            visitor=visitor,
            source="page",
            form="pixels" if strokes is None else "strokes",
            strokes=strokes,
            width=size,
            height=size,
            pen_width=size,
            shown_digit=digit,
            refusal="" if number == 0 else "unsure",
        )
        apps.get_model("recognizer", "Prediction").objects.create(
            id=UUID(int=100 + number),
            submission=submission,
            model_version=version,
            role="shown",
            digit=digit,
            refusal="" if number == 0 else "unsure",
            probabilities=probabilities,
            confidence=max(probabilities),
            second=1,
            digitness=0.9,
        )
    yield apps
    call_command("migrate", verbosity=0)


def facts(apps: Apps) -> list[Any]:
    """Return what the first release knew of its drawings, whatever else there is."""
    model = apps.get_model("recognizer", "Prediction")
    return [
        (
            prediction.submission_id,
            prediction.submission.visitor_id,
            kept(prediction.submission, "strokes"),
            prediction.submission.shown_digit,
            prediction.refusal,
            kept(prediction, "probabilities"),
        )
        for prediction in model.objects.select_related("submission").order_by("pk")
    ]


def kept(row: Any, column: str) -> Any:
    """Return a column's value, which lies beside it while it is packed or unpacked."""
    value = getattr(row, column)
    return getattr(row, "packed", None) if value is None else value


class TestMigrations:
    def test_keep_each_drawing_step_by_step_forwards_and_back(
        self, first_release: Apps
    ) -> None:
        known = facts(first_release)
        steps = [*NAMES[1:], *reversed(NAMES[:-1]), *NAMES[1:]]

        kept = [facts(migrate(name)) for name in steps]

        assert len(known) == len(DRAWINGS)
        assert all(found == known for found in kept)

    def test_derive_what_newer_code_derives(self, first_release: Apps) -> None:
        call_command("migrate", verbosity=0)
        derived = dict(Tally.objects.values_list("name", "count"))
        priorities = list(
            Submission.objects.order_by("pk").values_list("review_priority", flat=True)
        )

        mended = rebuild_derived()

        assert mended == 0
        assert derived == dict(Tally.objects.values_list("name", "count"))
        assert None not in priorities

    def test_all_have_a_way_back(self) -> None:
        loader = MigrationLoader(None)

        for name in NAMES:
            for operation in loader.disk_migrations["recognizer", name].operations:
                assert operation.reversible, name


class TestKnownByName:
    def test_are_those_that_django_would_load(self) -> None:
        loaded = MigrationLoader(None).disk_migrations

        assert migrations_of_this_code() == frozenset(loaded)

    def test_one_that_was_not_run_is_missing(self, db: None) -> None:
        whole = missing_migrations()

        MigrationRecorder(connection).record_unapplied("recognizer", FIRST)

        assert whole == frozenset()
        assert missing_migrations() == {("recognizer", FIRST)}
