"""History through another model: complete, resumable, nothing twice."""

import uuid
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.test import Client

from mlcore.reading.bundle import open_bundle
from mlcore.reading.specimens import specimens
from recognizer.learning import rescoring
from recognizer.learning.labels import label_submission
from recognizer.learning.promotion import register_model
from recognizer.models import ModelVersion, Prediction, Rescoring, Submission
from recognizer.reader.recognisers import _recognisers
from recognizer.tests.learning import make_person, submit
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
        stored = rescoring._store

        def die_at_the_second(*args: Any) -> None:
            if Rescoring.objects.get().read:
                raise KeyboardInterrupt
            stored(*args)

        monkeypatch.setattr(rescoring, "_store", die_at_the_second)
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
