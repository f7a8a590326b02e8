"""The shipped network as its peers get it: a stock Keras model and the same in ONNX.

    python -m bench.peers.network FOLDER      # in .venv-peers

Normalisation is melted into the convolutions and a softmax put at the end, so nothing
but stock layers is left. The ONNX graph is written layer by layer (no converter takes
Keras 3), and checked against Keras before it is kept.
"""

import sys
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
from keras import layers
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

BUNDLE = Path(__file__).resolve().parents[2] / "mlcore" / "starter"
SIDE_PX, DIGITS = 28, 10
SOFTENING = 0.25
POOLED = (0, 2)  # convolutions with a pooling behind them
PADDED = (3, 4)  # and with padding around their picture

Weights = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


def shipped_weights() -> Weights:
    """Return kernel and bias of the five convolutions and of the dense layer."""
    network = keras.saving.load_model(BUNDLE / "model.keras", compile=False)
    convolutions, normalisations = (
        [layer for layer in network.layers if isinstance(layer, kind)]
        for kind in (layers.Conv2D, layers.BatchNormalization)
    )
    weights: Weights = []
    # The first convolution softens what is read, and learns nothing.
    for convolution, normalise in zip(convolutions[1:], normalisations, strict=True):
        (kernel,) = convolution.get_weights()
        gamma, beta, mean, variance = normalise.get_weights()
        scale = gamma / np.sqrt(variance + normalise.epsilon)
        weights.append((kernel * scale, beta - mean * scale))
    # Only digits: the peers know no other kinds of drawings.
    kernel, bias = network.get_layer("logits").get_weights()
    weights.append((kernel[:, :DIGITS], bias[:DIGITS]))
    return weights


def softening() -> NDArray[np.float32]:
    """Return the kernel that the network's first layer blurs with."""
    along = np.array([SOFTENING / 2, 1 - SOFTENING, SOFTENING / 2])
    return np.asarray(np.outer(along, along)[..., None, None], np.float32)


def keras_model(weights: Weights) -> keras.Model:
    """Build the network of (N, 28, 28, 1) to ten probabilities by stock layers."""
    image = keras.Input((SIDE_PX, SIDE_PX, 1), name="image")
    soften = layers.Conv2D(1, 3, padding="same", use_bias=False)
    x = soften(image)
    convolutions = []
    for place, (kernel, _) in enumerate(weights[:-1]):
        padding = "same" if place in PADDED else "valid"
        convolution = layers.Conv2D(
            kernel.shape[-1], kernel.shape[0], padding=padding, activation="relu"
        )
        x = convolution(x)
        convolutions.append(convolution)
        if place in POOLED:
            x = layers.MaxPooling2D(2)(x)
    dense = layers.Dense(DIGITS, activation="softmax")
    model = keras.Model(image, dense(layers.Flatten()(x)))
    soften.set_weights([softening()])
    for layer, given in zip([*convolutions, dense], weights, strict=True):
        layer.set_weights(list(given))
    return model


def onnx_model(weights: Weights) -> onnx.ModelProto:
    """Write the same network of (N, 1, 28, 28) as an ONNX graph."""
    nodes: list[onnx.NodeProto] = []
    constants: list[onnx.TensorProto] = []

    def constant(name: str, value: NDArray[np.float32]) -> str:
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind: str, *inputs: str, **attributes: object) -> str:
        name = f"{kind}_{len(nodes)}"
        nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    kernel = constant("soften", softening().transpose(3, 2, 0, 1))
    x = node("Conv", "image", kernel, pads=[1, 1, 1, 1])
    for place, (kernel_hwio, bias) in enumerate(weights[:-1]):
        kernel = constant(f"kernel_{place}", kernel_hwio.transpose(3, 2, 0, 1))
        pads = [1, 1, 1, 1] if place in PADDED else [0, 0, 0, 0]
        x = node("Conv", x, kernel, constant(f"bias_{place}", bias), pads=pads)
        x = node("Relu", x)
        if place in POOLED:
            x = node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    # Keras flattens rows, columns, channels.
    x = node("Flatten", node("Transpose", x, perm=[0, 2, 3, 1]))
    kernel, bias = weights[-1]
    x = node("Gemm", x, constant("dense", kernel), constant("dense_bias", bias))
    answer = node("Softmax", x)
    graph = helper.make_graph(
        nodes,
        "digits",
        [
            helper.make_tensor_value_info(
                "image", TensorProto.FLOAT, ["n", 1, SIDE_PX, SIDE_PX]
            )
        ],
        [helper.make_tensor_value_info(answer, TensorProto.FLOAT, ["n", DIGITS])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    return model


def main() -> None:
    """Write model.keras and model.onnx into a folder."""
    folder = Path(sys.argv[1])
    weights = shipped_weights()
    by_keras, by_onnx = keras_model(weights), onnx_model(weights)
    images = np.random.default_rng(0).random((8, SIDE_PX, SIDE_PX, 1), np.float32)
    session = onnxruntime.InferenceSession(by_onnx.SerializeToString())
    answers = session.run(None, {"image": images.transpose(0, 3, 1, 2)})[0]
    np.testing.assert_allclose(answers, by_keras.predict(images, verbose=0), atol=1e-4)
    folder.mkdir(parents=True, exist_ok=True)
    by_keras.save(folder / "model.keras")
    onnx.save(by_onnx, folder / "model.onnx")


if __name__ == "__main__":
    main()
