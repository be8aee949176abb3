"""Converts the JSON objects of classify and regress requests to serialized tf.Examples."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from tensorflow.core.example import example_pb2, feature_pb2

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.rest import json_text, tensors

_LARGEST = 2**63 - 1


def examples_of(document: Mapping[str, Any]) -> list[bytes]:
    """Returns the serialized tf.Examples of a request, each with the features of the request's context.

    Raises:
      ServingError: INVALID_ARGUMENT, the request is malformed.
    """
    context = _serialized(document["context"]) if "context" in document else b""
    if "examples" not in document:
        raise _wrong(document, "When method is classify, key 'examples' is expected and was not found")
    examples = document["examples"]
    if not isinstance(examples, list):
        raise _wrong(document, "Expecting 'examples' value to be an list/array")
    if not examples:
        raise _wrong(document, "'examples' value is an empty array")
    # Two messages, one after the other, are one message with the fields of both.
    return [context + _serialized(example) for example in examples]


def _serialized(value: Any) -> bytes:
    if not isinstance(value, dict):
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Example must be JSON object but got JSON {json_text.type_name(value)}"
        )
    example = example_pb2.Example()
    for name, content in (value.last if isinstance(value, json_text.RepeatedKeys) else value).items():
        tensors.utf8(name)
        _add(content if isinstance(content, list) else (content,), name, example.features.feature[name])
    return example.SerializeToString()


def _add(values: Iterable[Any], name: str, feature: feature_pb2.Feature) -> None:
    """Adds values to a feature; the first one determines the feature's kind."""
    types = {type(value) for value in values}
    if types == {float}:
        with np.errstate(over="ignore"):
            feature.float_list.value.extend(np.array(values, np.float32).tolist())
        return
    for value in values:
        if value is None or isinstance(value, list) or (isinstance(value, dict) and not tensors.is_base64(value)):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Feature: {name} has element with unexpected JSON type: {json_text.type_name(value)}",
            )
        # Integers beyond 64 bits are floats, as they are for the parser of TensorFlow Serving.
        if isinstance(value, int) and not -_LARGEST - 1 <= value < 2**64:
            value = float(value)
        kind = {float: "float", int: "int64", bool: "int64"}.get(type(value), "bytes")
        present = feature.WhichOneof("kind")
        if present not in (None, f"{kind}_list"):
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Unexpected element type in feature: {name} expecting type: {present.removesuffix('_list')}",
            )
        if kind == "float":
            feature.float_list.value.append(_float32(value))
        elif kind == "bytes":
            content = tensors.base64_bytes(value) if isinstance(value, dict) else tensors.utf8(value)
            feature.bytes_list.value.append(content)
        elif value > _LARGEST:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Feature: {name} has uint64_t element. Only int64_t is supported."
            )
        else:
            feature.int64_list.value.append(int(value))


def _float32(value: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(value))


def _wrong(document: Mapping[str, Any], problem: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"JSON Value: {json_text.shown(document)} {problem}")
