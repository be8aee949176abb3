"""Converts between arrays and TensorProto messages, with typed value fields or `tensor_content`."""

import math
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.internal import encoder
from tensorflow.core.framework import tensor_pb2, types_pb2

from tf2cases.server.errors import Code, ServingError

# A message may give fewer values than its shape has and mean the last one for the rest. The filled-up array is bounded,
# since its size is not bounded by the message's.
MOST_FILLED_BYTES = 256 << 20
_MOST_DIMENSIONS = 64  # of NumPy
_FIELDS: dict[str, list] = {
    "float_val": [np.float32],
    "double_val": [np.float64],
    "int_val": [np.int32, np.int16, np.int8, np.uint16, np.uint8],
    "int64_val": [np.int64],
    "uint32_val": [np.uint32],
    "uint64_val": [np.uint64],
    "bool_val": [np.bool_],
    "string_val": [np.object_],
    "half_val": [np.float16, tf.bfloat16.as_numpy_dtype],
    "scomplex_val": [np.complex64],
    "dcomplex_val": [np.complex128],
}
_FIELD = {np.dtype(kind): field for field, kinds in _FIELDS.items() for kind in kinds}
_DTYPES = {tf.dtypes.as_dtype(dtype).as_datatype_enum: dtype for dtype in _FIELD}
# Fields whose packed form in a message is the array's own bytes (little-endian), and their tags.
_RAW = {
    field: encoder.TagBytes(tensor_pb2.TensorProto.DESCRIPTOR.fields_by_name[field].number, 2)
    for field in ("float_val", "double_val", "scomplex_val", "dcomplex_val")
}


def to_array(proto: Any) -> np.ndarray:
    """Converts a message to an array; strings become an object array of bytes.

    Raises:
      ServingError: INVALID_ARGUMENT, the dtype is not supported, or the shape is invalid or does not match the values.
    """
    dtype = _dtype(proto.dtype)
    if proto.tensor_shape.unknown_rank:
        raise _wrong("a tensor's shape has an unknown rank")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if any(size < 0 for size in shape) or len(shape) > _MOST_DIMENSIONS:
        raise _wrong(f"a tensor's shape is {list(shape)[:_MOST_DIMENSIONS]}, which is not a shape")
    count = math.prod(shape)
    values = _content(proto.tensor_content, dtype, count) if proto.tensor_content else _values(proto, dtype)
    if len(values) > count:
        raise _wrong(f"a tensor of shape {list(shape)} has {len(values)} values")
    if len(values) < count:
        if count * dtype.itemsize > MOST_FILLED_BYTES:
            raise _wrong(f"a tensor of shape {list(shape)} has {len(values)} values only")
        last = values[-1] if len(values) else (b"" if dtype.kind == "O" else dtype.type(0))
        filled = np.full(count, last, dtype)
        filled[: len(values)] = values
        values = filled
    return values.reshape(shape)


def to_proto(array: np.ndarray, content: bool = False) -> Any:
    """Converts an array to a message.

    Args:
      array: an array of a dtype that TensorFlow has; strings are an object array of bytes.
      content: whether to use `tensor_content` instead of the typed value field.

    Raises:
      ServingError: UNIMPLEMENTED, there is no value field for the dtype.
    """
    array = np.asarray(array)
    proto = tensor_pb2.TensorProto(dtype=tf.dtypes.as_dtype(array.dtype).as_datatype_enum)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    proto.tensor_shape.SetInParent()
    if content:
        proto.tensor_content = _string_content(array) if array.dtype.kind == "O" else array.tobytes()
        return proto
    field = _FIELD.get(array.dtype)
    if field is None:
        raise ServingError(Code.UNIMPLEMENTED, f"a tensor of type {type_name(array.dtype)} cannot be sent")
    if not array.size:
        return proto
    if field in _RAW:
        proto.MergeFromString(_RAW[field] + _varint(array.nbytes) + array.tobytes())
    elif field == "half_val":
        proto.half_val.extend(array.ravel().view(np.uint16).tolist())
    else:
        getattr(proto, field).extend(array.ravel().tolist())
    return proto


def type_name(dtype: Any) -> str:
    """Returns the name of a NumPy dtype in TensorFlow's messages, such as "DT_FLOAT"."""
    try:
        return types_pb2.DataType.Name(tf.dtypes.as_dtype(dtype).as_datatype_enum)
    except TypeError:
        return str(dtype)


def _dtype(number: int) -> np.dtype:
    dtype = _DTYPES.get(number)
    if dtype is None:
        name = types_pb2.DataType.Name(number) if number in types_pb2.DataType.values() else str(number)
        raise _wrong(f"a tensor's dtype is {name}, which cannot be fed")
    return dtype


def _values(proto: Any, dtype: np.dtype) -> np.ndarray:
    field = _FIELD[dtype]
    values = getattr(proto, field)
    if dtype.kind == "O":
        array = np.empty(len(values), object)
        array[:] = values
        return array
    if field == "half_val":
        return np.array(values, np.int64).astype(np.uint16).view(dtype)
    if dtype.kind == "c":
        return np.array(values, dtype.type(0).real.dtype)[: len(values) // 2 * 2].view(dtype)
    try:
        return np.fromiter(values, np.int64 if field == "int_val" else dtype, len(values)).astype(dtype, copy=False)
    except OverflowError as error:
        raise _wrong(f"a tensor's values do not fit {type_name(dtype)}") from error


def _content(content: bytes, dtype: np.dtype, count: int) -> np.ndarray:
    if dtype.kind == "O":
        return _strings(content, count)
    if len(content) != count * dtype.itemsize:
        raise _wrong(f"a tensor of {count} values of type {type_name(dtype)} has {len(content)} bytes of content")
    return np.frombuffer(content, dtype)


def _strings(content: bytes, count: int) -> np.ndarray:
    """Reads the strings in `tensor_content`: their lengths as varints, followed by the strings themselves."""
    if count > len(content):
        raise _wrong(f"a tensor of {count} strings has {len(content)} bytes of content")
    lengths, position = [], 0
    for _ in range(count):
        length = shift = 0
        while True:
            if position >= len(content) or shift > 63:
                raise _wrong("a tensor's content is not a list of strings")
            byte, position = content[position], position + 1
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        lengths.append(length)
    if position + sum(lengths) != len(content):
        raise _wrong("a tensor's content is not a list of strings")
    array = np.empty(count, object)
    for i, length in enumerate(lengths):
        array[i] = content[position : position + length]
        position += length
    return array


def _string_content(array: np.ndarray) -> bytes:
    values = array.ravel().tolist()
    return b"".join([*(_varint(len(value)) for value in values), *values])


def _varint(number: int) -> bytes:
    pieces = bytearray()
    while number > 127:
        pieces.append(number & 127 | 128)
        number >>= 7
    pieces.append(number)
    return bytes(pieces)


def _wrong(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
