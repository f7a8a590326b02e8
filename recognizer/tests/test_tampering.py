"""Model files are data: verified by digest before they are loaded, and never run."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from mlcore.reading.bundle import (
    KERAS_WEIGHTS,
    MANIFEST,
    SERVED_WEIGHTS,
    Bundle,
    BundleError,
    open_bundle,
    write_bundle,
)
from mlcore.reading.calibrate import Calibration
from recognizer.learning.promotion import promote_model, register_model
from recognizer.models import BundleArchive, ModelVersion
from recognizer.reader import recognisers
from recognizer.reader.recognisers import (
    ReaderUnavailableError,
    _recognisers,
    bundle_of,
)
from recognizer.tests.conftest import SEVEN, post_json

URL = "/api/v1/submissions/"


@pytest.fixture(autouse=True)
def _nothing_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recognisers, "_recognisers", type(_recognisers)())


@pytest.fixture
def cached(active_model: ModelVersion) -> Path:
    """The folder of the cache that the active model is read from."""
    return bundle_of(active_model).folder


def another_bundle(parent: Path, *, weights: bytes = b"", keras: bytes = b"") -> Bundle:
    """A bundle that agrees with itself, with other files than the starter's."""
    starter = open_bundle(Path("mlcore/starter"))
    return write_bundle(
        parent,
        files={
            SERVED_WEIGHTS: weights or starter.served_weights(),
            KERAS_WEIGHTS: keras or (starter.folder / KERAS_WEIGHTS).read_bytes(),
        },
        calibration=Calibration(1.5, 0.9, 0.1, 0.2),
        metrics={},
        provenance={},
    )


def tamper_with_the_original(version: ModelVersion) -> None:
    archive = BundleArchive.objects.get(model_version=version)
    changed = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(bytes(archive.packed))) as before,
        zipfile.ZipFile(changed, "w") as after,
    ):
        for name in before.namelist():
            content = before.read(name)
            if name == SERVED_WEIGHTS:
                content = content[:-1] + bytes([content[-1] ^ 1])
            after.writestr(name, content)
    archive.packed = changed.getvalue()
    archive.save()


class TestWeb:
    @pytest.mark.parametrize("file", [SERVED_WEIGHTS, KERAS_WEIGHTS, MANIFEST])
    def test_mends_a_tampered_copy_from_the_original(
        self, cached: Path, file: str, program: Client
    ) -> None:
        original = (cached / file).read_bytes()
        (cached / file).write_bytes(original[:-9] + bytes(9))

        answer = post_json(program, URL, SEVEN)

        assert answer.status_code == 201
        assert (cached / file).read_bytes() == original

    def test_takes_no_other_whole_bundle_under_its_name(
        self, cached: Path, program: Client, tmp_path: Path
    ) -> None:
        original = (cached / MANIFEST).read_bytes()
        other = another_bundle(tmp_path)
        for file in (SERVED_WEIGHTS, KERAS_WEIGHTS, MANIFEST):
            (cached / file).write_bytes((other.folder / file).read_bytes())

        answer = post_json(program, URL, SEVEN)

        assert answer.status_code == 201
        assert (cached / MANIFEST).read_bytes() == original

    def test_reads_by_no_tampered_original(
        self, active_model: ModelVersion, program: Client
    ) -> None:
        tamper_with_the_original(active_model)

        answer = post_json(program, URL, SEVEN)

        assert answer.status_code == 503
        assert answer["Retry-After"]

    @pytest.mark.parametrize("fault", ["tampered", "no network"])
    def test_lets_the_former_model_read_on(
        self,
        active_model: ModelVersion,
        program: Client,
        tmp_path: Path,
        fault: str,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        weights = b"not a network" if fault == "no network" else b""
        bundle = another_bundle(tmp_path, weights=weights)
        version = register_model(bundle=bundle, origin="trained")
        promote_model(version=version)
        if fault == "tampered":
            tamper_with_the_original(version)

        stored = post_json(program, URL, SEVEN)
        read = post_json(program, "/api/v1/readings/", {"drawings": [SEVEN]})

        assert stored.status_code == 201
        assert stored.json()["prediction"]["model"] == active_model.digest
        assert stored.json()["prediction"]["digit"] == 7
        assert read.json()["model"] == active_model.digest
        assert "stays active" in caplog.text


class TestTraining:
    def test_starts_from_no_tampered_bundle(
        self, active_model: ModelVersion, settings: LazySettings
    ) -> None:
        tamper_with_the_original(active_model)

        with pytest.raises(ReaderUnavailableError):
            bundle_of(active_model)

    def test_opens_no_bundle_whose_weights_were_exchanged(self, tmp_path: Path) -> None:
        bundle = another_bundle(tmp_path)
        (bundle.folder / KERAS_WEIGHTS).write_bytes(b"PK\x03\x04 something else")

        with pytest.raises(BundleError, match=KERAS_WEIGHTS):
            open_bundle(bundle.folder)

    def test_runs_no_code_of_a_model_file(self, tmp_path: Path) -> None:
        import keras

        from mlcore.training.model import build_network
        from mlcore.training.train import take_weights

        marker = tmp_path / "was-run"
        code = f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]"
        layers = [keras.Input((2,)), keras.layers.Lambda(eval(code))]  # noqa: S307
        hostile = tmp_path / "hostile.keras"
        keras.Sequential(layers).save(hostile)
        marker.unlink(missing_ok=True)
        bundle = another_bundle(tmp_path, keras=hostile.read_bytes())

        with pytest.raises(ValueError, match=r"unsafe|safe_mode|[Ll]ambda"):
            take_weights(build_network(), bundle)

        assert not marker.exists()


class TestCode:
    def test_unpickles_nothing(self) -> None:
        for package in ("mlcore", "recognizer", "digitsite"):
            for path in Path(package).rglob("*.py"):
                if "tests" not in path.parts:
                    text = path.read_text()
                    for way in (
                        "import pickle",
                        "joblib",
                        "allow_pickle=True",
                        "eval(",
                    ):
                        assert way not in text, path

    def test_keeps_metadata_as_json(self, tmp_path: Path) -> None:
        bundle = another_bundle(tmp_path)

        assert json.loads((bundle.folder / MANIFEST).read_text())["digest"]
