"""Order, batching and prefetch: which examples make up batch k.

The position in the data is a function of the step. Epoch e visits the examples in the order of a stateless permutation
seeded by (seed, e), and batches continue across epoch boundaries, so training can resume at any step without saved
state.
"""

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

# Data sets of up to this many bytes are held as tensors and gathered inside the traced loop.
IN_MEMORY_LIMIT = 2**31


class Batches:
    """The endless sequence of training batches.

    Args:
      arrays: {name: array [N, ...]}, NumPy arrays or memory maps.
      batch_size: examples per batch.
      seed: int in [0, 2^63), determines the order.
      shuffle: False visits the examples in their original order in every epoch.

    Attributes:
      in_memory: whether `batch` may be used; otherwise only `dataset`.
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], batch_size: int, seed: int, shuffle: bool = True):
        self.examples = len(next(iter(arrays.values())))
        self.batch_size, self.seed, self.shuffle = batch_size, seed, shuffle
        self._arrays = arrays
        self.in_memory = sum(a.nbytes for a in arrays.values()) <= IN_MEMORY_LIMIT
        if self.in_memory:
            with tf.device("/cpu:0"):
                self._tensors = {name: tf.constant(np.asarray(array)) for name, array in arrays.items()}

    @property
    def spec(self) -> dict[str, tf.TensorSpec]:
        """The shapes and dtypes of a batch."""
        return {n: tf.TensorSpec([self.batch_size, *a.shape[1:]], a.dtype) for n, a in self._arrays.items()}

    def end_of_epoch(self, step: int) -> int:
        """The first step after `step` within which an epoch ends."""
        epoch = step * self.batch_size // self.examples + 1
        return -(-epoch * self.examples // self.batch_size)

    def indices(self, step: tf.Tensor | int) -> tf.Tensor:
        """int64 [batch_size]: the examples of batch `step` (int64 scalar, tensor or int)."""
        first = tf.cast(step, tf.int64) * self.batch_size
        position = first + tf.range(self.batch_size, dtype=tf.int64)
        epoch, within = position // self.examples, position % self.examples
        if not self.shuffle:
            return within
        # The kernel does not mix its key, and for data sets below 65,536 examples uses only the lowest 8 bits of each
        # word: without mixing it here, epochs would resemble each other and repeat after 256.
        key = _mixed(tf.bitwise.bitwise_xor(_mixed(tf.constant(self.seed, tf.uint64)), tf.cast(epoch, tf.uint64)))
        words = tf.stack([key, tf.bitwise.right_shift(key, tf.constant(32, tf.uint64)), _mixed(key)], axis=1)
        # The documented [n, 2] seeds of tf.random.experimental.index_shuffle fail inside a traced function. With the
        # default of 4 rounds neighbours often stay at the same distance from one another.
        return tf.raw_ops.RandomIndexShuffle(
            index=within, seed=tf.cast(words, tf.uint32), max_index=tf.constant(self.examples - 1, tf.int64), rounds=8
        )

    def batch(self, step: tf.Tensor | int) -> dict[str, tf.Tensor]:
        """{name: tensor [batch_size, ...]} of batch `step`, gathered from memory."""
        with tf.device("/cpu:0"):
            indices = self.indices(step)
            return {name: tf.gather(tensor, indices) for name, tensor in self._tensors.items()}

    def dataset(self, start: int) -> tf.data.Dataset:
        """A tf.data.Dataset of the batches `start`, `start` + 1, ..., prefetched; the same batches as `batch`."""
        return (
            tf.data.Dataset.range(start, np.iinfo(np.int64).max)
            .map(lambda step: _rows(self._arrays, self.indices(step)), num_parallel_calls=2, deterministic=True)
            .prefetch(2)
        )


def _mixed(words):
    """Mixes uint64 words by splitmix64's bijection, so that each bit affects all others (Steele et al. 2014)."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        shifted = tf.bitwise.right_shift(words, tf.constant(shift, tf.uint64))
        words = tf.bitwise.bitwise_xor(words, shifted) * tf.constant(factor, tf.uint64)
    return words


def in_order(arrays: Mapping[str, np.ndarray], batch_size: int) -> tf.data.Dataset:
    """A tf.data.Dataset of all examples, each once, in their original order; the last batch may be smaller."""
    examples = len(next(iter(arrays.values())))

    def rows(first):
        return _rows(arrays, tf.range(first, tf.minimum(first + batch_size, examples)))

    return tf.data.Dataset.range(0, examples, batch_size).map(rows).prefetch(2)


def _rows(arrays, indices):
    """{name: tensor [n, ...]} read from arrays in memory or on disk."""

    def read(index):
        # With sorted indices, a memory map is read from front to back.
        order = np.argsort(index)
        back = np.argsort(order)
        return [np.ascontiguousarray(a[index[order]][back]) for a in arrays.values()]

    tensors = tf.numpy_function(read, [indices], [tf.as_dtype(a.dtype) for a in arrays.values()])
    for tensor, array in zip(tensors, arrays.values(), strict=True):
        tensor.set_shape([indices.shape[0], *array.shape[1:]])
    return dict(zip(arrays, tensors, strict=True))
