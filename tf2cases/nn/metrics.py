"""Metric accumulators: float64 sums and int64 counts, so that every example counts exactly once."""

import tensorflow as tf

from tf2cases.nn.losses import TensorLike


class Mean:
    """The mean of all values seen.

    Attributes:
      total, count: float64 scalars.
    """

    def __init__(self):
        self.total, self.count = tf.zeros([], tf.float64), tf.zeros([], tf.float64)

    def update(self, values: TensorLike) -> None:
        """Adds the elements of a tensor of any shape and dtype (a bool counts as 0 or 1)."""
        values = tf.cast(values, tf.float64)
        self.total += tf.reduce_sum(values)
        self.count += tf.cast(tf.size(values), tf.float64)

    def result(self) -> float:
        """The mean; NaN before the first value."""
        return float(self.total / self.count)


class ConfusionMatrix:
    """Counts of pairs (true class, predicted class).

    Attributes:
      counts: int64 [classes, classes]; rows are the true classes.
    """

    def __init__(self, classes: int):
        self.counts = tf.zeros([classes, classes], tf.int64)

    def update(self, labels: TensorLike, predictions: TensorLike) -> None:
        """Adds labels int [N] and predictions int [N], both in [0, classes).

        Raises:
          tf.errors.InvalidArgumentError: a class is out of this range.
        """
        self.counts += tf.math.confusion_matrix(labels, predictions, self.counts.shape[0], dtype=tf.int64)

    def accuracy(self) -> float:
        """The fraction of correct predictions, in [0, 1]; NaN before the first one."""
        return float(tf.linalg.trace(self.counts) / tf.reduce_sum(self.counts))
