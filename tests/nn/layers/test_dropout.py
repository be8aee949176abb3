"""Dropout: what it drops, what it keeps, and what that depends on."""

import numpy as np
import pytest
import tensorflow as tf
from layer_values import SEED, draw

from tf2cases import nn


def dropout(rate, seed=0, shape=(None, 1000)):
    layer = nn.Dropout(rate)
    layer.create(shape, seed)
    return layer


def mask(layer, seed, rows=100):
    return layer(tf.ones([rows, 1000]), True, tf.constant(seed, tf.int64)).numpy() > 0


@pytest.mark.parametrize("rate", [0.25, 0.5, 0.9])
def test_dropout_drops_the_rate_and_scales_the_rest(rate):
    x = np.abs(draw(100, 1000)) + 0.1
    outputs = dropout(rate)(x, True, tf.constant(SEED, tf.int64)).numpy()
    kept = outputs != 0
    np.testing.assert_allclose(outputs[kept], (x / (1 - rate))[kept], rtol=1e-6)
    # 100,000 draws: a standard deviation of the share of at most 0.0016.
    assert abs(kept.mean() - (1 - rate)) < 0.006
    # No row or column is treated differently: 1000 and 100 draws, standard deviations of at most 0.016 and 0.05.
    assert np.abs(kept.mean(1) - (1 - rate)).max() < 0.08
    assert np.abs(kept.mean(0) - (1 - rate)).max() < 0.25


def test_dropout_zeroes_even_what_is_not_finite():
    outputs = dropout(0.5)(tf.fill([10, 1000], np.inf), True, tf.constant(SEED, tf.int64)).numpy()
    assert set(np.unique(outputs)) == {0, np.inf}


def test_dropout_out_of_training_and_at_rate_0_is_identity():
    x = draw(4, 1000)
    np.testing.assert_array_equal(dropout(0.5)(x, False, None), x)
    np.testing.assert_array_equal(dropout(0.0)(x, True, None), x)


def test_dropout_mask_is_a_function_of_seed_step_and_layer():
    layer, other = dropout(0.5, seed=1), dropout(0.5, seed=2)
    first = mask(layer, [7, 1])
    np.testing.assert_array_equal(mask(layer, [7, 1]), first)
    np.testing.assert_array_equal(mask(dropout(0.5, seed=1), [7, 1]), first)
    for different in (mask(layer, [8, 1]), mask(layer, [7, 2]), mask(other, [7, 1])):
        # Two masks without relation agree in one half of 100,000 places, with a standard deviation of 0.0016.
        assert abs((different == first).mean() - 0.5) < 0.006


def test_dropout_layers_of_a_network_draw_different_masks():
    network = nn.Sequential([nn.Dropout(0.5, name="a"), nn.Dropout(0.5, name="b")])
    network.create((None, 1000), 0)
    first, second = (mask(layer, SEED) for layer in network.layers)
    assert abs((first == second).mean() - 0.5) < 0.006


def test_dropout_passes_gradients_through_its_mask():
    x = tf.constant(draw(4, 1000))
    layer, seed = dropout(0.75), tf.constant(SEED, tf.int64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, True, seed)
    np.testing.assert_array_equal(tape.gradient(y, x), np.where(y.numpy() != 0, 4.0, 0.0))
