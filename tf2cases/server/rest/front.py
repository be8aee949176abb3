"""What the applications of the REST front end share: limits on requests and bodies, and errors as JSON."""

import asyncio
import dataclasses
import logging
import time
from collections.abc import Mapping
from typing import Final

import orjson
from starlette import requests
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.options import RestOptions

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

_CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "POST, GET",
    "Access-Control-Allow-Headers": "Content-Type",
}

_MAX_MESSAGE: Final = 1000
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


class Front:
    """An ASGI application with limits, whose errors are JSON; what it answers, a subclass says.

    The server may put an object `connection` into the scope's state. Then the application sets its attribute `task` to
    the task of each request, and the server cancels that task when the client disconnects.
    """

    def __init__(self, options: RestOptions):
        self._options = options
        self._requests = 0
        self._buffered = 0

    async def _answer(self, request: Request, call: Call) -> Response:
        """Answers a request, and sets what the metrics need to know; raises HttpError or ServingError."""
        raise NotImplementedError

    def _record(self, call: Call, code: Code, seconds: float) -> None:
        """Counts a request whose `call` names an API."""

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
                self._record(call, code, time.perf_counter() - start)

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

    def _count(self, call: Call, size: int) -> None:
        """Adds to the size of a request's body; raises HttpError if the total of all bodies is too large."""
        call.body_bytes += size
        self._buffered += size
        if self._buffered > self._options.limits.rest_buffered_bytes:
            raise HttpError(503, "The server has too many bodies of requests in memory; try again later.")


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Returns a response {"error": message}. Long messages are truncated, since they quote names from the request."""
    if len(message) > _MAX_MESSAGE:
        message = message[:_MAX_MESSAGE] + "..."
    text = message.encode(errors="replace").decode()
    return Response(b'{ "error": %b }' % orjson.dumps(text), status, headers, media_type="application/json")


def shown(text: bytes) -> str:
    """Returns a part of a path for an error message, truncated if it is long."""
    return text.decode(errors="replace") if len(text) <= 200 else text[:200].decode(errors="replace") + "..."
