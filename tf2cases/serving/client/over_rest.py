"""Asks a server over REST."""

import base64
import contextlib
import http.client
import json
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any

import numpy as np

from tf2cases import files
from tf2cases.errors import RunError, UsageError
from tf2cases.serving.client.base import Client, Options, Unavailable, bytes_array, late, retrying
from tf2cases.serving.client.dtypes import TYPES
from tf2cases.serving.signatures import Signature, Spec


class RestClient(Client):
    """See `client.connect`. Each thread has a connection of its own."""

    def __init__(self, url: str, name: str, version: int | None, options: Options):
        self._options, self._address = options, f"the server at {url}"
        parts = urllib.parse.urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.query:
            raise ValueError(f"rest is {url!r}, but must be http://HOST:PORT or https://HOST:PORT.")
        self._https, self._host, self._port = parts.scheme == "https", parts.hostname, port
        self._path = f"{parts.path.rstrip('/')}/v1/models/{urllib.parse.quote(name, safe='')}"
        if version is not None:
            self._path += f"/versions/{version}"
        self._thread = threading.local()
        self._connections: list[http.client.HTTPConnection] = []
        try:
            found = self._ask("GET", "/metadata", None)["metadata"]["signature_def"]["signature_def"]
            signatures = {key: _signature(found[key]) for key in _callable_names(found)}
        except UsageError:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise RunError(f"{self._address} did not answer as TF Serving does for model {name!r}.") from error
        super().__init__(f"model {name!r} of {self._address}", signatures)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    def _call(self, signature: str, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        body = {"signature_name": signature, "inputs": {key: _to_json(value) for key, value in inputs.items()}}
        answer = self._ask("POST", ":predict", json.dumps(body), f"signature {signature!r} refused its input: ")
        specs = self.signatures[signature].outputs
        try:
            outputs = answer["outputs"]
            if len(specs) == 1:  # then TF Serving leaves out the name
                outputs = dict.fromkeys(specs, outputs)
            return {key: _from_json(outputs[key], spec) for key, spec in specs.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(
                f"{self._address} answered signature {signature!r} with other outputs than it has."
            ) from error

    def _ask(self, method: str, path: str, body: str | None, refused: str = "") -> Any:
        def once(seconds):
            status, text = self._exchange(method, self._path + path, body, seconds)
            try:
                answer = json.loads(text)
            except ValueError:
                answer = None
            if status == 200 and isinstance(answer, dict):
                return answer
            reason = answer.get("error") if isinstance(answer, dict) else None
            reason = " ".join(str(reason or f"HTTP status {status}").split()).rstrip(".")
            if status == 503:
                raise Unavailable(reason)
            if status == 504:
                raise late(self._address, self._options)
            if status in (400, 404):
                raise UsageError(f"{refused or f'{self._address} refused: '}{reason}.")
            raise RunError(f"{self._address} failed: HTTP status {status}, {reason}.")

        return retrying(once, self._options, self._address)

    def _exchange(self, method, path, body, seconds):
        connection = self._connection()
        connection.timeout = seconds
        if connection.sock is not None:
            connection.sock.settimeout(seconds)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            response = connection.getresponse()
            return response.status, response.read()
        except TimeoutError as error:
            connection.close()
            raise late(self._address, self._options) from error
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            if isinstance(error, ssl.SSLError):
                raise RunError(f"{self._address} failed: {files.reason(error)}.") from error
            raise Unavailable(files.reason(error)) from error

    def _connection(self):
        found = getattr(self._thread, "connection", None)
        if found is None:
            kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
            found = self._thread.connection = _without_delay(kind)(self._host, self._port)
            self._connections.append(found)
        return found


def _without_delay(kind):
    class Connection(kind):
        """Sends small requests at once."""

        def connect(self):
            super().connect()
            with contextlib.suppress(OSError):
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    return Connection


def _callable_names(found: Mapping[str, Any]) -> list[str]:
    """The signatures that are no internal ones and whose dtypes this client can send and read."""
    return sorted(
        name
        for name, sides in found.items()
        if not name.startswith("__")
        and all(info["dtype"] in TYPES for side in ("inputs", "outputs") for info in sides[side].values())
    )


def _signature(found):
    return Signature(_specs(found["inputs"]), _specs(found["outputs"]))


def _specs(infos):
    specs = {}
    for key in sorted(infos):
        dtype, shape = infos[key]["dtype"], infos[key].get("tensor_shape") or {}
        sizes = [int(dim["size"]) for dim in shape.get("dim") or []]
        known = tuple(None if size < 0 else size for size in sizes)
        specs[key] = Spec(TYPES[dtype][1], None if shape.get("unknown_rank") else known)
    return specs


def _to_json(array):
    if array.dtype != object:
        return array.tolist()
    if array.ndim == 0:
        return {"b64": base64.b64encode(array.item()).decode()}
    return [_to_json(np.asarray(part, object)) for part in array]


def _from_json(value, spec):
    if spec.dtype != object:
        array = np.array(value, np.float64 if spec.dtype.kind == "f" else spec.dtype)
        return array.astype(spec.dtype)
    return bytes_array(_decoded(value))


def _decoded(value):
    if isinstance(value, list):
        return [_decoded(part) for part in value]
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value.encode()
