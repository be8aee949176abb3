"""Losses per example, in float32; the cross-entropies take logits.

Each loss reduces over the elements of one example only. Cases average over the batch, so that an evaluation can sum
over examples exactly.
"""

from collections.abc import Callable
from typing import TypeAlias

import tensorflow as tf

TensorLike: TypeAlias = tf.types.experimental.TensorLike  # a tensor, or a value that converts to one


def _per_example(values: tf.Tensor, reduce: Callable[..., tf.Tensor]) -> tf.Tensor:
    return reduce(tf.reshape(values, [tf.shape(values)[0], -1]), axis=1)


def mean_squared_error(targets: TensorLike, outputs: TensorLike) -> tf.Tensor:
    """Mean over each example's elements of (targets - outputs)^2: [N, ...] -> float32 [N].

    Raises:
      ValueError: the shapes differ ([N] and [N, 1] would broadcast to [N, N]).
    """
    targets, outputs = tf.cast(targets, tf.float32), tf.cast(outputs, tf.float32)
    if not targets.shape.is_compatible_with(outputs.shape):
        raise ValueError(f"targets have shape {targets.shape}, but must have that of the outputs, {outputs.shape}.")
    return _per_example(tf.square(targets - outputs), tf.reduce_mean)


def sigmoid_cross_entropy(
    targets: TensorLike, logits: TensorLike, reduce: Callable[..., tf.Tensor] = tf.reduce_mean
) -> tf.Tensor:
    """-t log s(x) - (1 - t) log(1 - s(x)) as max(x, 0) - x t + log(1 + exp(-|x|)), stable for any logit.

    Args:
      targets: [N, ...] in [0, 1].
      logits: [N, ...].
      reduce: reduction over each example's elements: `tf.reduce_mean`, or `tf.reduce_sum` (nats per example).

    Returns:
      float32 [N].
    """
    values = tf.nn.sigmoid_cross_entropy_with_logits(tf.cast(targets, tf.float32), tf.cast(logits, tf.float32))
    return _per_example(values, reduce)


def softmax_cross_entropy(labels: TensorLike, logits: TensorLike) -> tf.Tensor:
    """log sum exp(logits) - logits[label]: labels int [N], logits [N, classes] -> float32 [N], in nats."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(labels, tf.int32), tf.cast(logits, tf.float32))


def kl_to_unit_gaussian(mean: TensorLike, log_variance: TensorLike) -> tf.Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)) summed over the latent: [N, latent] -> float32 [N], in nats.

    -1/2 sum(1 + log_variance - mean^2 - exp(log_variance)): Kingma and Welling 2013, arXiv 1312.6114, appendix B.
    Above a log variance of 30, the variance is continued linearly. An extreme log variance thus gives a huge but finite
    loss, with a gradient that still points back and whose square does not overflow in an optimizer.
    """
    mean, log_variance = tf.cast(mean, tf.float32), tf.cast(log_variance, tf.float32)
    variance = tf.exp(tf.minimum(log_variance, 30.0)) * (1 + tf.nn.relu(log_variance - 30.0))
    return -0.5 * tf.reduce_sum(1 + log_variance - tf.square(mean) - variance, axis=-1)
