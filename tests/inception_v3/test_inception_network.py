"""The network against the paper's table and Keras' model."""

import numpy as np
import pytest
import tensorflow as tf

from tf2cases import nn
from tf2cases.inception_v3 import IMAGE_SHAPE, Network
from tf2cases.inception_v3.network import ConvUnit


@pytest.fixture(scope="module")
def network():
    network = Network(1000, kernel_init=nn.initializers.zeros)
    assert network.create((None, *IMAGE_SHAPE), 0) == (None, 1000)
    return network


# arXiv 1512.00567, table 1: the size that each row gives, which is the input of the next. The stem's second half is as
# the authors published it; the table has 71x71x80, 35x35x192, 35x35x288 there.
TABLE = {
    "conv": (149, 32),
    "conv_1": (147, 32),
    "conv_2": (147, 64),
    "pool": (73, 64),
    "conv_3": (73, 80),
    "conv_4": (71, 192),
    "pool_1": (35, 192),
    "mixed": (35, 256),
    "mixed_1": (35, 288),
    "mixed_2": (35, 288),
    "mixed_3": (17, 768),
    "mixed_4": (17, 768),
    "mixed_5": (17, 768),
    "mixed_6": (17, 768),
    "mixed_7": (17, 768),
    "mixed_8": (8, 1280),
    "mixed_9": (8, 2048),
    "mixed_10": (8, 2048),
}


def test_grid_sizes_are_those_of_the_papers_table(network):
    sizes = {block.name: block.output_shape for block in network.blocks}
    assert sizes == {name: (None, size, size, channels) for name, (size, channels) in TABLE.items()}


def test_branch_widths_are_the_published_ones(network):
    # The outputs of each block's branches, which add up to the table's channels.
    widths = {
        "mixed": [64, 64, 96, 32],
        "mixed_1": [64, 64, 96, 64],
        "mixed_2": [64, 64, 96, 64],
        "mixed_3": [384, 96, 288],
        **{f"mixed_{i}": [192, 192, 192, 192] for i in (4, 5, 6, 7)},
        "mixed_8": [320, 192, 768],
        "mixed_9": [320, 768, 768, 192],
        "mixed_10": [320, 768, 768, 192],
    }
    found = {
        block.name: [branch.output_shape[-1] for branch in block.branches]
        for block in network.blocks
        if isinstance(block, nn.Branches)
    }
    assert found == widths


def test_parameters_are_as_many_as_keras_says(network):
    # keras.io/api/applications: 23,851,784, of which the moving statistics of 17,216 channels are not trained.
    assert sum(int(tf.size(v)) for v in network.variables) == 23_851_784
    assert sum(int(tf.size(v)) for v in network.trainable_variables) == 23_817_352
    assert len(network.units()) == 94


def test_features_and_logits_equal_keras(keras_inception):
    network = _with_units(keras_inception)
    inputs = tf.constant(2 * keras_inception.pictures - 1)
    for one in (network, network.fold()):
        features = one.features(inputs)
        np.testing.assert_allclose(features, keras_inception.features, rtol=0, atol=1e-4)
        np.testing.assert_allclose(one.logits(features), keras_inception.logits, rtol=0, atol=1e-4)
    # The pictures are told apart, or nothing would be tested.
    assert np.abs(keras_inception.logits[0] - keras_inception.logits[1]).max() > 0.1


def _with_units(keras_inception):
    """A network with Keras' values, by the order of making alone."""
    network = Network(1000, kernel_init=nn.initializers.zeros)
    network.create((None, *IMAGE_SHAPE), 0)
    for unit, values in zip(network.units().values(), keras_inception.units, strict=True):
        unit.conv.kernel.assign(values["kernel"])
        unit.norm.offset.assign(values["beta"])
        unit.norm.moving_mean.assign(values["moving_mean"])
        unit.norm.moving_variance.assign(values["moving_variance"])
    kernel, bias = keras_inception.model.get_layer("predictions").get_weights()
    network.logits.kernel.assign(kernel)
    network.logits.bias.assign(bias)
    return network


def test_training_the_last_blocks_moves_their_statistics_and_no_others():
    network = Network(0)
    network.create((None, *IMAGE_SHAPE), 0)
    before = {name: value.numpy() for name, value in network.values().items()}
    images = tf.random.stateless_uniform([2, *IMAGE_SHAPE], [1, 2], -1.0, 1.0)
    variables = network.last_variables(2)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(network.features(images, training_blocks=2)))
    assert all(gradient is not None for gradient in tape.gradient(loss, variables))
    moved = {name for name, value in network.values().items() if not np.array_equal(value, before[name])}
    assert moved == {
        name for name in before if name.startswith(("mixed_9/", "mixed_10/")) and name.split("/")[-1][:6] == "moving"
    }
    # Blocks 9 and 10 have 9 units each, with a kernel and an offset.
    assert len(variables) == 2 * 9 * 2


def test_frozen_statistics_stay_though_the_blocks_are_trained():
    network = Network(3, kernel_init=nn.initializers.zeros)
    network.create((None, *IMAGE_SHAPE), 0)
    network.features(tf.zeros([1, *IMAGE_SHAPE]))
    assert all(np.all(value == 0) for name, value in network.values().items() if name.endswith("moving_mean"))
    assert len(network.last_variables(1)) == 9 * 2 + 2
    assert len(network.last_variables(0)) == 2


def test_reprs_are_the_calls_that_make_the_layers():
    assert repr(Network(7, folded=True)) == "Network(7, folded=True)"
    assert repr(ConvUnit(3, (1, 3), strides=2, name="c")) == "ConvUnit(3, (1, 3), strides=2, name='c')"


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="last_pool is 'min', but must be 'average' or 'max'"):
        Network(10, last_pool="min")
    with pytest.raises(ValueError, match="blocks is 19, but must be between 0 and 18"):
        Network(10).last_variables(19)
