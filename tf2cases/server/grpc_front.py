"""The gRPC front end: PredictionService, ModelService and the health service. It only translates messages and statuses.

Requests are received as bytes and parsed here: the library would answer malformed ones with INTERNAL and a traceback.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import DecodeError, Message
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    model_service_pb2,
    predict_pb2,
    prediction_service_pb2,
    regression_pb2,
)

from tf2cases.errors import RunError
from tf2cases.server import examples, messages, tensors
from tf2cases.server.core import Core, Servable
from tf2cases.server.errors import Code, ServingError
from tf2cases.server.inference import CLASSIFY, Task
from tf2cases.server.options import GrpcOptions
from tf2cases.server.specs import DEFAULT_SIGNATURE, ModelSpec

_PREDICTION = prediction_service_pb2.DESCRIPTOR.services_by_name["PredictionService"].full_name
_MODEL = model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name
_LARGE = 1 << 20  # messages of more bytes are parsed in a thread, so that others need not wait
_METADATA = "signature_def"
_log = logging.getLogger(__name__)

Method = Callable[[Any, float | None], Awaitable[Message]]


class GrpcFront:
    """A gRPC server.

    Attributes:
      ports: the port of each address; 0 for a Unix socket.
    """

    def __init__(self, core: Core, options: GrpcOptions):
        self._core, self._options = core, options
        self.ports: list[int] = []

    async def start(self) -> None:
        """Starts listening.

        Raises:
          RunError: an address is in use or invalid, or the SSL file is invalid.
        """
        limits = self._options.limits
        arguments = {
            "grpc.max_receive_message_length": limits.body_bytes,
            "grpc.max_send_message_length": -1,
            "grpc.so_reuseport": 0,  # or a second server would share the port
            **dict(self._options.channel_arguments),
        }
        self._server = grpc.aio.server(
            options=list(arguments.items()), maximum_concurrent_rpcs=limits.concurrent_requests
        )
        self._server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    service, {name: self._handler(*method) for name, method in methods.items()}
                )
                for service, methods in self._methods().items()
            ]
        )
        if self._options.health:
            servicer = health.aio.HealthServicer()
            health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)
            for service in (_PREDICTION, _MODEL):
                await servicer.set(service, health_pb2.HealthCheckResponse.SERVING)
        credentials = _credentials(self._options.ssl_file) if self._options.ssl_file else None
        for address in self._options.addresses:
            try:
                if credentials:
                    self.ports.append(self._server.add_secure_port(address, credentials))
                else:
                    self.ports.append(self._server.add_insecure_port(address))
            except RuntimeError as error:
                raise RunError(f"cannot listen at {address} for gRPC; is another server running there?") from error
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Stops listening, and waits up to `grace` seconds for running requests to finish."""
        await self._server.stop(grace)

    def _methods(self) -> dict[str, dict[str, tuple]]:
        """Returns {service: {method: (class of the request, handler, its name in the metrics)}}."""
        return {
            _PREDICTION: {
                "Predict": (predict_pb2.PredictRequest, self._predict, "Predict"),
                "Classify": (classification_pb2.ClassificationRequest, self._classify, "Classify"),
                "Regress": (regression_pb2.RegressionRequest, self._regress, "Regress"),
                "MultiInference": (inference_pb2.MultiInferenceRequest, self._multi_inference, "MultiInference"),
                "GetModelMetadata": (get_model_metadata_pb2.GetModelMetadataRequest, self._metadata, ""),
            },
            _MODEL: {
                "GetModelStatus": (get_model_status_pb2.GetModelStatusRequest, self._status, ""),
                "HandleReloadConfigRequest": (model_management_pb2.ReloadConfigRequest, self._reload, ""),
            },
        }

    def _handler(self, kind: type[Message], method: Method, api: str) -> grpc.RpcMethodHandler:
        async def handle(request_bytes: bytes, context: grpc.aio.ServicerContext) -> bytes:
            start, model, status = time.monotonic(), "", Code.OK
            try:
                left = context.time_remaining()
                deadline = None if left is None else asyncio.get_running_loop().time() + left
                request = await _parsed(kind, request_bytes)
                model = _model_name(request)
                answer = await method(request, deadline)
                if answer.ByteSize() > _LARGE:
                    return await asyncio.to_thread(answer.SerializeToString)
                return answer.SerializeToString()
            except ServingError as error:
                status = error.code
                await context.abort(_GRPC_CODES[error.code], error.message)
                raise
            except asyncio.CancelledError:
                status = Code.CANCELLED
                raise
            except grpc.aio.AbortError:
                raise
            except MemoryError:
                status = Code.RESOURCE_EXHAUSTED
                await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "out of memory")
                raise
            except Exception:
                status = Code.INTERNAL
                _log.exception("a request failed unexpectedly")
                await context.abort(grpc.StatusCode.INTERNAL, "the server failed unexpectedly; its log says why")
                raise
            finally:
                if api:
                    self._core.metrics.request(model, api, "GRPC", status.name, time.monotonic() - start)

        return grpc.unary_unary_rpc_method_handler(handle)

    async def _predict(self, request: Any, deadline: float | None) -> Message:
        with self._core.lease(_spec(request.model_spec)) as servable:
            if request.ByteSize() > _LARGE:
                inputs = await asyncio.to_thread(_arrays, request.inputs)
            else:
                inputs = _arrays(request.inputs)
            signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
            outputs = await servable.predict(signature, inputs, list(request.output_filter), deadline)
            answer = predict_pb2.PredictResponse()
            _fill(answer.model_spec, servable, signature)

            def convert() -> None:
                for name, value in outputs.items():
                    answer.outputs[name].CopyFrom(tensors.to_proto(value, self._options.tensor_content))

            if sum(value.nbytes for value in outputs.values()) > _LARGE:
                await asyncio.to_thread(convert)
            else:
                convert()
            return answer

    async def _classify(self, request: Any, deadline: float | None) -> Message:
        answer = classification_pb2.ClassificationResponse()
        _add_classes(answer.result, await self._of_examples(Servable.classify, request, answer, deadline))
        return answer

    async def _regress(self, request: Any, deadline: float | None) -> Message:
        answer = regression_pb2.RegressionResponse()
        _add_values(answer.result, await self._of_examples(Servable.regress, request, answer, deadline))
        return answer

    async def _of_examples(self, method: Callable, request: Any, answer: Any, deadline: float | None) -> Any:
        """Calls a method with the request's examples and fills in the model_spec of the response."""
        with self._core.lease(_spec(request.model_spec)) as servable:
            signature = request.model_spec.signature_name or DEFAULT_SIGNATURE
            _fill(answer.model_spec, servable, signature)
            return await method(servable, signature, examples.serialized(request.input), deadline)

    async def _multi_inference(self, request: Any, deadline: float | None) -> Message:
        specs = [task.model_spec for task in request.tasks]
        if not specs:
            raise ServingError(Code.INVALID_ARGUMENT, "Inference request must have at least one task.")
        if not all(spec.name for spec in specs):
            raise ServingError(Code.INVALID_ARGUMENT, "Found ModelSpec with an empty model name.")
        if len({spec.name for spec in specs}) > 1:
            raise ServingError(
                Code.INVALID_ARGUMENT, "All ModelSpecs in a MultiInferenceRequest must access the same model name."
            )
        tasks = [Task(task.model_spec.signature_name or DEFAULT_SIGNATURE, task.method_name) for task in request.tasks]
        with self._core.lease(_spec(specs[0])) as servable:
            found = await servable.multi_inference(tasks, examples.serialized(request.input), deadline)
            answer = inference_pb2.MultiInferenceResponse()
            for task, part in zip(tasks, found, strict=True):
                result = answer.results.add()
                _fill(result.model_spec, servable, task.signature)
                if task.method == CLASSIFY:
                    _add_classes(result.classification_result, part)
                else:
                    _add_values(result.regression_result, part)
            return answer

    async def _metadata(self, request: Any, deadline: float | None) -> Message:
        if not request.HasField("model_spec"):
            raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
        if not request.metadata_field:
            raise ServingError(
                Code.INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for field in request.metadata_field:
            if field != _METADATA:
                raise ServingError(Code.INVALID_ARGUMENT, f"Metadata field {field} is not supported")
        with self._core.lease(_spec(request.model_spec)) as servable:
            found = get_model_metadata_pb2.SignatureDefMap()
            for name, signature_def in servable.signature_defs.items():
                found.signature_def[name].CopyFrom(signature_def)
            answer = get_model_metadata_pb2.GetModelMetadataResponse()
            answer.model_spec.name = servable.name
            answer.model_spec.version.value = servable.version
            answer.metadata[_METADATA].Pack(found)
            return answer

    async def _status(self, request: Any, deadline: float | None) -> Message:
        if not request.HasField("model_spec"):
            raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
        answer = get_model_status_pb2.GetModelStatusResponse()
        for status in self._core.status(_spec(request.model_spec)):
            version = answer.model_version_status.add(version=status.version, state=int(status.state))
            version.status.error_code = int(status.code)
            version.status.error_message = status.message
        return answer

    async def _reload(self, request: Any, deadline: float | None) -> Message:
        if request.config.WhichOneof("config") != "model_config_list":
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. Only ModelConfigList is currently "
                "supported",
            )
        await self._core.reload(request.config)
        answer = model_management_pb2.ReloadConfigResponse()
        answer.status.error_code = int(Code.OK)
        return answer


_GRPC_CODES = {code: grpc.StatusCode[code.name] for code in Code}


async def _parsed(kind: type[Message], content: bytes) -> Message:
    try:
        if len(content) > _LARGE:
            return await asyncio.to_thread(kind.FromString, content)
        return kind.FromString(content)
    except DecodeError as error:
        raise ServingError(Code.INVALID_ARGUMENT, f"the request is not a {kind.DESCRIPTOR.full_name}") from error


def _model_name(request: Any) -> str:
    """Returns the name of the request's model, for the metrics."""
    if hasattr(request, "tasks"):
        return request.tasks[0].model_spec.name if request.tasks else ""
    return request.model_spec.name if hasattr(request, "model_spec") else ""


def _spec(message: Any) -> ModelSpec:
    choice = message.WhichOneof("version_choice")
    version = message.version.value if choice == "version" else None
    return ModelSpec(message.name, version, message.version_label if choice == "version_label" else None)


def _arrays(inputs: Any) -> dict[str, Any]:
    arrays = {}
    for name, proto in inputs.items():
        try:
            arrays[name] = tensors.to_array(proto)
        except ServingError as error:
            raise ServingError(error.code, f"input {name!r}: {error.message}") from error
    return arrays


def _fill(spec: Any, servable: Any, signature: str) -> None:
    spec.name, spec.signature_name = servable.name, signature
    spec.version.value = servable.version


def _add_classes(result: Any, found: Any) -> None:
    for row in found:
        classes = result.classifications.add().classes
        for label, score in row:
            classes.add(label=label, score=score)


def _add_values(result: Any, found: Any) -> None:
    for value in found:
        result.regressions.add(value=value)


def _credentials(path: str) -> grpc.ServerCredentials:
    config = messages.read(path, messages.SSLConfig())
    if not config.server_key or not config.server_cert:
        raise RunError(f"{path} must have server_key and server_cert.")
    pair = (config.server_key.encode(), config.server_cert.encode())
    root = config.custom_ca.encode() or None
    if config.client_verify and not root:
        raise RunError(f"{path} has client_verify, so it must have custom_ca as well.")
    return grpc.ssl_server_credentials([pair], root, config.client_verify)
