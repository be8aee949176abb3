"""Spectral normalization against NumPy's singular values."""

import numpy as np
import pytest
import tensorflow as tf
from layer_values import draw

from tf2cases import nn


@pytest.mark.parametrize("layer", [lambda: nn.Dense(4), lambda: nn.Conv2D(4, 3)])
def test_spectral_norm_divides_the_kernel_by_its_largest_singular_value(layer):
    layer = layer()
    inputs = tf.constant(draw(2, 5, 5, 3))
    norm = nn.SpectralNorm(layer)
    norm.create((None, 5, 5, 3), 1)
    for _ in range(60):  # the power iteration goes on from call to call
        norm(inputs, is_training=True)
    kernel = layer.kernel.numpy()
    largest = np.linalg.svd(kernel.reshape(-1, 4), compute_uv=False)[0]
    np.testing.assert_allclose(norm(inputs, is_training=False), layer.compute(inputs, kernel / largest), atol=1e-5)
    kept = norm.right.numpy()
    norm(inputs, is_training=True, update_statistics=False)
    np.testing.assert_array_equal(norm.right, kept)
