"""List a network's layers and what they make of an image, without TensorFlow.

A .keras file is a ZIP archive; its config.json names the layers. Their shapes and
weights follow from it, so the page that explains the network needs no Keras. LiteRT
runs the served weights and keeps what each layer gives.
"""

import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from numpy.typing import NDArray

from mlcore.reading.preprocess import DigitImage

_CONFIG = "config.json"


@dataclass(frozen=True)
class Layer:
    """One layer of a network.

    kind: its name in Keras, such as "Conv2D".
    size: side of its kernel or pool in pixels, else 0.
    share: the dropout rate, else 0.
    shape: of its output for one picture: (H, W, C), or (N,).
    weights: how many numbers it stores, learnt or measured.
    """

    kind: str
    size: int
    share: float
    shape: tuple[int, ...]
    weights: int


def layers_of(keras_file: Path) -> list[Layer]:
    """Return the layers of a network that is a plain stack, from picture to logits.

    The fixed blur before the first convolution is listed as "Soften", without weights.

    Raises:
        ValueError: not a .keras file, or it has a layer that no recipe here makes.
    """
    try:
        with zipfile.ZipFile(keras_file) as archive:
            written = json.loads(archive.read(_CONFIG))["config"]["layers"]
    except (zipfile.BadZipFile, KeyError, TypeError) as error:
        raise ValueError(f"{keras_file} is no .keras file: {error}.") from error
    layers: list[Layer] = []
    for one in written:
        kind, config = one["class_name"], one["config"]
        if kind == "Conv2D" and not config["trainable"]:
            kind = "Soften"
        if kind not in _KINDS:
            raise ValueError(f"{keras_file}: a layer {kind} is not known here.")
        before = layers[-1].shape if layers else ()
        shape, weights = _KINDS[kind](config, before)
        layers.append(
            Layer(
                kind=kind,
                size=config.get("kernel_size", config.get("pool_size", [0]))[0],
                share=config.get("rate", 0),
                shape=shape,
                weights=weights,
            )
        )
    return layers


def activations(
    weights: bytes, image: DigitImage, *, shapes: Sequence[tuple[int, ...]]
) -> list[NDArray[np.float32]]:
    """Return what layers make of a digit image.

    Args:
        weights: a network as served. Conversion has merged convolution, normalisation
            and activation into one operation, so only its output exists.
        shapes: of the layers' outputs, in the network's order, from its input on.

    Raises:
        ValueError: the network has no such outputs in this order.
    """
    interpreter = Interpreter(
        model_content=weights,
        num_threads=1,
        # The default delegate would fuse operations and keep nothing in between.
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        experimental_preserve_all_tensors=True,
    )
    interpreter.allocate_tensors()
    (given,) = interpreter.get_input_details()
    interpreter.set_tensor(given["index"], image[np.newaxis])
    interpreter.invoke()
    tensors = iter(interpreter.get_tensor_details())
    found: list[NDArray[np.float32]] = []
    for shape in shapes:
        for tensor in tensors:
            if tuple(tensor["shape"]) == (1, *shape):
                found.append(interpreter.get_tensor(tensor["index"])[0])
                break
        else:
            raise ValueError(
                f"The network has no output of shape {shape} at its place."
            )
    return found


# --- each kind: from config and input shape to output shape and weights -------------

_Shape = tuple[int, ...]


def _as_it_came(config: Mapping[str, Any], shape: _Shape) -> tuple[_Shape, int]:
    return shape, 0


def _convolution(config: Mapping[str, Any], shape: _Shape) -> tuple[_Shape, int]:
    *sides, channels = shape
    filters, bias = config["filters"], int(config["use_bias"])
    across = _placed(sides, config["kernel_size"], config["strides"], config["padding"])
    weights = (math.prod(config["kernel_size"]) * channels + bias) * filters
    return (*across, filters), weights


def _pooling(config: Mapping[str, Any], shape: _Shape) -> tuple[_Shape, int]:
    *sides, channels = shape
    across = _placed(sides, config["pool_size"], config["strides"], config["padding"])
    return (*across, channels), 0


def _dense(config: Mapping[str, Any], shape: _Shape) -> tuple[_Shape, int]:
    units, bias = config["units"], int(config["use_bias"])
    return (units,), (shape[-1] + bias) * units


def _placed(
    sides: Sequence[int], window: Sequence[int], strides: Sequence[int], padding: str
) -> list[int]:
    """Return how many positions a window has along each side."""
    if padding == "same":
        return [math.ceil(a / step) for a, step in zip(sides, strides, strict=True)]
    return [
        (a - b) // step + 1 for a, b, step in zip(sides, window, strides, strict=True)
    ]


_KINDS: Mapping[str, Callable[[Mapping[str, Any], _Shape], tuple[_Shape, int]]] = {
    "InputLayer": lambda config, shape: (tuple(config["batch_shape"][1:]), 0),
    "Soften": _as_it_came,
    "Conv2D": _convolution,
    # Scale and offset; running mean and variance.
    "BatchNormalization": lambda config, shape: (shape, 4 * shape[-1]),
    "ReLU": _as_it_came,
    "Activation": _as_it_came,
    "MaxPooling2D": _pooling,
    "Flatten": lambda config, shape: ((math.prod(shape),), 0),
    "Dropout": _as_it_came,
    "Dense": _dense,
}
