"""The network: a small stack of convolutions that gives logits, nothing else.

Thirteen logits: ten for the digit, three for the kind of drawing (one digit, several
side by side, something else). Softmax and temperature live in `calibrate`.

TensorFlow is imported here and in `train` only; serving never imports either.
"""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

from mlcore.calibrate import DIGITS, KINDS
from mlcore.preprocess import SIDE_PX


@keras.saving.register_keras_serializable(package="digitsite")
class FusedBatchNormalization(keras.layers.Layer):
    """Batch normalisation by TensorFlow's fused kernel.

    At conversion it melts into the convolution before it. No faster than Keras' own
    layer with Keras 3.15 on two cores (68 ms a step with either); it stays because the
    shipped bundle's Keras weights name it, and can go with the next starter.
    """

    def __init__(
        self, *, momentum: float = 0.95, epsilon: float = 1e-3, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make scale, offset and the running mean and variance."""
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")
        self.mean = self.add_weight(
            name="mean", shape=shape, initializer="zeros", trainable=False
        )
        self.variance = self.add_weight(
            name="variance", shape=shape, initializer="ones", trainable=False
        )

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

    def get_config(self) -> dict[str, Any]:
        """Return what rebuilds this layer."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }


def build_network(*, dropout: float = 0.2) -> keras.Model:
    """Build the network: (N, 28, 28, 1) float32 in [0, 1] to (N, 13) logits.

    Most of a convolution's work is at high resolution, so the picture is halved early
    and padding is left away: 3.9 million multiplications in all.
    """
    image = keras.Input((SIDE_PX, SIDE_PX, 1), name="image")
    x = image
    for filters, size, stride in LAYERS:
        x = layers.Conv2D(
            filters,
            size,
            strides=stride,
            use_bias=False,
            kernel_initializer="he_normal",
        )(x)
        x = FusedBatchNormalization()(x)
        x = layers.ReLU()(x)
    x = layers.Flatten()(x)
    x = layers.Dropout(dropout)(x)
    logits = layers.Dense(DIGITS + KINDS, name="logits")(x)
    return keras.Model(image, logits, name="digit_reader")


LAYERS = ((16, 3, 1), (32, 3, 2), (64, 3, 1), (96, 3, 2), (128, 3, 1))
"""Filters, kernel side and stride of each convolution."""
