"""Initial values, drawn statelessly from a seed.

An initializer is a function (shape, seed) -> float32 tensor, where `seed` is an int in [0, 2^63). Fan-in and fan-out of
a convolution's kernel [height, width, in, out] count its receptive field.
"""

import math

import tensorflow as tf

from tf2cases.nn import random


def zeros(shape, seed=0):
    """All zeros."""
    del seed
    return tf.zeros(shape)


def ones(shape, seed=0):
    """All ones."""
    del seed
    return tf.ones(shape)


def _fans(shape):
    if len(shape) < 2:
        raise ValueError(f"shape is {list(shape)}, but fans need a kernel of rank 2 or more.")
    receptive_field = math.prod(shape[:-2])
    return shape[-2] * receptive_field, shape[-1] * receptive_field


def _uniform(limit, shape, seed):
    return random.uniform(shape, [seed, 0], -limit, limit)


def truncated_normal(stddev):
    """N(0, stddev^2) under the condition of lying within two standard deviations; makes an initializer.

    As in TensorFlow's own initializer of this name, `stddev` is that of the normal before truncation.
    """

    def init(shape, seed):
        return stddev * random.truncated_normal(shape, [seed, 0])

    return init


def glorot_uniform(shape, seed):
    """U(-a, a), a = sqrt(6 / (fan_in + fan_out)). Glorot and Bengio 2010, equation 16."""
    fan_in, fan_out = _fans(shape)
    return _uniform(math.sqrt(6 / (fan_in + fan_out)), shape, seed)


def he_normal(shape, seed):
    """Truncated normal of variance 2 / fan_in. He et al. 2015, arXiv 1502.01852, equation 10."""
    return _scaled_truncated_normal(2 / _fans(shape)[0], shape, seed)


def lecun_normal(shape, seed):
    """Truncated normal of variance 1 / fan_in. LeCun et al. 1998, "Efficient BackProp", section 4.6."""
    return _scaled_truncated_normal(1 / _fans(shape)[0], shape, seed)


# The standard deviation of N(0, 1) truncated to [-2, 2] (scipy.stats.truncnorm.std(-2, 2)).
_TRUNCATED_STDDEV = 0.87962566103423978


def _scaled_truncated_normal(variance, shape, seed):
    return truncated_normal(math.sqrt(variance) / _TRUNCATED_STDDEV)(shape, seed)
