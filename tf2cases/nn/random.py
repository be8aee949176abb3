"""Stateless random draws: functions of (seed, stream, step), so that a resumed run repeats them.

Every draw uses the Philox generator explicitly, whose bits are the same with and without XLA. TensorFlow's conversion
to floats is not the same: `tf.random.stateless_uniform` takes a float's fraction from the low bits, but from the high
bits if compiled by XLA (github.com/tensorflow/tensorflow/issues/117644). This module therefore converts bits itself.
"""

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import tensorflow as tf

# The shape of a draw, and the seed of a stateless op: int [2].
Shape: TypeAlias = Sequence[int | tf.Tensor] | tf.Tensor
Seed: TypeAlias = Sequence[int] | tf.Tensor
Draw: TypeAlias = Callable[[Shape, Seed], tf.Tensor]


def fold(seed: int, name: str | int) -> int:
    """Derives the seed of a named component from a parent seed.

    Args:
      seed: any int.
      name: the name or number of the component.

    Returns:
      An int in [0, 2^63).
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def at_step(seed: int, step: tf.Tensor | int) -> tf.Tensor:
    """The int64 [2] seed of a stateless op for one step of one stream.

    Args:
      seed: the stream's seed, in [0, 2^63) (see `fold`).
      step: an int scalar.
    """
    return tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])


def _bits(shape: Shape, seed: Seed) -> tf.Tensor:
    """uint32 draws from the full range."""
    # The type stubs support neither draws from the full range nor shapes that contain tensors.
    return tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox")  # pyright: ignore


def uniform(shape: Shape, seed: Seed, minval: float = 0.0, maxval: float = 1.0) -> tf.Tensor:
    """float32 draws from [minval, maxval), with 2^23 possible values."""
    # The upper 23 bits become the fraction of a float in [1, 2).
    fraction = tf.bitwise.right_shift(_bits(shape, seed), tf.constant(9, tf.uint32))
    draws = tf.bitcast(tf.bitwise.bitwise_or(fraction, tf.constant(0x3F800000, tf.uint32)), tf.float32) - 1.0
    return draws if (minval, maxval) == (0.0, 1.0) else draws * (maxval - minval) + minval


def normal(shape: Shape, seed: Seed) -> tf.Tensor:
    """float32 draws from N(0, 1), of magnitude at most 5.3."""
    # The midpoints of 2^23 equal parts of (-1, 1): the ends, where erfinv is infinite, are never drawn.
    middles = uniform(shape, seed, -1.0, 1.0) + 2.0**-23
    return math.sqrt(2) * tf.math.erfinv(middles)


def truncated_normal(shape: Shape, seed: Seed) -> tf.Tensor:
    """float32 draws from N(0, 1) truncated to [-2, 2]."""
    share = math.erf(math.sqrt(2))  # probability of [-2, 2] under N(0, 1)
    return math.sqrt(2) * tf.math.erfinv(uniform(shape, seed, -share, share))


def keep_mask(rate: float) -> Draw:
    """Returns a function that draws bools: False with probability `rate`, rounded to a multiple of 2^-16.

    Each 32-bit word yields two of them, which takes half the time of drawing floats.
    """

    def draw(shape: Shape, seed: Seed) -> tf.Tensor:
        rows, *rest = shape
        per_row = math.prod(rest)
        halves = tf.reshape(tf.bitcast(_bits([rows, -(-per_row // 2)], seed), tf.uint16), [rows, -1])[:, :per_row]
        return tf.reshape(halves >= tf.constant(round(rate * 2**16), tf.uint16), shape)

    return draw


def of_global_batch(draw: Draw, shape: Sequence[int | tf.Tensor], seed: Seed) -> tf.Tensor:
    """Draws for the global batch and returns the rows of this replica.

    With one replica, this is `draw(shape, seed)`. With several, each gets its rows of the draw that a single replica
    would make for the whole batch, so that a run does not depend on the number of replicas.

    Args:
      draw: a `Draw`, such as `uniform`, `normal` or `keep_mask(rate)`.
      shape: shape of this replica's draw: its batch size, then ints.
      seed: int64 [2].
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync if context else 1
    if replicas == 1:
        return draw(shape, seed)
    rows = shape[0]
    everything = draw([rows * replicas, *shape[1:]], seed)
    first = rows * tf.cast(context.replica_id_in_sync_group, tf.int32)
    return everything[first : first + rows]
