"""Generated requests, most of them malformed: each gets an answer below 500, and the server goes on."""

import gzip
import json
import random

import pytest
from fake_core import FakeServable, running
from raw_http import Client, call

from tf2cases.server.options import Limits, RestOptions

SEEDS = [
    b'{"instances": [1.0, 2.0]}',
    b'{"inputs": {"x": [[1, 2.5], [3, 4]]}}',
    b'{"signature_name": "features", "instances": [{"tag": "a", "signal": [1, 2]}, {"tag": "b", "signal": [3, 4]}]}',
    b'{"signature_name": "picture", "instances": [{"b64": "aGVsbG8="}]}',
    b'{"signature_name": "echo_int64", "inputs": [9223372036854775807, -1]}',
    b'{"signature_name": "echo_bool", "instances": [[true], [false]]}',
    b'{"signature_name": "echo_string", "inputs": ["\\u00e4\\ud83d\\ude00", ""]}',
    b'{"context": {"q": "a"}, "examples": [{"x": 1.0, "y": [1, true], "z": {"b64": "YQ=="}}]}',
    b'{"inputs": [NaN, Infinity, -Infinity, 1e39, -0.0, 1e-50]}',
]
TOKENS = [
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b",",
        b'"',
        b"\\",
        b"\\u",
        b"\\ud800",
        b"\xff",
        b"\x00",
        b"\xef\xbb\xbf",
        b" ",
        b"\n",
    ),
    *(
        b"null",
        b"true",
        b"false",
        b"NaN",
        b"-NaN",
        b"Inf",
        b"Infinity",
        b"-Infinity",
        b"1e400",
        b"1" * 400,
        b"-",
        b"1.",
    ),
    *(
        b"18446744073709551616",
        b"-9223372036854775809",
        b"1e309",
        b"[" * 2000,
        b"]" * 2000,
        b'{"a":' * 2000,
        b"[]",
        b"{}",
    ),
    *(b'"instances"', b'"inputs"', b'"signature_name"', b'"b64"', b'"x"', b'"examples"', b'"context"', b'"echo_half"'),
    *(b'{"b64": "a"}', b'{"b64": 1}', b'"\\ud800"', b"/*c*/", b"'", b"1" * 5000, b'"' + b"x" * 5000 + b'"'),
]
SIGNATURES = sorted(FakeServable.signatures.keys() - {"slow", "fail"})
NAMES = [
    "half",
    "foo",
    "",
    "..",
    "%2e%2e%2f",
    "a%00b",
    "%FF",
    "half%20",
    "{{7*7}}",
    "$(id)",
    "x" * 3000,
    "half;ls",
    "ha\\lf",
]
WHICH = [
    "",
    "",
    "/versions/123",
    "/versions/-1",
    "/versions/1e3",
    f"/versions/{'9' * 50}",
    "/labels/stable",
    "/labels/%",
]
METHODS = ["predict", "predict", "predict", "classify", "regress", "explain", "predict?x=1", "predict#y", "PREDICT"]
VERBS = ["POST"] * 12 + ["GET", "PUT", "OPTIONS", "DELETE", "HEAD", "TRACE", "BREW", "post"]


def mutated(rng):
    """A request's body with some bytes deleted, repeated, or replaced."""
    body = rng.choice(SEEDS)
    for _ in range(rng.choice([0, 0, 1, 2, 5])):
        start = rng.randrange(len(body) + 1)
        end = min(len(body), start + rng.choice([0, 0, 1, 1, 3, 20]))
        middle = rng.choice([b"", rng.choice(TOKENS), rng.choice(TOKENS), body[start:end] * 3, rng.randbytes(2)])
        body = body[:start] + middle + body[end:]
    return body


def value(rng, depth=0):
    """A random JSON value."""
    kind = rng.randrange(9 if depth < 4 else 6)
    if kind < 6:
        return [None, True, rng.randrange(-(2**65), 2**65), rng.uniform(-1e40, 1e40), "ä" * rng.randrange(3), 1][kind]
    if kind == 6:
        keys = ["x", "b64", "tag", "signal", "instances", "a"]
        return {rng.choice(keys): value(rng, depth + 1) for _ in range(rng.randrange(3))}
    return [value(rng, depth + 1) for _ in range(rng.randrange(4))]


def composed(rng, signatures):
    """A request that is valid JSON, with random values in the right places."""
    document = {
        rng.choice(["instances", "inputs", "examples", "context"]): value(rng) for _ in range(rng.randrange(1, 3))
    }
    if rng.random() < 0.7:
        document["signature_name"] = rng.choice([*signatures, value(rng)])
    return json.dumps(document).encode()


def request(rng, model, signatures):
    """A request as bytes, its verb, and whether it ends where it says."""
    body = mutated(rng) if rng.random() < 0.6 else composed(rng, signatures)
    path = f"/v1/models/{rng.choice(NAMES)}{rng.choice(WHICH)}:{rng.choice(METHODS)}"
    verb, headers, complete = rng.choice(VERBS), ["Host: x"], True
    if rng.random() < 0.7:
        # What is wrong is often the body only.
        verb, path = "POST", f"/v1/models/{model}:{'classify' if b'examples' in body else 'predict'}"
    if rng.random() < 0.15:
        body = gzip.compress(body)[: rng.choice([None, None, 10, -3])]
        headers.append("Content-Encoding: gzip")
    how = rng.random()
    if how < 0.2:
        cuts = sorted(rng.randrange(len(body) + 1) for _ in range(3))
        pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True) if a < b]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        headers.append("Transfer-Encoding: chunked")
        if rng.random() < 0.2:
            body = body.replace(b"\r\n", b"\n\r", 1)
            complete = False
    elif how < 0.95:
        headers.append(f"Content-Length: {len(body)}")
    else:
        headers.append(
            rng.choice(["Content-Length: abc", "Content-Length: -5", f"Content-Length: {len(body) + 9}", "X: y"])
        )
        complete = False
    if rng.random() < 0.1:
        headers.append(
            rng.choice(["Origin: http://x", "Upgrade: websocket\r\nConnection: upgrade", "Connection: close"])
        )
    head = "\r\n".join([f"{verb} {path} HTTP/1.1", *headers, "", ""])
    return head.encode() + body, verb, complete


def attack(port, count, seed, model="half", signatures=SIGNATURES):
    """Sends generated requests, each on a connection of its own; the number of answers by status."""
    statuses = {}
    for i in range(count):
        rng = random.Random(f"{seed}:{i}")
        data, verb, complete = request(rng, model, signatures)
        if verb == "HEAD":
            continue
        with Client(port) as client:
            client.send(data)
            if not complete:
                client.socket.shutdown(1)
            answer = client.answer()
        if answer is None:
            assert not complete, (seed, i, data[:300])
            continue
        statuses[answer.status] = statuses.get(answer.status, 0) + 1
        if answer.status == 200:
            if verb not in ("OPTIONS",):
                json.loads(answer.body)
            continue
        # The real server has 501 for types that JSON cannot hold.
        assert 400 <= answer.status < 500 or answer.status == 501, (seed, i, answer.status, answer.body, data[:300])
        message = answer.error
        assert message
        assert len(message) <= 1003
        assert "Traceback" not in message
    return statuses


@pytest.fixture
def short_server(core):
    with running(core, RestOptions(port=0, limits=Limits(header_seconds=1, body_seconds=1))) as server:
        yield server


def check(server, core, count, seed, caplog):
    statuses = attack(server.port, count, seed)
    # The generator reaches all kinds of answers.
    assert {200, 400, 404} <= statuses.keys()
    assert statuses[200] > count / 20
    assert call(server.port).status == 200
    assert core.leases == server.application._requests == server.application._buffered == 0
    assert not caplog.records


def test_hundreds_of_hostile_requests_are_answered(short_server, core, caplog):
    check(short_server, core, 400, 1, caplog)


def test_hostile_requests_do_not_harm_real_models(zoo, tmp_path):
    import models
    import running

    models.add_version(zoo, str(tmp_path / "zoo"), 1)
    with running.serving(base_path=str(tmp_path)) as server:
        names = sorted(server.get("/v1/models/zoo/metadata")["metadata"]["signature_def"]["signature_def"])
        names.remove("slow")
        statuses = attack(server.rest_port, 300, 3, "zoo", names)
        assert statuses[200] > 15
        assert server.post("zoo:predict", {"instances": [1.0]}) == {"predictions": [2.0]}


@pytest.mark.slow
def test_thousands_of_hostile_requests_are_answered(short_server, core, caplog):
    check(short_server, core, 2000, 2, caplog)


def test_random_bytes_are_answered(short_server, caplog):
    rng = random.Random(0)
    for _ in range(50):
        with Client(short_server.port) as client:
            client.send(rng.randbytes(rng.randrange(1, 3000)) + b"\r\n\r\n")
            client.socket.shutdown(1)
            answer = client.answer()
            assert answer is None or 400 <= answer.status < 502
    assert call(short_server.port).status == 200
    assert not caplog.records
