"""Clients that are slow, many, or go away: what they are told, and that others are still answered."""

import contextlib
import gzip
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import types

import pytest
from fake_core import FakeCore, running
from raw_http import Client, call

from tf2cases.server.options import Limits, RestOptions
from tf2cases.server.rest import json_text


@contextlib.contextmanager
def limited(core, **limits):
    with running(core, RestOptions(port=0, limits=Limits(**limits))) as server:
        yield server
        assert call(server.port).status == 200


def wait_until(condition, seconds=10):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


def can_connect(port):
    try:
        Client(port).socket.close()
    except OSError:
        return False
    return True


def slow(seconds):
    return json.dumps({"signature_name": "slow", "instances": [seconds]}).encode()


def test_a_body_is_limited_by_its_stated_length_before_it_is_sent(core):
    with limited(core, rest_body_bytes=1000) as server:
        with Client(server.port) as client:
            client.post(body=b"", headers=("Content-Length: 1001",))
            answer = client.answer()
            assert (answer.status, answer.error) == (413, "The body has 1001 bytes; at most 1000 are accepted.")


def test_a_chunked_body_is_limited_while_it_is_read(core):
    with limited(core, rest_body_bytes=1000) as server:
        with Client(server.port) as client:
            client.post(body=b"", headers=("Transfer-Encoding: chunked",))
            for _ in range(3):
                client.send(b"1f4\r\n" + b" " * 500 + b"\r\n")
            answer = client.answer()
            assert (answer.status, answer.error) == (413, "The body has more than 1000 bytes, which is the limit.")
            # The rest is skipped, and the connection can be used on.
            client.send(b"1f4\r\n" + b" " * 500 + b"\r\n0\r\n\r\n")
            client.post()
            assert client.answer().status == 200


def test_a_packed_body_is_limited_after_it_is_unpacked(core):
    bomb = gzip.compress(b" " * 10_000_000)
    assert len(bomb) < 10_000
    with limited(core, rest_body_bytes=1_000_000) as server:
        for body in (bomb, gzip.compress(b" " * 600_000) * 2):
            headers = (f"Content-Length: {len(body)}", "Content-Encoding: gzip")
            answer = call(server.port, body=body, headers=headers)
            assert (answer.status, answer.error) == (
                413,
                "The unpacked body has more than 1000000 bytes, which is the limit.",
            )


def test_bodies_of_all_requests_together_are_limited(core):
    with limited(core, rest_buffered_bytes=100_000) as server:
        with Client(server.port) as first:
            first.post(body=b" " * 90_000, headers=("Content-Length: 90100",))
            wait_until(lambda: server.application._buffered == 90_000)
            answer = call(server.port, body=b" " * 20_000)
            assert (answer.status, answer.error) == (
                503,
                "The server has too many bodies of requests in memory; try again later.",
            )
            first.send(b'{"instances": [1]}'.rjust(100))
            assert first.answer().status == 200
        assert server.application._buffered == 0


def test_the_number_of_requests_at_a_time_is_limited(core):
    with limited(core, concurrent_requests=2) as server:
        with Client(server.port) as first, Client(server.port) as second:
            for client in (first, second):
                client.post(body=slow(0.5))
            wait_until(lambda: len(core.calls) == 2)
            answer = call(server.port)
            assert (answer.status, answer.error) == (503, "The server already has 2 requests; try again later.")
            assert [client.answer().status for client in (first, second)] == [200, 200]


@pytest.fixture
def held(monkeypatch):
    """An object that stops the reading of large bodies: `held.begun` counts them, and `held.go_on` lets all go on."""
    parse = json_text.parse
    held = types.SimpleNamespace(begun=0, go_on=threading.Event())

    def wait(body):
        if len(body) > 1_000_000:
            held.begun += 1
            assert held.go_on.wait(20)
        return parse(body)

    monkeypatch.setattr(json_text, "parse", wait)
    yield held
    held.go_on.set()


LARGE = b'{"instances": [1.0]}'.ljust(1_000_001)


def test_others_are_answered_while_a_large_body_is_read(server, held):
    with Client(server.port) as client:
        client.post(body=LARGE)
        wait_until(lambda: held.begun)
        assert call(server.port).status == 200
        held.go_on.set()
        assert client.answer().status == 200


def test_large_bodies_are_read_one_at_a_time(server, held):
    # Their lists take many times as much memory as their text.
    with Client(server.port) as first, Client(server.port) as second:
        first.post(body=LARGE)
        second.post(body=LARGE)
        wait_until(lambda: server.application._buffered == 2 * len(LARGE))
        time.sleep(0.1)
        assert held.begun == 1
        held.go_on.set()
        assert [client.answer().status for client in (first, second)] == [200, 200]


def test_a_large_body_counts_until_it_is_read_although_its_client_has_gone(server, held):
    with Client(server.port) as client:
        client.post(body=LARGE)
        wait_until(lambda: held.begun)
    wait_until(lambda: not server._server.server_state.connections)
    time.sleep(0.1)
    assert server.application._buffered == len(LARGE)
    held.go_on.set()
    wait_until(lambda: not server.application._buffered)


@pytest.mark.parametrize("size", [5000, 100_000, 1_000_000])
def test_the_size_of_headers_is_limited(core, size):
    with limited(core, header_bytes=4096) as server:
        with Client(server.port) as client:
            with contextlib.suppress(ConnectionError):
                client.send(b"GET /v1/models/half HTTP/1.1\r\nHost: x\r\nX: " + b"x" * size + b"\r\n\r\n")
            answer = client.answer()
            assert answer.status == 431
            assert "4096" in answer.error


def test_many_headers_and_long_paths_are_limited(core):
    with limited(core, header_bytes=4096) as server:
        many = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a: b\r\n" * 10_000
        for head in (many, b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n"):
            with Client(server.port) as client:
                with contextlib.suppress(ConnectionError):
                    client.send(head + b"\r\n")
                assert client.answer().status == 431


def is_refused_as_late(server, begin, piece, message):
    """Sends a beginning, and pieces faster than the limit of 0.5 s, but never the end; checks what is said and when."""
    with Client(server.port) as client:
        start = time.monotonic()
        client.send(begin)
        for _ in range(3):
            time.sleep(0.1)
            client.send(piece)
        answer = client.answer()
        assert (answer.status, answer.error) == (408, message)
        assert client.is_closed()
        assert 0.4 < time.monotonic() - start < 4


def test_the_time_for_headers_is_limited(core):
    with limited(core, header_seconds=0.5) as server:
        begin = b"POST /v1/models/half:predict HTTP/1.1\r\n"
        is_refused_as_late(server, begin, b"X: y\r\n", "The headers were not complete after 0.5 s.")


def test_the_time_for_a_body_is_limited(core):
    with limited(core, body_seconds=0.5) as server:
        begin = b'POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"instances"'
        is_refused_as_late(server, begin, b" ", "The body was not complete after 0.5 s.")
        assert server.application._buffered == 0


def test_idle_connections_are_closed(core):
    with limited(core, header_seconds=0.4) as server:
        with Client(server.port) as new, Client(server.port) as used:
            used.post()
            assert used.answer().status == 200
            time.sleep(0.2)
            # Within the time, a connection can be used again, and the time begins anew.
            used.post()
            assert used.answer().status == 200
            start = time.monotonic()
            assert used.is_closed()
            assert 0.3 < time.monotonic() - start < 3
            assert new.is_closed()


def test_a_request_may_take_longer_than_its_headers_and_body(core):
    with limited(core, header_seconds=0.2, body_seconds=0.2) as server:
        assert call(server.port, body=slow(0.5)).status == 200


def test_a_client_that_does_not_read_its_answer_is_dropped(core):
    with limited(core, body_seconds=0.5) as server:
        with Client(server.port) as client:
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            strings = json.dumps({"signature_name": "echo_string", "inputs": ["x" * 20_000_000]}).encode()
            client.post(body=strings)
            wait_until(lambda: core.calls)
            wait_until(lambda: not server._server.server_state.connections)


def test_a_new_connection_replaces_the_one_that_is_idle_for_longest(core):
    with limited(core, connections=16) as server:
        with contextlib.ExitStack() as stack:
            busy = stack.enter_context(Client(server.port))
            busy.post(body=slow(0.5))
            idle = [stack.enter_context(Client(server.port)) for _ in range(15)]
            wait_until(lambda: len(server._server.server_state.connections) == 16)
            assert call(server.port).status == 200
            assert idle[0].is_closed()
            for client in idle[1:]:
                client.post()
                assert client.answer().status == 200
            assert busy.answer().status == 200


def test_a_connection_is_refused_if_all_others_are_busy(core):
    with limited(core, connections=16) as server:
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(Client(server.port)) for _ in range(16)]
            for client in clients:
                client.post(body=slow(0.5))
            wait_until(lambda: len(core.calls) == 16)
            answer = call(server.port)
            assert (answer.status, answer.error) == (503, "The server already has 16 connections; try again later.")
            assert all(client.answer().status == 200 for client in clients)


def test_a_client_that_goes_cancels_its_request(server, core):
    with Client(server.port) as client:
        client.post(body=slow(30))
        wait_until(lambda: core.calls)
    assert core.cancelled.wait(5)
    wait_until(lambda: core.leases == 0)
    assert server.application._requests == 0
    assert call(server.port).status == 200


def test_a_client_that_goes_while_it_sends_leaves_nothing_behind(server):
    for data in (
        b"",
        b"POST /v1/mod",
        b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{",
    ):
        for _ in range(20):
            with Client(server.port) as client:
                client.send(data)
    wait_until(lambda: not server._server.server_state.connections)
    assert server.application._requests == server.application._buffered == 0
    assert not any(server._server._watch.waiting.values())


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"\r\n" * 100 + b"x",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX\x00: y\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused_as_json(server, data):
    with Client(server.port) as client:
        client.send(data)
        answer = client.answer()
        assert answer.status in (400, 501)
        assert answer.error.startswith("The request is not valid HTTP: ")
        assert client.is_closed()


def test_a_malformed_chunk_is_refused_as_json(server):
    with Client(server.port) as client:
        client.post(body=b"xyz\r\n", headers=("Transfer-Encoding: chunked",))
        answer = client.answer()
        assert answer.status == 400
        assert client.is_closed()


def test_a_content_length_of_any_size_is_handled(server):
    with Client(server.port) as client:
        client.post(body=b"", headers=(f"Content-Length: {10**19}",))
        assert client.answer().status == 413
    with Client(server.port) as client:
        client.post(body=b"", headers=(f"Content-Length: {10**30}",))
        assert client.answer().status == 400


def test_the_answer_leaves_at_once_on_a_kept_connection(server):
    # Without TCP_NODELAY each answer takes 40 ms.
    with Client(server.port) as client:
        start = time.monotonic()
        for _ in range(50):
            client.post()
            assert client.answer().status == 200
        assert time.monotonic() - start < 1.5


def test_stopping_answers_what_is_there_and_accepts_nothing_new(core):
    with running(core, RestOptions(port=0)) as server:
        with Client(server.port) as busy, Client(server.port) as idle:
            busy.post(body=slow(1))
            wait_until(lambda: core.calls)
            stopping = threading.Thread(target=lambda: server.run(server.stop(8)))
            start = time.monotonic()
            stopping.start()
            assert idle.is_closed()
            wait_until(lambda: not can_connect(server.port))
            answer = busy.answer()
            assert answer.status == 200
            assert busy.is_closed()
            stopping.join()
            assert time.monotonic() - start < 3


def test_stopping_ends_although_requests_do_not(core):
    with running(core, RestOptions(port=0)) as server:
        with Client(server.port) as busy, Client(server.port) as sending:
            busy.post(body=slow(60))
            sending.post(body=b"{", headers=("Content-Length: 100",))
            wait_until(lambda: core.calls)
            start = time.monotonic()
            server.run(server.stop(0.3))
            assert time.monotonic() - start < 3
            assert core.cancelled.is_set()
            answer = busy.answer()
            assert (answer.status, answer.error) == (503, "The server is shutting down.")


def test_a_hundred_slow_senders_do_not_hold_up_others(core):
    with limited(core, header_seconds=5, body_seconds=5) as server:
        with contextlib.ExitStack() as stack:
            for i in range(100):
                client = stack.enter_context(Client(server.port))
                client.send(b"POST /v1/models/half:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n")
                if i % 2:
                    client.send(b'\r\n{"inst')
            start = time.monotonic()
            for _ in range(20):
                assert call(server.port).status == 200
            assert time.monotonic() - start < 2


@pytest.mark.slow
def test_ten_thousand_idle_connections_do_not_hold_up_others():
    # In a process of its own, since each process has a limit for its connections.
    code = (
        "import sys, time, asyncio; sys.path.insert(0, sys.argv[1])\n"
        "from fake_core import FakeCore; from tf2cases.server.options import RestOptions\n"
        "from tf2cases.server.rest.server import serve\n"
        "asyncio.run(serve(FakeCore(), RestOptions(port=0), asyncio.Event(), lambda port: print(port, flush=True)))"
    )
    folder = __file__.rpartition("/")[0]
    server = subprocess.Popen([sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline())
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 12_000), hard))
        clients = [socket.create_connection(("127.0.0.1", port)) for _ in range(10_000)]
        start = time.monotonic()
        for _ in range(50):
            assert call(port).status == 200
        assert time.monotonic() - start < 5
        with open(f"/proc/{server.pid}/status") as status:
            kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
        assert kilobytes < 1_500_000
        for client in clients:
            client.close()
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()


@pytest.mark.slow
def test_bodies_of_100_megabytes_are_refused(core):
    body = b" " * 100_000_000
    with limited(core) as server:
        assert call(server.port, body=body).status == 413
        with Client(server.port) as client:
            client.post(body=b"", headers=("Transfer-Encoding: chunked",))
            with contextlib.suppress(ConnectionError):
                for _ in range(100):
                    client.send(b"f4240\r\n" + body[:1_000_000] + b"\r\n")
            assert client.answer().status == 413


@pytest.mark.slow
def test_the_largest_body_is_answered_in_seconds(core):
    numbers = b"1.5," * ((32 * 2**20 - 20) // 4 - 1) + b"1.5"
    with limited(core) as server:
        start = time.monotonic()
        answer = call(server.port, body=b'{"instances": [' + numbers + b"]}")
        assert answer.status == 200
        assert len(json.loads(answer.body)["predictions"]) == (len(numbers) + 1) // 4
        assert time.monotonic() - start < 30


def test_a_server_needs_no_stop_before_its_start():
    from tf2cases.server.rest.application import Application
    from tf2cases.server.rest.server import RestServer

    server = RestServer(RestOptions(port=0), Application(FakeCore(), RestOptions(port=0)))
    import asyncio

    asyncio.run(server.stop())
