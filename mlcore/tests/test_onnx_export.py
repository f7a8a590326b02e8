"""The network as ONNX says what Keras and LiteRT say."""

from pathlib import Path
from unittest import mock

import keras
import numpy as np
import onnxruntime
import pytest

from mlcore import paths
from mlcore.reading.bundle import KERAS_WEIGHTS, open_bundle
from mlcore.reading.inference import Recogniser
from mlcore.training import onnx_export
from mlcore.training.data import load_mnist
from mlcore.training.model import build_network, in_stock_layers
from mlcore.training.onnx_export import OnnxExportError, bundle_as_onnx, onnx_of


def run(content: bytes, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"image": images})[0])


class TestStarter:
    def test_agrees_with_keras_and_litert_on_mnist_s_test_images(self) -> None:
        bundle = open_bundle(paths.STARTER_BUNDLE)
        pixels = load_mnist().test.images
        images = pixels.reshape(-1, 28, 28, 1).astype(np.float32) / 255
        network = keras.models.load_model(bundle.folder / KERAS_WEIGHTS, compile=False)

        logits = run(bundle_as_onnx(bundle), images)

        assert logits.shape == (10_000, 13)
        by_keras = network.predict(images, batch_size=500, verbose=0)
        assert np.abs(logits - by_keras).max() < 1e-4
        by_litert = Recogniser(bundle).network.logits_of(pixels)
        same = logits[:, :10].argmax(axis=1) == by_litert[:, :10].argmax(axis=1)
        assert same.mean() >= 0.9995


class TestNetworks:
    @pytest.mark.parametrize("layers_of", ["small", "large"])
    def test_of_both_sizes_are_written(self, layers_of: str) -> None:
        network = in_stock_layers(build_network(layers_of=layers_of))
        images = np.random.default_rng(0).random((3, 28, 28, 1), np.float32)

        logits = run(onnx_of(network), images)

        np.testing.assert_allclose(logits, network(images), atol=1e-4)

    def test_with_an_unknown_layer_are_refused_by_name(self) -> None:
        image = keras.Input((28, 28, 1))
        network = keras.Model(image, keras.layers.LayerNormalization(name="odd")(image))

        with pytest.raises(OnnxExportError, match="odd is a LayerNormalization"):
            onnx_of(network)

    def test_without_onnx_say_what_to_install(self) -> None:
        with (
            mock.patch.object(onnx_export, "find_spec", return_value=None),
            pytest.raises(OnnxExportError, match="is not installed"),
        ):
            onnx_of(None)


class TestCommand:
    def test_writes_the_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "model.onnx"
        told = ["onnx_export", str(paths.STARTER_BUNDLE), "--to", str(path)]
        monkeypatch.setattr("sys.argv", told)

        onnx_export.main()

        assert path.read_bytes() == bundle_as_onnx(open_bundle(paths.STARTER_BUNDLE))

    def test_refuses_what_is_no_bundle(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told = ["onnx_export", str(tmp_path), "--to", str(tmp_path / "model.onnx")]
        monkeypatch.setattr("sys.argv", told)

        with pytest.raises(SystemExit, match="is not a bundle"):
            onnx_export.main()
