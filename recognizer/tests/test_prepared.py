"""Look-ups that are built once find what is there now."""

import pytest

from recognizer.models import ModelVersion, Visitor, new_id
from recognizer.prepared import PreparedLookup
from recognizer.tests.test_models import make_version


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

    def test_sees_what_changed_since_it_was_built(self) -> None:
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
