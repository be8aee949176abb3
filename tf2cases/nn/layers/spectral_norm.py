"""Spectral normalization."""

import tensorflow as tf

from tf2cases.nn import random, variables
from tf2cases.nn.layers import windows
from tf2cases.nn.layers.base import Layer, Shape
from tf2cases.nn.layers.convolution import Conv2D
from tf2cases.nn.layers.dense import Dense


class SpectralNorm(Layer):
    """Divides a layer's kernel, reshaped to a matrix [..., out], by its largest singular value.

    Each call estimates the singular value with one step of power iteration, starting from the vector that the last
    training call with `update_statistics` saved. Miyato et al. 2018, arXiv 1802.05957, algorithm 1.

    Saved in checkpoints: the variables of the layer, and `right`, the right singular vector, float32 [1, out].

    Args:
      layer: a `Dense` or a `Conv2D`; this layer takes over its name.
    """

    def __init__(self, layer: Dense | Conv2D):
        super().__init__(layer.name)
        self.layer, self.given_name = layer, layer.given_name

    def rename(self, name: str) -> None:
        super().rename(name)
        self.layer.rename(name)

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        shape = self.layer.create(input_shape, seed)
        *_, outputs = windows.sizes(self.layer.kernel)
        start = random.normal([1, outputs], [random.fold(seed, "right"), 0])
        first = tf.VariableAggregation.ONLY_FIRST_REPLICA
        self.right = variables.of_each_replica(tf.math.l2_normalize(start), "right", first)
        return shape

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor, is_training: bool, update_statistics: bool = True) -> tf.Tensor:
        """`update_statistics=False` leaves the singular vector unchanged."""
        kernel = tf.convert_to_tensor(self.layer.kernel)
        matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
        left = tf.math.l2_normalize(tf.matmul(self.right, matrix, transpose_b=True))
        right = tf.math.l2_normalize(tf.matmul(left, matrix))
        left, right = tf.stop_gradient(left), tf.stop_gradient(right)
        if is_training and update_statistics:
            self.right.assign(right)
        largest = tf.matmul(tf.matmul(left, matrix), right, transpose_b=True)
        return self.layer.compute(inputs, kernel / largest[0, 0])
