"""What a Sequential computes together is what its layers compute one by one."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from layer_values import SEED, draw

from tf2cases import nn

# Of the largest value. A sum of many bfloat16 gradients may be off by more than a rounding.
TOLERANCE = {tf.float32: 1e-5, tf.bfloat16: 1e-1}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE, ids=lambda dtype: dtype.name)


def network(layers, shape):
    """The layers in sequence, with biases that are not 0."""
    made = nn.Sequential(layers)
    made.create((None, *shape), 0)
    for i, variable in enumerate(made.trainable_variables):
        if variable.shape.rank == 1:
            variable.assign(draw(*variable.shape, seed=i) / 2)
    return made


def one_by_one(made, x, **arguments):
    for layer in made.layers:
        x = nn.call(layer, x, **arguments)
    return x


def outputs_and_gradients(function, made, x, **arguments):
    """The outputs, and the gradients for the inputs and the variables, as float32 arrays."""
    with tf.GradientTape() as tape:
        tape.watch(x)
        outputs = function(x, **arguments)
        weights = tf.cast(draw(*outputs.shape, seed=9), outputs.dtype)
    gradients = tape.gradient(outputs, [x, *made.trainable_variables], output_gradients=weights)
    return [tf.cast(value, tf.float32).numpy() for value in (outputs, *gradients)]


def compare(made, shape, dtype, exact=False, **arguments):
    x = tf.cast(draw(3, *shape, seed=5), dtype)
    ours = outputs_and_gradients(made, made, x, **arguments)
    theirs = outputs_and_gradients(lambda x, **a: one_by_one(made, x, **a), made, x, **arguments)
    if exact:
        np.testing.assert_array_equal(ours[0], theirs[0])
    for actual, expected in zip(ours, theirs, strict=True):
        largest = max(np.abs(expected).max(), 1e-3)
        np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE[dtype] * largest)


@pytest.mark.parametrize("sides", [(6, 6), (7, 5), (3, 3)])
@pytest.mark.parametrize(("size", "strides"), [(2, None), (3, 2), (1, 2)])
@pytest.mark.parametrize("activation", [None, tf.nn.relu, tf.nn.relu6])
def test_a_pool_before_bias_and_activation_gives_the_same_values_and_gradients(sides, size, strides, activation):
    for convolution, padding, pool_padding in itertools.product(
        (nn.Conv2D, nn.Conv2DTranspose), ("SAME", "VALID"), ("SAME", "VALID")
    ):
        if sides == (3, 3) and pool_padding == "VALID" and size > 1:
            continue  # no window fits into 1x1
        layers = [convolution(4, 3, padding=padding, activation=activation), nn.MaxPool2D(size, strides, pool_padding)]
        compare(network(layers, (*sides, 2)), (*sides, 2), tf.float32, exact=True)


def test_a_pool_of_a_single_pixel_gives_the_same_values_and_gradients():
    layers = [nn.Conv2D(4, 1, activation=tf.nn.relu), nn.MaxPool2D(2, padding="SAME")]
    compare(network(layers, (1, 1, 3)), (1, 1, 3), tf.float32, exact=True)


def test_bfloat16_values_are_the_same_to_the_last_bit_where_the_pool_comes_first():
    """Rounding the sum with the bias does not decrease. Gradients may move among pixels that rounding makes equal."""
    made = network([nn.Conv2D(8, 3, activation=tf.nn.relu), nn.MaxPool2D(2, padding="SAME")], (7, 9, 2))
    x = tf.cast(draw(4, 7, 9, 2), tf.bfloat16)
    np.testing.assert_array_equal(tf.cast(made(x), tf.float32), tf.cast(one_by_one(made, x), tf.float32))


@DTYPES
def test_the_gradients_of_each_window_have_the_same_sum_where_maxima_are_equal(dtype):
    made = network([nn.Conv2D(1, 1, activation=tf.nn.relu), nn.MaxPool2D(2)], (6, 6, 1))
    made.layers[0].kernel.assign([[[[1.0]]]])
    x = tf.cast(np.random.default_rng(0).integers(-2, 2, [8, 6, 6, 1]), dtype)
    ours = outputs_and_gradients(made, made, x)
    theirs = outputs_and_gradients(lambda x: one_by_one(made, x), made, x)
    for actual, expected in ((ours[1], theirs[1]),):
        windows = [value.reshape(8, 3, 2, 3, 2).sum(axis=(2, 4)) for value in (actual, expected)]
        np.testing.assert_array_equal(*windows)
    for actual, expected in zip(ours[2:], theirs[2:], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=TOLERANCE[dtype])


@DTYPES
@pytest.mark.parametrize("is_training", [True, False])
def test_a_pool_before_the_activation_of_a_batch_norm_gives_the_same_values(is_training, dtype):
    made = network([nn.BatchNorm(activation=tf.nn.relu), nn.MaxPool2D(2, padding="SAME")], (5, 7, 3))
    x = tf.cast(draw(4, 5, 7, 3), dtype)
    ours, theirs = made(x, is_training=is_training), one_by_one(made, x, is_training=is_training)
    np.testing.assert_array_equal(tf.cast(ours, tf.float32), tf.cast(theirs, tf.float32))


def test_a_batch_norm_before_a_pool_updates_its_statistics_once():
    made = network([nn.BatchNorm(momentum=0.5, activation=tf.nn.relu), nn.MaxPool2D(2)], (4, 4, 1))
    x = tf.constant(draw(2, 4, 4, 1))
    made(x, is_training=True, update_statistics=False)
    assert made.layers[0].moving_mean.numpy() == 0
    made(x, is_training=True)
    np.testing.assert_allclose(made.layers[0].moving_mean, [x.numpy().mean() / 2], rtol=1e-5)


@DTYPES
@pytest.mark.parametrize("sides", [(4, 6), (5, 3), (1, 1)])
@pytest.mark.parametrize("kernel", [1, 3, 5, (3, 1), 2, 4])
@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("filters", [1, 8])
def test_repeated_pixels_and_a_convolution_give_the_same_values_and_gradients(sides, kernel, size, filters, dtype):
    layers = [
        nn.UpSampling2D(size),
        nn.Conv2D(filters, kernel, activation=tf.tanh),
    ]  # no kink, at which rounding matters
    compare(network(layers, (*sides, 2)), (*sides, 2), dtype)


@pytest.mark.parametrize("options", [dict(padding="VALID"), dict(strides=2), dict(use_bias=False)])
def test_other_convolutions_after_repeated_pixels_give_the_same_values_and_gradients(options):
    layers = [nn.UpSampling2D(2), nn.Conv2D(3, 3, **options)]
    compare(network(layers, (4, 3, 2)), (4, 3, 2), tf.float32)


@DTYPES
@pytest.mark.parametrize(
    ("between", "activation"),
    [
        (lambda: [nn.Dropout(0.5)], tf.nn.relu),
        (lambda: [nn.BatchNorm(activation=tf.abs)], tf.nn.relu),
        (lambda: [], tf.abs),
        (lambda: [], tf.nn.leaky_relu),
    ],
    ids=["dropout", "norm", "abs", "leaky_relu"],
)
def test_layers_between_and_other_activations_give_the_same_values(between, activation, dtype):
    convolution = dict(filters=3, kernel_size=3, activation=activation)
    pooled = [nn.Conv2D(**convolution), *between(), nn.MaxPool2D(2)]
    enlarged = [nn.UpSampling2D(2), *between(), nn.Conv2D(**convolution)]
    made = network([nn.Sequential(pooled, "pooled"), nn.Sequential(enlarged, "enlarged")], (6, 6, 2))
    x = expected = tf.cast(draw(3, 6, 6, 2), dtype)
    arguments = dict(is_training=True, seed=tf.constant(SEED, tf.int64))
    for part in made.layers:
        expected = one_by_one(part, expected, **arguments)
    actual, expected = (tf.cast(value, tf.float32).numpy() for value in (made(x, **arguments), expected))
    np.testing.assert_allclose(actual, expected, rtol=0, atol=TOLERANCE[dtype] * np.abs(expected).max())


def graph(made, shape):
    return tf.function(made).get_concrete_function(tf.TensorSpec([3, *shape])).graph


def test_activations_work_on_the_pooled_picture_and_repeated_pixels_are_not_made():
    layers = [
        nn.Conv2D(8, 3, activation=tf.nn.relu, name="conv_1"),
        nn.MaxPool2D(2),
        nn.UpSampling2D(2),
        nn.Conv2D(2, 3, activation=tf.nn.relu, name="conv_2"),
    ]
    operations = graph(network(layers, (8, 8, 1)), (8, 8, 1)).get_operations()
    shapes = {op.name: op.outputs[0].shape.as_list() for op in operations if op.outputs}
    assert shapes["sequential/conv_1/Relu"] == [3, 4, 4, 8]
    assert [name for name, shape in shapes.items() if shape == [3, 8, 8, 8]] == ["sequential/conv_1/Conv2D"]


def test_the_graph_has_one_scope_for_each_layer():
    layers = [nn.UpSampling2D(2), nn.Conv2D(2, 3, activation=tf.nn.relu, name="conv"), nn.MaxPool2D(2)]
    names = [op.name.split("/") for op in graph(network(layers, (4, 4, 1)), (4, 4, 1)).get_operations()]
    assert {name[1] for name in names if name[0] == "sequential" and len(name) > 2} == {"conv", "max_pool"}


def test_pictures_of_unknown_size_are_accepted():
    made = nn.Sequential([nn.Conv2D(2, 3, activation=tf.nn.relu), nn.MaxPool2D(2), nn.UpSampling2D(2), nn.Conv2D(1, 3)])
    made.create((None, None, None, 1), 0)
    function = tf.function(made, input_signature=[tf.TensorSpec([None, None, None, 1])])
    x = tf.constant(draw(2, 6, 4, 1))
    np.testing.assert_allclose(function(x), one_by_one(made, x), atol=1e-5)


def test_a_layer_that_was_not_created_says_so_where_it_is_computed_with_another():
    made = nn.Sequential([nn.Conv2D(2, 3, name="conv"), nn.MaxPool2D(2)])
    made.output_shape = (None, 2, 2, 2)
    with pytest.raises(RuntimeError, match=r"^conv was called before `create`, which creates the variables\.$"):
        made(tf.ones([1, 4, 4, 1]))
