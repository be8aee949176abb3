"""The ASGI application: paths, methods, bodies and status codes of TensorFlow Serving's REST API."""

import asyncio
import contextlib
import dataclasses
import json
import logging
import re
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import orjson
from google.protobuf import json_format
from starlette import requests
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tf2cases.server.core import Core
from tf2cases.server.errors import Code, ServingError
from tf2cases.server.options import RestOptions
from tf2cases.server.rest import examples, json_text, tensors
from tf2cases.server.specs import DEFAULT_SIGNATURE, ModelSpec

# The HTTP status of each canonical code, as TensorFlow Serving has it.
HTTP_STATUS: Final = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}

_WHICH: Final = rb"(?:/versions/(\d+)|/labels/([^/:]+))?"
# Paths are matched before they are decoded, so a model's name may have an encoded slash.
_PREDICTION: Final = re.compile(rb"/v1/models/([^/:]+)" + _WHICH + rb":(classify|regress|predict)", re.IGNORECASE)
_STATUS: Final = re.compile(rb"/v1/models(?:/([^/:]+))?" + _WHICH + rb"(?:/(metadata))?", re.IGNORECASE)

_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}

_MAX_MESSAGE: Final = 1000
# Larger bodies and answers are converted in a thread, so that other requests need not wait: a body of this size takes
# about 10 ms.
_LARGE: Final = 1 << 18

_log = logging.getLogger(__name__)


class HttpError(Exception):
    """An error whose HTTP status has no canonical status code."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status, self.message = status, message


class Request(requests.Request):
    """A request that records whether its body has been read."""

    is_read = False


@dataclasses.dataclass
class Call:
    """What the metrics need to know about a request, and the size of its body."""

    model: str = ""
    api: str = ""
    body_bytes: int = 0


class Application:
    """The ASGI application that handles HTTP requests.

    The server may put an object `connection` into the scope's state. Then the application sets its attribute `task` to
    the task of each request, and the server cancels that task when the client disconnects.
    """

    def __init__(self, core: Core, options: RestOptions):
        self._core, self._options = core, options
        self._requests = 0
        self._buffered = 0
        self._large = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        connection = scope.get("state", {}).get("connection")
        if connection is not None:
            connection.task = asyncio.current_task()
        self._requests += 1
        request, started = Request(scope, receive), False
        try:
            response = await self._respond(request)
            if self._options.cors:
                response.headers.update(_CORS)
            if "expect" in request.headers and not request.is_read:
                # The client may send the body all the same, or go on with another request.
                response.headers["Connection"] = "close"
            started = True
            await response(scope, receive, send)
        except (ClientDisconnect, asyncio.CancelledError):
            if not started and connection is not None and not connection.lost:
                await error_response(503, "The server is shutting down.")(scope, receive, send)
        finally:
            self._requests -= 1
            if connection is not None:
                connection.task = None

    async def _respond(self, request: Request) -> Response:
        start, call, code = time.perf_counter(), Call(), Code.OK
        try:
            return await self._answer(request, call)
        except ServingError as error:
            code = error.code
            return error_response(HTTP_STATUS[code], error.message)
        except HttpError as error:
            code = Code.INVALID_ARGUMENT
            return error_response(error.status, error.message)
        except ClientDisconnect:
            code = Code.CANCELLED
            raise
        except asyncio.CancelledError:
            code = Code.CANCELLED
            raise
        except Exception as error:
            code = Code.INTERNAL
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "an unknown place"
            _log.error("%s at %s: %s", type(error).__name__, place, error)
            return error_response(500, f"The server failed: {type(error).__name__}.")
        finally:
            self._buffered -= call.body_bytes
            if call.api:
                self._core.metrics.request(call.model, call.api, "REST", code.name, time.perf_counter() - start)

    async def _answer(self, request: Request, call: Call) -> Response:
        target = self._target(request)
        path: bytes = request.scope["raw_path"]
        metrics_path = self._core.metrics_path
        if metrics_path is not None and path == metrics_path.encode():
            return self._metrics(target, metrics_path)
        if not path[:4].lower() == b"/v1/":
            raise HttpError(404, f"Not found: {shown(path)}; the models are at /v1/models/NAME.")
        if request.method == "OPTIONS":
            # As in a page's question whether it may send the real request.
            if not re.search("https?://", request.headers.get("origin", "")):
                raise ServingError(Code.FAILED_PRECONDITION, "Origin header is missing in CORS preflight")
            return Response()
        if request.method == "POST" and (match := _PREDICTION.fullmatch(target)):
            method = match[4].decode()
            if method in ("predict", "classify", "regress"):
                spec = _spec(match)
                call.model, call.api = spec.name, method.capitalize()
                return await self._prediction(request, spec, method, call)
        if request.method == "GET" and (match := _STATUS.fullmatch(target)):
            if match[1] is None:
                raise ServingError(Code.INVALID_ARGUMENT, "Missing model name in request.")
            spec = _spec(match)
            if match[4] == b"metadata":
                call.model, call.api = spec.name, "GetModelMetadata"
                return self._metadata(spec)
            return self._status(spec)
        raise ServingError(Code.INVALID_ARGUMENT, f"Malformed request: {request.method} {shown(target)}")

    def _target(self, request: Request) -> bytes:
        """Returns the path with the query; raises HttpError if there are too many requests or bytes of headers."""
        limits = self._options.limits
        if self._requests > limits.concurrent_requests:
            raise HttpError(503, f"The server already has {limits.concurrent_requests} requests; try again later.")
        path: bytes = request.scope["raw_path"]
        target = path + b"?" + request.scope["query_string"] if request.scope["query_string"] else path
        size = len(target) + sum(len(name) + len(value) for name, value in request.scope["headers"])
        if size > limits.header_bytes:
            raise HttpError(431, f"The headers have {size} bytes; at most {limits.header_bytes} are accepted.")
        return target

    async def _prediction(self, request: Request, spec: ModelSpec, method: str, call: Call) -> Response:
        body = await self._body(request, call)
        timeout = self._options.timeout_ms
        deadline = asyncio.get_running_loop().time() + timeout / 1000 if timeout > 0 else None
        with contextlib.ExitStack() as leases:
            async with self._reading(len(body)) as read:
                document = await read(json_text.parse, body)
                name = _signature_name(document)
                if method == "predict":
                    servable = leases.enter_context(self._core.lease(spec))
                    signature = servable.signatures.get(name or DEFAULT_SIGNATURE)
                    if signature is None:
                        raise ServingError(
                            Code.INVALID_ARGUMENT,
                            f'Serving signature name: "{name or DEFAULT_SIGNATURE}" not found in signature def',
                        )
                    words = json_text.has_words(body)
                    inputs, rows = await read(tensors.inputs_of, document, name, signature.inputs, words)
                else:
                    serialized = await read(examples.examples_of, document)
                    servable = leases.enter_context(self._core.lease(spec))
                # Text and parsed lists take much more memory than arrays.
                del document, body
            if method == "classify":
                return _json(tensors.classifications(await servable.classify(name, serialized, deadline)))
            if method == "regress":
                return _json(tensors.regressions(await servable.regress(name, serialized, deadline)))
            outputs = await servable.predict(name, inputs, deadline=deadline)
        write = tensors.predictions if rows else tensors.columns
        if sum(array.nbytes for array in outputs.values()) > _LARGE:
            return _json(await asyncio.to_thread(write, outputs))
        return _json(write(outputs))

    @contextlib.asynccontextmanager
    async def _reading(self, size: int) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
        """Yields a function that calls other functions: directly for a small body, in a thread for a large one.

        Large bodies are read one at a time, since parsed lists take up to fifty times as much memory as their text.
        """
        if size <= _LARGE:
            yield _at_once
        else:
            async with self._large:
                yield _in_thread

    async def _received(self, request: Request, call: Call) -> bytes | bytearray:
        """Returns the body as it was sent; raises HttpError if it, or the total of all bodies, is too large."""
        limit = self._options.limits.rest_body_bytes
        length = request.headers.get("content-length")
        if length is not None and int(length) > limit:
            raise HttpError(413, f"The body has {length} bytes; at most {limit} are accepted.")
        body: bytes | bytearray = b""
        async for chunk in request.stream():
            if not chunk:
                continue
            self._count(call, len(chunk))
            if not body:
                body = chunk
            else:
                if isinstance(body, bytes):
                    body = bytearray(body)
                body += chunk
            if len(body) > limit:
                raise HttpError(413, f"The body has more than {limit} bytes, which is the limit.")
        request.is_read = True
        return body

    async def _body(self, request: Request, call: Call) -> bytes | bytearray:
        """Returns the decompressed body; raises HttpError if it, or the total of all bodies, is too large."""
        body, limit = await self._received(request, call), self._options.limits.rest_body_bytes
        encoding = request.headers.get("content-encoding", "").strip().lower()
        if "gzip" in encoding:
            packed = body
            body = (
                await asyncio.to_thread(_unpacked, packed, limit) if len(packed) > 100_000 else _unpacked(packed, limit)
            )
            self._count(call, len(body) - len(packed))
        elif encoding not in ("", "identity"):
            raise ServingError(
                Code.INVALID_ARGUMENT, f"Content-Encoding {encoding!r} is not supported; send gzip or none."
            )
        return body

    def _count(self, call: Call, size: int) -> None:
        """Adds to the size of a request's body; raises HttpError if the total of all bodies is too large."""
        call.body_bytes += size
        self._buffered += size
        if self._buffered > self._options.limits.rest_buffered_bytes:
            raise HttpError(503, "The server has too many bodies of requests in memory; try again later.")

    def _status(self, spec: ModelSpec) -> Response:
        versions = [
            {
                "version": str(status.version),
                "state": status.state.name,
                "status": {"error_code": status.code.name, "error_message": status.message},
            }
            for status in self._core.status(spec)
        ]
        return _pretty({"model_version_status": versions})

    def _metadata(self, spec: ModelSpec) -> Response:
        with self._core.lease(spec) as servable:
            signatures = {
                name: json_format.MessageToDict(
                    message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
                )
                for name, message in servable.signature_defs.items()
            }
            model_spec = {"name": servable.name, "signature_name": "", "version": str(servable.version)}
        return _pretty({"model_spec": model_spec, "metadata": {"signature_def": {"signature_def": signatures}}})

    def _metrics(self, target: bytes, metrics_path: str) -> Response:
        if target != metrics_path.encode():
            return Response(f"Unexpected path: {shown(target)}. Should be {metrics_path}", 400, media_type="text/plain")
        return Response(self._core.metrics.render(), media_type="text/plain")


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Returns a response {"error": message}. Long messages are truncated, since they quote names from the request."""
    if len(message) > _MAX_MESSAGE:
        message = message[:_MAX_MESSAGE] + "..."
    text = message.encode(errors="replace").decode()
    return Response(b'{ "error": %b }' % orjson.dumps(text), status, headers, media_type="application/json")


async def _at_once(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


async def _in_thread(function: Callable[..., Any], *arguments: Any) -> Any:
    """Calls a function in a thread; waits for it even if the task is cancelled, since it uses memory."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


def _signature_name(document: Mapping[str, Any]) -> str:
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise ServingError(
            Code.INVALID_ARGUMENT,
            f"JSON Value: {json_text.shown(document)} not formatted correctly. 'signature_name' key must be a "
            "string value.",
        )
    tensors.utf8(name)
    return name


def _spec(match: re.Match[bytes]) -> ModelSpec:
    name, version, label = match[1], match[2], match[3]
    if version is not None and int(version[:25]) >= 2**63:
        raise ServingError(Code.INVALID_ARGUMENT, f"Failed to convert version: {shown(version)} to numeric.")
    return ModelSpec(
        unquote_to_bytes(name).decode(errors="replace"),
        None if version is None else int(version),
        None if label is None else unquote_to_bytes(label).decode(errors="replace"),
    )


def _unpacked(body: bytes | bytearray, limit: int) -> bytes:
    """Decompresses gzip data to at most `limit` bytes."""
    parts: list[bytes] = []
    size = 0
    rest = bytes(body)
    while rest:
        unpacking = zlib.decompressobj(31)
        try:
            part = unpacking.decompress(rest, limit - size + 1)
        except zlib.error:
            raise ServingError(Code.INVALID_ARGUMENT, "The body is not gzip data, as Content-Encoding says.") from None
        parts.append(part)
        size += len(part)
        if size > limit:
            raise HttpError(413, f"The unpacked body has more than {limit} bytes, which is the limit.")
        if not unpacking.eof:
            raise ServingError(Code.INVALID_ARGUMENT, "The body is incomplete gzip data.")
        rest = unpacking.unused_data.lstrip(b"\0")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def shown(text: bytes) -> str:
    """Returns a part of a path for an error message, truncated if it is long."""
    return text.decode(errors="replace") if len(text) <= 200 else text[:200].decode(errors="replace") + "..."


def _json(text: bytes) -> Response:
    return Response(text, media_type="application/json")


def _pretty(value: MutableMapping[str, Any]) -> Response:
    return _json(json.dumps(value, indent=1, ensure_ascii=False).encode(errors="replace") + b"\n")
