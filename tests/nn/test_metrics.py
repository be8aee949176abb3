"""Metrics by hand."""

import math

import numpy as np
import pytest
import tensorflow as tf

from tf2cases.nn import metrics


def test_mean_of_batches_of_different_sizes_and_shapes():
    # (1 + 2 + 3 + 4 + 11) / 5.
    mean = metrics.Mean()
    mean.update(tf.constant([1.0, 2.0]))
    mean.update(tf.constant([[3.0, 4.0]]))
    mean.update(tf.constant(11.0))
    mean.update(tf.zeros([0]))
    assert mean.result() == 4.2


def test_mean_counts_bools():
    mean = metrics.Mean()
    mean.update(tf.constant([True, False, True, True]))
    assert mean.result() == 0.75


def test_mean_sums_in_float64():
    # In float32, 2^24 + 1 is 2^24, and float16's sums are worse.
    mean = metrics.Mean()
    mean.update(tf.constant([2.0**24]))
    for _ in range(3):
        mean.update(tf.constant([1.0], tf.float16))
    assert mean.result() == (2**24 + 3) / 4


def test_mean_of_nothing_is_nan():
    assert math.isnan(metrics.Mean().result())


def test_confusion_matrix():
    confusion = metrics.ConfusionMatrix(3)
    confusion.update(tf.constant([0, 0, 1, 2]), tf.constant([0, 1, 1, 0]))
    confusion.update(np.array([2, 2], np.int64), tf.constant([2, 2], tf.int64))
    np.testing.assert_array_equal(confusion.counts, [[1, 1, 0], [0, 1, 0], [1, 0, 2]])
    assert confusion.counts.dtype == tf.int64
    # 4 of 6 on the diagonal.
    assert confusion.accuracy() == pytest.approx(4 / 6)


def test_confusion_matrix_of_nothing():
    assert math.isnan(metrics.ConfusionMatrix(2).accuracy())


@pytest.mark.parametrize(("labels", "predictions"), [([3], [0]), ([0], [3]), ([-1], [0])])
def test_confusion_matrix_refuses_classes_that_it_does_not_have(labels, predictions):
    with pytest.raises(tf.errors.InvalidArgumentError):
        metrics.ConfusionMatrix(3).update(tf.constant(labels), tf.constant(predictions))
