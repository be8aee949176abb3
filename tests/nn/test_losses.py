"""Losses against NumPy, Keras and quadrature; and at the extremes."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf2cases.nn import losses

DRAWS = np.random.default_rng(0)
X = DRAWS.standard_normal([4, 3, 2]).astype(np.float32) * 3
Y = DRAWS.standard_normal([4, 3, 2]).astype(np.float32)
TARGETS = DRAWS.uniform(size=[4, 3, 2]).astype(np.float32)
LABELS = np.array([1, 0, 2, 1])
LOW = pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])


def gradient(loss, x):
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        value = loss(x)
    return tape.gradient(value, x).numpy()


def test_mean_squared_error_is_each_examples_mean():
    np.testing.assert_allclose(losses.mean_squared_error(X, Y), ((X - Y) ** 2).mean((1, 2)), rtol=1e-5)
    # (1 + 9) / 2 and (0 + 4) / 2.
    actual = losses.mean_squared_error(tf.constant([[1, 2], [3, 4]]), tf.constant([[0.0, 5.0], [3.0, 2.0]]))
    np.testing.assert_array_equal(actual, [5, 2])


def test_mean_squared_error_of_one_number_an_example():
    np.testing.assert_array_equal(losses.mean_squared_error(tf.constant([1.0, 2.0]), tf.constant([3.0, 2.0])), [4, 0])


def test_mean_squared_error_does_not_broadcast():
    message = r"targets have shape \(4,\), but must have that of the outputs, \(4, 1\)\."
    with pytest.raises(ValueError, match=message):
        losses.mean_squared_error(tf.zeros([4]), tf.zeros([4, 1]))


def test_mean_squared_error_of_an_unknown_batch():
    spec = tf.TensorSpec([None, 3, 2])
    function = tf.function(losses.mean_squared_error, input_signature=[spec, spec])
    np.testing.assert_allclose(function(X, Y), ((X - Y) ** 2).mean((1, 2)), rtol=1e-5)


def test_sigmoid_cross_entropy_by_the_formula():
    s = 1 / (1 + np.exp(-X.astype(np.float64)))
    values = -TARGETS * np.log(s) - (1 - TARGETS) * np.log(1 - s)
    np.testing.assert_allclose(losses.sigmoid_cross_entropy(TARGETS, X), values.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(
        losses.sigmoid_cross_entropy(TARGETS, X, reduce=tf.reduce_sum), values.sum((1, 2)), rtol=1e-5
    )


def test_sigmoid_cross_entropy_equals_keras():
    expected = keras.losses.binary_crossentropy(TARGETS.reshape(4, 6), X.reshape(4, 6), from_logits=True)
    np.testing.assert_allclose(losses.sigmoid_cross_entropy(TARGETS, X), expected, rtol=1e-5)


def test_sigmoid_cross_entropy_of_extreme_logits():
    # Right and sure: 0. Wrong and sure: the logit itself. In the middle: max(x, 0) - x / 2.
    logits = tf.constant([[1e4], [-1e4], [-1e4], [1e4], [1e4], [-1e4], [0.0]])
    targets = tf.constant([[1.0], [0.0], [1.0], [0.0], [0.5], [0.5], [1.0]])
    expected = [0, 0, 1e4, 1e4, 5e3, 5e3, np.log(2)]
    np.testing.assert_allclose(losses.sigmoid_cross_entropy(targets, logits), expected, rtol=1e-6)
    # s(x) - t.
    slope = gradient(lambda x: losses.sigmoid_cross_entropy(targets, x), logits)
    np.testing.assert_allclose(slope[:, 0], [0, 0, -1, 1, 0.5, -0.5, -0.5], atol=1e-6)


def test_softmax_cross_entropy_by_the_formula():
    logits = X.reshape(4, 6).astype(np.float64)
    expected = np.log(np.exp(logits).sum(1)) - logits[np.arange(4), LABELS]
    for labels in (LABELS, LABELS.astype(np.uint8), LABELS.astype(np.int64)):
        np.testing.assert_allclose(losses.softmax_cross_entropy(labels, X.reshape(4, 6)), expected, rtol=1e-5)


def test_softmax_cross_entropy_equals_keras():
    logits = X.reshape(4, 6)
    expected = keras.losses.sparse_categorical_crossentropy(LABELS, logits, from_logits=True)
    np.testing.assert_allclose(losses.softmax_cross_entropy(LABELS, logits), expected, rtol=1e-5)


def test_softmax_cross_entropy_of_extreme_logits():
    logits = tf.constant([[1e4, -1e4], [1e4, -1e4], [1e4, 1e4], [-1e4, -1e4]])
    labels = tf.constant([0, 1, 0, 1])
    np.testing.assert_allclose(losses.softmax_cross_entropy(labels, logits), [0, 2e4, np.log(2), np.log(2)], rtol=1e-6)
    slope = gradient(lambda x: losses.softmax_cross_entropy(labels, x), logits)
    np.testing.assert_allclose(slope, [[0, 0], [1, -1], [-0.5, 0.5], [0.5, -0.5]], atol=1e-6)


def test_kl_by_quadrature():
    """The integral of p log(p / q), for each latent apart, summed."""
    integrate = pytest.importorskip("scipy.integrate")
    stats = pytest.importorskip("scipy.stats")
    mean, log_variance = [0.0, 1.5, -0.7], [0.0, -1.0, 0.8]

    def divergence(m, v):
        p, q = stats.norm(m, np.sqrt(np.exp(v))), stats.norm()
        return integrate.quad(lambda x: p.pdf(x) * (p.logpdf(x) - q.logpdf(x)), m - 15, m + 15, points=[m])[0]

    expected = sum(map(divergence, mean, log_variance))
    np.testing.assert_allclose(losses.kl_to_unit_gaussian([mean], [log_variance]), [expected], rtol=1e-5)


def test_kl_by_hand():
    # Mean 2: 4 / 2. Variance e: (e - 1 - 1) / 2. The unit Gaussian itself: 0.
    mean = [[2.0, 0.0], [0.0, 0.0], [0.0, 0.0]]
    log_variance = [[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]]
    np.testing.assert_allclose(losses.kl_to_unit_gaussian(mean, log_variance), [2, (np.e - 2) / 2, 0], atol=1e-6)


def test_kl_of_extreme_inputs_is_finite():
    # mean^2 / 2; (-1 + 1e4) / 2, where the variance itself is 0; a straight line from exp(30) on, else infinite.
    mean = [[1e4], [-1e4], [0.0], [0.0]]
    log_variance = [[0.0], [0.0], [-1e4], [1e4]]
    expected = [5e7, 5e7, 9999 / 2, np.exp(30.0) * (1 + 9970) / 2]
    np.testing.assert_allclose(losses.kl_to_unit_gaussian(mean, log_variance), expected, rtol=1e-5)
    for i in range(2):
        arguments = [tf.constant(mean), tf.constant(log_variance)]
        slope = gradient(lambda x, i=i, a=arguments: losses.kl_to_unit_gaussian(*a[:i], x, *a[i + 1 :]), arguments[i])
        assert np.isfinite(slope).all()
    assert slope[3] > 0 > slope[2]  # by the log variance: back towards 0


@LOW
def test_losses_of_low_precision_are_computed_in_float32(dtype):
    x, y = tf.cast(X, dtype), tf.cast(Y, dtype)
    exact_x, exact_y = tf.cast(x, tf.float32), tf.cast(y, tf.float32)
    flat, exact = tf.reshape(x, [4, 6]), tf.reshape(exact_x, [4, 6])
    pairs = [
        (losses.mean_squared_error(x, y), losses.mean_squared_error(exact_x, exact_y)),
        (losses.sigmoid_cross_entropy(TARGETS, x), losses.sigmoid_cross_entropy(TARGETS, exact_x)),
        (losses.softmax_cross_entropy(LABELS, flat), losses.softmax_cross_entropy(LABELS, exact)),
        (losses.kl_to_unit_gaussian(x, y), losses.kl_to_unit_gaussian(exact_x, exact_y)),
    ]
    for actual, expected in pairs:
        assert actual.dtype == tf.float32
        assert actual.shape[0] == 4
        np.testing.assert_array_equal(actual, expected)
