"""The messages of TF Serving's Predict and GetModelMetadata, declared in a descriptor pool of their own.

Names and numbers are those of the public protos. The official stubs import TensorFlow; and since they register the same
names in protobuf's default pool, these messages stay out of it.
"""

from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_SERVING, _TENSORFLOW = "tensorflow.serving", "tensorflow"
_TYPES = {"double": 1, "float": 2, "int64": 3, "uint64": 4, "int32": 5, "bool": 8, "string": 9, "bytes": 12}
_MESSAGE, _OPTIONAL, _REPEATED = 11, 1, 3

# Package -> message -> {field: (number, type)}. "x*" is repeated, "<x>" a map from strings, a name with a dot a
# message. The enum DataType is an int32 here, which has the same encoding.
_FIELDS: dict[str, dict[str, dict[str, tuple[int, str]]]] = {
    _TENSORFLOW: {
        "TensorShapeDim": {"size": (1, "int64"), "name": (2, "string")},
        "TensorShapeProto": {"dim": (2, "tensorflow.TensorShapeDim*"), "unknown_rank": (3, "bool")},
        "TensorProto": {
            "dtype": (1, "int32"),
            "tensor_shape": (2, "tensorflow.TensorShapeProto"),
            "tensor_content": (4, "bytes"),
            "float_val": (5, "float*"),
            "double_val": (6, "double*"),
            "int_val": (7, "int32*"),
            "string_val": (8, "bytes*"),
            "int64_val": (10, "int64*"),
            "bool_val": (11, "bool*"),
            "half_val": (13, "int32*"),
            "uint32_val": (16, "int64*"),
            "uint64_val": (17, "uint64*"),
        },
        "TensorInfo": {"dtype": (2, "int32"), "tensor_shape": (3, "tensorflow.TensorShapeProto")},
        "SignatureDef": {
            "inputs": (1, "<tensorflow.TensorInfo>"),
            "outputs": (2, "<tensorflow.TensorInfo>"),
            "method_name": (3, "string"),
        },
    },
    _SERVING: {
        "ModelSpec": {
            "name": (1, "string"),
            "version": (2, "google.protobuf.Int64Value"),
            "signature_name": (3, "string"),
        },
        "PredictRequest": {
            "model_spec": (1, "tensorflow.serving.ModelSpec"),
            "inputs": (2, "<tensorflow.TensorProto>"),
        },
        "PredictResponse": {
            "outputs": (1, "<tensorflow.TensorProto>"),
            "model_spec": (2, "tensorflow.serving.ModelSpec"),
        },
        "SignatureDefMap": {"signature_def": (1, "<tensorflow.SignatureDef>")},
        "GetModelMetadataRequest": {
            "model_spec": (1, "tensorflow.serving.ModelSpec"),
            "metadata_field": (2, "string*"),
        },
        "GetModelMetadataResponse": {
            "model_spec": (1, "tensorflow.serving.ModelSpec"),
            "metadata": (2, "<google.protobuf.Any>"),
        },
    },
}


def _declare() -> dict[str, Any]:
    pool = descriptor_pool.DescriptorPool()
    for known in (any_pb2, wrappers_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
    files: list[str] = []
    for package, messages in _FIELDS.items():
        file = descriptor_pb2.FileDescriptorProto(name=f"tf2cases/{package}.proto", package=package, syntax="proto3")
        file.dependency.extend([any_pb2.DESCRIPTOR.name, wrappers_pb2.DESCRIPTOR.name, *files])
        for name, fields in messages.items():
            message = file.message_type.add(name=name)
            for field, (number, kind) in fields.items():
                _add_field(package, message, field, number, kind)
        pool.Add(file)
        files.append(file.name)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for package, messages in _FIELDS.items()
        for name in messages
    }


def _add_field(package, message, name, number, kind):
    if kind.startswith("<"):
        entry = message.nested_type.add(name=f"{name.title().replace('_', '')}Entry")
        entry.options.map_entry = True
        _add_field(package, entry, "key", 1, "string")
        _add_field(package, entry, "value", 2, kind.strip("<>"))
        kind = f"{package}.{message.name}.{entry.name}*"
    plain = kind.rstrip("*")
    label = _REPEATED if kind.endswith("*") else _OPTIONAL
    field = message.field.add(name=name, number=number, type=_TYPES.get(plain, _MESSAGE), label=label)
    if plain not in _TYPES:
        field.type_name = f".{plain}"


_CLASSES = _declare()
TensorProto: Any = _CLASSES["TensorProto"]
PredictRequest: Any = _CLASSES["PredictRequest"]
PredictResponse: Any = _CLASSES["PredictResponse"]
SignatureDefMap: Any = _CLASSES["SignatureDefMap"]
GetModelMetadataRequest: Any = _CLASSES["GetModelMetadataRequest"]
GetModelMetadataResponse: Any = _CLASSES["GetModelMetadataResponse"]
