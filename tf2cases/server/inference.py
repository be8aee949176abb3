"""Predict, Classify, Regress and MultiInference: checks requests, and maps them to tensors to feed and to fetch.

Each method of `Inference` returns a `Plan`, which is run by an `execution.Runner`, or directly by the warm-up.
"""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tf2cases.server import tensors
from tf2cases.server.errors import Code, ServingError
from tf2cases.server.specs import DEFAULT_SIGNATURE, Signature

PREDICT, CLASSIFY, REGRESS = (f"tensorflow/serving/{name}" for name in ("predict", "classify", "regress"))
_CLASSES, _SCORES = "classes", "scores"

Classes = list[list[tuple[str, float]]]
Values = list[float]


@dataclasses.dataclass(frozen=True)
class Plan:
    """A computation of a graph.

    Attributes:
      feeds: {tensor name: array}.
      fetches: the names of the tensors to compute.
      finish: converts the fetched values, in this order, into the result; raises ServingError if they are invalid.
    """

    feeds: Mapping[str, np.ndarray]
    fetches: tuple[str, ...]
    finish: Callable[[Sequence[np.ndarray]], Any]


@dataclasses.dataclass(frozen=True)
class Task:
    """A task of a MultiInference request: the signature's name, and CLASSIFY or REGRESS."""

    signature: str
    method: str


class Inference:
    """The methods of a loaded version."""

    def __init__(self, signatures: Mapping[str, Signature], signature_defs: Mapping[str, Any], check_methods: bool):
        """Takes the signatures of a `SavedModel`.

        Args:
          signatures, signature_defs: see `SavedModel`.
          check_methods: whether a signature's method name must match the request.
        """
        self._signatures, self._signature_defs, self._check_methods = signatures, signature_defs, check_methods

    def predict(self, name: str, inputs: Mapping[str, np.ndarray], output_filter: Sequence[str]) -> Plan:
        """Runs a signature; the result is {output name: array}."""
        name = name or DEFAULT_SIGNATURE
        if name not in self._signatures:
            raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
        signature = self._signatures[name]
        if self._check_methods and signature.method not in (PREDICT, CLASSIFY, REGRESS):
            raise ServingError(
                Code.INTERNAL,
                f"Expected prediction signature method_name to be one of {{{PREDICT}, {CLASSIFY}, {REGRESS}}}. "
                f"Was: {signature.method}",
            )
        inputs = {**self._defaults(name, inputs), **inputs}
        _check_names(signature, inputs)
        feeds = {
            spec.name: _fitting(key, spec, inputs[key], i) for i, (key, spec) in enumerate(signature.inputs.items())
        }
        outputs = _wanted(signature, output_filter)
        fetches = tuple(signature.outputs[key].name for key in outputs)
        return Plan(feeds, fetches, lambda values: dict(zip(outputs, values, strict=True)))

    def classify(self, name: str, examples: Sequence[bytes]) -> Plan:
        """Classifies serialized tf.Examples; the result has a list of (label, score) for each."""
        signature = self._named(name, "No signature was found with the name: ")
        plan = self._classification(signature, _batch(examples))
        return plan

    def regress(self, name: str, examples: Sequence[bytes]) -> Plan:
        """Predicts a value for each serialized tf.Example; the result is the list of values."""
        signature = self._named(name, "No signature was found with the name: ")
        return self._regression(signature, _batch(examples))

    def multi(self, tasks: Sequence[Task], examples: Sequence[bytes]) -> Plan:
        """Runs several tasks on the same serialized tf.Examples; the result is the list of their results."""
        plans, seen, batch = [], set(), None
        for task in tasks:
            name = task.signature or DEFAULT_SIGNATURE
            if name in seen:
                raise ServingError(Code.INVALID_ARGUMENT, f"Duplicate evaluation of signature: {name}")
            seen.add(name)
            signature = self._named(name, "Requested signature not found in model graph: ")
            if task.method not in (CLASSIFY, REGRESS):
                raise ServingError(Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method}")
            batch = _batch(examples) if batch is None else batch
            plans.append((self._classification if task.method == CLASSIFY else self._regression)(signature, batch))
        if not plans:
            raise ServingError(Code.INVALID_ARGUMENT, "Inference request must have at least one task.")

        # In TensorFlow 2, each signature has its own input tensor; all of them get the same examples.
        feeds = {name: value for plan in plans for name, value in plan.feeds.items()}
        fetches = tuple(sorted({name for plan in plans for name in plan.fetches}))

        def finish(values: Sequence[np.ndarray]) -> list[Classes | Values]:
            by_name = dict(zip(fetches, values, strict=True))
            return [plan.finish([by_name[name] for name in plan.fetches]) for plan in plans]

        return Plan(feeds, fetches, finish)

    def _named(self, name: str, error: str) -> Signature:
        name = name or DEFAULT_SIGNATURE
        if name not in self._signatures:
            raise ServingError(Code.INVALID_ARGUMENT, f"{error}{name}")
        return self._signatures[name]

    def _defaults(self, name: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        defaults = self._signature_defs[name].defaults
        return {key: tensors.to_array(proto) for key, proto in defaults.items() if key not in inputs}

    def _classification(self, signature: Signature, batch: np.ndarray) -> Plan:
        self._check_method(signature, "classification", CLASSIFY)
        feed = _examples_input(signature, "classification", (1, 2), "one or two output Tensors")
        names = [key for key in (_CLASSES, _SCORES) if key in signature.outputs]
        if not names:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f'Expected classification signature outputs to contain at least one of "{_CLASSES}" or "{_SCORES}". '
                f"Signature was: {', '.join(signature.outputs)}",
            )
        fetches = tuple(signature.outputs[key].name for key in names)
        return Plan({feed: batch}, fetches, lambda values: _classes(dict(zip(names, values, strict=True)), len(batch)))

    def _regression(self, signature: Signature, batch: np.ndarray) -> Plan:
        self._check_method(signature, "regression", REGRESS)
        feed = _examples_input(signature, "regression", (1,), "one output Tensor")
        if "outputs" not in signature.outputs:
            found = ", ".join(signature.outputs)
            raise ServingError(Code.FAILED_PRECONDITION, f"No regression outputs found in SignatureDef: {found}")
        return Plan({feed: batch}, (signature.outputs["outputs"].name,), lambda values: _values(values[0], len(batch)))

    def _check_method(self, signature: Signature, kind: str, method: str) -> None:
        if self._check_methods and signature.method != method:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Expected {kind} signature method_name to be {method}. Was: {signature.method}"
            )


def _check_names(signature: Signature, inputs: Mapping[str, np.ndarray]) -> None:
    given, needed = sorted(inputs), sorted(signature.inputs)
    extra, missing = sorted(set(given) - set(needed)), sorted(set(needed) - set(given))
    if len(given) != len(needed):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"input size does not match signature: {len(given)}!={len(needed)} len({{{','.join(given)}}}) != "
            f"len({{{','.join(needed)}}}). Sent extra: {{{','.join(extra)}}}. Missing but required: "
            f"{{{','.join(missing)}}}.",
        )
    if extra:
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"input tensor alias not found in signature: {extra[0]}. Inputs expected to be in the set "
            f"{{{','.join(needed)}}}.",
        )


def _fitting(key: str, spec: Any, value: np.ndarray, position: int) -> np.ndarray:
    """Checks the dtype of an input. The graph itself checks the shape, as in tensorflow_model_server."""
    if value.dtype != spec.dtype:
        given, needed = tensors.type_name(value.dtype), spec.type_name
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Expects arg[{position}] to be {needed} but {given} is provided for input {key!r}"
        )
    return value


def _wanted(signature: Signature, output_filter: Sequence[str]) -> tuple[str, ...]:
    for i, key in enumerate(output_filter):
        if key not in signature.outputs:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"output tensor alias not found in signature: {key} Outputs expected to be in the set "
                f"{{{','.join(signature.outputs)}}}.",
            )
        if key in output_filter[:i]:
            raise ServingError(Code.INVALID_ARGUMENT, f"duplicate output tensor alias: {key}")
    return tuple(output_filter) or tuple(signature.outputs)


def _batch(examples: Sequence[bytes]) -> np.ndarray:
    if not examples:
        raise ServingError(Code.INVALID_ARGUMENT, "Input is empty.")
    batch = np.empty(len(examples), object)
    batch[:] = examples
    return batch


def _examples_input(signature: Signature, kind: str, outputs: tuple[int, ...], words: str) -> str:
    """Returns the name of the tensor that takes serialized tf.Examples."""
    if len(signature.inputs) != 1:
        raise ServingError(Code.INVALID_ARGUMENT, "Expected one input Tensor.")
    if len(signature.outputs) not in outputs:
        raise ServingError(Code.INVALID_ARGUMENT, f"Expected {words}, found {len(signature.outputs)}")
    if "inputs" not in signature.inputs:
        found = ", ".join(signature.inputs)
        raise ServingError(Code.FAILED_PRECONDITION, f"No {kind} inputs found in SignatureDef: {found}")
    spec = signature.inputs["inputs"]
    if spec.type_name != "DT_STRING":
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Expects arg[0] to be {spec.type_name} but DT_STRING is provided for input 'inputs'"
        )
    return spec.name


def _classes(outputs: Mapping[str, np.ndarray], count: int) -> Classes:
    for key, dtype, name in ((_CLASSES, object, "DT_STRING"), (_SCORES, np.float32, "DT_FLOAT")):
        if key in outputs:
            value = outputs[key]
            if value.ndim != 2:
                raise _wrong(f"Expected Tensor shape: [batch_size num_classes] but got {_shape(value)}")
            if value.dtype != dtype:
                raise _wrong(f"Expected {key} Tensor of {name}. Got: {tensors.type_name(value.dtype)}")
            if len(value) != count:
                raise _wrong(f"Expected {key} output batch size of {count}. Got: {len(value)}")
    widths = {value.shape[1] for value in outputs.values()}
    if len(widths) > 1:
        vs = " vs. ".join(str(value.shape[1]) for value in outputs.values())
        raise _wrong(f"Tensors class and score should match in dim_size(1). Got {vs}")
    (width,) = widths
    empty: list[list] = [[0.0] * width] * count
    scores = outputs[_SCORES].tolist() if _SCORES in outputs else empty
    if _CLASSES not in outputs:
        return [[("", score) for score in row] for row in scores]
    words = [[_text(word) for word in row] for row in outputs[_CLASSES].tolist()]
    return [list(zip(*pair, strict=True)) for pair in zip(words, scores, strict=True)]


def _values(value: np.ndarray, count: int) -> Values:
    if not (value.ndim == 1 or (value.ndim == 2 and value.shape[1] == 1)):
        raise _wrong(
            f"Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got {_shape(value)}"
        )
    if len(value) != count:
        raise _wrong(f"Input batch size did not match output batch size: {count} vs. {len(value)}")
    if value.dtype != np.float32:
        raise _wrong(f"Expected output Tensor of DT_FLOAT. Got: {tensors.type_name(value.dtype)}")
    return value.ravel().tolist()


def _text(word: bytes) -> str:
    """Decodes a label; bytes that are not valid UTF-8 are replaced, since a message's string cannot hold them."""
    return word.decode("utf-8", "replace")


def _shape(value: np.ndarray) -> str:
    return f"[{','.join(map(str, value.shape))}]"


def _wrong(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
