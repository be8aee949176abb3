"""Layers that rearrange or repeat elements."""

import math
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf2cases.nn.layers import windows
from tf2cases.nn.layers.base import Layer, Shape, ShapeError


class Flatten(Layer):
    """[N, ...] -> [N, product of the rest], in row-major order."""

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        self._elements = _elements(self.name, input_shape)
        return (input_shape[0], self._elements)

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.reshape(inputs, [-1, self._elements])


class Reshape(Layer):
    """[N, ...] -> [N, *shape], in row-major order.

    Args:
      shape: shape of one example.
      name: see `Layer`.
    """

    def __init__(self, shape: Sequence[int], name: str | None = None):
        super().__init__(name)
        self._require_positive(**{f"shape[{i}]": size for i, size in enumerate(shape)})
        self.shape = list(shape)

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        if _elements(self.name, input_shape) != math.prod(self.shape):
            raise ShapeError(
                f"{self.name} got inputs of shape {list(input_shape)}, but needs {math.prod(self.shape)} elements per "
                f"example for the shape {list(self.shape)}."
            )
        return (input_shape[0], *self.shape)

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.reshape(inputs, [-1, *self.shape])


def _elements(layer: str, input_shape: Shape) -> int:
    """The number of elements per example."""
    known = [size for size in input_shape[1:] if size is not None]
    if len(known) < len(input_shape) - 1:
        raise ShapeError(f"{layer} got inputs of shape {list(input_shape)}, but only the batch size may be unknown.")
    return math.prod(known)


class UpSampling2D(Layer):
    """Each pixel repeated `size` x `size` times (nearest neighbour): [N, H, W, C] -> [N, size H, size W, C].

    Args:
      size: at least 1.
      name: see `Layer`.
    """

    default_name = "up_sampling"

    def __init__(self, size: int = 2, name: str | None = None):
        super().__init__(name)
        self._require_positive(size=size)
        self.size = size

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        batch, height, width, channels = self._require_pictures(input_shape)
        return (batch, height and height * self.size, width and width * self.size, channels)

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        size = self.size

        @tf.custom_gradient
        def repeat(x: tf.Tensor) -> Any:  # (outputs, their gradient)
            n, h, w, c = windows.sizes(x)
            # Not x[:, :, tf.newaxis, ...]: LiteRT's own slices have at most five dimensions.
            rows = tf.broadcast_to(tf.reshape(x, [n, h, 1, w, 1, c]), [n, h, size, w, size, c])

            def back(gradients: tf.Tensor) -> tf.Tensor:
                # Sums over windows. TensorFlow's gradient of the broadcast is the same but takes ten times as long.
                return size * size * tf.nn.avg_pool2d(gradients, size, size, "VALID")

            return tf.reshape(rows, [n, h * size, w * size, c]), back

        return repeat(inputs)
