"""Random draws that are a function of (seed, stream, step), so that a resumed run repeats them.

Every draw is stateless and names the Philox generator, whose numbers are the same under XLA and without it.
"""

import hashlib

import tensorflow as tf


def fold(seed, name):
    """Derives the seed of a named part from the seed of the whole.

    Args:
      seed: int, any size.
      name: str or int, the part.

    Returns:
      An int in [0, 2^63).
    """
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def at_step(seed, step):
    """The int64 [2] seed of a stateless op for one step of one stream.

    Args:
      seed: int in [0, 2^63), the stream's (see `fold`).
      step: scalar int64 tensor or int.
    """
    return tf.stack([tf.constant(seed, tf.int64), tf.cast(step, tf.int64)])


def uniform(shape, seed, minval=0.0, maxval=1.0):
    """float32 draws from [minval, maxval); `seed` is int [2]."""
    return tf.random.stateless_uniform(shape, seed, minval, maxval, alg="philox")


def normal(shape, seed):
    """float32 draws from N(0, 1); `seed` is int [2]."""
    return tf.random.stateless_normal(shape, seed, alg="philox")


def of_global_batch(draw, shape, seed):
    """Draws for the global batch and returns the rows of this replica.

    With one replica this is `draw(shape, seed)`; with R replicas each gets its rows of the draw that one replica
    would have made for the whole batch, so the number of replicas does not change a run.

    Args:
      draw: `uniform`, `normal` or the like.
      shape: sequence or int tensor, with this replica's batch size first.
      seed: int64 [2].
    """
    context = tf.distribute.get_replica_context()
    replicas = context.num_replicas_in_sync if context else 1
    if replicas == 1:
        return draw(shape, seed)
    rows = shape[0]
    everything = draw(tf.concat([[rows * replicas], shape[1:]], 0), seed)
    first = rows * tf.cast(context.replica_id_in_sync_group, tf.int32)
    return everything[first : first + rows]
