"""Loads an export in a fresh process, compares its answers with the live model's, and measures its speed.

usage: python -m tf2cases.serving.verify DIRECTORY EXPECTED.npz TOLERANCE

EXPECTED.npz is written by `save`. If the export's answers match, writes the export's settings for batching (see
`batching`), prints nothing and exits with status 0; otherwise prints one sentence on standard error and exits with
status 1.
"""

import functools
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from tf2cases import files
from tf2cases.errors import RunError
from tf2cases.serving import batching
from tf2cases.serving.signatures import DEFAULT

# A signature's name, a request and the live model's answer.
Answer: TypeAlias = tuple[str, Mapping[str, Any], Mapping[str, np.ndarray]]

_ROW_TOLERANCE = 10  # times the tolerance: the order in which kernels sum depends on the batch size


def save(path: str, answers: Sequence[Answer]) -> None:
    """Writes requests and the live model's answers.

    Args:
      path: the file.
      answers: list of (signature name, {input name: array}, {output name: array}).
    """
    arrays: dict[str, Any] = {}
    for number, (signature, inputs, outputs) in enumerate(answers):
        for kind, values in (("in", inputs), ("out", outputs)):
            for key, value in values.items():
                # Tensor protos keep zero bytes at the end of strings, which NumPy strips.
                proto = tf.make_tensor_proto(value).SerializeToString()
                arrays[f"{number}/{signature}/{kind}/{key}"] = np.frombuffer(proto, np.uint8)
    np.savez(path, **arrays)


def in_fresh_process(directory: str, path: str, tolerance: float) -> None:
    """Runs this module on an export and the answers written by `save`.

    It takes as long as importing TensorFlow, and up to two seconds for measuring.

    Raises:
      RunError: the answers differ, or the export cannot be loaded.
    """
    package_root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    search = os.pathsep.join(filter(None, [package_root, os.environ.get("PYTHONPATH")]))
    # Without a GPU, because the live model may hold all of its memory.
    environment = {**os.environ, "PYTHONPATH": search, "CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    command = [sys.executable, "-m", "tf2cases.serving.verify", directory, path, repr(tolerance)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise RunError(f"the export does not match the live model: {lines[-1]}")


def compare(directory: str, path: str, tolerance: float) -> None:
    """Compares an export with the live model's answers, in this process.

    Checks that every signature returns the live answers, that a row in a batch gets the same answer as alone, and that
    float inputs of zeros and of ones produce no NaN.

    Args:
      directory: the SavedModel.
      path: the answers written by `save`.
      tolerance: the largest allowed difference, relative to the largest value (or to 1, if that is larger).

    Raises:
      RunError: the answers differ; the message names the signature, the output and the difference.
    """
    _compare(_loaded(directory), path, tolerance)


def _loaded(directory):
    """A SavedModel; it must be kept, since without it the signatures lose their variables."""
    with files.literal(directory) as place:
        return tf.saved_model.load(place)


def _compare(loaded, path, tolerance):
    checked = set()
    for signature, inputs, expected in _load(path):
        function = loaded.signatures[signature]
        outputs = call(function, inputs)
        _require_equal(f"signature {signature!r}", expected, outputs, tolerance)
        rows = len(next(iter(inputs.values())))
        if rows == 1:
            continue
        for row in range(rows):
            alone = call(function, {key: value[row : row + 1] for key, value in inputs.items()})
            in_batch = {key: value[row : row + 1] for key, value in outputs.items()}
            where = f"signature {signature!r}, row {row} of {rows} against the same row alone"
            _require_equal(where, alone, in_batch, _ROW_TOLERANCE * tolerance)
        if signature not in checked and all(value.dtype.kind == "f" for value in inputs.values()):
            checked.add(signature)
            for fill in (np.zeros_like, np.ones_like):
                filled = call(function, {key: fill(value) for key, value in inputs.items()})
                _require_numbers(f"signature {signature!r} for {fill.__name__[:-5]}", filled)


def write_batching(directory: str, path: str, loaded: Any = None) -> None:
    """Measures an export's default signature, and writes the settings with which a server should batch its requests.

    Args:
      directory: the SavedModel; the file is written there.
      path: the answers written by `save`, with a request for the default signature.
      loaded: the model, if it is loaded already.
    """
    loaded = loaded or _loaded(directory)
    function = loaded.signatures[DEFAULT]
    request = next(inputs for signature, inputs, _ in _load(path) if signature == DEFAULT)

    @functools.lru_cache(maxsize=1)
    def batch(rows: int) -> dict[str, np.ndarray]:
        return {key: np.resize(value, [rows, *value.shape[1:]]) for key, value in request.items()}

    def run(rows: int) -> dict[str, np.ndarray]:
        return call(function, batch(rows))

    files.write_text(os.path.join(directory, batching.PATH), batching.choose(batching.measure(run)).text())


def call(function: Callable, inputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Calls a signature with {input name: array}; returns {output name: array}."""
    outputs = function(**{key: tf.constant(value) for key, value in inputs.items()})
    return {key: value.numpy() for key, value in outputs.items()}


def _load(path):
    cases = {}
    with np.load(path) as arrays:
        for name in arrays.files:
            number, signature, kind, key = name.split("/")
            value = tf.make_ndarray(tensor_pb2.TensorProto.FromString(arrays[name].tobytes()))
            cases.setdefault(int(number), (signature, {}, {}))[1 if kind == "in" else 2][key] = value
    return [cases[number] for number in sorted(cases)]


def _require_numbers(where, outputs):
    for key, value in outputs.items():
        if value.dtype.kind == "f" and np.isnan(value).any():
            raise RunError(f"{where}: output {key!r} has NaN.")


def _require_equal(where, expected, outputs, tolerance):
    _require_numbers(where, outputs)
    if set(expected) != set(outputs):
        raise RunError(f"{where}: outputs are {sorted(outputs)}, but must be {sorted(expected)}.")
    for key, wanted in expected.items():
        got = outputs[key]
        if got.shape != wanted.shape or got.dtype != wanted.dtype:
            raise RunError(
                f"{where}: output {key!r} is {got.dtype} {got.shape}, but must be {wanted.dtype} {wanted.shape}."
            )
        if wanted.dtype.kind == "f":
            with np.errstate(invalid="ignore"):
                gap = np.where(got == wanted, 0, np.abs(got - wanted)).max(initial=0)
            allowed = tolerance * max(1.0, np.abs(wanted[np.isfinite(wanted)]).max(initial=0))
            if not gap <= allowed:
                raise RunError(f"{where}: output {key!r} differs by {gap:.3g}, but at most {allowed:.3g} is allowed.")
        elif not np.array_equal(got, wanted):
            raise RunError(f"{where}: output {key!r} differs.")


def main(argv: Sequence[str]) -> int:
    directory, path, tolerance = argv[1:]
    try:
        loaded = _loaded(directory)
        _compare(loaded, path, float(tolerance))
        write_batching(directory, path, loaded)
    except Exception as error:
        # The exporting process shows the last line.
        print(files.reason(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
