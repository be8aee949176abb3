"""Batch normalization against Keras', and by hand."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_values import CLOSE, draw

from tf2cases import nn

SHAPE = (4, 5, 2, 3)


def created(**options):
    layer = nn.BatchNorm(**options)
    layer.create((None, *SHAPE[1:]), 0)
    return layer


def batch_norm(**options):
    """With values in its variables that are not the initial ones."""
    layer = created(**options)
    layer.scale.assign([0.5, 1.5, -2.0])
    layer.offset.assign([1.0, -1.0, 0.25])
    layer.moving_mean.assign([0.1, -0.2, 0.3])
    layer.moving_variance.assign([0.5, 2.0, 1.0])
    return layer


@pytest.mark.parametrize("is_training", [False, True])
def test_batch_norm_equals_keras(is_training):
    x = draw(*SHAPE) * 3 + 1
    ours = batch_norm(momentum=0.9, epsilon=1e-4)
    referee = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-4)
    referee.build(SHAPE)
    referee.set_weights([v.numpy() for v in (ours.scale, ours.offset, ours.moving_mean, ours.moving_variance)])
    np.testing.assert_allclose(ours(tf.constant(x), is_training), referee(x, training=is_training), **CLOSE)
    np.testing.assert_allclose(ours.moving_mean, referee.moving_mean, **CLOSE)


def test_batch_norm_statistics_by_hand():
    x = draw(*SHAPE) * 3 + 1
    layer = batch_norm(momentum=0.75, epsilon=1e-3)
    outputs = layer(tf.constant(x), is_training=True)
    rows = x.reshape(-1, 3).astype(np.float64)
    normal = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-3)
    np.testing.assert_allclose(outputs, (normal * [0.5, 1.5, -2] + [1, -1, 0.25]).reshape(SHAPE), **CLOSE)
    # The outputs take the variance with n below the line, the moving variance the one with n - 1.
    np.testing.assert_allclose(layer.moving_mean, 0.75 * np.array([0.1, -0.2, 0.3]) + 0.25 * rows.mean(0), **CLOSE)
    np.testing.assert_allclose(
        layer.moving_variance, 0.75 * np.array([0.5, 2, 1]) + 0.25 * rows.var(0, ddof=1), **CLOSE
    )


def test_batch_norm_out_of_training_knows_each_row_alone():
    x = tf.constant(draw(*SHAPE))
    layer = batch_norm()
    before = [v.numpy() for v in layer.variables]
    together = layer(x, is_training=False)
    for i in range(SHAPE[0]):
        np.testing.assert_array_equal(layer(x[i : i + 1], is_training=False)[0], together[i])
    for variable, value in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def normalized(x):
    """[N, H, W, C] by the statistics of its channels, with the default epsilon."""
    return (x - x.mean((0, 1, 2))) / np.sqrt(x.var((0, 1, 2)) + 1e-3)


def test_batch_norm_without_scale():
    x, layer = draw(*SHAPE), created(use_scale=False)
    assert len(layer.trainable_variables) == 1
    np.testing.assert_allclose(layer(tf.constant(x), True), normalized(x), **CLOSE)


def test_batch_norms_activation_comes_last():
    x = tf.constant(draw(*SHAPE))
    plain, activated = batch_norm(), batch_norm(activation=tf.nn.relu)
    for is_training in (False, True):
        np.testing.assert_array_equal(activated(x, is_training), np.maximum(plain(x, is_training), 0))


def test_batch_norm_takes_any_positive_epsilon():
    # TensorFlow's function once raised an epsilon below 1.001e-5 to that, silently. Variance 0, so 1 / sqrt(1e-10).
    layer = created(epsilon=1e-10)
    layer.moving_variance.assign(tf.zeros([3]))
    np.testing.assert_allclose(layer(tf.fill(SHAPE, 1e-5), False), np.ones(SHAPE), rtol=1e-5)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
def test_batch_norm_keeps_float32_statistics_of_low_precision_inputs(dtype):
    x, layer = tf.cast(draw(*SHAPE), dtype), created(momentum=0.0)
    layer(x, is_training=True)
    exact = tf.cast(x, tf.float32).numpy().astype(np.float64).reshape(-1, 3)
    np.testing.assert_allclose(layer.moving_mean, exact.mean(0), **CLOSE)
    np.testing.assert_allclose(layer.moving_variance, exact.var(0, ddof=1), **CLOSE)


def test_batch_norm_on_two_replicas(two_replicas):
    """Each normalizes by its own rows; what is read and saved afterwards is the mean of the replicas' statistics."""
    x = draw(*SHAPE)
    halves = x[:2], x[2:]
    with two_replicas.scope():
        layer = created(momentum=0.5)

    @tf.function
    def step(x):
        rows = two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.split(x, 2)[context.replica_id_in_sync_group]
        )
        outputs = two_replicas.run(lambda rows: layer(rows, True), args=(rows,))
        return two_replicas.experimental_local_results(outputs)

    for actual, rows in zip(step(x), halves, strict=True):
        np.testing.assert_allclose(actual, normalized(rows), **CLOSE)
    means = np.mean([h.mean((0, 1, 2)) for h in halves], 0)
    variances = np.mean([h.var((0, 1, 2), ddof=1) for h in halves], 0)
    np.testing.assert_allclose(tf.convert_to_tensor(layer.moving_mean), 0.5 * means, **CLOSE)
    np.testing.assert_allclose(tf.convert_to_tensor(layer.moving_variance), 0.5 + 0.5 * variances, **CLOSE)


def test_batch_norm_normalizes_by_the_batch_and_leaves_its_statistics_when_told_to():
    norm, x = created(), tf.constant(draw(*SHAPE))
    kept = norm(x, is_training=True, update_statistics=False)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(3))
    np.testing.assert_array_equal(norm.moving_variance, np.ones(3))
    np.testing.assert_array_equal(norm(x, is_training=True), kept)
    assert np.abs(norm.moving_mean.numpy()).min() > 0
