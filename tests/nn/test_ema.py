"""The exponential moving average by hand."""

import numpy as np
import pytest
import tensorflow as tf

from tf2cases import nn


def network(seed=0):
    layers = nn.Sequential([nn.Conv2D(2, 1), nn.BatchNorm(use_scale=False)])
    layers.create((None, 1, 1, 3), seed)
    return layers


def fill(layers, value):
    for variable in layers.variables:
        variable.assign(tf.fill(variable.shape, float(value)))


def value_of(layers):
    """The one value that all trainable variables have, and that of the others."""
    kinds = [[v.numpy() for v in layers.variables if v.trainable == kind] for kind in (True, False)]
    values = [np.unique(np.concatenate([v.ravel() for v in kind])) for kind in kinds]
    assert all(len(v) == 1 for v in values)
    return [float(v[0]) for v in values]


def test_starts_as_a_copy():
    average, source = network(1), network(2)
    ema = nn.ExponentialMovingAverage(average, source, 0.9)
    assert ema.network is average
    assert ema.updates == 0
    for mine, theirs in zip(average.variables, source.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    x = tf.ones([2, 1, 1, 3])
    np.testing.assert_array_equal(average(x, is_training=False), source(x, is_training=False))


# The decay is min(0.2, (1 + t) / (10 + t)): 1/10, 2/11 = 0.1818, then 3/12 = 0.25 cut to 0.2.
# From 0 towards 1: 0.9; then 0.9818182 (0.9 + 9/11 of 0.1); then towards 2: 0.9818182 + 0.8 * 1.0181818 = 1.7963636.
# The moving statistics are copied: 1, 1, 2.
EXPECTED = [[0.9, 1], [0.9818182, 1], [1.7963636, 2]]


@pytest.mark.parametrize("how", ["eager", "traced", "compiled"])
def test_updates_by_hand(how):
    average, source = network(), network()
    fill(source, 0)
    ema = nn.ExponentialMovingAverage(average, source, 0.2)
    update = ema.update if how == "eager" else tf.function(ema.update, jit_compile=how == "compiled")
    seen = []
    for value in (1, 1, 2):
        fill(source, value)
        update()
        seen.append(value_of(average))
    np.testing.assert_allclose(seen, EXPECTED, rtol=1e-6)
    assert value_of(source) == [2, 2]
    assert ema.updates == 3


def test_updates_on_two_replicas(two_replicas):
    with two_replicas.scope():
        average, source = network(), network()
        fill(source, 0)
        ema = nn.ExponentialMovingAverage(average, source, 0.2)
    update = tf.function(lambda: two_replicas.run(ema.update))
    for value, expected in zip((1, 1, 2), EXPECTED, strict=True):
        fill(source, value)
        update()
        for variable in average.variables:
            for local in two_replicas.experimental_local_results(variable):
                np.testing.assert_allclose(local, np.full(local.shape, expected[not variable.trainable]), rtol=1e-6)
    assert ema.updates == 3


def test_decay_0_copies():
    average, source = network(1), network(2)
    ema = nn.ExponentialMovingAverage(average, source, 0.0)
    fill(source, 5)
    ema.update()
    assert value_of(average) == [5, 5]


def test_checkpoint_holds_the_average_and_the_count_only(tmp_path):
    average, source = network(1), network(2)
    ema = nn.ExponentialMovingAverage(average, source, 0.5)
    ema.update()
    path = tf.train.Checkpoint(ema=ema).save(str(tmp_path / "c"))
    saved = [name for name, _ in tf.train.list_variables(path) if name.startswith("ema/")]
    assert len(saved) == len(average.variables) + 1
    new = nn.ExponentialMovingAverage(network(3), network(4), 0.5)
    tf.train.Checkpoint(ema=new).restore(path).assert_consumed()
    assert new.updates == 1
    for mine, theirs in zip(new.network.variables, average.variables, strict=True):
        np.testing.assert_array_equal(mine, theirs)
