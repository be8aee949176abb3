"""Connected regions of a mask, with TensorFlow operations only: it has no operation of its own for this."""

import tensorflow as tf


def components(edges: tf.Tensor, count: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The connected components of a graph, by the FastSV algorithm (Zhang, Azad and Hu 2020).

    Each node points to a node of a smaller number; pointers are lowered over the edges and shortened, so that the
    number of rounds grows with the logarithm of the longest path.

    Args:
      edges: int32 [E, 2], pairs of nodes.
      count: int32, the number of nodes.

    Returns:
      int32 [count], the component of each node, numbered from 0 in the order of their first nodes; and their number.
    """
    one, other = tf.concat([edges[:, 0], edges[:, 1]], 0), tf.concat([edges[:, 1], edges[:, 0]], 0)

    def lower(parents, grandparents, _):
        offered = tf.gather(grandparents, other)
        nodes = tf.concat([one, tf.gather(parents, one)], 0)
        lowered = tf.tensor_scatter_nd_min(parents, nodes[:, tf.newaxis], tf.concat([offered, offered], 0))
        parents = tf.minimum(lowered, grandparents)
        lowest = tf.gather(parents, parents)
        return parents, lowest, tf.reduce_any(lowest != grandparents)

    nodes = tf.range(count)
    shape = tf.TensorShape([None])
    _, roots, _ = tf.while_loop(
        lambda parents, grandparents, changed: changed,
        lower,
        [nodes, nodes, tf.constant(True)],
        shape_invariants=[shape, shape, tf.TensorShape([])],
    )
    is_root = tf.cast(roots == nodes, tf.int32)
    return tf.gather(tf.cumsum(is_root) - 1, roots), tf.reduce_sum(is_root)


def label(mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Numbers the regions of a mask; pixels that touch by a side or a corner belong together.

    Args:
      mask: bool [height, width].

    Returns:
      int32 [height, width], 0 outside and 1, 2, ... inside, in the order of the regions' first pixels in reading order;
      and the number of regions.
    """
    before = tf.pad(mask[:, :-1], [[0, 0], [1, 0]])
    starts = tf.logical_and(mask, tf.logical_not(before))
    # A node is a run of pixels in a row.
    runs = tf.reshape(tf.cumsum(tf.cast(tf.reshape(starts, [-1]), tf.int32)), tf.shape(mask)) - 1
    wide = tf.pad(mask, [[0, 0], [1, 1]])
    wide_runs = tf.pad(runs, [[0, 0], [1, 1]])
    edges = []
    for shift in (-1, 0, 1):
        below, runs_below = wide[1:, 1 + shift :][:, : tf.shape(mask)[1]], wide_runs[1:, 1 + shift :]
        both = tf.logical_and(mask[:-1], below)
        first = tf.logical_and(both, tf.logical_not(tf.pad(both[:, :-1], [[0, 0], [1, 0]])))
        places = tf.where(first)
        edges.append(tf.stack([tf.gather_nd(runs[:-1], places), tf.gather_nd(runs_below, places)], 1))
    found, count = components(tf.concat(edges, 0), tf.reduce_sum(tf.cast(starts, tf.int32)))
    return tf.where(mask, tf.gather(tf.concat([found, [0]], 0), tf.maximum(runs, 0)) + 1, 0), count
