"""An exponential moving average of a network's weights."""

import tensorflow as tf


class ExponentialMovingAverage(tf.Module):
    """Keeps a second network whose variables follow the first one's:

    average += (1 - decay_t) * (variable - average), decay_t = min(decay, (1 + t) / (10 + t)),

    where t counts the updates, so that the initial weights are soon forgotten. The trainable variables are averaged,
    the others (moving statistics) copied. Polyak and Juditsky 1992; the ramp is that of TensorFlow 1's class.

    Saved in checkpoints: `network` (the average) and `updates`.

    Args:
      average: a network made like `source`; it becomes the average and starts as a copy.
      source: the network being trained.
      decay: in [0, 1).
    """

    def __init__(self, average, source, decay, name="ema"):
        super().__init__(name)
        if not 0 <= decay < 1:
            raise ValueError(f"decay is {decay!r}, but must be at least 0 and less than 1.")
        self.network, self.decay = average, decay
        self.updates = tf.Variable(
            0,
            dtype=tf.int64,
            trainable=False,
            name="updates",
            aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
        )
        # Plain lists of another module's variables must not be tracked here: they would be saved twice.
        self._sources = lambda: source.variables
        for mine, theirs in zip(average.variables, source.variables, strict=True):
            mine.assign(theirs)

    def update(self):
        """Moves the average towards the source's present weights."""
        t = tf.cast(self.updates, tf.float32)
        rate = 1 - tf.minimum(self.decay, (1 + t) / (10 + t))
        for mine, theirs in zip(self.network.variables, self._sources(), strict=True):
            if theirs.trainable:
                mine.assign_add(rate * (theirs - mine))
            else:
                mine.assign(theirs)
        self.updates.assign_add(1)
