"""The dense layer against Keras'."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_values import CLOSE, draw, with_keras_weights

from tf2cases import nn


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 5), (2, 3, 4, 5)])
def test_dense_equals_keras(shape):
    x = draw(*shape)
    ours, referee = with_keras_weights(nn.Dense(6, tf.nn.relu), keras.layers.Dense(6, "relu"), x)
    np.testing.assert_allclose(ours(x), referee(x), **CLOSE)
