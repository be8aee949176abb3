"""A client that sends bytes as they are."""

import json
import socket


class Answer:
    """A status, headers and a body."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def error(self):
        """The message of {"error": message}, the only key."""
        document = json.loads(self.body)
        assert document.keys() == {"error"}
        assert self.headers["content-type"] == "application/json"
        return document["error"]


class Client:
    """A connection to a port of this machine; a context manager."""

    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self._data = bytearray()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def post(self, path="/v1/models/half:predict", body=b'{"instances": [1.0]}', headers=()):
        """Sends a POST request; `headers` replace the usual ones except for Host."""
        lines = [f"POST {path} HTTP/1.1", "Host: x", *(headers or (f"Content-Length: {len(body)}",))]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def answer(self):
        """The next answer; None if the connection was closed without one."""
        while b"\r\n\r\n" not in self._data:
            if not self._receive():
                assert not self._data, self._data
                return None
        end = self._data.index(b"\r\n\r\n")
        head = self._take(end + 4)[:end]
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        status = int(first.split(" ")[1])
        if status == 100:
            return self.answer()
        length = int(headers["content-length"])
        while len(self._data) < length:
            assert self._receive(), "the answer is cut"
        return Answer(status, headers, self._take(length))

    def _take(self, length):
        data = bytes(self._data[:length])
        del self._data[:length]
        return data

    def is_closed(self):
        """Waits until the server closes the connection, without further data."""
        while self._receive():
            pass
        return not self._data

    def _receive(self):
        try:
            data = self.socket.recv(2**16)
        except ConnectionResetError:
            return False
        self._data += data
        return bool(data)


def call(port, *args, **kwargs):
    """The answer to one POST request."""
    with Client(port) as client:
        client.post(*args, **kwargs)
        return client.answer()
