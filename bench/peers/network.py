"""Write the network of Keras' example `mnist_convnet` as an ONNX graph.

    python -m bench.peers.network FOLDER      # in .venv-peers

Its weights are random: they do not change its speed, and accuracy is not compared.
"""

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = {
    "kernel_0": (32, 1, 3, 3),
    "kernel_1": (64, 32, 3, 3),
    "dense": (1600, 10),
}


def main() -> None:
    """Write model.onnx into a folder."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.1, shape).astype(np.float32), name)
        for name, shape in WEIGHTS.items()
    ]
    nodes = []
    before = "image"
    for place in range(2):
        for kind, *constants in (("Conv", f"kernel_{place}"), ("Relu",), ("MaxPool",)):
            after = f"{kind}_{place}"
            pooled = {"kernel_shape": [2, 2], "strides": [2, 2]}
            attributes = pooled if kind == "MaxPool" else {}
            nodes.append(
                helper.make_node(kind, [before, *constants], [after], **attributes)
            )
            before = after
    nodes += [
        helper.make_node("Flatten", [before], ["flat"]),
        helper.make_node("MatMul", ["flat", "dense"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        "mnist_convnet",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, 28, 28])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, Path(sys.argv[1]) / "model.onnx")


if __name__ == "__main__":
    main()
