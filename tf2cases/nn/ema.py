"""An exponential moving average of a network's weights."""

import tensorflow as tf

from tf2cases.nn import checks, variables


class ExponentialMovingAverage(tf.Module):
    """An exponential moving average of a network's variables, held by a second network:

    average += (1 - decay_t) * (variable - average), decay_t = min(decay, (1 + t) / (10 + t)),

    where t is the number of previous updates, so that the initial weights are soon forgotten. Trainable variables are
    averaged; the others (moving statistics) are copied. Polyak and Juditsky 1992; decay_t is that of TensorFlow 1's
    class.

    Saved in checkpoints: `network` (the average) and `updates`.

    Args:
      average: a network with the same architecture as `source`; it is initialized to a copy and holds the average.
      source: the network being trained.
      decay: in [0, 1).
    """

    def __init__(self, average: tf.Module, source: tf.Module, decay: float):
        super().__init__("ema")
        self.network, self.decay = average, checks.fraction("decay", decay)
        self.updates = variables.counter("updates")
        self._source = variables.untracked(source)
        self.reset()

    def reset(self) -> None:
        """Sets the average to the current weights of the source."""
        for mine, theirs in zip(self.network.variables, self._source().variables, strict=True):
            mine.assign(theirs)

    def update(self) -> None:
        """Moves the average towards the current weights of the source."""
        t = tf.cast(self.updates, tf.float32)
        rate = 1 - tf.minimum(self.decay, (1 + t) / (10 + t))
        for mine, theirs in zip(self.network.variables, self._source().variables, strict=True):
            if theirs.trainable:
                mine.assign_add(rate * (theirs - mine))
            else:
                mine.assign(theirs)
        self.updates.assign_add(1)
