"""What is told of a network without Keras is what Keras says of it."""

from pathlib import Path

import keras
import numpy as np
import pytest

from mlcore import paths
from mlcore.reading.anatomy import activations, layers_of
from mlcore.reading.bundle import KERAS_WEIGHTS, SERVED_WEIGHTS
from mlcore.reading.preprocess import normalize
from mlcore.reading.rasterise import rasterise
from mlcore.reading.specimens import specimens
from mlcore.tests.making import KERAS_3_ON_NUMPY_2
from mlcore.training.model import NETWORKS, build_network, in_stock_layers

pytestmark = pytest.mark.filterwarnings(KERAS_3_ON_NUMPY_2)


class TestLayersOf:
    @pytest.mark.parametrize("name", NETWORKS)
    def test_says_what_keras_says(self, name: str, tmp_path: Path) -> None:
        network = in_stock_layers(build_network(layers_of=name, dropout=0.25))
        network.save(tmp_path / "model.keras")

        layers = layers_of(tmp_path / "model.keras")

        told = [(one.kind, one.shape, one.weights) for one in layers]
        learnt = network.layers[2:]
        assert told == [
            ("InputLayer", (28, 28, 1), 0),
            ("Soften", (28, 28, 1), 0),
            *(
                (
                    type(layer).__name__,
                    tuple(layer.output.shape[1:]),
                    layer.count_params(),
                )
                for layer in learnt
            ),
        ]
        assert [one.share for one in layers if one.kind == "Dropout"] == [0.25]
        kernels = [one.size for one in layers if one.kind == "Conv2D"]
        assert kernels == [convolution.kernel for convolution in NETWORKS[name]]

    def test_knows_the_shipped_network(self) -> None:
        layers = layers_of(paths.STARTER_BUNDLE / KERAS_WEIGHTS)

        assert layers[0].shape == (28, 28, 1)
        assert layers[-1].shape == (13,)
        assert sum(one.weights for one in layers) > 400_000

    @pytest.mark.parametrize("content", [b"", b"nothing"])
    def test_refuses_what_is_no_network(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "model.keras"
        path.write_bytes(content)

        with pytest.raises(ValueError, match=r"no \.keras file"):
            layers_of(path)


class TestActivations:
    SHAPES = (
        *((28, 28, 1), (28, 28, 1), (12, 12, 32), (10, 10, 64)),
        *((4, 4, 96), (4, 4, 160), (4, 4, 160), (13,)),
    )

    def test_are_what_keras_computes(self) -> None:
        network = keras.saving.load_model(paths.STARTER_BUNDLE / KERAS_WEIGHTS)
        served = (paths.STARTER_BUNDLE / SERVED_WEIGHTS).read_bytes()
        image = normalize(rasterise(specimens()[0].strokes))

        found = activations(served, image, shapes=self.SHAPES)

        kinds = (keras.layers.Activation, keras.layers.MaxPooling2D)
        made = [one.output for one in network.layers if isinstance(one, kinds)]
        every = keras.Model(network.input, made)(image[np.newaxis])
        by_keras = [np.asarray(one)[0] for one in every]
        for place, number in ((2, 1), (3, 2), (4, 4), (5, 5), (6, 6)):
            expected = by_keras[number]
            # Served weights have 8 bits.
            alike = np.corrcoef(found[place].ravel(), expected.ravel())[0, 1]
            assert alike > 0.999
        logits = np.asarray(network(image[np.newaxis]))[0]
        np.testing.assert_allclose(found[-1], logits, atol=0.1)
        np.testing.assert_array_equal(found[0], image)

    def test_of_other_shapes_are_refused(self) -> None:
        served = (paths.STARTER_BUNDLE / SERVED_WEIGHTS).read_bytes()
        image = normalize(rasterise(specimens()[0].strokes))

        with pytest.raises(ValueError, match=r"no output of shape \(5, 5, 7\)"):
            activations(served, image, shapes=[(28, 28, 1), (5, 5, 7)])
