"""History through another model: complete, resumable, nothing twice."""

import uuid
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from mlcore.reading.bundle import open_bundle
from mlcore.reading.specimens import specimens
from mlcore.workers import WorkersError, code_version
from recognizer.drawings.submitting import submit_drawing
from recognizer.learning import rereading, rescoring
from recognizer.learning.labels import label_submission
from recognizer.learning.promotion import register_model
from recognizer.learning.ranges import RangeTask
from recognizer.learning.rescoring_task import read_again
from recognizer.models import ModelVersion, Prediction, RescoringRange, Submission
from recognizer.reader.drawing import Expected, PixelDrawing
from recognizer.reader.recognisers import _recognisers
from recognizer.tests.learning import as_drawing, make_person, submit
from recognizer.tests.test_services import other_bundle


@pytest.fixture
def other(
    active_model: ModelVersion, settings: LazySettings, tmp_path: Path
) -> ModelVersion:
    """Twelve drawings, and a version that has not read them."""
    person = make_person()
    for one in specimens()[:12]:
        submit(person, one.strokes)
    bundle = other_bundle(open_bundle(settings.STARTER_BUNDLE), tmp_path)
    return register_model(bundle=bundle, origin="trained")


def read_by(version: ModelVersion) -> list[uuid.UUID]:
    """Return what a version has read again, oldest first."""
    found = Prediction.objects.filter(model_version=version, role="rescore")
    return list(found.order_by("submission").values_list("submission", flat=True))


def everything() -> list[uuid.UUID]:
    return list(Submission.objects.order_by("pk").values_list("pk", flat=True))


class TestRescore:
    def test_reads_all_once_and_leaves_what_was_shown(
        self, other: ModelVersion
    ) -> None:
        shown = list(Prediction.objects.filter(role="shown").order_by("pk").values())

        first = rescoring.rescore(version=other, batch=5)
        second = rescoring.rescore(version=other, batch=5, afresh=True)

        assert (first.read, second.read) == (12, 0)
        assert read_by(other) == everything()
        assert (
            list(Prediction.objects.filter(role="shown").order_by("pk").values())
            == shown
        )

    def test_goes_on_where_it_was_killed(
        self, other: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        stored = rereading._stored

        def die_at_the_second(*args: Any) -> Any:
            if read_by(other):
                raise KeyboardInterrupt
            return stored(*args)

        monkeypatch.setattr(rereading, "_stored", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            rescoring.rescore(version=other, batch=5)
        monkeypatch.undo()
        assert read_by(other) == everything()[:5]

        assert rescoring.rescore(version=other, batch=5).read == 7
        assert read_by(other) == everything()

    def test_does_not_read_again_what_it_has_shown(
        self, other: ModelVersion, active_model: ModelVersion
    ) -> None:
        assert rescoring.rescore(version=active_model).read == 0

    def test_of_some_goes_on_with_the_next(self, other: ModelVersion) -> None:
        rescoring.rescore(version=other, most=4)
        rescoring.rescore(version=other, most=4)

        assert read_by(other) == everything()[:8]

    def test_reads_strokes_as_they_were_read(self, other: ModelVersion) -> None:
        rescoring.rescore(version=other)

        again = Prediction.objects.filter(role="rescore").order_by("submission")
        shown = Prediction.objects.filter(role="shown").order_by("submission")
        told = ("ink", "digitness", "second", "digit")
        assert list(again.values(*told)) == list(shown.values(*told))

    def test_reads_pictures_and_numbers_too(
        self, other: ModelVersion, active_model: ModelVersion
    ) -> None:
        person = make_person()
        pixels = PixelDrawing(np.full((28, 28), 9, np.uint8))
        submit_drawing(drawing=pixels, visitor=person, source="api")
        right = np.array([280, 0], np.float32)
        second = [stroke + right for stroke in specimens()[9].strokes]
        two = [*specimens()[0].strokes, *second]
        number = replace(as_drawing(two), width=560, expected=Expected("number"))
        shown = submit_drawing(drawing=number, visitor=person, source="api")

        rescoring.rescore(version=other)

        assert read_by(other) == everything()
        again = Prediction.objects.get(role="rescore", submission=shown)
        assert again.number_text == shown.shown_number != ""

    def test_leaves_out_a_drawing_that_is_deleted_meanwhile(
        self, other: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = rereading._read

        def delete_and_read(row: Any, recogniser: Any) -> Any:
            if row.pk == everything()[0]:
                Submission.objects.filter(pk=everything()[-1]).delete()
            return read(row, recogniser)

        monkeypatch.setattr(rereading, "_read", delete_and_read)

        assert rescoring.rescore(version=other).read == 11
        assert read_by(other) == everything()

    def test_leaves_out_a_picture_that_is_deleted_before_it_is_read(
        self, other: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pixels = PixelDrawing(np.full((28, 28), 9, np.uint8))
        kept = everything()
        gone = submit_drawing(drawing=pixels, visitor=make_person(), source="api")
        read = rereading._read

        def delete_and_read(row: Any, recogniser: Any) -> Any:
            Submission.objects.filter(pk=gone.pk).delete()
            return read(row, recogniser)

        monkeypatch.setattr(rereading, "_read", delete_and_read)

        assert rescoring.rescore(version=other).read == 12
        assert read_by(other) == kept

    @pytest.mark.parametrize("options", [{"processes": 2}, {"cluster": "tcp://x:1"}])
    @pytest.mark.sqlite
    def test_of_sqlite_is_for_one_process(
        self, other: ModelVersion, options: dict[str, Any]
    ) -> None:
        with pytest.raises(WorkersError, match="SQLite is written by one process"):
            rescoring.rescore(version=other, **options)


class TestRanges:
    """Three ranges of five drawings, of which the last has two."""

    @pytest.fixture(autouse=True)
    def small(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rescoring, "RANGE", 5)

    @pytest.fixture
    def settled(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As if all drawings were older than ten minutes."""
        monkeypatch.setattr(rereading, "SETTLED_AFTER", timedelta(days=-1))

    def test_hold_all_drawings_once(self, other: ModelVersion) -> None:
        rescoring.rescore(version=other)

        found = RescoringRange.objects.order_by("after")
        ids = everything()
        assert [one.up_to for one in found] == [ids[4], ids[9], ids[11]]
        assert [one.after for one in found] == [uuid.UUID(int=0), ids[4], ids[9]]
        assert [one.size for one in found] == [5, 5, 2]

    @pytest.mark.usefixtures("settled")
    def test_that_are_done_are_not_looked_at_again(self, other: ModelVersion) -> None:
        told: list[int] = []
        rescoring.rescore(version=other)
        Prediction.objects.filter(role="rescore").delete()

        again = rescoring.rescore(version=other)
        afresh = rescoring.rescore(
            version=other, afresh=True, tell=lambda so_far: told.append(so_far.passed)
        )

        assert (again.read, again.planned) == (0, 0)
        assert (afresh.read, afresh.planned) == (12, 12)
        assert told == [5, 10, 12]

    def test_of_young_drawings_are_looked_at_again(self, other: ModelVersion) -> None:
        rescoring.rescore(version=other)
        late = Prediction.objects.filter(role="rescore").earliest("submission")
        late.delete()  # as if its drawing had been committed late

        assert rescoring.rescore(version=other).read == 1

    @pytest.mark.usefixtures("settled")
    def test_follow_for_new_drawings(self, other: ModelVersion) -> None:
        rescoring.rescore(version=other)
        submit(make_person(), specimens()[0].strokes)

        again = rescoring.rescore(version=other)

        assert (again.read, again.planned) == (1, 1)

    @pytest.mark.usefixtures("settled")
    def test_are_left_to_who_has_just_begun_with_them(
        self, other: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rescoring._plan(other)
        first = RescoringRange.objects.earliest("after")
        RescoringRange.objects.filter(pk=first.pk).update(claimed_at=timezone.now())
        order: list[int] = []
        read = rereading.read_range

        def noted(task: RangeTask) -> Any:
            found = read(task)
            order.append(task.range_id if found else 0)
            return found

        monkeypatch.setattr(rereading, "read_range", noted)

        assert rescoring.rescore(version=other).read == 12
        assert order[0] == 0
        assert order[-1] == first.pk

    def test_of_another_code_version_are_refused(
        self, other: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rescoring, "code_version", lambda: "another")

        with pytest.raises(WorkersError, match="and this command another: install"):
            rescoring.rescore(version=other)

    def test_of_an_unknown_model_are_refused(self, other: ModelVersion) -> None:
        rescoring._plan(other)
        range_id = RescoringRange.objects.earliest("after").pk
        task = RangeTask("0" * 64, range_id, 200, None, False, code_version())

        with pytest.raises(WorkersError, match="finds no model 000000000000"):
            read_again(task)

    def test_without_the_bundle_are_refused(self, other: ModelVersion) -> None:
        rescoring._plan(other)
        range_id = RescoringRange.objects.earliest("after").pk
        other.archive.delete()
        _recognisers.clear()
        task = RangeTask(other.digest, range_id, 200, None, False, code_version())

        with pytest.raises(WorkersError, match="lacks the bundle"):
            read_again(task)


class TestCommand:
    def test_says_what_it_came_to(
        self,
        other: ModelVersion,
        reviewer: Any,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        label_submission(
            submission=Submission.objects.earliest("pk"), reviewer=reviewer, digit=0
        )

        call_command("rescore", other.digest[:8])

        said = capsys.readouterr().out
        assert "has read 12 drawings again, 0 differently" in said
        assert "Of 1 reviewed drawings it reads 1 correctly; 1 were before." in said

    def test_refuses_numbers_below_one(self, other: ModelVersion) -> None:
        with pytest.raises(CommandError, match="--workers must be at least 1"):
            call_command("rescore", other.digest, workers=0)

    def test_of_a_version_that_cannot_run_says_so(self, other: ModelVersion) -> None:
        other.archive.delete()
        _recognisers.clear()

        with pytest.raises(CommandError, match="cannot be loaded"):
            call_command("rescore", other.digest)


class TestPage:
    def test_of_a_drawing_shows_each_reading(
        self, other: ModelVersion, admin_client: Client
    ) -> None:
        rescoring.rescore(version=other)
        one = Submission.objects.earliest("pk")

        page = admin_client.get(f"/admin/recognizer/submission/{one.pk}/change/")

        assert f"{other}: 0" in page.content.decode()
