"""Statements that are built once find and store what the ORM would."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.forms import model_to_dict

from recognizer.models import ModelVersion, Prediction, User, Visitor, new_id
from recognizer.prepared import PreparedInsert, PreparedLookup
from recognizer.tests.test_models import make_submission, make_version


@pytest.mark.django_db
class TestPreparedLookup:
    def test_finds_what_the_queryset_finds(self) -> None:
        visitors = [Visitor.objects.create(may_train=flag) for flag in (True, False)]
        by_id = PreparedLookup(lambda pk: Visitor.objects.filter(pk=pk))

        for visitor in visitors:
            found = by_id.first(visitor.pk)

            assert found == visitor
            assert found.may_train == visitor.may_train
            assert found.created_at == visitor.created_at

        assert by_id.first(new_id()) is None

    def test_sees_what_changed_since_it_was_built(self, no_model: None) -> None:
        by_stage = PreparedLookup(
            lambda stage: ModelVersion.objects.filter(stage=stage).defer("manifest")
        )
        assert by_stage.first(ModelVersion.Stage.ACTIVE) is None
        version = make_version(stage=ModelVersion.Stage.ACTIVE)

        found = by_stage.first(ModelVersion.Stage.ACTIVE)

        assert found == version
        assert found.manifest == version.manifest

    def test_is_by_one_value(self) -> None:
        lookup = PreparedLookup(
            lambda pk: Visitor.objects.filter(pk=pk, may_train=True)
        )

        with pytest.raises(ValueError, match="by one value"):
            lookup.first(new_id())


@pytest.mark.django_db
class TestPreparedInsert:
    def test_stores_what_bulk_create_would(self) -> None:
        rows = [new_prediction() for _ in range(2)]

        Prediction.objects.bulk_create(rows[:1])
        insert = PreparedInsert(Prediction)
        insert.all([insert.row(row) for row in rows[1:]])

        stored = Prediction.objects.in_bulk([row.pk for row in rows])
        differing = {"id", "submission", "model_version"}
        first, second = (
            {
                name: value
                for name, value in model_to_dict(stored[row.pk]).items()
                if name not in differing
            }
            for row in rows
        )
        assert first == second
        assert not rows[1]._state.adding
        assert rows[1].created_at == stored[rows[1].pk].created_at

    def test_keeps_every_constraint(self) -> None:
        insert = PreparedInsert(Prediction)
        good, bad = new_prediction(), new_prediction(confidence=1.5)
        rows = [insert.row(good), insert.row(bad)]

        with pytest.raises(IntegrityError), transaction.atomic():
            insert.all(rows)

        assert not Prediction.objects.exists()

    def test_of_nothing_asks_nothing(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            PreparedInsert(Prediction).all([])

    def test_brings_back_no_key(self) -> None:
        with pytest.raises(ValueError, match="key that the database makes"):
            PreparedInsert(User)


def new_prediction(**overrides: Any) -> Prediction:
    """Make one that is not stored yet, of a drawing and a version that are."""
    fields: dict[str, Any] = {
        "submission": make_submission(),
        "model_version": make_version(),
        "role": Prediction.Role.SHOWN,
        "digit": 7,
        "probabilities": [0.1] * 10,
        "confidence": 0.1,
        "digitness": 1,
    }
    return Prediction(**{**fields, **overrides})
