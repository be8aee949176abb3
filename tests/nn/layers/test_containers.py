"""Sequential, Branches and Skip: what they pass on, their names and seeds, and a network against Keras'."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from layer_values import CLOSE, SEED, draw

from tf2cases import nn


def test_sequential_passes_training_and_seed_on():
    network = nn.Sequential([nn.BatchNorm(), nn.Sequential([nn.Dropout(0.5)], name="inner")])
    network.create((None, 1, 1, 3), 0)
    x = tf.constant(draw(50, 1, 1, 3))
    plain = network(x, is_training=False)
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


def test_branches_are_joined_in_their_order():
    x = draw(2, 4, 4, 3)
    branches = nn.Branches([nn.AvgPool2D(3, 1, "SAME"), nn.UpSampling2D(1), nn.MaxPool2D(1)])
    assert branches.create((None, 4, 4, 3), 0) == (None, 4, 4, 9)
    pooled = branches.branches[0](tf.constant(x))
    np.testing.assert_array_equal(branches(tf.constant(x)), np.concatenate([pooled, x, x], axis=-1))


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
    np.testing.assert_allclose(network(x, is_training=False), referee(x), **CLOSE)


def names(layers):
    return [layer.name for layer in layers]


def test_unnamed_layers_are_numbered_and_given_names_stay():
    layers = [
        nn.Dense(1),
        nn.Flatten(),
        nn.Dense(1, name="dense_1"),
        nn.Dense(1),
        nn.Dense(1, name="dense"),
        nn.Flatten(),
    ]
    network = nn.Sequential(layers)
    assert names(network.layers) == ["dense_2", "flatten", "dense_1", "dense_3", "dense", "flatten_1"]
    assert names(nn.Skip([nn.Dense(1), nn.Dense(1)]).layers) == ["dense", "dense_1"]


def test_each_container_numbers_its_own_layers():
    network = nn.Sequential([nn.Sequential([nn.Dense(2), nn.Dense(2)]), nn.Sequential([nn.Dense(2)]), nn.Dense(2)])
    network.create((None, 2), 0)
    assert names(network.layers) == ["sequential", "sequential_1", "dense"]
    kernels = sorted(v.name for v in network.variables if "kernel" in v.name)
    places = ["dense", "sequential/dense", "sequential/dense_1", "sequential_1/dense"]
    assert kernels == [f"sequential/{place}/kernel:0" for place in places]


def test_a_number_stands_for_a_name_that_is_given():
    """The same initial values, and the same names of variables."""
    numbered = nn.Sequential([nn.Dense(3), nn.Dense(3)])
    named = nn.Sequential([nn.Dense(3, name="dense"), nn.Dense(3, name="dense_1")])
    for network in (numbered, named):
        network.create((None, 3), 4)
    for mine, theirs in zip(numbered.variables, named.variables, strict=True):
        assert mine.name == theirs.name
        np.testing.assert_array_equal(mine, theirs)


def test_spectral_norm_is_numbered_with_its_layer():
    network = nn.Sequential([nn.SpectralNorm(nn.Dense(2)), nn.SpectralNorm(nn.Dense(2)), nn.Dense(2)])
    network.create((None, 2), 0)
    assert names(network.layers) == ["dense", "dense_1", "dense_2"]
    assert network.layers[1].layer.kernel.name == "sequential/dense_1/dense_1/kernel:0"
    assert repr(network) == (
        "Sequential([SpectralNorm(Dense(2)), SpectralNorm(Dense(2, name='dense_1')), Dense(2, name='dense_2')])"
    )


def test_update_statistics_reaches_the_layers():
    network = nn.Branches([nn.Sequential([nn.BatchNorm()]), nn.SpectralNorm(nn.Conv2D(2, 1))])
    network.create((None, 2, 2, 3), 0)
    before = [v.numpy() for v in network.variables]
    network(tf.constant(draw(4, 2, 2, 3)), is_training=True, update_statistics=False)
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)
    network(tf.constant(draw(4, 2, 2, 3)), is_training=True)
    moved = {v.name.split("/")[-1] for v, b in zip(network.variables, before, strict=True) if np.any(v != b)}
    assert moved == {"moving_mean:0", "moving_variance:0", "right:0"}


def test_a_missing_argument_is_named_with_the_innermost_layer():
    network = nn.Sequential([nn.Flatten(), nn.Sequential([nn.Branches([nn.Dropout(0.5, name="drop")])])])
    network.create((None, 2), 0)
    x = tf.ones([3, 2])
    with pytest.raises(TypeError, match=r"^drop needs the argument 'is_training', but it was not given\.$"):
        network(x)
    with pytest.raises(TypeError, match=r"^drop needs the argument 'seed' in training, but it was not given\.$"):
        network(x, is_training=True)
    np.testing.assert_array_equal(network(x, is_training=False), x)


def test_a_layer_of_ones_own_is_called_with_what_its_signature_names():
    class Scaled(nn.Layer):
        def _create(self, input_shape, seed):
            return input_shape

        @tf.Module.with_name_scope
        def __call__(self, inputs, update_statistics=True):
            return inputs * (2.0 if update_statistics else 3.0)

    network = nn.Sequential([Scaled(), Scaled()])
    network.create((None, 2), 0)
    assert names(network.layers) == ["scaled", "scaled_1"]
    np.testing.assert_array_equal(network(tf.ones([1, 2]), is_training=True, update_statistics=False), [[9.0, 9.0]])
    np.testing.assert_array_equal(network(tf.ones([1, 2])), [[4.0, 4.0]])
