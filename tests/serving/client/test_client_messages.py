"""The client's own messages are those of the official stubs, which share no code with them."""

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import descriptor
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2

from tf2cases.errors import RunError
from tf2cases.serving.client import dtypes, messages, over_grpc

OFFICIAL = {
    "PredictRequest": predict_pb2.PredictRequest,
    "PredictResponse": predict_pb2.PredictResponse,
    "SignatureDefMap": get_model_metadata_pb2.SignatureDefMap,
    "GetModelMetadataRequest": get_model_metadata_pb2.GetModelMetadataRequest,
    "GetModelMetadataResponse": get_model_metadata_pb2.GetModelMetadataResponse,
    "SignatureDef": meta_graph_pb2.SignatureDef,
}
INT32, ENUM = descriptor.FieldDescriptor.TYPE_INT32, descriptor.FieldDescriptor.TYPE_ENUM


def require_same(ours, theirs, seen):
    """Every field of ours has the number and the type of theirs."""
    if ours.full_name in seen:
        return
    seen.add(ours.full_name)
    for field in ours.fields:
        other = theirs.fields_by_name[field.name]
        kinds = {INT32 if f.type == ENUM else f.type for f in (field, other)}
        if field.name in ("uint32_val",):  # varints, read alike
            kinds = {field.type}
        assert (field.number, len(kinds), field.is_repeated) == (other.number, 1, other.is_repeated), field.full_name
        if field.message_type is not None:
            require_same(field.message_type, other.message_type, seen)


@pytest.mark.parametrize("name", OFFICIAL)
def test_fields_have_the_public_numbers_and_types(name):
    require_same(messages._CLASSES[name].DESCRIPTOR, OFFICIAL[name].DESCRIPTOR, set())


def test_dtypes_have_the_public_numbers():
    for name, (number, dtype, _) in dtypes.TYPES.items():
        theirs = tf.dtypes.as_dtype(number)
        assert tf.dtypes.as_dtype(name.removeprefix("DT_").lower()) == theirs
        assert theirs.as_numpy_dtype == dtype


ARRAYS = [
    np.array([[1.5, -2], [np.inf, 0]], np.float32),
    np.array(7, np.int64),
    np.array([True, False]),
    np.array([255], np.uint8),
    np.array([2**32 - 1], np.uint32),
    np.array([2**64 - 1], np.uint64),
    np.array([0.5], np.float16),
    np.array([b"a\0", b""], object),
    np.zeros([0, 3], np.float32),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}-{array.shape}")
def test_tensors_are_read_and_written_as_tensorflow_does(array):
    proto = messages.TensorProto()
    over_grpc.to_proto(array, proto)
    theirs = tf.make_ndarray(tf.make_tensor_proto(0).FromString(proto.SerializeToString()))
    assert (theirs.dtype, theirs.shape, theirs.tolist()) == (array.dtype, array.shape, array.tolist())
    written = tf.make_tensor_proto(array)
    back = over_grpc.from_proto(messages.TensorProto.FromString(written.SerializeToString()))
    assert (back.dtype, back.shape, back.tolist()) == (array.dtype, array.shape, array.tolist())


def test_typed_values_are_read_and_the_last_fills_the_shape():
    proto = messages.TensorProto(dtype=1, float_val=[1, 2])
    proto.tensor_shape.dim.add(size=4)
    assert over_grpc.from_proto(proto).tolist() == [1, 2, 2, 2]
    proto.float_val.extend([3, 4, 5])
    with pytest.raises(RunError, match=r"do not fill its shape \[4\]"):
        over_grpc.from_proto(proto)
