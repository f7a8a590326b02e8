"""The way to the packed columns and back keeps each drawing as it was."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from recognizer.models import new_id

BEFORE, AFTER = "0006_tally_by_model", "0009_packed_alone"
STROKES = [[[70, 70.5, 0], [205.1, 66, 17]], [[125, 225, 250]]]
ODD = [[[1 / 3, 2], [3, 4, 5.5]]]
PROBABILITIES = [0.1 / 3, *[0.05] * 8, 1 - 0.4 - 0.1 / 3]


@pytest.fixture
def way_back() -> Iterator[None]:
    """Leave the database as all other tests expect it."""
    yield
    migrate(AFTER)


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
