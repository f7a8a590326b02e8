"""The active model as a file of Keras, LiteRT or ONNX."""

import subprocess
from unittest import mock

import onnx
import pytest
from django.test import Client

from recognizer.learning import model_files
from recognizer.models import ModelVersion
from recognizer.reader.recognisers import bundle_of

URL = "/api/v1/models/active/"


class TestDownload:
    @pytest.mark.parametrize("name", ["model.keras", "model.tflite"])
    def test_is_the_bundle_s_own_file(
        self, active_model: ModelVersion, name: str
    ) -> None:
        answer = Client().get(f"{URL}{name}")

        assert answer.content == (bundle_of(active_model).folder / name).read_bytes()
        assert name in answer["Content-Disposition"]

    def test_as_onnx_is_written_once(self, active_model: ModelVersion) -> None:
        first = Client().get(f"{URL}model.onnx")
        with mock.patch.object(model_files, "find_spec", return_value=None):
            again = Client().get(f"{URL}model.onnx")

        assert onnx.load_from_string(first.content).graph.input[0].name == "image"
        assert again.content == first.content

    def test_as_onnx_says_what_is_missing(self, active_model: ModelVersion) -> None:
        with mock.patch.object(model_files, "find_spec", return_value=None):
            answer = Client().get(f"{URL}model.onnx")
            page = Client().get("/model/").content.decode()

        assert answer.status_code == 501
        assert "onnx_export" in answer.json()["error"]["message"]
        assert f"{URL}model.tflite" in page
        assert f"{URL}model.onnx" not in page

    def test_as_onnx_does_not_wait_for_one_that_is_being_written(
        self, active_model: ModelVersion
    ) -> None:
        with model_files._one_at_a_time:
            answer = Client().get(f"{URL}model.onnx")

        assert answer.status_code == 503
        assert answer["Retry-After"]
        assert "ask again" in answer.json()["error"]["message"]

    def test_as_onnx_fails_once(
        self, active_model: ModelVersion, caplog: pytest.LogCaptureFixture
    ) -> None:
        failed = subprocess.CalledProcessError(1, "onnx_export", stderr=b"out of disk")
        with (
            mock.patch.object(model_files, "_failed", set()),
            mock.patch.object(subprocess, "run", side_effect=failed) as run,
        ):
            answers = [Client().get(f"{URL}model.onnx") for _ in range(2)]

        assert [answer.status_code for answer in answers] == [503, 503]
        assert "model.keras instead" in answers[1].json()["error"]["message"]
        assert run.call_count == 1
        assert "out of disk" in caplog.text

    def test_knows_no_other_file(self, active_model: ModelVersion) -> None:
        assert Client().get(f"{URL}manifest.json").status_code == 404


class TestPage:
    def test_offers_each_file(self, active_model: ModelVersion) -> None:
        page = Client().get("/model/").content.decode()

        for name in ("model.keras", "model.tflite", "model.onnx"):
            assert f"{URL}{name}" in page
