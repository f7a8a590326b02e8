"""What changes rows: drawings are stored whole or not at all, models are promoted."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command

from mlcore.reading.bundle import Bundle, open_bundle, write_bundle
from mlcore.reading.calibrate import Calibration
from recognizer.drawings import tallies
from recognizer.drawings.idempotency import RequestKey
from recognizer.drawings.submitting import _new_submissions, _store_all, submit_drawing
from recognizer.learning.promotion import prepare_models, promote_model, register_model
from recognizer.models import IdempotencyKey, ModelVersion, Submission, Visitor
from recognizer.reader import active
from recognizer.reader.active import active_reader
from recognizer.reader.drawing import StrokeDrawing
from recognizer.reader.recognisers import (
    ReaderUnavailableError,
    _recognisers,
    recogniser_for,
)

SEVEN = StrokeDrawing([[[70, 70], [205, 66], [125, 225]]], 280, 280, 18)


def break_down(*_: Any, **__: Any) -> None:
    raise OSError("disk full")


def other_bundle(starter: Bundle, parent: Path) -> Bundle:
    """The same weights under another digest."""
    return write_bundle(
        parent,
        files={
            name: (starter.folder / name).read_bytes()
            for name in starter.manifest["files"]
        },
        calibration=Calibration(1.5, 0.9, 0.1, 0.2),
        metrics={},
        provenance={},
    )


@pytest.fixture
def starter(settings: LazySettings) -> Bundle:
    return open_bundle(settings.STARTER_BUNDLE)


class TestSubmitDrawing:
    def test_stores_all_or_nothing(
        self, active_model: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tallies, "add", break_down)  # the last of all

        with pytest.raises(OSError, match="disk full"):
            submit_drawing(drawing=SEVEN, visitor=None, source="api")

        assert not Submission.objects.exists()
        assert not Visitor.objects.exists()

    def test_stores_one_by_one_what_could_not_be_stored_together(
        self, active_model: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        new: list[Any] = []
        with monkeypatch.context() as patch:
            patch.setattr(_new_submissions, "store", new.append)
            for key in "abc":
                submit_drawing(
                    drawing=SEVEN,
                    visitor=None,
                    source="api",
                    once=RequestKey("me", key, "digest"),
                )
        with monkeypatch.context() as patch:
            patch.setattr(tallies, "add", break_down)
            with pytest.raises(OSError, match="disk full"):
                _store_all(new[1:])

        # Another comes in between, and takes what their rows had before.
        for one in new:
            _store_all([one])

        assert Submission.objects.count() == Visitor.objects.count() == 3
        assert "".join(IdempotencyKey.objects.values_list("key", flat=True)) == "abc"


class TestPrepareModels:
    def test_registers_the_starter_once(
        self, active_model: ModelVersion, starter: Bundle
    ) -> None:
        again = prepare_models(starter=starter)

        assert again == active_model
        assert ModelVersion.objects.count() == 1

    def test_a_newer_starter_replaces_an_older_one(
        self, active_model: ModelVersion, starter: Bundle, tmp_path: Path
    ) -> None:
        newer = prepare_models(starter=other_bundle(starter, tmp_path))

        active_model.refresh_from_db()
        assert newer.stage == "active"
        assert active_model.stage == "retired"

    def test_no_starter_replaces_a_model_trained_here(
        self, active_model: ModelVersion, starter: Bundle, tmp_path: Path
    ) -> None:
        ModelVersion.objects.update(origin="trained")

        active = prepare_models(starter=other_bundle(starter, tmp_path))

        assert active == active_model

    def test_an_older_starter_does_not_come_back(
        self, active_model: ModelVersion, starter: Bundle, tmp_path: Path
    ) -> None:
        newer = prepare_models(starter=other_bundle(starter, tmp_path))

        assert prepare_models(starter=starter) == newer

    def test_a_named_bundle_reads_while_it_is_named(
        self, active_model: ModelVersion, starter: Bundle, tmp_path: Path
    ) -> None:
        named = other_bundle(starter, tmp_path)

        while_named = prepare_models(starter=starter, named=named)
        afterwards = prepare_models(starter=starter)

        assert while_named.digest == named.digest
        assert afterwards == active_model


class TestPromoteModel:
    def test_the_next_reading_is_the_new_model_s(
        self, active_model: ModelVersion, starter: Bundle, tmp_path: Path
    ) -> None:
        bundle = other_bundle(starter, tmp_path)
        version = register_model(bundle=bundle, origin="trained")

        promote_model(version=version)

        submission = submit_drawing(drawing=SEVEN, visitor=None, source="api")
        assert submission.shown_prediction.model_version == version

    def test_rolls_back_by_promoting_the_former(
        self, active_model: ModelVersion, starter: Bundle, tmp_path: Path
    ) -> None:
        bundle = other_bundle(starter, tmp_path)
        promote_model(version=register_model(bundle=bundle, origin="trained"))

        promote_model(version=active_model)

        assert active.active_model() == active_model


@pytest.mark.usefixtures("prepared_again")
class TestReader:
    """Asks which model reads now and then, not at each call."""

    @pytest.fixture
    def newer(self, starter: Bundle, tmp_path: Path) -> Bundle:
        return other_bundle(starter, tmp_path)

    @pytest.mark.django_db(transaction=True)
    def test_knows_of_another_model_a_quarter_of_a_second_later(
        self,
        active_model: ModelVersion,
        newer: Bundle,
        settings: LazySettings,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        settings.ACTIVE_MODEL_KEPT_S = 0.25
        now = 1000.0
        monkeypatch.setattr("recognizer.reader.active.time.monotonic", lambda: now)
        monkeypatch.setattr(active, "_asked", None)
        assert active_reader()[0] == active_model
        promoted = prepare_models(starter=newer)
        now += 0.2
        assert active_reader()[0] == active_model

        now += 0.05

        assert active_reader()[0] == promoted

    def test_knows_at_once_what_its_own_transaction_changed(
        self, active_model: ModelVersion, newer: Bundle, settings: LazySettings
    ) -> None:
        settings.ACTIVE_MODEL_KEPT_S = 1000
        assert active_reader()[0] == active_model

        promoted = prepare_models(starter=newer)

        assert active_reader()[0] == promoted


class TestBundleCache:
    @pytest.fixture(autouse=True)
    def _forget_loaded_models(self) -> None:
        _recognisers.clear()

    def test_is_filled_from_the_database(
        self, active_model: ModelVersion, settings: LazySettings
    ) -> None:
        recogniser_for(active_model)

        cached = open_bundle(settings.BUNDLE_CACHE / active_model.digest)
        assert cached.digest == active_model.digest

    def test_is_mended_where_it_is_damaged(
        self, active_model: ModelVersion, settings: LazySettings
    ) -> None:
        recogniser_for(active_model)
        _recognisers.clear()
        (settings.BUNDLE_CACHE / active_model.digest / "model.tflite").write_bytes(b"x")

        recogniser_for(active_model)

        assert open_bundle(settings.BUNDLE_CACHE / active_model.digest)

    def test_without_the_original_is_a_clear_failure(
        self, active_model: ModelVersion, settings: LazySettings
    ) -> None:
        active_model.archive.delete()

        with pytest.raises(ReaderUnavailableError, match="cannot be loaded"):
            recogniser_for(active_model)


@pytest.mark.django_db
class TestPrepareCommand:
    def test_names_the_model_that_reads(
        self, settings: LazySettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        settings.BUNDLE_CACHE = tmp_path

        call_command("prepare")

        assert active.active_model().short_digest in capsys.readouterr().out

    def test_refuses_a_changed_starter(
        self, settings: LazySettings, starter: Bundle, tmp_path: Path
    ) -> None:
        settings.STARTER_BUNDLE = tmp_path / "changed"
        shutil.copytree(starter.folder, settings.STARTER_BUNDLE)
        manifest = settings.STARTER_BUNDLE / "manifest.json"
        changed = json.loads(manifest.read_text()) | {"metrics": {"accuracy": 1}}
        manifest.write_text(json.dumps(changed))

        with pytest.raises(ImproperlyConfigured, match="was changed after"):
            call_command("prepare")
