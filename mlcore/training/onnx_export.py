"""Export a bundle's network as ONNX.

    python -m mlcore.training.onnx_export mlcore/starter --to model.onnx

The graph is built layer by layer from Keras' own layers, which `in_stock_layers` leaves
in a bundle. Input and output are those of the Keras model: "image", (N, 28, 28, 1)
float32 in [0, 1], and "logits", (N, 13) float32. onnx is optional
(requirements/formats.txt).
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.commands import command_parser
from mlcore.files import replaced
from mlcore.reading.bundle import KERAS_WEIGHTS, Bundle, BundleError, open_bundle

OPSET = 17
_IR_VERSION = 8  # of the same year; older runtimes refuse newer ones


class OnnxExportError(ValueError):
    """onnx is not installed, or a layer has no counterpart here."""


def onnx_of(network: Any) -> bytes:
    """Write a Keras model of stacked stock layers as ONNX.

    Raises:
        OnnxExportError: onnx is not installed, or a layer is of another kind.
    """
    if find_spec("onnx") is None:
        raise OnnxExportError(
            "onnx is not installed: pip install -r requirements/formats.txt."
        )
    from onnx import TensorProto, checker, helper

    graph = _Graph()
    graph.add("Transpose", perm=[0, 3, 1, 2])  # ONNX puts channels first
    for layer in network.layers:
        graph.add_layer(layer)
    sides = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *shape[1:]])
        for name, shape in (
            ("image", network.input_shape),
            ("logits", network.output_shape),
        )
    ]
    graph.nodes[-1].output[0] = "logits"
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, network.name, sides[:1], sides[1:], graph.weights
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=_IR_VERSION,
        producer_name="digitsite",
    )
    checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


class _Graph:
    """A chain of nodes; each takes the output of the one before."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._last = "image"

    def add(self, kind: str, *weights: Any, **attributes: Any) -> None:
        """Add a node with its weights, as arrays."""
        from onnx import helper, numpy_helper

        name = f"{kind.lower()}_{len(self.nodes)}"
        names = [f"{name}_{place}" for place in range(len(weights))]
        for weight, its_name in zip(weights, names, strict=True):
            array = np.ascontiguousarray(weight)
            self.weights.append(numpy_helper.from_array(array, its_name))
        inputs = [self._last, *names]
        self.nodes.append(
            helper.make_node(kind, inputs, [name], name=name, **attributes)
        )
        self._last = name

    def add_layer(self, layer: Any) -> None:
        """Add what a Keras layer does."""
        match type(layer).__name__:
            case "InputLayer" | "Dropout":
                pass
            case "Conv2D":
                self._add_convolution(layer)
            case "BatchNormalization":
                gamma, beta, mean, variance = layer.get_weights()
                scales = gamma, beta, mean, variance
                self.add("BatchNormalization", *scales, epsilon=layer.epsilon)
            case "Activation":
                self._add_activation(layer)
            case "MaxPooling2D" if layer.padding == "valid":
                pool, strides = list(layer.pool_size), list(layer.strides)
                self.add("MaxPool", kernel_shape=pool, strides=strides)
            case "Flatten":
                self.add("Transpose", perm=[0, 2, 3, 1])  # in Keras' order
                self.add("Flatten", axis=1)
            case "Dense":
                kernel, bias = layer.get_weights()
                self.add("Gemm", kernel, bias)
                self._add_activation(layer)
            case kind:
                raise OnnxExportError(
                    f"The layer {layer.name} is a {kind}, which has no ONNX "
                    "counterpart in this code: add it to mlcore.training.onnx_export."
                )

    def _add_convolution(self, layer: Any) -> None:
        kernel, *bias = layer.get_weights()  # (height, width, in, out)
        self.add(
            "Conv",
            kernel.transpose(3, 2, 0, 1),
            *bias,
            auto_pad="SAME_UPPER" if layer.padding == "same" else "VALID",
            strides=list(layer.strides),
        )
        self._add_activation(layer)

    def _add_activation(self, layer: Any) -> None:
        name = layer.activation.__name__
        if name == "relu":
            self.add("Relu")
        elif name != "linear":
            raise OnnxExportError(
                f"The layer {layer.name} applies {name}, and this code knows relu."
            )


def bundle_as_onnx(bundle: Bundle) -> bytes:
    """Write a bundle's network as ONNX; raises OnnxExportError."""
    import keras

    path = bundle.folder / KERAS_WEIGHTS
    return onnx_of(keras.models.load_model(path, compile=False))


def main() -> None:
    """Write a bundle's ONNX file, completely or not at all."""
    parser = command_parser(__doc__)
    parser.add_argument("bundle", type=Path, help="the bundle's folder")
    parser.add_argument("--to", type=Path, required=True, help="the file to write")
    given = parser.parse_args()
    try:
        bundle = open_bundle(given.bundle)
        content = bundle_as_onnx(bundle)
    except (BundleError, OnnxExportError) as error:
        raise SystemExit(str(error)) from error
    with replaced(given.to) as path:
        path.write_bytes(content)
    print(f"Bundle {bundle.short_digest} as ONNX: {given.to}, {len(content):,} bytes")


if __name__ == "__main__":
    main()
