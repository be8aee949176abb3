"""The traced part of training: one call of a TensorFlow function runs many steps.

Each step draws the batch's indices, gathers and prepares the batch, and calls the case's `train_step`, which XLA may
compile. The results do not depend on how the steps are divided into calls.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from tf2cases import nn
from tf2cases.data import pipeline
from tf2cases.training import distribution
from tf2cases.training.case import Case


class Progress(tf.Module):
    """Sums of the training metrics since the last report; saved with the case, so that resuming changes no report."""

    def __init__(self, names: Sequence[str]):
        super().__init__(name="progress")
        self.names = nn.variables.untracked(names)
        self.sums = tf.Variable(tf.zeros([len(names)], tf.float64), trainable=False, name="sums")
        self.count = tf.Variable(tf.zeros([], tf.float64), trainable=False, name="count")

    def add(self, values: tf.Tensor) -> None:
        """Adds the metrics of one step, float64 [names]; traced."""
        self.sums.assign_add(values)
        self.count.assign_add(1.0)

    def take(self) -> dict[str, float]:
        """Returns the means since the last call, by name, and resets them."""
        means = (self.sums / self.count).numpy()
        self.sums.assign(tf.zeros_like(self.sums))
        self.count.assign(0.0)
        return dict(zip(self.names(), map(float, means), strict=True))


class TracedSteps:
    """Runs training steps of a case under a distribution strategy.

    Attributes:
      many: a tf.function of the number of steps, int64 scalar. It runs them, but stops after a step with non-finite
        metrics, and returns a bool scalar: whether all metrics were finite. If not, the case's `step` is the bad one.
    """

    def __init__(self, case: Case, batches: pipeline.Batches, progress: Progress, strategy: tf.distribute.Strategy):
        """Prepares the traced function.

        Args:
          case: created under the strategy's scope; training starts from its `step`.
          batches: the training batches.
          progress: created under the strategy's scope.
          strategy: the distribution strategy.
        """
        self._case, self._batches, self._progress, self._strategy = case, batches, progress, strategy
        # The step is a separate function, so that XLA compiles only the step and not the drawing of batches. With
        # several replicas, the outer function contains the steps of all of them.
        self._step: Any = case.train_step
        if strategy.num_replicas_in_sync == 1:
            self._step = tf.function(case.train_step, jit_compile=distribution.compiles(case) or None)
        self._iterator = None if batches.in_memory else iter(batches.dataset(int(case.step.numpy())))
        self.many = tf.function(self._many, input_signature=[tf.TensorSpec([], tf.int64)])

    def graph(self) -> tf.Graph | None:
        """The graph of the traced step, for TensorBoard, after a first call of `many`; None with several replicas."""
        if self._strategy.num_replicas_in_sync > 1:
            return None
        prepared = tf.function(self._case.prepare).get_concrete_function(self._batches.spec).structured_outputs
        # Without the tensors' names, as in the first trace; names would cause another trace.
        spec = tf.nest.map_structure(lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), prepared)
        return self._step.get_concrete_function(spec).graph

    def _many(self, count: tf.Tensor) -> tf.Tensor:
        case, names = self._case, self._case.metric_names
        finite, done = tf.constant(True), tf.zeros([], tf.int64)
        while finite and done < count:
            batch = distribution.split(self._strategy, case.prepare(self._next_batch()))
            values = self._strategy.run(self._step, (batch,))
            if set(values) != set(names):  # while tracing
                raise ValueError(f"train_step returned {sorted(values)}, but metric_names is {sorted(names)}.")
            means = [self._strategy.reduce(tf.distribute.ReduceOp.MEAN, values[name], axis=None) for name in names]
            metrics = tf.cast(tf.stack(means), tf.float64)
            finite = tf.reduce_all(tf.math.is_finite(metrics))
            self._progress.add(metrics)
            case.step.assign_add(1)
            done += 1
        return finite

    def _next_batch(self) -> dict[str, tf.Tensor]:
        if self._iterator is None:
            return self._batches.batch(self._case.step.read_value())
        return next(self._iterator)
