"""Up-sampling and flattening against Keras'."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_values import draw

from tf2cases import nn


@pytest.mark.parametrize("size", [1, 2, 3])
def test_up_sampling_equals_keras(size):
    x = draw(2, 3, 4, 5)
    ours = nn.UpSampling2D(size)
    ours.create((None, 3, 4, 5), 0)
    np.testing.assert_array_equal(ours(x), keras.layers.UpSampling2D(size)(x))


def test_flatten_equals_keras():
    x = draw(2, 3, 4, 5)
    ours = nn.Flatten()
    ours.create((None, 3, 4, 5), 0)
    np.testing.assert_array_equal(ours(x), keras.layers.Flatten()(x))


def test_flatten_of_an_empty_batch():
    ours = nn.Flatten()
    ours.create((None, 3, 4), 0)
    assert ours(tf.zeros([0, 3, 4])).shape == (0, 12)
