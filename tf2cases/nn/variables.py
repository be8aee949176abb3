"""Attributes of a `tf.Module`: non-trainable variables, and values that the module must not track."""

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

T = TypeVar("T")


def counter(name: str) -> tf.Variable:
    """An int64 scalar variable that starts at 0; all replicas update it identically."""
    return of_all_replicas(tf.zeros([], tf.int64), name)


def of_all_replicas(initial: tf.Tensor, name: str) -> tf.Variable:
    """A variable that all replicas update identically; its value is that of the first replica."""
    return tf.Variable(initial, trainable=False, name=name, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def of_each_replica(initial: tf.Tensor, name: str, aggregation: tf.VariableAggregation) -> tf.Variable:
    """A variable that each replica updates on its own; reads outside of replicas return the aggregate."""
    on_read = tf.VariableSynchronization.ON_READ
    return tf.Variable(initial, trainable=False, name=name, synchronization=on_read, aggregation=aggregation)


def untracked(value: T) -> Callable[[], T]:
    """Wraps `value` in a function, to be stored in an attribute of a `tf.Module` instead of the value.

    A `tf.Module` tracks all variables in its attributes, including those in nested modules, lists and dicts: they are
    in its `variables` and are saved with it. It does not look inside functions.
    """
    return lambda: value
