"""Each migration with rows, forwards from the first release and back again.

What is kept of a drawing is there after each step; what a step back drops is derived
anew by the step forwards.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from recognizer import services
from recognizer.models import Submission, Tally, new_id

NAMES = sorted(
    name for app, name in MigrationLoader(None).disk_migrations if app == "recognizer"
)
BEFORE, AFTER = "0006_tally_by_model", "0009_packed_alone"
STROKES = [[[70, 70.5, 0], [205.1, 66, 17]], [[125, 225, 250]]]
ODD = [[[1 / 3, 2], [3, 4, 5.5]]]
PROBABILITIES = [0.1 / 3, *[0.05] * 8, 1 - 0.4 - 0.1 / 3]


@pytest.fixture
def way_back() -> Iterator[None]:
    """Leave the database as all other tests expect it."""
    yield
    call_command("migrate", verbosity=0)


def migrate(name: str) -> Any:
    """Bring the database to a migration; return the models as they are there."""
    executor = MigrationExecutor(connection)
    executor.migrate([("recognizer", name)])
    executor.loader.build_graph()
    return executor.loader.project_state([("recognizer", name)]).apps


def store(apps: Any, strokes: Any) -> Any:
    """Store a drawing with its reading by the models of a migration."""
    model = {name: apps.get_model("recognizer", name).objects for name in MODELS}
    version, _ = model["ModelVersion"].get_or_create(
        digest="f" * 64, defaults={"id": new_id(), "origin": "starter", "manifest": {}}
    )
    visitor = model["Visitor"].create(id=new_id(), created_at=timezone.now())
    size = None if strokes is None else 280
    submission = model["Submission"].create(
        id=new_id(),
        visitor=visitor,
        source="page",
        form="pixels" if strokes is None else "strokes",
        strokes=strokes,
        width=size,
        height=size,
        pen_width=size,
        shown_digit=9,
    )
    model["Prediction"].create(
        id=new_id(),
        submission=submission,
        model_version=version,
        role="shown",
        digit=9,
        probabilities=PROBABILITIES,
        confidence=0.5,
        digitness=1,
    )
    return submission.pk


MODELS = ("ModelVersion", "Visitor", "Submission", "Prediction")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("way_back")
class TestPacking:
    def test_keeps_what_is_there_forth_and_back(self) -> None:
        drawn = [STROKES, ODD, None]
        apps = migrate(BEFORE)
        ids = [store(apps, strokes) for strokes in drawn]

        apps = migrate(AFTER)
        assert stored(apps, ids) == drawn
        ids.append(store(apps, STROKES))

        apps = migrate(BEFORE)
        assert stored(apps, ids) == [*drawn, STROKES]


def stored(apps: Any, ids: list[Any]) -> list[Any]:
    """Return the strokes of these drawings; all have the one reading."""
    predictions = apps.get_model("recognizer", "Prediction").objects
    for kept in predictions.values_list("probabilities", flat=True):
        assert kept == PROBABILITIES
    submissions = apps.get_model("recognizer", "Submission").objects
    return [submissions.get(pk=pk).strokes for pk in ids]


def facts(apps: Any) -> list[Any]:
    """Return what is kept of each drawing, on the way to the packed columns or beyond.

    On the way back the former columns are empty until the next step has filled them.
    """
    readings = apps.get_model("recognizer", "Prediction").objects
    return [
        (
            one.submission_id,
            one.submission.visitor_id,
            one.submission.strokes or one.submission.packed,
            one.submission.shown_digit,
            one.probabilities or one.packed,
        )
        for one in readings.select_related("submission").order_by("pk")
    ]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("way_back")
class TestEachMigration:
    def test_keeps_each_drawing_forth_and_back(self) -> None:
        apps = migrate(NAMES[0])
        for strokes in (STROKES, ODD):
            store(apps, strokes)
        known = facts(apps)

        kept = [
            facts(migrate(name))
            for name in (*NAMES[1:], *reversed(NAMES[:-1]), *NAMES[1:])
        ]

        assert len(known) == 2
        assert all(found == known for found in kept)

    def test_derives_what_newer_code_derives(self) -> None:
        store(migrate(NAMES[0]), STROKES)

        call_command("migrate", verbosity=0)

        derived = dict(Tally.objects.values_list("name", "count"))
        priorities = Submission.objects.values_list("review_priority", flat=True)
        assert None not in list(priorities)
        assert services.rebuild_derived() == 0
        assert derived == dict(Tally.objects.values_list("name", "count"))

    def test_has_a_way_back(self) -> None:
        migrations = MigrationLoader(None).disk_migrations

        for name in NAMES:
            for operation in migrations["recognizer", name].operations:
                assert operation.reversible, name
