"""Asks a server over gRPC."""

from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np

from tf2cases.errors import RunError, UsageError
from tf2cases.serving.client import messages
from tf2cases.serving.client.base import Client, Options, Unavailable, late, retrying
from tf2cases.serving.client.dtypes import BY_NUMBER, NUMBERS
from tf2cases.serving.signatures import Signature, Spec

_SERVICE = "/tensorflow.serving.PredictionService/"
_CHANNEL = [
    # gRPC's default for received messages is 4 MiB, which a few pictures exceed.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),  # `retrying` does it
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),  # another client's failure must not delay this one
]
_BAD_INPUT = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OUT_OF_RANGE)


class GrpcClient(Client):
    """See `client.connect`."""

    def __init__(self, address: str, name: str, version: int | None, options: Options):
        self._name, self._version, self._options = name, version, options
        self._address = f"the server at {address}"
        self._channel = grpc.insecure_channel(address, _CHANNEL)
        self._predict = self._method("Predict", messages.PredictResponse)
        try:
            request = messages.GetModelMetadataRequest(metadata_field=["signature_def"])
            self._fill(request.model_spec)
            method = self._method("GetModelMetadata", messages.GetModelMetadataResponse)
            found = self._ask(method, request).metadata
            signatures = messages.SignatureDefMap.FromString(found["signature_def"].value).signature_def
        except BaseException:
            self._channel.close()
            raise
        super().__init__(
            f"model {name!r} of {self._address}",
            {key: _signature(signatures[key]) for key in _callable_names(signatures)},
        )

    def close(self) -> None:
        self._channel.close()

    def _method(self, name, answer):
        return self._channel.unary_unary(
            _SERVICE + name,
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=answer.FromString,
        )

    def _fill(self, spec, signature=""):
        spec.name, spec.signature_name = self._name, signature
        if self._version is not None:
            spec.version.value = self._version

    def _call(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        request = messages.PredictRequest()
        self._fill(request.model_spec, signature)
        for key, value in inputs.items():
            to_proto(value, request.inputs[key])
        outputs = self._ask(self._predict, request, f"signature {signature!r} refused its input: ").outputs
        return {key: from_proto(outputs[key]) for key in sorted(outputs)}

    def _ask(self, method, request, refused=""):
        def once(seconds):
            try:
                return method(request, timeout=seconds)
            except grpc.RpcError as error:
                code, text = error.code(), " ".join((error.details() or "").split()).rstrip(".")
                if code == grpc.StatusCode.UNAVAILABLE:
                    raise Unavailable(text) from error
                if code == grpc.StatusCode.DEADLINE_EXCEEDED:
                    raise late(self._address, self._options) from error
                if code in _BAD_INPUT:
                    raise UsageError(f"{refused or f'{self._address} refused: '}{text}.") from error
                raise RunError(f"{self._address} failed: {code.name}, {text}.") from error

        return retrying(once, self._options, self._address)


def _callable_names(found):
    """The signatures that are no internal ones and whose dtypes this client can send and read."""
    return sorted(
        name
        for name in found
        if not name.startswith("__")
        and all(info.dtype in BY_NUMBER for side in (found[name].inputs, found[name].outputs) for info in side.values())
    )


def _signature(proto):
    return Signature(_specs(proto.inputs), _specs(proto.outputs))


def _specs(infos):
    specs = {}
    for key in sorted(infos):
        info = infos[key]
        shape = info.tensor_shape
        sizes = tuple(None if dim.size < 0 else dim.size for dim in shape.dim)
        specs[key] = Spec(BY_NUMBER[info.dtype][0], None if shape.unknown_rank else sizes)
    return specs


def to_proto(array: np.ndarray, proto: Any) -> None:
    """Writes an array to an empty TensorProto; an array of objects must hold bytes."""
    proto.dtype = NUMBERS[array.dtype]
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        proto.string_val.extend(array.ravel().tolist())
    else:
        proto.tensor_content = array.astype(array.dtype.newbyteorder("<")).tobytes()


def from_proto(proto: Any) -> np.ndarray:
    """The array of a TensorProto, from its content or its typed values, of which the last fills up the shape.

    Raises:
      RunError: its dtype is unknown here, or its values do not fill its shape.
    """
    if proto.dtype not in BY_NUMBER:
        raise RunError(f"the server answered with TensorFlow's dtype {proto.dtype}, which this client cannot read.")
    dtype, field = BY_NUMBER[proto.dtype]
    shape = [dim.size for dim in proto.tensor_shape.dim]
    try:
        if proto.tensor_content:
            return np.frombuffer(proto.tensor_content, dtype.newbyteorder("<")).astype(dtype).reshape(shape)
        values, count = list(getattr(proto, field)), int(np.prod(shape, dtype=np.int64))
        if values and len(values) < count:
            values += values[-1:] * (count - len(values))
        if dtype == np.float16:
            return np.array(values, np.uint16).view(np.float16).reshape(shape)
        array = np.empty(len(values), dtype)
        array[:] = values
        return array.reshape(shape)
    except ValueError as error:
        raise RunError(f"the server answered with a tensor whose values do not fill its shape {shape}.") from error
