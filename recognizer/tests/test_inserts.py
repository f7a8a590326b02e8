"""Rows converted first and inserted later are those that Django would have stored."""

import pytest
from django.db import transaction
from django.forms.models import model_to_dict
from pytest_django import DjangoAssertNumQueries

from recognizer.drawings.inserts import converted, insert
from recognizer.models import Submission, Visitor

SHORT = [[[10.0, 10.0, 0], [90.5, 12.25, 16]], [[50.0, 50.0, 40]]]


def submission(visitor: Visitor) -> Submission:
    return Submission(
        visitor=visitor,
        source=Submission.Source.API,
        form=Submission.Form.STROKES,
        strokes=SHORT,
        width=100,
        height=100,
        pen_width=8,
        shown_digit=7,
    )


@pytest.mark.django_db
class TestInsert:
    def test_stores_what_save_stores(self) -> None:
        visitor = Visitor.objects.create()
        by_django, ours = submission(visitor), submission(visitor)
        by_django.save()

        with transaction.atomic():
            insert([converted(ours), converted(submission(visitor))])

        assert not ours._state.adding
        assert Submission.objects.count() == 3
        stored = Submission.objects.get(pk=ours.pk)
        assert stored.strokes == Submission.objects.get(pk=by_django.pk).strokes
        assert stored.created_at == ours.created_at
        assert model_to_dict(stored) == model_to_dict(ours)

    def test_of_nothing_asks_the_database_nothing(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_num_queries(0):
            insert([])
