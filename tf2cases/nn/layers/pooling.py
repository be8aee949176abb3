"""Pooling over windows and over whole pictures."""

import tensorflow as tf

from tf2cases.nn.layers import windows
from tf2cases.nn.layers.base import Layer, Shape


class _Pool2D(Layer):
    """Base class of `MaxPool2D` and `AvgPool2D`.

    Args:
      pool_size: side of the window in pixels, at least 1.
      strides: stride along both axes, at least 1; default: `pool_size`, for adjacent windows.
      padding: "SAME" or "VALID".
      name: see `Layer`.
    """

    def __init__(
        self,
        pool_size: int = 2,
        strides: int | None = None,
        padding: windows.Padding = "VALID",
        name: str | None = None,
    ):
        super().__init__(name)
        self.pool_size, self.strides = pool_size, strides
        self.padding: windows.Padding = windows.checked(self.name, padding)
        self.step: int = pool_size if strides is None else strides
        self._require_positive(pool_size=pool_size, strides=self.step)

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        batch, *sides, channels = self._require_pictures(input_shape)
        window = (self.pool_size, self.pool_size)
        return (batch, *windows.counts(self.name, sides, window, self.step, self.padding), channels)


class MaxPool2D(_Pool2D):
    """The maximum of each window: [N, H, W, C] -> [N, H', W', C]."""

    default_name = "max_pool"

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.max_pool2d(inputs, self.pool_size, self.step, self.padding)


class AvgPool2D(_Pool2D):
    """The mean of each window: [N, H, W, C] -> [N, H', W', C].

    With SAME padding, a window at the edge averages only its pixels inside the picture.
    """

    default_name = "avg_pool"

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.avg_pool2d(inputs, self.pool_size, self.step, self.padding)


class GlobalAvgPool2D(Layer):
    """The mean over all pixels: [N, H, W, C] -> [N, C]."""

    default_name = "global_avg_pool"

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        batch, _, _, channels = self._require_pictures(input_shape)
        return (batch, channels)

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(inputs, axis=[1, 2])
