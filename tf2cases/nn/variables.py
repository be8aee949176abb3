"""Attributes of a `tf.Module`: variables that are not trained, and values that the module is not to track."""

from collections.abc import Callable
from typing import TypeVar

import tensorflow as tf

T = TypeVar("T")


def counter(name: str) -> tf.Variable:
    """An int64 scalar variable that starts at 0; all replicas count alike."""
    return of_all_replicas(tf.zeros([], tf.int64), name)


def of_all_replicas(initial: tf.Tensor, name: str) -> tf.Variable:
    """A variable that all replicas update alike; so the first replica's value is the value."""
    return tf.Variable(initial, trainable=False, name=name, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)


def of_each_replica(initial: tf.Tensor, name: str, aggregation: tf.VariableAggregation) -> tf.Variable:
    """A variable that each replica updates on its own; what is read outside of them is the aggregation."""
    on_read = tf.VariableSynchronization.ON_READ
    return tf.Variable(initial, trainable=False, name=name, synchronization=on_read, aggregation=aggregation)


def untracked(value: T) -> Callable[[], T]:
    """A function that returns `value`, to be kept as an attribute of a `tf.Module` in place of the value.

    A `tf.Module` takes every variable that it finds in its attributes, and in the modules, lists and dicts there, for
    its own: it lists it among its `variables` and saves it. It does not look into functions.
    """
    return lambda: value
