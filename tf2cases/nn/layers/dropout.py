"""Dropout."""

import tensorflow as tf

from tf2cases.nn import checks, random
from tf2cases.nn.layers import windows
from tf2cases.nn.layers.base import Layer, Shape


class Dropout(Layer):
    """In training, zeroes each element with probability `rate` and scales the others by 1 / (1 - rate).

    The mask is drawn for the global batch, from the step's seed and the layer's seed. Srivastava et al. 2014, JMLR 15,
    with inverted scaling, so that inputs pass unchanged outside of training.

    Args:
      rate: in [0, 1).
      name: see `Layer`.
    """

    def __init__(self, rate: float, name: str | None = None):
        super().__init__(name)
        self.rate = checks.fraction(f"{self.name}: rate", rate)

    def _create(self, input_shape: Shape, seed: int) -> Shape:
        # Mixed into the step's seed, so that two dropout layers draw different masks.
        self._stream = seed
        return input_shape

    @tf.Module.with_name_scope
    def __call__(self, inputs: tf.Tensor, is_training: bool, seed: tf.Tensor | None = None) -> tf.Tensor:
        """`seed` is the step's seed, int64 [2]; it is needed in training only."""
        if not is_training or self.rate == 0:
            return inputs
        if seed is None:
            raise TypeError(f"{self.name} needs the argument 'seed' in training, but it was not given.")
        own_seed = tf.bitwise.bitwise_xor(seed, tf.constant([self._stream, 0], tf.int64))
        keep = random.of_global_batch(random.keep_mask(self.rate), windows.sizes(inputs), own_seed)
        return tf.where(keep, inputs * (1 / (1 - self.rate)), tf.zeros([], inputs.dtype))
