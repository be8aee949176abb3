"""Weights of TF-Slim's Inception-v3 from a checkpoint of TensorFlow 1."""

import re
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from tf2cases import files
from tf2cases.errors import UsageError
from tf2cases.inception_v3.network import ConvUnit

_PREFIX = "InceptionV3/"
_STEM = {
    "conv": "Conv2d_1a_3x3",
    "conv_1": "Conv2d_2a_3x3",
    "conv_2": "Conv2d_2b_3x3",
    "conv_3": "Conv2d_3b_1x1",
    "conv_4": "Conv2d_4a_3x3",
}
_BLOCKS = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
# Names in the published checkpoints that do not follow the rule.
_EXCEPTIONS = {
    "Mixed_5c/Branch_1/Conv2d_0a_1x1": "Mixed_5c/Branch_1/Conv2d_0b_1x1",
    "Mixed_5c/Branch_1/Conv2d_0b_5x5": "Mixed_5c/Branch_1/Conv_1_0c_5x5",
    "Mixed_6a/Branch_0/Conv2d_1a_3x3": "Mixed_6a/Branch_0/Conv2d_1a_1x1",
    "Mixed_6a/Branch_1/Conv2d_1a_3x3": "Mixed_6a/Branch_1/Conv2d_1a_1x1",
    "Mixed_7b/Branch_1/Conv2d_0c_3x1": "Mixed_7b/Branch_1/Conv2d_0b_3x1",
}
_VARIABLES = {
    "kernel": "weights",
    "offset": "BatchNorm/beta",
    "scale": "BatchNorm/gamma",
    "moving_mean": "BatchNorm/moving_mean",
    "moving_variance": "BatchNorm/moving_variance",
}


def read(path: str, units: Mapping[str, ConvUnit]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads a checkpoint.

    Args:
      path: the prefix of its files, with or without .index.
      units: {path: unit} of the network, see `Network.units`.

    Returns:
      tensors: {name in the file: array}; the last layer's kernel, a 1x1 convolution in the file, becomes a matrix.
      names: {name in the network: name in the file}.

    Raises:
      UsageError: the checkpoint is not complete, or not Slim's.
    """
    path = path.removesuffix(".index")
    try:
        for name in (path, f"{path}.index", f"{path}.data-00000-of-00001"):
            if files.is_special(name):  # TensorFlow would wait for a pipe
                files.check_regular(name)
        with files.literal(path) as literal:
            reader = tf.train.load_checkpoint(literal)
            tensors = {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}
    except (OSError, tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        raise UsageError(
            f"{path} is not a complete checkpoint ({files.reason(error)}), nor a .pb or .h5 file."
        ) from error
    if not any(name.startswith(_PREFIX) for name in tensors):
        raise UsageError(f"{path} is not a checkpoint of TF-Slim's Inception-v3.")
    names = {}
    for unit_path, unit in units.items():
        for ours, theirs in _VARIABLES.items():
            name = f"{_PREFIX}{_scope(unit_path, unit)}/{theirs}"
            if ours != "scale" or name in tensors:
                names[f"{unit_path}/{ours}"] = name
    kernel, bias = (f"{_PREFIX}Logits/Conv2d_1c_1x1/{name}" for name in ("weights", "biases"))
    if kernel in tensors and tensors[kernel].shape[:-2] == (1, 1):
        tensors[kernel] = tensors[kernel][0, 0]
    return tensors, names | {"logits/kernel": kernel, "logits/bias": bias}


def _scope(path, unit):
    """Slim's name of a unit, such as Mixed_6b/Branch_2/Conv2d_0c_1x7; the letter is its position in the branch."""
    block, *rest = path.split("/")
    if not rest:
        return _STEM[block]
    number = int((re.findall(r"_(\d+)$", block) or [0])[0])
    is_reduction = number in (3, 8)
    if rest[0].startswith("conv"):
        branch, position = 0, 0
    else:
        tower = int((re.findall(r"_(\d+)$", rest[0]) or [0])[0])
        # In block 8, no branch is a single convolution, so the first branch is a tower.
        branch = tower if number == 8 else tower + 1
        position = int((re.findall(r"_(\d+)$", rest[-1]) or [0])[0])
        if "mixed" in rest:  # after the one or two convolutions before the fork
            position += tower + 1
        elif branch == 3:  # after the pool
            position = 1
    height, width = unit.conv.kernel_size
    place = "1a" if is_reduction and unit.conv.strides == 2 else f"0{'abcde'[position]}"
    name = f"Mixed_{_BLOCKS[number]}/Branch_{branch}/Conv2d_{place}_{height}x{width}"
    return _EXCEPTIONS.get(name, name)
