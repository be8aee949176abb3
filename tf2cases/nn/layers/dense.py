"""The fully connected layer."""

import tensorflow as tf

from tf2cases.nn import initializers, random
from tf2cases.nn.layers.base import Activation, Layer, Shape


class Dense(Layer):
    """activation(inputs @ kernel + bias): [N, ..., in] -> [N, ..., units].

    Saved in checkpoints: `kernel` [in, units] and `bias` [units].

    Args:
      units: size of the outputs' last axis, at least 1.
      activation: function applied to the outputs, or None.
      kernel_init: initializer of the kernel; biases start at 0.
      name: see `Layer`.
    """

    def __init__(
        self,
        units: int,
        activation: Activation | None = None,
        kernel_init: initializers.Initializer = initializers.glorot_uniform,
        name: str | None = None,
    ):
        super().__init__(name)
        self._require_positive(units=units)
        self.units, self.activation, self.kernel_init = units, activation, kernel_init

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        features = self._require_rank(input_shape, max(len(input_shape), 2), "[batch, ..., features]")
        kernel = self.kernel_init((features, self.units), random.fold(seed, "kernel"))
        self.kernel = tf.Variable(kernel, name="kernel")
        self.bias = tf.Variable(tf.zeros([self.units]), name="bias")
        return (*input_shape[:-1], self.units)

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return self.compute(inputs, self.kernel)

    def compute(self, inputs: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """Computes the layer with another kernel of the same shape (see `SpectralNorm`)."""
        outputs = tf.matmul(inputs, tf.cast(kernel, inputs.dtype))
        outputs = tf.nn.bias_add(outputs, tf.cast(self.bias, inputs.dtype))
        return self.activation(outputs) if self.activation else outputs
