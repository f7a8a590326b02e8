"""The network: a small stack of convolutions that gives logits only.

There are thirteen logits: ten for the digit, three for the kind of drawing (one digit,
several side by side, something else). Softmax and temperature are in
`reading.calibrate`.

Training uses two custom layers. `in_stock_layers` replaces them with Keras' layers when
a network is saved, so that the file loads without this code.
"""

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray

from mlcore.reading.calibrate import DIGITS, KINDS
from mlcore.reading.preprocess import SIDE_PX


class FusedBatchNormalization(keras.layers.Layer):
    """Batch normalisation by TensorFlow's fused kernel; its weights are float32.

    In bfloat16 a training step of the whole network takes 48 ms with this layer and
    69 ms with Keras' own, which uses several small kernels (batch of 128, one core with
    AVX512-BF16, Keras 3.15).
    """

    def __init__(
        self, *, momentum: float = 0.95, epsilon: float = 1e-3, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create scale, offset, running mean and running variance."""
        shape = (input_shape[-1],)

        def weight(name: str, initializer: str, *, trainable: bool = True) -> Any:
            return self.add_weight(
                name=name,
                shape=shape,
                initializer=initializer,
                trainable=trainable,
                autocast=False,  # the kernel needs float32 here in any precision
                # Each replica has seen another part of the batch, so average them.
                aggregation="none" if trainable else "mean",
            )

        self.gamma = weight("gamma", "ones")
        self.beta = weight("beta", "zeros")
        self.mean = weight("mean", "zeros", trainable=False)
        self.variance = weight("variance", "ones", trainable=False)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Normalise by the batch's statistics in training, else by the running ones."""
        fused = tf.compat.v1.nn.fused_batch_norm
        if not training:
            return fused(
                inputs,
                self.gamma,
                self.beta,
                self.mean,
                self.variance,
                epsilon=self.epsilon,
                is_training=False,
            )[0]
        outputs, mean, variance = fused(
            inputs, self.gamma, self.beta, epsilon=self.epsilon, is_training=True
        )[:3]
        for running, batch in ((self.mean, mean), (self.variance, variance)):
            running.assign(running * self.momentum + batch * (1 - self.momentum))
        return outputs


SOFTENING = 0.25
"""Variance, in pixels squared, of the blur applied to pictures that are not augmented.

Augmentation interpolates between pixels, which blurs a picture: by 1/6 on average along
each axis if positions are random. Without augmentation a picture is sharper than all
that the network has learnt from. With a blur of 0.25 the same networks misread 13 of
MNIST's 5,000 validation images instead of 20, and 7 of the 1,539 calibration drawings
instead of 8. The log-losses are 0.0099 and 0.0184 instead of 0.0115 and 0.0208.
"""


class Soften(keras.layers.Layer):
    """Blur (N, H, W, 1) pictures as augmentation blurs those of training.

    Source: Touvron et al. 2019, "Fixing the train-test resolution discrepancy",
    describes the mismatch.
    """

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Blur with a 3x3 kernel; in training return the input unchanged."""
        if training:
            return inputs
        kernel = tf.constant(self.kernel(), inputs.dtype)
        return tf.nn.conv2d(inputs, kernel, strides=1, padding="SAME")

    def kernel(self) -> NDArray[np.float64]:
        """Return the blur as a convolution's kernel: (3, 3, 1, 1)."""
        along = np.array([SOFTENING / 2, 1 - SOFTENING, SOFTENING / 2])
        return np.outer(along, along)[..., np.newaxis, np.newaxis]


def build_network(
    *, dropout: float = 0.3, precision: str = "float32", layers_of: str = "large"
) -> keras.Model:
    """Build a network from (N, 28, 28, 1) float32 in [0, 1] to (N, 13) float32 logits.

    Args:
        layers_of: key of its layers in NETWORKS.
        dropout: rate before the last layer, in training.
        precision: Keras' dtype policy for the convolutions: "float32", or
            "mixed_bfloat16" to train faster on processors that support it. The
            weights are float32 in both.
    """
    image = keras.Input((SIDE_PX, SIDE_PX, 1), name="image")
    x = Soften(dtype="float32")(image)
    x = convolved(x, NETWORKS[layers_of], precision=precision)
    x = layers.Flatten(dtype=precision)(x)
    x = layers.Dropout(dropout, dtype=precision)(x)
    logits = layers.Dense(DIGITS + KINDS, name="logits", dtype="float32")(x)
    return keras.Model(image, logits, name="digit_reader")


def convolved(
    x: Any,
    stack: Sequence["Convolution"],
    *,
    precision: str = "float32",
    activation: str = "relu",
) -> Any:
    """Apply a stack of convolutions, each followed by normalisation and activation."""
    for layer in stack:
        x = layers.Conv2D(
            layer.filters,
            layer.kernel,
            padding=layer.padding,
            use_bias=False,
            kernel_initializer="he_normal",
            dtype=precision,
        )(x)
        if layer.pooled == "first":
            x = layers.MaxPooling2D(2, dtype=precision)(x)
        x = FusedBatchNormalization(dtype=precision)(x)
        x = layers.Activation(activation, dtype=precision)(x)
        if layer.pooled == "last":
            x = layers.MaxPooling2D(2, dtype=precision)(x)
    return x


def in_stock_layers(network: keras.Model) -> keras.Model:
    """Return the same network for inference, with Keras' own layers only.

    `Soften` becomes a convolution that is not trainable, `FusedBatchNormalization` a
    BatchNormalization. All layers keep their names.
    """

    def in_stock(layer: Any) -> Any:
        if isinstance(layer, Soften):
            return layers.Conv2D(
                1, 3, padding="same", use_bias=False, trainable=False, name=layer.name
            )
        if isinstance(layer, FusedBatchNormalization):
            return layers.BatchNormalization(
                momentum=layer.momentum, epsilon=layer.epsilon, name=layer.name
            )
        return type(layer).from_config(layer.get_config())

    stock = keras.models.clone_model(network, clone_function=in_stock)
    for ours, theirs in zip(network.layers, stock.layers, strict=True):
        softens = isinstance(ours, Soften)
        theirs.set_weights([ours.kernel()] if softens else ours.get_weights())
    return stock


class Convolution(NamedTuple):
    """A convolution, and where its output is max-pooled 2x2, if at all.

    "first" pools before normalisation and activation, which then see a quarter of the
    pixels: a step is a sixth faster. "last" pools after them, so that conversion can
    fuse the normalisation into the convolution.
    """

    filters: int
    kernel: int
    padding: Literal["valid", "same"] = "valid"
    pooled: Literal["", "first", "last"] = ""


NETWORKS: dict[str, tuple[Convolution, ...]] = {
    # The network that ships: large kernels first, two poolings, most weights where the
    # picture is small. 11.8 million multiplications.
    "large": (
        Convolution(32, 5, pooled="last"),
        Convolution(64, 3),
        Convolution(96, 3, pooled="last"),
        Convolution(160, 3, "same"),
        Convolution(160, 3, "same"),
    ),
    # The same idea for speed: 0.9 million multiplications.
    "small": (
        Convolution(16, 5, pooled="first"),
        Convolution(32, 3, pooled="first"),
        Convolution(64, 3),
    ),
}
