"""Learning-rate schedules."""

import math
from collections.abc import Callable

import tensorflow as tf

NAMES = ("constant", "cosine")

# Maps the number of updates made so far, an int64 scalar, to the rate of the next one, a float32 scalar.
Schedule = Callable[[tf.Tensor], tf.Tensor]


def make(name: str, rate: float, total_steps: int, warmup_steps: int = 0) -> Schedule:
    """Makes a schedule.

    Args:
      name: 'constant', or 'cosine': rate * (1 + cos(pi * progress)) / 2, falling from `rate` to 0 at `total_steps`
        (Loshchilov and Hutter 2016, arXiv 1608.03983, equation 5, without restarts).
      rate: the largest rate, > 0.
      total_steps: steps in the whole run, warm-up included, >= 1.
      warmup_steps: initial steps, in which the rate rises linearly from rate / (warmup_steps + 1) to the schedule's.

    Raises:
      ValueError: the name is not in `NAMES`, or the warm-up is as long as the run.
    """
    if name not in NAMES:
        raise ValueError(f"schedule is {name!r}, but must be one of {', '.join(NAMES)}.")
    if not 0 <= warmup_steps < total_steps:
        raise ValueError(
            f"warmup_steps is {warmup_steps}, but must be at least 0 and less than the run's {total_steps} steps."
        )

    def schedule(step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        value = tf.constant(rate, tf.float32)
        if name == "cosine":
            progress = (step - warmup_steps) / (total_steps - warmup_steps)
            value *= (1 + tf.cos(math.pi * tf.clip_by_value(progress, 0.0, 1.0))) / 2
        if warmup_steps:
            value *= tf.minimum(1.0, (step + 1) / (warmup_steps + 1))
        return value

    return schedule
