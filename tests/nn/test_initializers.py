"""Initial values: their ranges and variances, and what they depend on."""

import numpy as np
import pytest
import tensorflow as tf

from tf2cases.nn import initializers

# A dense kernel, and those of convolutions, whose fans count the 3 x 3 pixels.
SHAPES = [(200, 300), (3, 3, 40, 60), (5, 3, 60, 40)]
EVERY_SHAPE = pytest.mark.parametrize("shape", SHAPES, ids=str)


def fans(shape):
    pixels = int(np.prod(shape[:-2]))
    return pixels * shape[-2], pixels * shape[-1]


@EVERY_SHAPE
def test_glorot_uniform_bounds_and_variance(shape):
    draws = initializers.glorot_uniform(shape, 1).numpy()
    fan_in, fan_out = fans(shape)
    limit = np.sqrt(6 / (fan_in + fan_out))
    assert np.abs(draws).max() <= limit
    # Some of more than 20,000 draws come within a thousandth of either end.
    assert draws.max() > 0.999 * limit
    assert draws.min() < -0.999 * limit
    # The variance of U(-a, a) is a^2 / 3; of 20,000 draws or more, 3 % are over 4 standard deviations of its estimate.
    assert draws.var() == pytest.approx(2 / (fan_in + fan_out), rel=0.03)
    assert abs(draws.mean()) < 4 * limit / np.sqrt(3 * draws.size)


@EVERY_SHAPE
def test_he_normal_has_the_variance_after_truncation(shape):
    draws = initializers.he_normal(shape, 1).numpy()
    variance = 2 / fans(shape)[0]
    assert draws.var() == pytest.approx(variance, rel=0.04)
    # Two standard deviations of the normal before truncation, whose own is 0.8796 of it.
    assert np.abs(draws).max() <= 2 * np.sqrt(variance) / 0.8796
    assert np.abs(draws).max() > 1.9 * np.sqrt(variance) / 0.8796


def test_truncated_normals_stddev_is_that_before_truncation():
    draws = initializers.truncated_normal(0.02)([300, 300], 1).numpy()
    assert np.abs(draws).max() <= 0.04 * 1.00001
    assert draws.std() == pytest.approx(0.02 * 0.87962566, rel=0.01)


def test_truncated_stddev_is_scipys():
    stats = pytest.importorskip("scipy.stats")
    assert stats.truncnorm.std(-2, 2) == pytest.approx(initializers._TRUNCATED_STDDEV, rel=1e-12)


def test_zeros():
    np.testing.assert_array_equal(initializers.zeros([2, 3], 5), np.zeros([2, 3]))


def test_a_made_initializer_is_called_after_what_made_it():
    assert initializers.truncated_normal(0.02).__name__ == "truncated_normal(0.02)"


DRAWN = pytest.mark.parametrize(
    "init",
    [initializers.glorot_uniform, initializers.he_normal, initializers.truncated_normal(0.02)],
    ids=["glorot_uniform", "he_normal", "truncated_normal"],
)


@DRAWN
def test_values_are_float32_and_a_function_of_the_seed(init):
    seen = []
    for seed in (0, 1, 2**31, 2**32, 2**63 - 1):
        first = init((4, 5), seed).numpy()
        assert first.dtype == np.float32
        np.testing.assert_array_equal(init((4, 5), seed), first)
        seen.append(first)
    assert len(np.unique(seen)) == 100


@DRAWN
def test_values_are_the_same_under_xla(init):
    compiled = tf.function(lambda seed: init((50, 40), seed), jit_compile=True)
    for seed in (7, 2**62 + 1):
        # The seed is a tensor, since what can be computed while tracing is not left to XLA.
        np.testing.assert_allclose(compiled(tf.constant(seed, tf.int64)), init((50, 40), seed), rtol=1e-5, atol=1e-6)
