"""Compute dtypes, and the loss scaling that float16 needs.

Variables are always float32. A network computes in the dtype of its inputs (see `layers`), so a precision is the
dtype that inputs are cast to plus, for float16, a loss scale.
"""

import tensorflow as tf

from tf2cases.nn import variables

NAMES = ("float32", "bfloat16", "float16")


def compute_dtype(name: str) -> tf.DType:
    """Returns tf.float32, tf.bfloat16 or tf.float16 by name.

    Raises:
      ValueError: the name is not in `NAMES`.
    """
    if name not in NAMES:
        raise ValueError(f"precision is {name!r}, but must be one of {', '.join(NAMES)}.")
    return tf.as_dtype(name)


class LossScale(tf.Module):
    """A dynamic loss scale: halved when gradients overflow, doubled after `growth_interval` good steps.

    Micikevicius et al. 2017, arXiv 1710.03740, section 3.2. Saved in checkpoints: `scale`, `good_steps`.
    """

    def __init__(self, initial: float = 2.0**15, growth_interval: int = 2000):
        super().__init__("loss_scale")
        self.growth_interval = growth_interval
        self.scale = variables.of_all_replicas(tf.constant(initial, tf.float32), "scale")
        self.good_steps = variables.counter("good_steps")

    def update(self, finite: tf.Tensor) -> None:
        """Adapts the scale after a step; `finite` (scalar bool): whether all its gradients were."""
        # tf.where instead of a branch: under tf.distribute, a conditional must not contain cross-replica variables.
        good = tf.where(finite, self.good_steps + 1, 0)
        grow = good >= self.growth_interval
        grown = tf.where(grow, self.scale * 2.0, self.scale)
        self.scale.assign(tf.where(finite, grown, tf.maximum(self.scale / 2.0, 1.0)))
        self.good_steps.assign(tf.where(grow, tf.zeros_like(good), good))


def loss_scale(name: str) -> LossScale | None:
    """Returns a LossScale if the precision needs one, else None.

    Raises:
      ValueError: the name is not in `NAMES`.
    """
    return LossScale() if compute_dtype(name) == tf.float16 else None
