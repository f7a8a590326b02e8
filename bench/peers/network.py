"""Write the network of Keras' example `mnist_convnet` as an ONNX graph.

    python -m bench.peers.network FOLDER      # in .venv-peers

Its weights are random: they do not change its speed, and accuracy is not compared.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

NETWORK = """
<ir_version: 9, opset_import: ["": 17]>
mnist_convnet (float[n, 1, 28, 28] image) => (float[n, 10] probabilities) {
    convolved_0 = Conv(image, kernel_0)
    active_0 = Relu(convolved_0)
    pooled_0 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (active_0)
    convolved_1 = Conv(pooled_0, kernel_1)
    active_1 = Relu(convolved_1)
    pooled_1 = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (active_1)
    flat = Flatten(pooled_1)
    logits = MatMul(flat, dense)
    probabilities = Softmax(logits)
}
"""
WEIGHTS = {"kernel_0": (32, 1, 3, 3), "kernel_1": (64, 32, 3, 3), "dense": (1600, 10)}


def main() -> None:
    """Write model.onnx into a folder."""
    rng = np.random.default_rng(0)
    model = onnx.parser.parse_model(NETWORK)
    for name, shape in WEIGHTS.items():
        values = rng.normal(0, 0.1, shape).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(values, name))
    onnx.checker.check_model(model)
    onnx.save(model, Path(sys.argv[1]) / "model.onnx")


if __name__ == "__main__":
    main()
