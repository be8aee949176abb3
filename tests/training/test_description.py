"""What `Case.describe` prints: every trained variable, once."""

import numpy as np
import pytest
import tensorflow as tf

from tf2cases import nn, training
from tf2cases.data.source import Source


class Pair(tf.Module):
    """Two layers outside of a `Layer`."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Dense(2, name="first"), nn.Dense(1, name="second")
        self.second.create(self.first.create((None, 3), 0), 0)


@pytest.fixture
def described(toy):
    """described(attributes) -> the description of a case with these attributes besides `weights`, float32 [3]."""

    def describe(**attributes):
        case = toy(toy.Config(steps=1), {})
        for name, value in attributes.items():
            setattr(case, name, value)
        arrays = {"features": np.zeros([1, 3], np.float32), "targets": np.zeros(1, np.float32)}
        return training.Case.describe(case, Source("toy", {"train": arrays, "test": arrays}, {})).splitlines()

    return describe


def test_a_case_without_layers_lists_its_variables_but_not_those_of_its_optimizer(described):
    lines = described()
    assert lines[2].split() == ["weights", "(3,)", "3"]
    assert len(lines) == 5
    assert lines[-1] == "Parameters: 3 (trainable 3, others 0)"


def test_layers_inside_of_other_modules_are_listed(described):
    lines = described(pair=Pair())
    assert [line for line in lines if line in ("first", "second", "variables outside of layers")] == [
        "first",
        "second",
        "variables outside of layers",
    ]
    assert lines[-1] == "In all: 14 (trainable 14, others 0)"  # 3 x 2 + 2, 2 x 1 + 1, and 3


def test_a_moving_average_of_a_network_is_not_counted(described):
    network, average = nn.Dense(2, name="network"), nn.Dense(2, name="average")
    for layer in (network, average):
        layer.create((None, 3), 0)
    lines = described(network=network, average=nn.ExponentialMovingAverage(average, network, 0.9), again=network)
    assert "average" not in " ".join(lines)
    assert lines[-1] == "In all: 11 (trainable 11, others 0)"  # 3 x 2 + 2, and 3
