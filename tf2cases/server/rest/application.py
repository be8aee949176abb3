"""The ASGI application: paths, methods, bodies and status codes of TensorFlow Serving's REST API."""

import asyncio
import contextlib
import json
import re
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from google.protobuf import json_format
from starlette.responses import Response

from tf2cases.server.core import Core
from tf2cases.server.errors import Code, ServingError
from tf2cases.server.options import RestOptions
from tf2cases.server.rest import examples, json_text, tensors
from tf2cases.server.rest.front import Call, Front, HttpError, Request, shown
from tf2cases.server.specs import DEFAULT_SIGNATURE, ModelSpec

_WHICH: Final = rb"(?:/versions/(\d+)|/labels/([^/:]+))?"
# Paths are matched before they are decoded, so a model's name may have an encoded slash.
_PREDICTION: Final = re.compile(rb"/v1/models/([^/:]+)" + _WHICH + rb":(classify|regress|predict)", re.IGNORECASE)
_STATUS: Final = re.compile(rb"/v1/models(?:/([^/:]+))?" + _WHICH + rb"(?:/(metadata))?", re.IGNORECASE)

# Larger bodies and answers are converted in a thread, so that other requests need not wait: a body of this size takes
# about 10 ms.
_LARGE: Final = 1 << 18


class Application(Front):
    """The ASGI application that answers requests with the models of a core."""

    def __init__(self, core: Core, options: RestOptions):
        super().__init__(options)
        self._core = core
        self._large = asyncio.Lock()

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

    def _record(self, call: Call, code: Code, seconds: float) -> None:
        self._core.metrics.request(call.model, call.api, "REST", code.name, seconds)

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


def _json(text: bytes) -> Response:
    return Response(text, media_type="application/json")


def _pretty(value: MutableMapping[str, Any]) -> Response:
    return _json(json.dumps(value, indent=1, ensure_ascii=False).encode(errors="replace") + b"\n")
