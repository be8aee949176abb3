"""The graph of 2015, `classify_image_graph_def.pb`: reads its constants as weights, or runs the graph itself."""

import math
from collections.abc import Collection

import numpy as np
import tensorflow as tf
from google.protobuf import message

from tf2cases import files
from tf2cases.data.pictures.graph import composite_on_white, decode
from tf2cases.errors import UsageError

_OLD_NORM = "BatchNormWithGlobalNormalization"
_MAX_BYTES = 2**31 - 1  # of a protocol buffer
_INPUT = "DecodeJpeg/contents:0"
_OUTPUTS = {"probabilities": "softmax:0", "logits": "softmax/logits:0", "features": "pool_3:0"}
_VARIABLES = {
    "kernel": "conv2d_params",
    "offset": "batchnorm/beta",
    "moving_mean": "batchnorm/moving_mean",
    "moving_variance": "batchnorm/moving_variance",
}


def parse(path: str) -> tf.compat.v1.GraphDef:
    """Reads a GraphDef.

    Raises:
      UsageError: the file is missing, or is not a complete GraphDef.
    """
    graph_def = tf.compat.v1.GraphDef()
    try:
        graph_def.ParseFromString(files.read_bytes(path, _MAX_BYTES))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({files.reason(error)}), but must be a frozen graph.") from error
    except message.DecodeError as error:
        raise UsageError(f"{path} is not a complete GraphDef ({files.reason(error)}); download it again.") from error
    if not graph_def.node:
        raise UsageError(f"{path} has no nodes, but must be a frozen graph.")
    return graph_def


def read(path: str, unit_paths: Collection[str]) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Reads the constants of a frozen graph.

    Returns:
      tensors, names: see `keras_weights.read`.

    Raises:
      UsageError: see `parse`, or the batch norm is not Inception-v3's.
    """
    graph_def = parse(path)
    tensors = {node.name: _constant(path, node) for node in graph_def.node if node.op == "Const"}
    names = {f"{unit}/{ours}": f"{unit}/{theirs}" for unit in unit_paths for ours, theirs in _VARIABLES.items()}
    for node in graph_def.node:
        if node.op == _OLD_NORM and node.name.removesuffix("/batchnorm") in unit_paths:
            epsilon = node.attr["variance_epsilon"].f
            if not np.isclose(epsilon, 1e-3):
                raise UsageError(f"{path}: {node.name} has epsilon {epsilon:g}, but Inception-v3 has 0.001.")
            if node.attr["scale_after_normalization"].b:
                names[f"{node.name.removesuffix('/batchnorm')}/scale"] = f"{node.name}/gamma"
    return tensors, names | {"logits/kernel": "softmax/weights", "logits/bias": "softmax/biases"}


def _constant(path, node):
    proto = node.attr["value"].tensor
    sizes = [dimension.size for dimension in proto.tensor_shape.dim]
    try:
        if math.prod(max(size, 1) for size in sizes) > _MAX_BYTES:  # a single value may stand for all
            raise ValueError(f"its shape is {sizes}")
        return tf.make_ndarray(proto)
    except (TypeError, ValueError) as error:
        raise UsageError(
            f"{path} is damaged: the constant {node.name!r} cannot be read ({files.reason(error)})."
        ) from error


class Engine:
    """Runs the graph itself, picture by picture: its batch size is 1.

    `BatchNormWithGlobalNormalization`, which today's runtime rejects, becomes `FusedBatchNormV3` before the import.
    """

    def __init__(self, path: str):
        """Raises:
        UsageError: see `parse`, or the graph lacks operations of the graph of 2015.
        """
        parsed = parse(path)
        try:
            graph_def = _modernized(parsed)
            wrapped = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph_def, name=""), [])
            graph = wrapped.graph
            fetches = {name: graph.get_tensor_by_name(tensor) for name, tensor in _OUTPUTS.items()}
            self._function = wrapped.prune(graph.get_tensor_by_name(_INPUT), fetches)
        except Exception as error:  # TensorFlow raises all kinds of errors for damaged graphs
            raise UsageError(f"{path} is not the graph of 2015: {files.reason(error)}.") from error

    @property
    def classes(self) -> int:
        """The number of classes."""
        return self._function.structured_outputs["probabilities"].shape[-1]

    def __call__(self, picture: bytes) -> dict[str, np.ndarray]:
        """Runs the graph on one picture.

        Args:
          picture: bytes; a JPEG is decoded by the graph, another format beforehand and composited on white.

        Returns:
          {"probabilities" and "logits": float32 [classes], "features": float32 [2048]}.

        Raises:
          tf.errors.InvalidArgumentError: see `pictures.graph.decode`.
        """
        if not picture.startswith(b"\xff\xd8\xff"):
            rgb = composite_on_white(decode(picture))
            picture = tf.io.encode_png(tf.image.convert_image_dtype(rgb, tf.uint8, saturate=True))
        outputs = self._function(tf.convert_to_tensor(picture))
        return {name: np.ravel(value) for name, value in outputs.items()}


def _modernized(graph_def):
    """A copy with every old batch norm replaced."""
    new = tf.compat.v1.GraphDef()
    for node in graph_def.node:
        if node.op != _OLD_NORM:
            new.node.add().CopyFrom(node)
            continue
        (inputs, mean, variance, beta, gamma), controls = node.input[:5], node.input[5:]
        if not node.attr["scale_after_normalization"].b:
            gamma = f"{node.name}/ones"
            ones = new.node.add(name=gamma, op="OnesLike", input=[beta])
            ones.attr["T"].type = node.attr["T"].type
        fused = new.node.add(
            name=node.name, op="FusedBatchNormV3", input=[inputs, gamma, beta, mean, variance, *controls]
        )
        fused.attr["T"].type = fused.attr["U"].type = node.attr["T"].type
        fused.attr["epsilon"].f = node.attr["variance_epsilon"].f
        fused.attr["is_training"].b = False
    return new
