"""The ASGI application that hands requests on to another server, with the limits of the one that answers itself."""

import json
import logging
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any, Final

import httpx
from starlette.responses import Response

from tf2cases.errors import UsageError
from tf2cases.server.options import RestOptions
from tf2cases.server.rest.front import Call, Front, HttpError, Request, shown

# They are about one connection, and not about the request or answer (RFC 9110, section 7.6.1), as are those that the
# header Connection names.
_HOP: Final = (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
_OWN: Final = (b"host", b"content-length", b"expect")  # those of requests that are set anew
_CONNECT_SECONDS: Final = 5.0


class Forwarder(Front):
    """Hands requests to /v1/... on: method, path, headers and body, and the answer's status, headers and body.

    async with Forwarder("http://host:8501", RestOptions()) as application:
        ...
    """

    def __init__(self, backend: str, options: RestOptions):
        """Creates the application.

        Args:
          backend: http://HOST:PORT or https://HOST:PORT.
          options: limits and timeout; a timeout of 0 is none.

        Raises:
          UsageError: the backend is no such address.
        """
        super().__init__(options)
        self._backend = _checked(backend)
        seconds = options.timeout_ms / 1000 if options.timeout_ms > 0 else None
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(seconds, connect=_CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=100),
            trust_env=False,
        )
        # It logs every request.
        logging.getLogger("httpx").setLevel(logging.WARNING)

    async def __aenter__(self) -> "Forwarder":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    async def metadata(self, name: str) -> Mapping[str, Any] | None:
        """The backend's answer to /v1/models/NAME/metadata; None if it has no such model, or does not answer."""
        path = f"/v1/models/{urllib.parse.quote(name, safe='')}/metadata"
        try:
            answer = await self._exchange("GET", path.encode(), [], b"")
            found = json.loads(bytes(answer.body))
        except (HttpError, ValueError):
            return None
        return found if answer.status_code == 200 and isinstance(found, dict) else None

    async def _answer(self, request: Request, call: Call) -> Response:
        target = self._target(request)
        # "/v1/.." would lead out of /v1/, if not here then at the backend.
        path = urllib.parse.unquote_to_bytes(request.scope["raw_path"])
        if target[:4].lower() != b"/v1/" or {b".", b".."} & set(path.split(b"/")):
            raise HttpError(404, f"Not found: {shown(target)}; the models are at /v1/models/NAME.")
        headers = [one for one in _end_to_end(request.scope["headers"]) if one[0] not in _OWN]
        return await self._exchange(request.method, target, headers, bytes(await self._received(request, call)))

    async def _exchange(self, method: str, target: bytes, headers: list[tuple[bytes, bytes]], body: bytes) -> Response:
        try:
            url = httpx.URL(self._backend).copy_with(raw_path=target)
        except httpx.InvalidURL:
            raise HttpError(400, f"Malformed request: {method} {shown(target)}") from None
        # A request made by the client would get headers of its own, such as Accept-Encoding.
        request = httpx.Request(method, url, headers=headers, content=body or None)
        try:
            answer = await self._client.send(request, stream=True)
            try:
                # As it was sent: if it is compressed, it stays so.
                content = b"".join([chunk async for chunk in answer.aiter_raw()])
            finally:
                await answer.aclose()
        except httpx.ReadTimeout:
            seconds = self._options.timeout_ms / 1000
            raise HttpError(504, f"The backend at {self._backend} did not answer within {seconds:g} s.") from None
        except httpx.HTTPError as error:
            reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
            raise HttpError(502, f"The backend at {self._backend} does not answer: {reason}.") from None
        response = Response(content, answer.status_code)
        response.raw_headers = [one for one in _end_to_end(answer.headers.raw) if one[0] != b"content-length"]
        if method != "HEAD" and answer.status_code not in (204, 304):
            response.raw_headers.append((b"content-length", str(len(content)).encode()))
        return response


def _end_to_end(headers: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers that are handed on, with names in lower case."""
    lower = [(name.lower(), value) for name, value in headers]
    named = {one.strip().lower() for name, value in lower if name == b"connection" for one in value.split(b",")}
    return [(name, value) for name, value in lower if name not in _HOP and name not in named]


def _checked(backend: str) -> str:
    try:
        parts, _ = urllib.parse.urlsplit(backend), httpx.URL(backend)
        good = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and "@" not in parts.netloc
        )
    except (ValueError, httpx.InvalidURL):  # of the brackets, the host or the port
        good = False
    if not good or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise UsageError(f"--backend is {backend!r}, but must be http://HOST:PORT or https://HOST:PORT.")
    return backend.rstrip("/")
