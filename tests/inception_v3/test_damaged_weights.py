"""Damaged files of weights: whatever is wrong, one sentence names the file."""

import random

import h5py
import numpy as np
import pytest
import tensorflow as tf

from tf2cases.errors import UsageError
from tf2cases.inception_v3 import frozen_graph, keras_weights

UNITS = ["a", "b"]


def hdf5(path):
    with h5py.File(path, "w") as file:
        for number in ("", "_1"):
            convolution = file.create_group(f"conv2d{number}/conv2d{number}")
            convolution["kernel:0"] = np.ones((3, 3, 2, 2), np.float32)
            norm = file.create_group(f"batch_normalization{number}/batch_normalization{number}")
            for name in ("beta:0", "moving_mean:0", "moving_variance:0"):
                norm[name] = np.ones(2, np.float32)
        file.attrs["layer_names"] = [b"conv2d"] * 5


def constants(path):
    graph = tf.compat.v1.GraphDef()
    for name, value in (("a/conv2d_params", np.ones((3, 3, 2, 2), np.float32)), ("text", np.array(b"text"))):
        node = graph.node.add(name=name, op="Const")
        node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    path.write_bytes(graph.SerializeToString())
    return graph


@pytest.mark.parametrize(("make", "read"), [(hdf5, keras_weights.read), (constants, frozen_graph.read)])
def test_damage_anywhere_is_named(make, read, tmp_path):
    draw, path = random.Random(5), tmp_path / "weights"
    make(path)
    read(str(path), UNITS)
    data = path.read_bytes()
    said = []
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(draw.choice([1, 1, 3])):
            damaged[draw.randrange(len(data))] = draw.choice([0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)])
        path.write_bytes(damaged)
        try:
            read(str(path), UNITS)
        except UsageError as error:
            said.append(str(error))
    assert len(said) > 50
    assert all(str(path) in sentence and "\n" not in sentence for sentence in said)


def test_a_constant_that_would_fill_the_memory_is_refused(tmp_path):
    graph = constants(tmp_path / "a.pb")
    shape = graph.node[0].attr["value"].tensor.tensor_shape
    shape.dim[0].size = shape.dim[1].size = 2**20
    (tmp_path / "a.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(
        UsageError, match=r"a.pb is damaged: the constant 'a/conv2d_params' cannot be read .its shape is"
    ):
        frozen_graph.read(str(tmp_path / "a.pb"), UNITS)


def test_a_tensor_that_would_fill_the_memory_is_refused(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("conv2d/conv2d/kernel:0", (2**20, 2**20), np.float32, chunks=(1, 2**10))
    with pytest.raises(UsageError, match=r"a.h5 is not a complete HDF5 file .conv2d/conv2d/kernel:0 has the shape"):
        keras_weights.read(str(tmp_path / "a.h5"), UNITS)
