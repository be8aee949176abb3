"""The application that hands requests on: what reaches the backend, what comes back, and what happens without it."""

import asyncio
import contextlib
import gzip
import http.server
import json
import socket
import threading
import time

import pytest
from fake_core import running
from raw_http import Client

from tf2cases.errors import UsageError
from tf2cases.server.options import Limits, RestOptions
from tf2cases.server.rest.forward import Forwarder


class Backend(http.server.BaseHTTPRequestHandler):
    """Answers with what it got, with a status and headers of its own."""

    protocol_version = "HTTP/1.1"
    seconds = 0.0

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        time.sleep(self.seconds)
        got = {"method": self.command, "path": self.path, "headers": dict(self.headers), "body": body.decode("latin-1")}
        text = gzip.compress(json.dumps(got).encode())
        self.send_response(418)
        for name, value in (("X-Own", "yes"), ("Content-Encoding", "gzip"), ("Keep-Alive", "timeout=5")):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text)

    do_GET = do_POST = do_PUT = do_OPTIONS = do_HEAD = answer

    def log_message(self, *arguments):
        pass


@pytest.fixture
def backend():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    Backend.seconds = 0.0


@contextlib.contextmanager
def in_front(backend, **options):
    """The port of a server that hands requests on."""
    options = RestOptions(port=0, **options)
    with running(None, options, Forwarder(backend, options)) as server:
        yield server.port


def asked(port, head, body=b""):
    with Client(port) as client:
        client.send(head.encode() + b"\r\n\r\n" + body)
        return client.answer()


def unpacked(answer):
    assert (answer.status, answer.headers["x-own"], answer.headers["content-encoding"]) == (418, "yes", "gzip")
    assert "keep-alive" not in answer.headers
    return json.loads(gzip.decompress(answer.body))


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_method_path_headers_and_body_reach_the_backend_and_its_answer_comes_back(backend, method):
    with in_front(backend) as port:
        head = f"{method} /v1/models/a%2Fb:predict?x=%20y HTTP/1.1\r\nHost: page\r\nX-Mine: 1\r\nContent-Length: 3"
        got = unpacked(asked(port, head, b"\x00ab"))
    assert (got["method"], got["path"], got["body"]) == (method, "/v1/models/a%2Fb:predict?x=%20y", "\x00ab")
    headers = {name.lower(): value for name, value in got["headers"].items()}
    assert headers == {"x-mine": "1", "host": backend.removeprefix("http://"), "content-length": "3"}


def test_a_packed_body_stays_packed(backend):
    body = gzip.compress(b"{}")
    head = f"POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}"
    with in_front(backend) as port:
        got = unpacked(asked(port, head, body))
    assert gzip.decompress(got["body"].encode("latin-1")) == b"{}"


def test_only_requests_to_models_are_handed_on(backend):
    with in_front(backend) as port:
        answer = asked(port, "GET /monitoring HTTP/1.1\r\nHost: a")
    assert (answer.status, answer.error) == (404, "Not found: /monitoring; the models are at /v1/models/NAME.")


@pytest.mark.parametrize(
    "path", ["/v1/../monitoring", "/v1/%2e%2E/monitoring", "/v1/models/..", "/v1/./a", "/v1/a%2F..%2Fb"]
)
def test_no_path_leads_out_of_v1(backend, path):
    with in_front(backend) as port:
        answer = asked(port, f"GET {path} HTTP/1.1\r\nHost: a")
    assert (answer.status, answer.error) == (404, f"Not found: {path}; the models are at /v1/models/NAME.")


def test_a_path_that_no_url_can_have_is_refused(backend):
    with in_front(backend) as port:
        answer = asked(port, "GET /v1/models/a#b HTTP/1.1\r\nHost: a")
    assert (answer.status, answer.error) == (400, "Malformed request: GET /v1/models/a#b")


def test_headers_that_connection_names_are_not_handed_on(backend):
    with in_front(backend) as port:
        head = "GET /v1/a HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-Mine: 1"
        got = unpacked(asked(port, head))
    assert {name.lower() for name in got["headers"]} == {"x-mine", "host"}


def test_the_limits_are_those_of_a_server_of_models(backend):
    with in_front(backend, limits=Limits(rest_body_bytes=10)) as port:
        answer = asked(port, "POST /v1/a HTTP/1.1\r\nHost: a\r\nContent-Length: 11", b"x" * 11)
    assert (answer.status, answer.error) == (413, "The body has 11 bytes; at most 10 are accepted.")


def test_without_a_backend_the_answer_is_502_and_one_sentence():
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as unused:
        port = unused.getsockname()[1]
    with in_front(f"http://127.0.0.1:{port}") as page:
        answer = asked(page, "GET /v1/models/a HTTP/1.1\r\nHost: a")
    assert answer.status == 502
    assert answer.error.startswith(f"The backend at http://127.0.0.1:{port} does not answer: ")
    assert answer.error.count(".") == 4
    assert answer.error.endswith(".")


def test_a_backend_that_takes_too_long_is_given_up(backend):
    Backend.seconds = 1.0
    with in_front(backend, timeout_ms=100) as port:
        answer = asked(port, "GET /v1/models/a HTTP/1.1\r\nHost: a")
    assert (answer.status, answer.error) == (504, f"The backend at {backend} did not answer within 0.1 s.")


def test_a_backend_that_has_no_such_model_has_no_metadata_of_it(backend):
    async def ask(address):
        async with Forwarder(address, RestOptions()) as forwarder:
            return await forwarder.metadata("a")

    assert asyncio.run(ask(backend)) is None  # its status is 418
    assert asyncio.run(ask("http://127.0.0.1:1")) is None


@pytest.mark.parametrize(
    "address",
    ["", "host:8501", "ftp://a:1", "http://", "http://a:x", "http://a:1/b", "http://a?b"]
    + ["http://[::1", "http://a\n:1", "http://b@a:1", "http://:b@a:1"],
)
def test_an_address_that_is_none_is_refused(address):
    with pytest.raises(UsageError, match=r"^--backend is .*, but must be http://HOST:PORT or https://HOST:PORT\.$"):
        Forwarder(address, RestOptions())
