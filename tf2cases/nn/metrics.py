"""Metrics as small accumulators: sums in float64, over every example exactly once."""

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
    """Counts of (truth, prediction).

    Attributes:
      counts: int64 [classes, classes]; rows are the truth.
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
        """The share of right predictions, in [0, 1]; NaN before the first."""
        return float(tf.linalg.trace(self.counts) / tf.reduce_sum(self.counts))
