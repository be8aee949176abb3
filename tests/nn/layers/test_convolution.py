"""Convolutions against Keras' with the same weights, and by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_values import CLOSE, draw, with_keras_weights

from tf2cases import nn


@pytest.mark.parametrize("size", [1, 3, 4, (2, 5)])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_conv_equals_keras(padding, strides, size):
    x = draw(2, 9, 8, 3)
    ours, referee = with_keras_weights(
        nn.Conv2D(4, size, strides, padding, tf.nn.relu),
        keras.layers.Conv2D(4, size, strides, padding, activation="relu"),
        x,
    )
    np.testing.assert_allclose(ours(x), referee(x), **CLOSE)


@pytest.mark.parametrize("size", [1, 3, 4, (2, 5)])
@pytest.mark.parametrize("strides", [1, 2, 3])
@pytest.mark.parametrize("padding", ["SAME", "VALID"])
def test_transposed_conv_equals_keras(padding, strides, size):
    x = draw(2, 3, 4, 3)
    ours, referee = with_keras_weights(
        nn.Conv2DTranspose(4, size, strides, padding, tf.nn.relu),
        keras.layers.Conv2DTranspose(4, size, strides, padding, activation="relu"),
        x,
    )
    np.testing.assert_allclose(ours(x), referee(x), **CLOSE)


def test_transposed_conv_by_hand():
    # One channel, kernel [1, 2, 3], stride 2, VALID: 10 and 20 put 10 20 30 at columns 0-2 and 20 40 60 at 2-4.
    layer = nn.Conv2DTranspose(1, (1, 3), 2, "VALID", use_bias=False)
    assert layer.create((None, 1, 2, 1), 0) == (None, 2, 5, 1)
    layer.kernel.assign([[[[1.0]], [[2.0]], [[3.0]]]])
    outputs = layer(tf.constant([10.0, 20.0], shape=[1, 1, 2, 1]))
    np.testing.assert_array_equal(outputs[0, :, :, 0], [[10, 20, 50, 40, 60], [0, 0, 0, 0, 0]])
