"""What is told of a network without Keras is what Keras says of it."""

from pathlib import Path

import pytest

from mlcore import paths
from mlcore.reading.anatomy import layers_of
from mlcore.reading.bundle import KERAS_WEIGHTS
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
