"""The messages of the server's config files.

tensorflow-serving-api lacks those for batching, monitoring and SSL. They are declared here with their public names and
field numbers.
"""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from google.protobuf.message import Message

from tf2cases import files
from tf2cases.errors import RunError

_PACKAGE = "tensorflow.serving"
_SCALARS = {"bool": 8, "string": 9, "int64": 3}  # the numbers of FieldDescriptorProto.Type
_MESSAGE = 11

# Message -> {field name: (number, type)}; "int64*" is repeated, a capitalized name is a message.
_FIELDS = {
    "BatchingParameters": {
        "max_batch_size": (1, "google.protobuf.Int64Value"),
        "batch_timeout_micros": (2, "google.protobuf.Int64Value"),
        "max_enqueued_batches": (3, "google.protobuf.Int64Value"),
        "num_batch_threads": (4, "google.protobuf.Int64Value"),
        "thread_pool_name": (5, "google.protobuf.StringValue"),
        "allowed_batch_sizes": (6, "int64*"),
        "pad_variable_length_inputs": (7, "bool"),
        "enable_large_batch_splitting": (8, "google.protobuf.BoolValue"),
        "max_execution_batch_size": (9, "google.protobuf.Int64Value"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, f"{_PACKAGE}.PrometheusConfig")},
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
}


def _declare() -> dict[str, Any]:
    """Creates the message classes of `_FIELDS`, in their own descriptor pool."""
    file = descriptor_pb2.FileDescriptorProto(name="tf2cases/server/messages.proto", package=_PACKAGE, syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            scalar = _SCALARS.get(kind.rstrip("*"))
            described = message.field.add(name=field, number=number, type=scalar or _MESSAGE, label=1)
            if kind.endswith("*"):
                described.label = 3
            if not scalar:
                described.type_name = f".{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _FIELDS}


_CLASSES = _declare()
BatchingParameters: Any = _CLASSES["BatchingParameters"]
MonitoringConfig: Any = _CLASSES["MonitoringConfig"]
SSLConfig: Any = _CLASSES["SSLConfig"]


def read(path: str, message: Message) -> Any:
    """Parses a text file into a message and returns it.

    Raises:
      RunError: the file cannot be read or parsed; the error begins like tensorflow_model_server's.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return text_format.Parse(file.read(), message)
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        name = message.DESCRIPTOR.full_name
        reason = error if isinstance(error, text_format.ParseError) else files.reason(error)
        raise RunError(f"Error parsing text-format {name} in {path}: {reason}.") from error
