"""How well it does: what the page says is what was reviewed and measured."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import translation

from mlcore import paths
from recognizer.drawings.derived import rebuild_derived
from recognizer.drawings.statistics import Counted, Share, reviewed_by_model, wilson
from recognizer.learning import evaluation
from recognizer.learning.labels import label_submission
from recognizer.models import ModelVersion, Submission, Tally, User
from recognizer.pages.plots import axis_start, heat, whisker
from recognizer.tests.conftest import SEVEN, post_json

API = "/api/v1/submissions/"


def reviewed(client: Client, reviewer: User, *digits: int) -> list[str]:
    """Store a drawing, read as 7, for each digit that a reviewer names."""
    made = [post_json(client, API, SEVEN).json()["id"] for _ in digits]
    for one, digit in zip(made, digits, strict=True):
        label_submission(
            submission=Submission.objects.get(pk=one), reviewer=reviewer, digit=digit
        )
    return made


class TestReviewed:
    def test_is_what_was_named_against_what_was_read(
        self, program: Client, reviewer: User, active_model: ModelVersion
    ) -> None:
        reviewed(program, reviewer, 7, 7, 1)

        card = reviewed_by_model(active_model)

        assert card.all == Counted(3, 2)
        assert card.confusion[7][7] == 2
        assert card.confusion[1][7] == 1
        assert card.by_digit[1] == Counted(1, 0)
        assert sum(map(sum, card.confusion)) == 3
        assert [band.counted for band in card.bands][-1] == Counted(3, 2)

    def test_follows_changed_labels_and_deletions(
        self, program: Client, reviewer: User, active_model: ModelVersion
    ) -> None:
        first, second = reviewed(program, reviewer, 1, 7)
        reviewed(program, reviewer, 7)
        relabelled = Submission.objects.get(pk=first)
        label_submission(submission=relabelled, reviewer=reviewer, rejected="ambiguous")
        program.delete(f"{API}{second}/")

        assert reviewed_by_model(active_model).all == Counted(1, 1)

    def test_is_each_model_s_own(
        self, program: Client, reviewer: User, active_model: ModelVersion
    ) -> None:
        reviewed(program, reviewer, 7)
        other = ModelVersion.objects.create(
            digest="f" * 64, origin="trained", manifest={}
        )

        assert reviewed_by_model(other).all == Counted(0, 0)

    def test_is_the_same_when_derived_anew(
        self, program: Client, reviewer: User, active_model: ModelVersion
    ) -> None:
        reviewed(program, reviewer, 7, 1)
        kept = reviewed_by_model(active_model)
        Tally.objects.filter(name__startswith="model:").update(count=99)

        rebuild_derived()

        assert reviewed_by_model(active_model) == kept


class TestPage:
    def test_says_plainly_that_nothing_was_reviewed(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        page = program.get("/model/").content.decode()

        assert "has been reviewed yet" in page
        assert "No drawings are stored yet" in page
        assert active_model.short_digest in page

    def test_quotes_accuracy_with_its_interval(
        self, program: Client, reviewer: User, active_model: ModelVersion
    ) -> None:
        reviewed(program, reviewer, *[7] * 9, 1)

        page = program.get("/model/").content.decode().replace("\u00a0", " ")

        share = wilson(9, 10)
        assert share
        assert "90.0 %" in page
        assert f"from {share.low:.1%} to {share.high:.1%}".replace("%", " %") in page
        assert "Stored drawings: 10. Refused" in page

    def test_shows_the_evaluation_of_the_active_model(
        self, program: Client, active_model: ModelVersion, settings: LazySettings
    ) -> None:
        page = program.get("/model/").content.decode().replace("\u00a0", " ")

        written = json.loads(settings.MODEL_EVALUATION.read_text())
        for figures in written["digits"].values():
            assert f"{100 * figures['accuracy']:.2f} %" in page
        assert "about another model" not in page
        for figures in written["non_digits"].values():
            assert f"{figures['auroc']:.4f}" in page  # rounded, not cut

    def test_says_so_where_the_evaluation_is_about_another(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        ModelVersion.objects.update(digest="e" * 64)

        page = program.get("/model/").content.decode().replace("\u00a0", " ")

        assert "is about another model" in page
        own = active_model.manifest["metrics"]["mnist_test"]["accuracy"]
        assert f"{100 * own:.2f} %" in page  # what the bundle itself brings along

    @pytest.mark.parametrize("content", ["", "[]", '{"bundle": "x"}', None])
    def test_goes_without_an_evaluation_that_cannot_be_read(
        self,
        program: Client,
        active_model: ModelVersion,
        settings: LazySettings,
        tmp_path: Path,
        content: str | None,
    ) -> None:
        settings.MODEL_EVALUATION = tmp_path / "evaluation.json"
        if content is not None:
            text = content.replace("x", active_model.digest)
            settings.MODEL_EVALUATION.write_text(text)

        assert program.get("/model/").status_code == 200

    def test_works_without_a_model(self, program: Client, no_model: None) -> None:
        page = program.get("/model/")

        assert page.status_code == 200
        assert "No model is active" in page.content.decode()

    def test_writes_plots_as_svg_does_in_every_language(
        self, program: Client, reviewer: User, active_model: ModelVersion
    ) -> None:
        reviewed(program, reviewer, 7, 7, 1)

        with translation.override("de"):
            german = {"Accept-Language": "de"}
            page = program.get("/model/", headers=german).content.decode()

        own = active_model.manifest["metrics"]["mnist_test"]["accuracy"]
        assert f"{100 * own:.2f}".replace(".", ",") in page
        for attribute in ("width=", " x=", 'd="M'):
            for written in page.split(attribute)[1:]:
                assert "," not in written[:8]

    @pytest.mark.parametrize("count", [1, 12])
    def test_counts_nothing(
        self,
        program: Client,
        reviewer: User,
        active_model: ModelVersion,
        django_assert_num_queries: Any,
        count: int,
    ) -> None:
        reviewed(program, reviewer, *[7] * count)

        # active; its numbers; the site's, with the active model's again; versions
        with django_assert_num_queries(7) as queries:
            Client().get("/model/")

        assert not any("submission" in query["sql"] for query in queries)

    def test_is_linked_from_every_page(
        self, program: Client, active_model: ModelVersion
    ) -> None:
        assert 'href="/model/"' in program.get("/").content.decode()


class TestEvaluation:
    def test_names_of_the_file_are_all_known(self, settings: LazySettings) -> None:
        written = json.loads(settings.MODEL_EVALUATION.read_text())

        names = {
            name
            for part in ("digits", "non_digits", "changed", "by_digit")
            for name in written[part]
        }

        assert names <= evaluation.NAMES.keys()
        assert settings.MODEL_EVALUATION.is_relative_to(paths.REPOSITORY)


class TestPlots:
    def test_place_a_share_within_its_interval(self) -> None:
        placed = whisker(Share(0.99, 0.985, 0.995), start=0.98)

        assert placed == {"x": "50.00", "low": "25.00", "width": "50.00"}

    def test_begin_at_a_whole_step(self) -> None:
        assert axis_start([Share(1, 0.9883, 1)], step=0.01) == pytest.approx(0.98)
        assert axis_start([Share(1, 0.98, 1)], step=0.01) == pytest.approx(0.98)
        assert axis_start([Share(1, 1, 1)], step=0.1) == pytest.approx(0.9)
        assert axis_start([], step=0.1) == 0

    def test_warm_with_the_share(self) -> None:
        assert [heat(n, of=100) for n in (0, 1, 20, 21, 100)] == [0, 1, 1, 2, 5]
        assert heat(0, of=0) == 0
