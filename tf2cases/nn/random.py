"""Random draws that are a function of (seed, stream, step), so that a resumed run repeats them.

Every draw is stateless and names the Philox generator, whose bits are the same under XLA and without it. What
TensorFlow makes of them is not: `tf.random.stateless_uniform` takes a float's fraction from the low bits, and from the
high ones where XLA compiles it (github.com/tensorflow/tensorflow/issues/117644). So floats are made from bits here.
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
    """Derives the seed of a named part from the seed of the whole.

    Args:
      seed: any int.
      name: the part.

    Returns:
      An int in [0, 2^63).
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def at_step(seed: int, step: tf.Tensor | int) -> tf.Tensor:
    """The int64 [2] seed of a stateless op for one step of one stream.

    Args:
      seed: in [0, 2^63), the stream's (see `fold`).
      step: an int scalar.
    """
    return tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])


def _bits(shape: Shape, seed: Seed) -> tf.Tensor:
    """uint32 draws of all 32 bits."""
    # The stubs know neither draws from the full range nor shapes that hold tensors.
    return tf.random.stateless_uniform(shape, seed, None, None, tf.uint32, alg="philox")  # pyright: ignore


def uniform(shape: Shape, seed: Seed, minval: float = 0.0, maxval: float = 1.0) -> tf.Tensor:
    """float32 draws from [minval, maxval), 2^23 different ones."""
    # The upper 23 bits become the fraction of a float in [1, 2).
    fraction = tf.bitwise.right_shift(_bits(shape, seed), tf.constant(9, tf.uint32))
    draws = tf.bitcast(tf.bitwise.bitwise_or(fraction, tf.constant(0x3F800000, tf.uint32)), tf.float32) - 1.0
    return draws if (minval, maxval) == (0.0, 1.0) else draws * (maxval - minval) + minval


def normal(shape: Shape, seed: Seed) -> tf.Tensor:
    """float32 draws from N(0, 1), none beyond 5.3."""
    # The middles of 2^23 equal parts of (-1, 1), so that neither end, which is infinitely far out, is drawn.
    middles = uniform(shape, seed, -1.0, 1.0) + 2.0**-23
    return math.sqrt(2) * tf.math.erfinv(middles)


def truncated_normal(shape: Shape, seed: Seed) -> tf.Tensor:
    """float32 draws from N(0, 1), conditioned on lying in [-2, 2]."""
    share = math.erf(math.sqrt(2))  # of N(0, 1) that lies in [-2, 2]
    return math.sqrt(2) * tf.math.erfinv(uniform(shape, seed, -share, share))


def keep_mask(rate: float) -> Draw:
    """Makes a draw of bools that are False with probability `rate`, to the nearest multiple of 2^-16.

    Two of them come from each 32-bit word, which takes half the time that floats take.
    """

    def draw(shape: Shape, seed: Seed) -> tf.Tensor:
        rows, *rest = shape
        per_row = math.prod(rest)
        halves = tf.reshape(tf.bitcast(_bits([rows, -(-per_row // 2)], seed), tf.uint16), [rows, -1])[:, :per_row]
        return tf.reshape(halves >= tf.constant(round(rate * 2**16), tf.uint16), shape)

    return draw


def of_global_batch(draw: Draw, shape: Sequence[int | tf.Tensor], seed: Seed) -> tf.Tensor:
    """Draws for the global batch and returns the rows of this replica.

    With one replica this is `draw(shape, seed)`. With R replicas each gets its rows of the draw that one replica would
    have made for the whole batch, so the number of replicas does not change a run.

    Args:
      draw: `uniform`, `normal`, `keep_mask(rate)` or the like.
      shape: this replica's batch size, then ints.
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
