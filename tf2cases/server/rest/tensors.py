"""Converts the JSON values of predict requests to arrays, and outputs to JSON.

Lists of numbers are converted by NumPy as a whole. Strings, invalid values, and values that NumPy would convert
differently than TensorFlow Serving are converted one by one in the order of the document, so that errors name the first
invalid one.
"""

import base64
import math
import re
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import orjson

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.rest import json_text
from tf2cases.server.specs import TensorSpec

# Numbers that are converted at a time; this takes about 20 ms.
_PART: Final = 1 << 18
# NumPy has 64 dimensions at most, and the rows of a request are one.
MAX_RANK: Final = 62

_FLOATS: Final = ("DT_FLOAT", "DT_DOUBLE")
_INTEGERS: Final = ("DT_INT8", "DT_UINT8", "DT_INT16", "DT_INT32", "DT_UINT32", "DT_INT64", "DT_UINT64")
_OUTPUT_TYPES: Final = ("float32", "float64", "int8", "uint8", "int16", "int32", "uint32", "int64", "uint64", "bool")
# By sign.
_WORDS: Final = np.array([b"NaN", b"Infinity", b"-Infinity"], object)
_TYPE_NAMES: Final = {"float32": "float", "float64": "double", "float16": "half"}


def inputs_of(
    document: Mapping[str, Any], signature: str, specs: Mapping[str, TensorSpec], words: bool
) -> tuple[dict[str, np.ndarray], bool]:
    """Converts the inputs of a predict request.

    Args:
      document: the parsed body.
      signature: the name of the signature in the request, or "".
      specs: the signature's inputs.
      words: whether the body may contain true, false or null.

    Returns:
      {input name: array of its dtype}, with strings as object arrays of bytes; and whether the request, and so the
      response, is in row format ("instances") or in column format ("inputs").

    Raises:
      ServingError: INVALID_ARGUMENT, the request is malformed; UNIMPLEMENTED, an input's dtype has no values in JSON.
    """
    if not specs:
        raise _invalid(f"Failed to get input map for signature: {signature or 'DEFAULT'}")
    if "instances" in document:
        if "inputs" in document:
            raise _invalid_value(
                document, "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist "
            )
        instances = document["instances"]
        if not isinstance(instances, list):
            raise _invalid_value(document, "Expecting 'instances' to be an list/array")
        if not instances:
            raise _invalid_value(document, "No values in 'instances' array")
        return _from_rows(instances, specs, words), True
    if "inputs" in document:
        return _from_columns(document["inputs"], specs, words), False
    raise _invalid("Missing 'inputs' or 'instances' key")


def _from_rows(instances: list[Any], specs: Mapping[str, TensorSpec], words: bool) -> dict[str, np.ndarray]:
    of_objects = _is_object(instances[0])
    if not isinstance(instances[0], dict) and len(specs) > 1:
        raise _invalid(
            "instances is a plain list, but expecting list of objects as multiple input tensors required as per "
            "tensorinfo_map"
        )
    if of_objects:
        keys = specs.keys()
        if all(isinstance(item, dict) and item.keys() == keys for item in instances):
            columns = {name: [item[name] for item in instances] for name in specs}
            arrays = {name: _numbers(columns[name], specs[name], words) for name in specs}
        else:
            arrays = {}
        if any(isinstance(item, json_text.RepeatedKeys) for item in instances):
            arrays = {}
    else:
        name = min(specs)
        arrays = {name: _numbers(instances, specs[name], words)}
    complete = {name: array for name, array in arrays.items() if array is not None}
    return complete if complete.keys() == specs.keys() else _from_rows_one_by_one(instances, specs, of_objects)


def _from_rows_one_by_one(
    instances: list[Any], specs: Mapping[str, TensorSpec], of_objects: bool
) -> dict[str, np.ndarray]:
    names = sorted(specs)
    values: dict[str, list[Any]] = {name: [] for name in names}
    shapes: dict[str, list[int]] = {}
    for i, item in enumerate(instances):
        if of_objects and not _is_object(item):
            raise _invalid(f"Expecting object but got list at item {i} of input list")
        if not of_objects and _is_object(item):
            raise _invalid(f"Expecting value/list but got object at item {i} of input list")
        for name, value in item.items() if of_objects else ((names[0], item),):
            key = f" key: {name}" if of_objects else ""
            try:
                if name not in specs:
                    raise _invalid(f"JSON object: does not have named input: {name}")
                before = len(values[name])
                shape = _fill(value, specs[name], values[name])
                _check_shape(shape, len(values[name]) - before, shapes.setdefault(name, shape))
            except ServingError as error:
                raise _invalid(
                    f"Failed to process element: {i}{key} of 'instances' list. "
                    f"Error: {error.code.name}: {error.message}"
                ) from None
        if of_objects and (item.keys() != specs.keys() or isinstance(item, json_text.RepeatedKeys)):
            raise _invalid(
                f"Failed to process element: {i} of 'instances' list. JSON object: {json_text.shown(item)} "
                f"keys must be equal to: {','.join(names)}"
            )
    return {name: _array(values[name], [len(instances), *shape], specs[name]) for name, shape in shapes.items()}


def _check_shape(shape: list[int], size: int, expected: list[int]) -> None:
    expected_size = math.prod(expected)
    if size != expected_size:
        raise _invalid(f"Expecting tensor size: {expected_size} but got: {size}")
    if shape != expected:
        raise _invalid(f"Expecting shape {_brackets(expected)} but got: {_brackets(shape)}")


def _from_columns(value: Any, specs: Mapping[str, TensorSpec], words: bool) -> dict[str, np.ndarray]:
    if _is_object(value):
        for name in sorted(specs):
            if name not in value:
                raise _invalid(f"Missing named input: {name} in 'inputs' object.")
        columns = {name: value[name] for name in sorted(specs)}
    elif len(specs) > 1:
        raise _invalid(
            "inputs is a plain value/list, but expecting an object as multiple input tensors required as per "
            "tensorinfo_map"
        )
    else:
        columns = {min(specs): value}
    arrays = {}
    for name, column in columns.items():
        array = _numbers(column, specs[name], words)
        if array is None:
            values: list[Any] = []
            shape = _fill(column, specs[name], values)
            array = _array(values, shape, specs[name])
        arrays[name] = array
    return arrays


def _numbers(value: Any, spec: TensorSpec, words: bool) -> np.ndarray | None:
    """Converts a value with NumPy; returns None if the result might differ from TensorFlow Serving's."""
    kind = spec.type_name
    if kind == "DT_STRING" or (words and kind != "DT_BOOL"):
        return None
    try:
        array = _joined(value)
    except ValueError:
        return None
    if array.ndim > MAX_RANK:
        return None
    if array.size == 0:
        return array.astype(spec.dtype)
    if kind in _FLOATS and array.dtype.kind in "fiu":
        with np.errstate(over="ignore"):
            # By way of float64, since that is how TensorFlow Serving rounds integers.
            return array.astype(np.float64, copy=False).astype(spec.dtype, copy=False)
    if kind in _INTEGERS and array.dtype.kind in "iu":
        limits = np.iinfo(spec.dtype)
        return array.astype(spec.dtype) if limits.min <= array.min() and array.max() <= limits.max else None
    if kind == "DT_BOOL" and array.dtype.kind == "b":
        return array
    return None


def _joined(value: Any) -> np.ndarray:
    """Converts nested lists of numbers to an array; raises ValueError if they are ragged.

    Large lists are converted in parts: while NumPy converts a list, no other thread runs.
    """
    size, first = 1, value
    while isinstance(first, list) and first:
        size, first = size * len(first), first[0]
    if size <= _PART:
        return np.array(value)
    step = max(1, len(value) * _PART // size)
    return np.concatenate([np.array(value[i : i + step]) for i in range(0, len(value), step)])


def _fill(value: Any, spec: TensorSpec, values: list[Any]) -> list[int]:
    """Appends the elements of a nested list to `values`; returns the shape, as determined by the first elements."""
    shape: list[int] = []
    first = value
    while isinstance(first, list):
        shape.append(len(first))
        if len(shape) > MAX_RANK:
            raise _invalid(f"A list is nested more than {MAX_RANK} deep; tensors have fewer dimensions.")
        if not first:
            break
        first = first[0]
    _fill_level(value, 0, shape, spec, values)
    return shape


def _fill_level(value: Any, level: int, shape: list[int], spec: TensorSpec, values: list[Any]) -> None:
    rank = len(shape)
    if not isinstance(value, list):
        if level != rank:
            raise _invalid_value(
                value, f"found at incorrect level: {level + 1} in the JSON DOM. Expected at level: {rank}"
            )
        values.append(_element(value, spec))
        return
    if level >= rank:
        raise _invalid(f"Encountered list at unexpected level: {level} expected < {rank}")
    if len(value) != shape[level]:
        raise _invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level} expected size: {shape[level]}"
        )
    for item in value:
        _fill_level(item, level + 1, shape, spec, values)


def _element(value: Any, spec: TensorSpec) -> Any:
    """Converts one element of a tensor."""
    kind = spec.type_name
    if kind == "DT_STRING":
        if isinstance(value, str):
            return utf8(value)
        if isinstance(value, dict):
            return base64_bytes(value)
    elif isinstance(value, dict):
        pass
    elif kind in _FLOATS:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return value
    elif kind in _INTEGERS:
        limits = np.iinfo(spec.dtype)
        if isinstance(value, int) and not isinstance(value, bool) and limits.min <= value <= limits.max:
            return value
    elif kind == "DT_BOOL":
        if isinstance(value, bool):
            return value
    else:
        raise ServingError(
            Code.UNIMPLEMENTED, f"Conversion of JSON Value: {json_text.shown(value)} to type: {_lower_type_name(kind)}"
        )
    raise _invalid_value(value, f"Type: {json_text.type_name(value)} is not of expected type: {_lower_type_name(kind)}")


def _array(values: list[Any], shape: list[int], spec: TensorSpec) -> np.ndarray:
    if spec.type_name == "DT_STRING":
        array = np.empty(len(values), object)
        array[:] = values
    elif spec.type_name in _FLOATS:
        with np.errstate(over="ignore"):
            array = np.array([float(value) for value in values], np.float64).astype(spec.dtype)
    else:
        array = np.array(values, spec.dtype)
    return array.reshape(shape)


def utf8(text: str) -> bytes:
    """Encodes a string as UTF-8; raises ServingError for unpaired surrogates."""
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _invalid(
            f"JSON Parse error: The surrogate pair in string is invalid. at offset: {error.start} of a string"
        ) from None


def is_base64(value: Any) -> bool:
    """Tells whether a JSON value is {"b64": "..."}."""
    return isinstance(value, dict) and len(value) == 1 and isinstance(value.get("b64"), str)


def base64_bytes(value: dict[str, Any]) -> bytes:
    """Decodes an object {"b64": "..."}; raises ServingError if it is invalid."""
    if not is_base64(value):
        raise _invalid_value(value, "not formatted correctly for base64 data")
    text = value["b64"]
    if len(text) % 4 or any(space in text for space in " \t\n\v\f\r"):
        # TensorFlow Serving also takes white space, and text without the padding at its end.
        text = re.sub(r"[ \t\n\v\f\r]+", "", text)
        text += "" if text.endswith("=") else "=" * (-len(text) % 4)
    try:
        if len(text) % 4:
            raise ValueError("the padding is wrong")
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise _invalid("Unable to base64 decode") from None


def predictions(outputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns the response in row format: a list with a value, or an object of several outputs, for each row.

    Raises:
      ServingError: INVALID_ARGUMENT, the outputs differ in their number of rows, or a dtype has no values in JSON.
    """
    rows = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise _invalid(f"Tensor name: {name} has no shape information ")
        if rows is not None and len(array) != rows:
            raise _invalid(f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {rows}")
        rows = len(array)
    values = _values(outputs, by_row=True)
    if len(values) == 1:
        return _answer("predictions", next(iter(values.values())))
    return _answer("predictions", [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)])


def columns(outputs: Mapping[str, np.ndarray]) -> bytes:
    """Returns the response in column format: the only output's value, or an object of several outputs.

    Raises:
      ServingError: INVALID_ARGUMENT, an output's dtype has no values in JSON.
    """
    values = _values(outputs)
    return _answer("outputs", next(iter(values.values())) if len(values) == 1 else values)


def classifications(results: list[list[tuple[str, float]]]) -> bytes:
    """Returns the response to a classify request: for each example, a list of [label, score]."""
    return _answer(
        "results", [[[label, _plain(np.array(score, np.float32))] for label, score in result] for result in results]
    )


def regressions(results: list[float]) -> bytes:
    """Returns the response to a regress request: a number for each example."""
    return _answer("results", _plain(np.array(results, np.float32)))


def _values(outputs: Mapping[str, np.ndarray], by_row: bool = False) -> dict[str, Any]:
    """Converts outputs to values that orjson can serialize; with `by_row`, several outputs can be split into rows."""
    if not outputs:
        raise _invalid("Cannot convert empty tensor map to JSON")
    values: dict[str, Any] = {}
    for name, array in outputs.items():
        if array.dtype.kind in "OSU":
            values[name] = _text(array.tolist(), name.endswith("_bytes"))
        elif array.dtype.name not in _OUTPUT_TYPES:
            type_name = _TYPE_NAMES.get(array.dtype.name, array.dtype.name)
            raise _invalid(f"Failed to write JSON value for tensor type: {type_name}")
        elif not by_row or len(outputs) == 1:
            values[name] = _plain(array)
        elif _is_finite(array):
            values[name] = np.ascontiguousarray(array)
        else:
            values[name] = [_plain(np.asarray(row)) for row in array]
    return values


def _plain(array: np.ndarray) -> Any:
    """Converts an array of numbers to a value that orjson can serialize, also if it has NaN or Infinity."""
    value = np.ascontiguousarray(array) if array.ndim else array[()]
    if _is_finite(array):
        return value if array.size <= _PART else _serialized(value)
    text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    special = array[~np.isfinite(array)]
    if np.isnan(special).all():
        return orjson.Fragment(text.replace(b"null", b"NaN"))
    parts = text.split(b"null")
    joined = parts * 2
    joined[::2], joined[1::2] = (
        parts,
        _WORDS[np.where(np.isnan(special), 0, np.sign(special)).astype(int)].tolist() + [b""],
    )
    return orjson.Fragment(b"".join(joined))


def _serialized(array: np.ndarray) -> orjson.Fragment:
    """Serializes a large array in parts: while orjson serializes one, no other thread runs."""
    step = max(1, len(array) * _PART // array.size)
    parts = (array[i : i + step] for i in range(0, len(array), step))
    return orjson.Fragment(
        b"[%b]" % b",".join(orjson.dumps(part, option=orjson.OPT_SERIALIZE_NUMPY)[1:-1] for part in parts)
    )


def _is_finite(array: np.ndarray) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _text(value: Any, as_base64: bool) -> Any:
    if isinstance(value, list):
        return [_text(item, as_base64) for item in value]
    content = value.encode() if isinstance(value, str) else value
    if as_base64:
        return {"b64": base64.b64encode(content).decode()}
    return content.decode(errors="replace")


def _answer(key: str, value: Any) -> bytes:
    return b'{\n    "%b": %b\n}' % (key.encode(), orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_base64(value)


def _lower_type_name(type_name: str) -> str:
    return type_name.removeprefix("DT_").lower()


def _brackets(shape: list[int]) -> str:
    return f"[{','.join(map(str, shape))}]"


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)


def _invalid_value(value: Any, problem: str) -> ServingError:
    return _invalid(f"JSON Value: {json_text.shown(value)} {problem}")
