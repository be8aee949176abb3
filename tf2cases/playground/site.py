"""The ASGI application around the REST front end: the page at /, its files, and /playground/models.json."""

import pathlib
import re
from collections.abc import Awaitable, Callable
from typing import Any, Final

import orjson
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from tf2cases.playground import STATIC

_PREFIX: Final = "/playground/"
# The files of the cases, which the views link to.
_SOURCE: Final = re.compile(r"source/tf2cases/((?:cases|inception_v3)/[a-z0-9_]+\.py)")
_HEADERS: Final = {
    "Cache-Control": "no-cache",  # a browser asks whether the file has changed, and gets 304 if not
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
# Not those of the system's table, which differ from one to the next.
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".py": "text/plain; charset=utf-8",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".svg": "image/svg+xml",
}

Models = Callable[[], Awaitable[list[dict[str, Any]]]]
"""Returns the models, as in `listing.described`."""


class Site:
    """Answers the paths of the page; all others are answered by the application inside."""

    def __init__(self, inner: ASGIApp, models: Models, folder: pathlib.Path = STATIC):
        """Creates the application.

        Args:
          inner: answers what is not the page.
          models: what /playground/models.json lists, asked at each request, since models come and go.
          folder: the files of the page.
        """
        self._inner, self._models = inner, models
        self._files = StaticFiles(directory=folder, html=True)
        self._sources = StaticFiles(directory=STATIC.parent.parent)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_of_the_page(scope["path"]):
            await self._inner(scope, receive, send)
            return
        response = await self._answer(scope)
        response.headers.update(_HEADERS)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope) -> Response:
        path, method = scope["path"], scope["method"]
        if method not in ("GET", "HEAD"):
            message = f"{method} is not possible here: the page has only GET and HEAD.\n"
            return PlainTextResponse(message, 405, {"Allow": "GET, HEAD"})
        if path != _PREFIX and not path.startswith(_PREFIX):
            return RedirectResponse(_PREFIX[1:])  # relative, since a proxy may have put the page deeper
        name = path[len(_PREFIX) :]
        if name == "models.json":
            body = orjson.dumps({"models": await self._models()})
            return Response(body, media_type="application/json")
        source = _SOURCE.fullmatch(name)
        try:
            if source:
                response = await self._sources.get_response(source[1], scope)
            else:
                response = await self._files.get_response(name or ".", scope)
        except HTTPException:
            return PlainTextResponse("The page has no such file.\n", 404)
        if media_type := _TYPES.get(pathlib.PurePosixPath(name or "index.html").suffix):
            response.headers["Content-Type"] = media_type
        return response


def _is_of_the_page(path: str) -> bool:
    return path in ("", "/", _PREFIX[:-1]) or path.startswith(_PREFIX)
