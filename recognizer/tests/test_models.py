"""What must never be false of the data, each with the row that tries."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction

from recognizer.models import (
    InBenchmark,
    ModelVersion,
    Prediction,
    Submission,
    Visitor,
    new_id,
)


def make_submission(**overrides: Any) -> Submission:
    fields: dict[str, Any] = {
        "visitor": overrides.pop("visitor", None) or Visitor.objects.create(),
        "source": "api",
        "form": "strokes",
        "strokes": [[[1, 2]]],
        "width": 280,
        "height": 280,
        "pen_width": 18,
        "shown_digit": 7,
    }
    return Submission.objects.create(**{**fields, **overrides})


def make_prediction(**overrides: Any) -> Prediction:
    fields: dict[str, Any] = {
        "role": "shown",
        "digit": 7,
        "probabilities": [0.1] * 10,
        "confidence": 0.1,
        "digitness": 1,
    }
    return Prediction.objects.create(**{**fields, **overrides})


def make_version(**overrides: Any) -> ModelVersion:
    fields: dict[str, Any] = {"digest": new_id().hex, "manifest": {}}
    return ModelVersion.objects.create(**{**fields, "origin": "trained", **overrides})


@pytest.mark.django_db
class TestConstraints:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"shown_digit": 7, "refusal": "unsure"},
            {"shown_digit": None, "refusal": ""},
            {"shown_digit": None, "refusal": "tired"},
            {"shown_digit": 7, "shown_number": "7"},
            {"shown_digit": None, "refusal": "several", "shown_number": "42"},
            {"shown_digit": 10},
            {"verdict": "right", "corrected_number": "42"},
            {"label_digit": 7, "label_number": "42"},
            {"label_number": "42", "rejection": "several"},
            {"strokes": None},
            {"width": None},
            {"form": "picture"},
            {"form": "photo", "strokes": None},
        ],
    )
    def test_no_submission_contradicts_itself(self, wrong: dict[str, Any]) -> None:
        make_submission()

        with pytest.raises(IntegrityError), transaction.atomic():
            make_submission(**wrong)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"digit": None},
            {"digit": 7, "refusal": "blank"},
            {"confidence": 1.1},
            {"digitness": -0.1},
        ],
    )
    def test_no_prediction_contradicts_itself(self, wrong: dict[str, Any]) -> None:
        version = make_version()
        make_prediction(submission=make_submission(), model_version=version)

        with pytest.raises(IntegrityError), transaction.atomic():
            make_prediction(
                submission=make_submission(), model_version=version, **wrong
            )

    def test_a_submission_has_one_shown_prediction(self) -> None:
        submission = make_submission()
        make_prediction(submission=submission, model_version=make_version())

        with pytest.raises(IntegrityError), transaction.atomic():
            make_prediction(submission=submission, model_version=make_version())

    def test_a_submission_has_one_other_prediction_per_version(self) -> None:
        submission, version = make_submission(), make_version()
        make_prediction(submission=submission, model_version=version)
        make_prediction(submission=submission, model_version=version, role="rescore")

        with pytest.raises(IntegrityError), transaction.atomic():
            make_prediction(submission=submission, model_version=version, role="shadow")

    def test_a_visitor_is_once_in_a_benchmark(self) -> None:
        row = {"visitor": Visitor.objects.create(), "benchmark": "digits-v1-a"}
        InBenchmark.objects.create(**row, drawings=1)

        with pytest.raises(IntegrityError), transaction.atomic():
            InBenchmark.objects.create(**row, drawings=2)

    def test_one_model_is_active_at_most(self, no_model: None) -> None:
        make_version(stage="active")
        make_version(stage="candidate")

        with pytest.raises(IntegrityError), transaction.atomic():
            make_version(stage="active")


@pytest.mark.django_db
class TestOrder:
    def test_ids_sort_by_the_time_they_were_made(self) -> None:
        visitor = Visitor.objects.create()

        made = [make_submission(visitor=visitor).pk for _ in range(200)]

        found = Submission.objects.owned_by(visitor).order_by("pk")
        assert list(found.values_list("pk", flat=True)) == made
