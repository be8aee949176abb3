"""Rules that a signature must follow so that every way of serving it works."""

import re
from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from tf2cases.errors import RunError

DEFAULT_SIGNATURE = "serving_default"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_CLASSIFY_OUTPUTS = {"classes": tf.string, "scores": tf.float32}


NAMES = (
    "a default signature",
    "flat outputs",
    "plain names",
    "inputs and outputs",
    "batch dimension",
    "float32 outputs",
    "byte inputs",
    "byte outputs",
    "classify",
    "names of outputs",
    "no XLA",
)


class RuleError(RunError):
    """A signature breaks a rule for serving; the message names the rule.

    Attributes:
      rule: one of `NAMES`.
      what: the message without it.
    """

    def __init__(self, rule: str, what: str):
        super().__init__(f"rule {rule!r}: {what}.")
        self.rule, self.what = rule, what


def check(signatures: Mapping[str, tf.types.experimental.ConcreteFunction]) -> None:
    """Checks the signatures of one export.

    Args:
      signatures: {name: tf.types.experimental.ConcreteFunction}.

    Raises:
      RuleError: a signature breaks a rule; only the first violation is reported.
    """
    for violation in violations(signatures):
        raise violation


def violations(signatures: Mapping[str, tf.types.experimental.ConcreteFunction]) -> Iterator[RuleError]:
    """Every violation of a rule in `NAMES` but "byte outputs", which `check_answer` checks.

    Args:
      signatures: as in `check`.
    """
    if DEFAULT_SIGNATURE not in signatures:
        yield RuleError(
            "a default signature",
            f"the signatures are [{', '.join(signatures)}], but one must be called {DEFAULT_SIGNATURE}, which answers "
            "requests that name none",
        )
    for name, function in signatures.items():
        inputs, outputs = input_specs(function), function.structured_outputs
        # A loaded signature has specs where a live one has tensors.
        plain = (tf.Tensor, tf.TensorSpec)
        if not isinstance(outputs, dict) or not all(isinstance(value, plain) for value in outputs.values()):
            yield _broken(name, "flat outputs", f"it returns {outputs!r}, but must return a flat dictionary of tensors")
            continue
        for key in [name, *inputs, *outputs]:
            if not _NAME.fullmatch(key):
                yield _broken(name, "plain names", f"{key!r} must be letters, digits and underscores, a letter first")
        for kind, specs in (("input", inputs), ("output", outputs)):
            if not specs:
                yield _broken(name, "inputs and outputs", f"it has no {kind}, but must have one")
            for key, spec in specs.items():
                yield from _check_batch_dimension(name, kind, key, spec)
        for key, spec in outputs.items():
            yield from _check_output_dtype(name, key, spec)
        if name == "classify":
            yield from _check_classify(inputs, outputs)
        else:
            yield from _check_bytes(name, inputs)
        if both := sorted(inputs.keys() & outputs.keys()):
            what = f"{both[0]!r} is an input and an output; converters need different names"
            yield _broken(name, "names of outputs", what)
        yield from _check_not_compiled(name, function)


def check_answer(name: str, outputs: Mapping[str, np.ndarray]) -> None:
    """Checks the outputs of a signature.

    Args:
      name: the signature's name.
      outputs: {output name: array}.

    Raises:
      RuleError: an output contains bytes that are not UTF-8 text, and its name does not end in `_bytes`. REST encodes
        strings as UTF-8, and as base64 only if the name has that ending.
    """
    for key, value in outputs.items():
        if value.dtype == object and not key.endswith("_bytes"):
            try:
                b"\n".join(value.ravel()).decode("utf-8")
            except UnicodeDecodeError:
                what = f"output {key!r} carries bytes, so its name must end in _bytes"
                raise _broken(name, "byte outputs", what) from None


def input_specs(function: tf.types.experimental.ConcreteFunction) -> dict[str, tf.TensorSpec]:
    """{input name: tf.TensorSpec} of a concrete function."""
    arguments, keywords = function.structured_input_signature
    return {**{spec.name: spec for spec in arguments}, **keywords}


def _check_batch_dimension(name, kind, key, spec):
    shape = spec.shape
    if shape.rank is None or shape.rank < 1 or shape[0] is not None:
        yield _broken(
            name, "batch dimension", f"{kind} {key!r} has shape {shape}, but its first dimension must be None"
        )


def _check_output_dtype(name, key, spec):
    if (spec.dtype.is_floating or spec.dtype.is_complex) and spec.dtype != tf.float32:
        yield _broken(
            name, "float32 outputs", f"output {key!r} is {spec.dtype.name}; cast it, since REST supports no other"
        )


def _check_bytes(name, inputs):
    """Requires that a signature is named for the files that it takes, so that the default one takes tensors."""
    for key, spec in inputs.items():
        if spec.dtype == tf.string and not name.endswith("_bytes"):
            yield _broken(
                name,
                "byte inputs",
                f"input {key!r} takes bytes, so the signature's name must end in _bytes, and {DEFAULT_SIGNATURE} must "
                "take tensors",
            )


def _check_classify(inputs, outputs):
    """Checks the inputs and outputs that TF Serving's Classify call requires."""
    if list(inputs) != ["inputs"] or inputs["inputs"].dtype != tf.string or inputs["inputs"].shape.rank != 1:
        yield _broken("classify", "classify", "its only input must be 'inputs', serialized examples, string [None]")
    for key, value in outputs.items():
        if _CLASSIFY_OUTPUTS.get(key) != value.dtype or value.shape.rank != 2:
            yield _broken(
                "classify",
                "classify",
                f"output {key!r} is {value.dtype.name} {value.shape}, but its outputs must be 'classes', string "
                "[None, n], and 'scores', float32 [None, n]",
            )


def _check_not_compiled(name, function):
    """Rejects compiled functions: by default, model servers run without XLA and fail at every request to one."""
    library = function.graph.as_graph_def().library.function
    attributes = [function.function_def.attr, *(inner.attr for inner in library)]
    if any(attr["_XlaMustCompile"].b for attr in attributes if "_XlaMustCompile" in attr):
        yield _broken(name, "no XLA", "a function in it has jit_compile=True; trace it without that for export")


def _broken(name, rule, what):
    return RuleError(rule, f"signature {name!r}: {what}")
