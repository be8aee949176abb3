"""Weights of TF-Slim's Inception-v3 from a checkpoint of TensorFlow 1."""

import re

_PREFIX = "InceptionV3/"
_STEM = {
    "conv": "Conv2d_1a_3x3",
    "conv_1": "Conv2d_2a_3x3",
    "conv_2": "Conv2d_2b_3x3",
    "conv_3": "Conv2d_3b_1x1",
    "conv_4": "Conv2d_4a_3x3",
}
_BLOCKS = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
# Where the names do not follow the rule: by slips that are in the checkpoints for good.
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


def is_slim(names):
    """Whether the names of a checkpoint's tensors are Slim's."""
    return any(name.startswith(_PREFIX) for name in names)


def read(tensors, network):
    """Where each variable is in a checkpoint.

    Args:
      tensors: {name: array}.
      network: the `Network`.

    Returns:
      tensors: with the last layer's kernel, a 1x1 convolution there, as a matrix.
      names: {name in the network: name in the file}.
    """
    names = {}
    for path, unit in network.units().items():
        for ours, theirs in _VARIABLES.items():
            name = f"{_PREFIX}{_scope(path, unit)}/{theirs}"
            if ours != "scale" or name in tensors:
                names[f"{path}/{ours}"] = name
    kernel, bias = (f"{_PREFIX}Logits/Conv2d_1c_1x1/{name}" for name in ("weights", "biases"))
    if kernel in tensors:
        array = tensors[kernel]
        tensors = tensors | {kernel: array[0, 0] if array.ndim == 4 and array.shape[:2] == (1, 1) else array}
    return tensors, names | {"logits/kernel": kernel, "logits/bias": bias}


def _scope(path, unit):
    """Slim's name of a unit: Mixed_6b/Branch_2/Conv2d_0c_1x7, where letters count what precedes it in its branch."""
    block, *rest = path.split("/")
    if not rest:
        return _STEM[block]
    number = int((re.findall(r"_(\d+)$", block) or [0])[0])
    is_reduction = number in (3, 8)
    if rest[0].startswith("conv"):
        branch, position = 0, 0
    else:
        tower = int((re.findall(r"_(\d+)$", rest[0]) or [0])[0])
        # A tower is the first branch where none is a single convolution.
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
