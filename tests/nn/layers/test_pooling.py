"""Pools against Keras', and by hand."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_values import CLOSE, draw

from tf2cases import nn


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("strides", [None, 1, 2])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(
    ("kind", "referee", "equal"),
    [
        (nn.MaxPool2D, keras.layers.MaxPooling2D, np.testing.assert_array_equal),
        (nn.AvgPool2D, keras.layers.AveragePooling2D, functools.partial(np.testing.assert_allclose, **CLOSE)),
    ],
    ids=["max", "average"],
)
def test_a_pool_equals_keras(kind, referee, equal, padding, strides, size):
    x = draw(2, 7, 5, 3)
    ours = kind(size, strides, padding)
    shape = ours.create((None, 7, 5, 3), 0)
    expected = referee(size, strides, padding)(x)
    assert shape[1:] == expected.shape[1:]
    equal(ours(x), expected)


def test_avg_pool_leaves_the_padding_out():
    # One row 1 2 4, windows of three: (1 + 2) / 2, (1 + 2 + 4) / 3, (2 + 4) / 2.
    layer = nn.AvgPool2D(3, 1, "SAME")
    layer.create((None, 1, 3, 1), 0)
    outputs = layer(tf.constant([1.0, 2.0, 4.0], shape=[1, 1, 3, 1]))
    np.testing.assert_allclose(outputs[0, 0, :, 0], [1.5, 7 / 3, 3], **CLOSE)


def test_global_avg_pool_is_the_mean_over_places():
    x = draw(2, 3, 4, 5)
    layer = nn.GlobalAvgPool2D()
    layer.create((None, 3, 4, 5), 0)
    np.testing.assert_allclose(layer(tf.constant(x)), x.mean((1, 2)), **CLOSE)
