"""Converts the default signature of an export to a single file for other runtimes: ONNX, or LiteRT's .tflite."""

import importlib.util
import logging
import os
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tf2cases import files
from tf2cases.errors import RunError, UsageError
from tf2cases.serving.signatures import DEFAULT

ENDINGS = {"onnx": ".onnx", "litert": ".tflite"}
TOLERANCE = 1e-4  # of an output's largest value

_OPSET = 17
_ROWS = 3  # of the inputs with which a file is checked


def check_available(to: str) -> None:
    """Checks whether a format can be written.

    Args:
      to: a key of `ENDINGS`.

    Raises:
      UsageError: a library is missing.
    """
    if to == "onnx" and importlib.util.find_spec("tf2onnx") is None:
        raise UsageError("--format is 'onnx', but tf2onnx is missing: pip install 'tf2cases[convert]'.")


def convert(directory: str, to: str) -> str:
    """Writes NAME/NAME-VERSION.onnx or .tflite beside the directory NAME/VERSION of an export.

    The file has the inputs and outputs of `serving_default`, with the names that these have there, and takes any number
    of rows. Before it gets its name, a reader compares it with the export on random inputs: the one of TensorFlow for
    LiteRT, and ONNX Runtime, if it is installed, for ONNX. Servers ignore the file, since it is no directory.

    Args:
      directory: a version of an export, whose default signature takes floats.
      to: a key of `ENDINGS`.

    Returns:
      The file; one that exists already is left as it is, since a version does not change.

    Raises:
      RunError: the signature cannot be converted, the file's answers differ, or the disk is full.
    """
    directory = os.path.abspath(directory)
    base, version = os.path.split(directory)
    target = os.path.join(base, f"{os.path.basename(base)}-{version}{ENDINGS[to]}")
    if os.path.exists(target):
        return target
    try:
        content = (_to_onnx if to == "onnx" else _to_litert)(directory)
        _check(directory, content, _read_onnx if to == "onnx" else _read_litert)
    except RunError:
        raise
    except Exception as error:  # the converters raise nearly anything
        raise RunError(f"{directory} could not be converted to {target}: {files.reason(error)}.") from error
    with files.writing(target):
        files.write_bytes(target, content)
    return target


def _to_onnx(directory: str) -> bytes:
    import tensorflow as tf
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    with files.literal(directory) as place:
        loaded = tf.saved_model.load(place)
    signature = loaded.signatures[DEFAULT]
    specs = dict(sorted(signature.structured_input_signature[1].items()))
    named = [tf.TensorSpec(spec.shape, spec.dtype, name=key) for key, spec in specs.items()]

    @tf.function
    def serve(*values):
        return signature(**dict(zip(specs, values, strict=True)))

    model, _ = tf2onnx.convert.from_function(serve, input_signature=named, opset=_OPSET)
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "rows"  # else it is a number that changes from time to time
    return model.SerializeToString()


def _to_litert(directory: str) -> bytes:
    import tensorflow as tf

    with files.literal(directory) as place:
        return tf.lite.TFLiteConverter.from_saved_model(place, signature_keys=[DEFAULT], tags={"serve"}).convert()


def _check(directory: str, content: bytes, read: Callable[..., Mapping[str, np.ndarray] | None]) -> None:
    """Compares a converted file with the export on random inputs.

    Raises:
      RunError: an output differs.
    """
    import tensorflow as tf

    with files.literal(directory) as place:
        loaded = tf.saved_model.load(place)
    signature, random = loaded.signatures[DEFAULT], np.random.default_rng(0)
    inputs = {
        key: random.random([_ROWS, *spec.shape[1:]]).astype(spec.dtype.as_numpy_dtype)
        for key, spec in signature.structured_input_signature[1].items()
    }
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "model")
        with open(path, "wb") as file:
            file.write(content)
        found = read(path, inputs)
    if found is None:
        return
    for key, value in signature(**{key: tf.constant(value) for key, value in inputs.items()}).items():
        expected = value.numpy()
        gap, largest = np.abs(found[key] - expected).max(), np.abs(expected).max()
        if not gap <= TOLERANCE * largest:
            raise RunError(
                f"{directory} could not be converted: output {key!r} differs by {gap:.3g}, but at most "
                f"{TOLERANCE * largest:.3g} is allowed."
            )


def _read_onnx(path: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """The answers of ONNX Runtime; None if it is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, dict(inputs)), strict=True))


def _read_litert(path: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    import warnings

    import tensorflow as tf

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it will move to a package of its own
        # The delegates would announce themselves on standard error.
        plain = tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter: Any = tf.lite.Interpreter(path, experimental_op_resolver_type=plain)
    return interpreter.get_signature_runner(DEFAULT)(**inputs)
