"""Initial values, drawn statelessly from a seed.

An initializer is a function (shape, seed) -> float32 tensor, where `seed` is an int in [0, 2^63). For a convolution
kernel [height, width, in, out], fan-in and fan-out include the factor height * width.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from tf2cases.nn import random

Initializer = Callable[[Sequence[int], int], tf.Tensor]


def zeros(shape: Sequence[int], seed: int) -> tf.Tensor:
    """All zeros."""
    del seed
    return tf.zeros(shape)


def glorot_uniform(shape: Sequence[int], seed: int) -> tf.Tensor:
    """U(-a, a), a = sqrt(6 / (fan_in + fan_out)). Glorot and Bengio 2010, equation 16."""
    limit = math.sqrt(6 / sum(_fans(shape)))
    return random.uniform(shape, [seed, 0], -limit, limit)


# The standard deviation of N(0, 1) truncated to [-2, 2] (scipy.stats.truncnorm.std(-2, 2)).
_TRUNCATED_STDDEV = 0.87962566103423978


def he_normal(shape: Sequence[int], seed: int) -> tf.Tensor:
    """Truncated normal of variance 2 / fan_in. He et al. 2015, arXiv 1502.01852, equation 10."""
    fan_in, _ = _fans(shape)
    return truncated_normal(math.sqrt(2 / fan_in) / _TRUNCATED_STDDEV)(shape, seed)


def truncated_normal(stddev: float) -> Initializer:
    """Returns an initializer that draws from N(0, stddev^2) truncated to two standard deviations.

    As in TensorFlow's initializer of this name, `stddev` is the standard deviation before truncation.
    """

    def init(shape: Sequence[int], seed: int) -> tf.Tensor:
        return stddev * random.truncated_normal(shape, [seed, 0])

    init.__name__ = f"truncated_normal({stddev})"  # shown in a layer's `repr`
    return init


def _fans(shape: Sequence[int]) -> tuple[int, int]:
    """(fan-in, fan-out) of a kernel [..., in, out]."""
    if len(shape) < 2:
        raise ValueError(f"shape is {list(shape)}, but fan-in and fan-out need a kernel of rank 2 or more.")
    receptive_field = math.prod(shape[:-2])
    return shape[-2] * receptive_field, shape[-1] * receptive_field
