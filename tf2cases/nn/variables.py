"""Attributes of a `tf.Module`: a variable that counts, and values that the module is not to track."""

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

T = TypeVar("T")


def counter(name: str) -> tf.Variable:
    """An int64 scalar variable that starts at 0.

    Under `tf.distribute` all replicas count alike, so the first replica's value is the value.
    """
    return tf.Variable(
        tf.zeros([], tf.int64), trainable=False, name=name, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
    )


def untracked(value: T) -> Callable[[], T]:
    """A function that returns `value`, to be kept as an attribute of a `tf.Module` in place of the value.

    A `tf.Module` takes every variable that it finds in its attributes, and in the modules, lists and dicts there, for
    its own: it lists it among its `variables` and saves it. It does not look into functions.
    """
    return lambda: value
