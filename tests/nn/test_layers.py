"""Each layer against Keras' with the same weights, or against NumPy."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from tf2cases import nn

CLOSE = dict(rtol=1e-5, atol=1e-5)
SEED = [7, 1]


def draw(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def with_keras_weights(layer, referee, x):
    """Builds both for `x`, with the same random weights, and returns them."""
    layer.create((None, *x.shape[1:]), 0)
    referee.build((None, *x.shape[1:]))
    layer.kernel.assign(draw(*layer.kernel.shape, seed=1))
    layer.bias.assign(draw(*layer.bias.shape, seed=2))
    referee.set_weights([layer.kernel.numpy(), layer.bias.numpy()])
    return layer, referee


@pytest.mark.parametrize("shape", [(4, 5), (2, 3, 5), (2, 3, 4, 5)])
def test_dense_equals_keras(shape):
    x = draw(*shape)
    ours, referee = with_keras_weights(nn.Dense(6, tf.nn.relu), keras.layers.Dense(6, "relu"), x)
    np.testing.assert_allclose(ours(x), referee(x), **CLOSE)


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


# [N, C] and [N, H, W, C].
BATCH_SHAPES = pytest.mark.parametrize("shape", [(16, 3), (4, 5, 2, 3)], ids=["rank_2", "rank_4"])


def batch_norm(shape, **options):
    layer = nn.BatchNorm(**options)
    layer.create((None, *shape[1:]), 0)
    layer.scale.assign([0.5, 1.5, -2.0])
    layer.offset.assign([1.0, -1.0, 0.25])
    layer.moving_mean.assign([0.1, -0.2, 0.3])
    layer.moving_variance.assign([0.5, 2.0, 1.0])
    return layer


@BATCH_SHAPES
@pytest.mark.parametrize("is_training", [False, True])
def test_batch_norm_equals_keras(shape, is_training):
    x = draw(*shape) * 3 + 1
    ours = batch_norm(shape, momentum=0.9, epsilon=1e-4)
    referee = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-4)
    referee.build(shape)
    referee.set_weights([v.numpy() for v in (ours.scale, ours.offset, ours.moving_mean, ours.moving_variance)])
    np.testing.assert_allclose(ours(tf.constant(x), is_training), referee(x, training=is_training), **CLOSE)
    np.testing.assert_allclose(ours.moving_mean, referee.moving_mean, **CLOSE)


@BATCH_SHAPES
def test_batch_norm_statistics_by_hand(shape):
    x = draw(*shape) * 3 + 1
    layer = batch_norm(shape, momentum=0.75, epsilon=1e-3)
    outputs = layer(tf.constant(x), is_training=True)
    rows = x.reshape(-1, 3).astype(np.float64)
    normal = (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-3)
    np.testing.assert_allclose(outputs, (normal * [0.5, 1.5, -2] + [1, -1, 0.25]).reshape(shape), **CLOSE)
    # The outputs take the variance with n below the line, the moving variance the one with n - 1.
    np.testing.assert_allclose(layer.moving_mean, 0.75 * np.array([0.1, -0.2, 0.3]) + 0.25 * rows.mean(0), **CLOSE)
    np.testing.assert_allclose(
        layer.moving_variance, 0.75 * np.array([0.5, 2, 1]) + 0.25 * rows.var(0, ddof=1), **CLOSE
    )


@BATCH_SHAPES
def test_batch_norm_out_of_training_knows_each_row_alone(shape):
    x = tf.constant(draw(*shape))
    layer = batch_norm(shape)
    before = [v.numpy() for v in layer.variables]
    together = layer(x, is_training=False)
    for i in range(shape[0]):
        np.testing.assert_array_equal(layer(x[i : i + 1], is_training=False)[0], together[i])
    for variable, value in zip(layer.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


@pytest.mark.parametrize(("scale", "offset"), [(True, False), (False, True), (False, False)])
def test_batch_norm_without_scale_or_offset(scale, offset):
    x = draw(8, 3)
    layer = nn.BatchNorm(scale=scale, offset=offset)
    layer.create((None, 3), 0)
    assert len(layer.trainable_variables) == scale + offset
    np.testing.assert_allclose(layer(tf.constant(x), True), (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-3), **CLOSE)


@BATCH_SHAPES
def test_batch_norms_activation_comes_last(shape):
    x = tf.constant(draw(*shape))
    plain, activated = batch_norm(shape), batch_norm(shape, activation=tf.nn.relu)
    for is_training in (False, True):
        np.testing.assert_array_equal(activated(x, is_training), np.maximum(plain(x, is_training), 0))


def test_batch_norm_takes_any_positive_epsilon():
    # TensorFlow's function once raised an epsilon below 1.001e-5 to that, silently. Variance 0, so 1 / sqrt(1e-10).
    layer = nn.BatchNorm(epsilon=1e-10)
    layer.create((None, 1), 0)
    layer.moving_variance.assign([0.0])
    np.testing.assert_allclose(layer(tf.constant([[1e-5]]), False), [[1.0]], rtol=1e-5)


@pytest.mark.parametrize("dtype", [tf.bfloat16, tf.float16])
def test_batch_norm_keeps_float32_statistics_of_low_precision_inputs(dtype):
    x = tf.cast(draw(32, 3), dtype)
    layer = nn.BatchNorm(momentum=0.0)
    layer.create((None, 3), 0)
    layer(x, is_training=True)
    exact = tf.cast(x, tf.float32).numpy().astype(np.float64)
    np.testing.assert_allclose(layer.moving_mean, exact.mean(0), **CLOSE)
    np.testing.assert_allclose(layer.moving_variance, exact.var(0, ddof=1), **CLOSE)


def test_batch_norm_on_two_replicas(two_replicas):
    """Each normalizes by its own rows; what is read and saved afterwards is the mean of the replicas' statistics."""
    x = draw(8, 3)
    halves = x[:4], x[4:]
    with two_replicas.scope():
        layer = nn.BatchNorm(momentum=0.5)
        layer.create((None, 3), 0)

    @tf.function
    def step(x):
        rows = two_replicas.experimental_distribute_values_from_function(
            lambda context: tf.split(x, 2)[context.replica_id_in_sync_group]
        )
        outputs = two_replicas.run(lambda rows: layer(rows, True), args=(rows,))
        return two_replicas.experimental_local_results(outputs)

    for actual, rows in zip(step(x), halves, strict=True):
        np.testing.assert_allclose(actual, (rows - rows.mean(0)) / np.sqrt(rows.var(0) + 1e-3), **CLOSE)
    means = np.mean([h.mean(0) for h in halves], 0)
    variances = np.mean([h.var(0, ddof=1) for h in halves], 0)
    np.testing.assert_allclose(tf.convert_to_tensor(layer.moving_mean), 0.5 * means, **CLOSE)
    np.testing.assert_allclose(tf.convert_to_tensor(layer.moving_variance), 0.5 + 0.5 * variances, **CLOSE)


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
    outputs = nn.AvgPool2D(3, 1, "SAME")(tf.constant([1.0, 2.0, 4.0], shape=[1, 1, 3, 1]))
    np.testing.assert_allclose(outputs[0, 0, :, 0], [1.5, 7 / 3, 3], **CLOSE)


def test_global_avg_pool_is_the_mean_over_places():
    x = draw(2, 3, 4, 5)
    np.testing.assert_allclose(nn.GlobalAvgPool2D()(tf.constant(x)), x.mean((1, 2)), **CLOSE)


def test_branches_are_joined_in_their_order():
    x = draw(2, 4, 4, 3)
    branches = nn.Branches([nn.AvgPool2D(3, 1, "SAME"), nn.UpSampling2D(1), nn.MaxPool2D(1)])
    assert branches.create((None, 4, 4, 3), 0) == (None, 4, 4, 9)
    pooled = nn.AvgPool2D(3, 1, "SAME")(tf.constant(x))
    np.testing.assert_array_equal(branches(tf.constant(x)), np.concatenate([pooled, x, x], axis=-1))


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


def test_sequential_passes_training_and_seed_on():
    network = nn.Sequential([nn.BatchNorm(), nn.Sequential([nn.Dropout(0.5)], name="inner")])
    network.create((None, 3), 0)
    x = tf.constant(draw(50, 3))
    plain = network(x)
    np.testing.assert_allclose(plain, x / np.sqrt(1.001), **CLOSE)
    trained = network(x, is_training=True, seed=tf.constant(SEED, tf.int64)).numpy()
    assert 0.2 < (trained == 0).mean() < 0.8


def test_sequential_gives_each_layer_its_own_initial_values():
    network = nn.Sequential([nn.Dense(4, name="a"), nn.Dense(4, name="b")])
    network.create((None, 4), 0)
    a, b = network.layers
    assert not np.array_equal(a.kernel.numpy(), b.kernel.numpy())


def test_initial_values_do_not_depend_on_the_layers_before():
    """So that putting a layer in, or leaving one out, changes nothing else."""
    short = nn.Sequential([nn.Dense(4, name="b")])
    longer = nn.Sequential([nn.Dense(4, name="a"), nn.Dense(4, name="b")])
    short.create((None, 4), 0)
    longer.create((None, 4), 0)
    np.testing.assert_array_equal(short.layers[0].kernel, longer.layers[1].kernel)


def test_a_skip_puts_the_inputs_before_what_its_layers_make_of_them():
    skip = nn.Skip([nn.MaxPool2D(2), nn.UpSampling2D(2)])
    assert skip.create((None, 2, 2, 1), 0) == (None, 2, 2, 2)
    inputs = np.float32([[[[1], [2]], [[3], [4]]]])
    expected = [[[[1, 4], [2, 4]], [[3, 4], [4, 4]]]]  # the largest is 4
    np.testing.assert_array_equal(skip(tf.constant(inputs)), expected)


def test_batch_norm_normalises_by_the_batch_and_leaves_its_statistics_when_told_to():
    norm, x = nn.BatchNorm(), tf.constant(draw(6, 3))
    norm.create((None, 3), 0)
    kept = norm(x, is_training=True, update_statistics=False)
    np.testing.assert_array_equal(norm.moving_mean, np.zeros(3))
    np.testing.assert_array_equal(norm.moving_variance, np.ones(3))
    np.testing.assert_array_equal(norm(x, is_training=True), kept)
    assert np.abs(norm.moving_mean.numpy()).min() > 0


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


def test_networks_logits_equal_keras():
    """Several layers in line, as a case has them."""
    network = nn.Sequential(
        [
            nn.Conv2D(4, 3, padding="VALID", activation=tf.nn.relu, name="conv_1"),
            nn.Conv2D(6, 3, 2, use_bias=False, name="conv_2"),
            nn.BatchNorm(),
            nn.MaxPool2D(2),
            nn.Flatten(),
            nn.Dense(5, tf.nn.relu, name="dense"),
            nn.Dense(10, name="logits"),
        ]
    )
    network.create((None, 14, 14, 1), 3)
    referee = keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, activation="relu"),
            keras.layers.Conv2D(6, 3, 2, padding="same", use_bias=False),
            keras.layers.BatchNormalization(),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="relu"),
            keras.layers.Dense(10),
        ]
    )
    referee.build((None, 14, 14, 1))
    conv_1, conv_2, norm, _, _, dense, logits = network.layers
    norm.moving_mean.assign(draw(6))
    norm.moving_variance.assign(np.abs(draw(6)) + 0.5)
    weights = [conv_1.kernel, conv_1.bias, conv_2.kernel]
    weights += [norm.scale, norm.offset, norm.moving_mean, norm.moving_variance]
    weights += [dense.kernel, dense.bias, logits.kernel, logits.bias]
    referee.set_weights([v.numpy() for v in weights])
    x = draw(3, 14, 14, 1)
    np.testing.assert_allclose(network(x), referee(x), **CLOSE)
