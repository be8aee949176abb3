"""Paths, status codes and messages over HTTP; the expected ones are TensorFlow Serving's."""

import gzip
import json

import httpx
import numpy as np
import pytest
from fake_core import FakeCore, running
from google.protobuf import text_format
from raw_http import Client, call
from tensorflow.core.protobuf import meta_graph_pb2

from tf2cases.server.errors import Code, ServingError
from tf2cases.server.options import Limits, RestOptions
from tf2cases.server.rest import front

PREDICT = "/v1/models/half:predict"
GZIP = gzip.compress(b'{"instances": [1.0]}', mtime=0)


@pytest.fixture
def client(core, http):
    """A client of the server in front of `core`."""
    return http


@pytest.fixture(scope="module")
def http(shared):
    with httpx.Client(base_url=f"http://127.0.0.1:{shared[1].port}") as client:
        yield client


def refusal(response, status):
    """The message of an error."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    assert document.keys() == {"error"}
    return document["error"]


@pytest.mark.parametrize("which", ["", "/versions/123", "/labels/stable", "/versions/000123"])
def test_predict_answers_in_the_form_of_the_request(client, which):
    response = client.post(f"/v1/models/half{which}:predict", content='{"instances": [1.0, 2.0, 5.0]}')
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"predictions": [2.5, 3.0, 4.5]}
    response = client.post(f"/v1/models/half{which}:predict", content='{"inputs": [[3.0, 4.0]]}')
    assert response.json() == {"outputs": [[3.5, 4.0]]}


def test_a_signature_is_chosen_by_name(client, core):
    body = {"signature_name": "picture", "instances": [{"b64": "aGVsbG8="}]}
    assert client.post(PREDICT, json=body).json() == {"predictions": [{"b64": "aGVsbG8="}]}
    assert core.calls[0][1]["image_bytes"].tolist() == [b"hello"]
    body = {"signature_name": "", "instances": [1]}
    assert client.post(PREDICT, json=body).json() == {"predictions": [2.5]}


def test_classify_and_regress(client, core):
    body = {"signature_name": "classify", "examples": [{"x": 1.0}, {"x": 2.0}]}
    assert client.post("/v1/models/half:classify", json=body).json() == {"results": [[["cat", 0.2], ["", 0.8]]] * 2}
    assert client.post("/v1/models/half/labels/stable:regress", json=body).json() == {"results": [0.2, 0.2]}
    assert [name for name, _ in core.calls] == ["classify", "classify"]


def test_the_status_of_a_model(client):
    expected = {
        "model_version_status": [
            {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    for path in ("/v1/models/half", "/v1/models/half/versions/123", "/V1/Models/half"):
        response = client.get(path)
        assert response.json() == expected
        assert response.headers["content-type"] == "application/json"


def test_the_metadata_of_a_model_are_its_signatures(client, core):
    # The names and values that TensorFlow Serving writes, in its test data.
    core.signature_defs["serving_default"] = text_format.Parse(
        """inputs { key: "x" value { name: "x:0" dtype: DT_FLOAT
             tensor_shape { dim { size: -1 } dim { size: 1 } } } }
           outputs { key: "y" value { name: "y:0" dtype: DT_FLOAT tensor_shape { unknown_rank: true } } }
           method_name: "tensorflow/serving/predict" """,
        meta_graph_pb2.SignatureDef(),
    )
    shape = {"dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}], "unknown_rank": False}
    for path in (
        "/v1/models/half/metadata",
        "/v1/models/half/versions/123/metadata",
        "/v1/models/half/labels/stable/metadata",
    ):
        assert client.get(path).json() == {
            "model_spec": {"name": "half", "signature_name": "", "version": "123"},
            "metadata": {
                "signature_def": {
                    "signature_def": {
                        "serving_default": {
                            "inputs": {"x": {"name": "x:0", "dtype": "DT_FLOAT", "tensor_shape": shape}},
                            "outputs": {
                                "y": {
                                    "name": "y:0",
                                    "dtype": "DT_FLOAT",
                                    "tensor_shape": {"dim": [], "unknown_rank": True},
                                }
                            },
                            "method_name": "tensorflow/serving/predict",
                            "defaults": {},
                        }
                    }
                }
            },
        }


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/v1/models/foo:predict", "Servable not found for request: Latest(foo)"),
        ("/v1/models/foo/versions/50:predict", "Servable not found for request: Specific(foo, 50)"),
        ("/v1/models/half/versions/99:predict", "Servable not found for request: Specific(half, 99)"),
        ("/v1/models/..%2F..%2Fetc:predict", "Servable not found for request: Latest(../../etc)"),
        ("/v1/models/%E4%BD%A0%FF:predict", "Servable not found for request: Latest(你\N{REPLACEMENT CHARACTER})"),
        ("/v1/models/a%00%22b:predict", 'Servable not found for request: Latest(a\0"b)'),
    ],
)
def test_unknown_models_and_versions_are_not_found(server, path, message):
    answer = call(server.port, path)
    assert (answer.status, answer.error) == (404, message)


def test_an_unknown_model_has_no_status_and_no_metadata(client):
    assert refusal(client.get("/v1/models/foo"), 404) == "Could not find any versions of model foo"
    assert refusal(client.get("/v1/models/half/versions/5"), 404) == "Could not find version 5 of model half"
    assert refusal(client.get("/v1/models/foo/metadata"), 404) == "Servable not found for request: Latest(foo)"


def test_an_unknown_label_is_an_invalid_argument(client):
    response = client.post("/v1/models/half/labels/Version_Nonexistent:predict", content='{"instances": [1]}')
    assert refusal(response, 400) == "Unrecognized servable version label: Version_Nonexistent"


def test_a_version_beyond_64_bits_is_an_invalid_argument(client):
    for version in (2**63, 2**64 - 1, 10**400):
        response = client.post(f"/v1/models/half/versions/{version}:predict", content='{"instances": [1]}')
        assert refusal(response, 400).startswith(f"Failed to convert version: {str(version)[:100]}")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/foo"),
        ("POST", "/v1/foo"),
        ("GET", "/v1/models/debug/model_name"),
        ("POST", "/v1/models"),
        ("GET", "/v1/models/foo:predict"),
        ("POST", "/v1/models/foo/version/50:regress"),
        ("POST", "/v1/models/foo/versions/HELLO:regress"),
        ("POST", "/v1/models/foo/metadata"),
        ("POST", "/v1/models/foo/label/some_label:regress"),
        ("POST", "/v1/models/foo/versions/50/labels/some_label:regress"),
        ("POST", "/v1/models/half:explain"),
        ("POST", "/v1/models/half:PREDICT"),
        ("POST", "/v1/models/half:predict?verbose=1"),
        ("POST", "/v1/models/half:predict/"),
        ("POST", "/v1/models/a/../half:predict"),
        ("POST", "/v1/models/:predict"),
        ("PUT", "/v1/models/half"),
        ("DELETE", "/v1/models/half"),
        ("PATCH", "/v1/models/half:predict"),
    ],
)
def test_unsupported_calls_are_malformed(server, method, path):
    with Client(server.port) as client:
        client.send(f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        answer = client.answer()
    assert (answer.status, answer.error) == (400, f"Malformed request: {method} {path}")


def test_a_status_needs_a_name(client):
    assert refusal(client.get("/v1/models"), 400) == "Missing model name in request."


@pytest.mark.parametrize("path", ["/", "/v2/models/half", "/v1", "/metrics", "/favicon.ico", "/../../etc/passwd"])
def test_other_paths_are_not_found(server, path):
    with Client(server.port) as client:
        client.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        answer = client.answer()
    assert (answer.status, answer.error) == (404, f"Not found: {path}; the models are at /v1/models/NAME.")


@pytest.mark.parametrize("method", ["predict", "classify", "regress"])
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "JSON Parse error: The document is empty. at offset: 0"),
        ("instances = [1, 2]", "JSON Parse error: Invalid value. at offset: 0"),
        ("[1]", "JSON Value: [1] Is not object"),
        (
            '{"signature_name": 100}',
            """JSON Value: {"signature_name": 100} not formatted correctly. 'signature_name' key must be a string """
            "value.",
        ),
        (
            f'{{"signature_name": {"[" * 5000}{"]" * 5000}}}',
            f"""JSON Value: {{"signature_name": {"[" * 101}... not formatted correctly. 'signature_name' key must """
            "be a string value.",
        ),
        (
            '{"signature_name": "\\ud800"}',
            "JSON Parse error: The surrogate pair in string is invalid. at offset: 0 of a string",
        ),
    ],
)
def test_malformed_bodies_are_refused_by_each_method(client, method, body, message):
    assert refusal(client.post(f"/v1/models/half:{method}", content=body), 400) == message


def test_an_unknown_signature_is_an_invalid_argument(client):
    response = client.post(PREDICT, content='{"signature_name": "predict_images", "instances": [1]}')
    assert refusal(response, 400) == 'Serving signature name: "predict_images" not found in signature def'


def test_wrong_types_are_named(client):
    response = client.post(PREDICT, content='{"instances": ["x", "y"]}')
    assert refusal(response, 400) == (
        "Failed to process element: 0 of 'instances' list. Error: INVALID_ARGUMENT: JSON Value: \"x\" Type: String is "
        "not of expected type: float"
    )
    response = client.post(PREDICT, content='{"signature_name": "echo_half", "inputs": [1]}')
    assert refusal(response, 501) == "Conversion of JSON Value: 1 to type: half"


def test_long_messages_are_cut(client):
    for body in ({"examples": [{"x" * 10_000: None}]}, {"examples": [{}], "signature_name": "x" * 10_000}):
        response = client.post(f"/v1/models/{'x' * 3000}:classify", json=body)
        assert response.status_code in (400, 404)
        assert len(response.json()["error"]) == 1003


def test_deep_nesting_is_accepted_where_nobody_looks(client):
    deep = "[" * 50_000 + "]" * 50_000
    response = client.post(PREDICT, content=f'{{"deep": {deep}, "instances": [1.0]}}')
    assert response.json() == {"predictions": [2.5]}
    refusal(client.post(PREDICT, content=f'{{"instances": {deep}}}'), 400)


def test_a_scalar_output_is_answered_by_column_only(client):
    body = {"signature_name": "scalar", "inputs": 1}
    assert client.post(PREDICT, json=body).json() == {"outputs": 1.5}
    body = {"signature_name": "scalar", "instances": [1]}
    assert refusal(client.post(PREDICT, json=body), 400) == "Tensor name: y has no shape information "


@pytest.mark.parametrize("code", [code for code in Code if code is not Code.OK])
def test_each_canonical_code_has_its_http_status(client, core, code, monkeypatch):
    # The table in TensorFlow Serving's http_server.
    statuses = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]
    expected = dict(zip(Code, statuses, strict=True))

    def status(spec):
        raise ServingError(code, "the reason")

    monkeypatch.setattr(core, "status", status)
    assert refusal(client.get("/v1/models/half"), expected[code]) == "the reason"
    assert front.HTTP_STATUS.keys() == set(Code)


def test_a_fault_of_the_server_is_told_in_one_sentence(client, caplog):
    response = client.post(PREDICT, content='{"signature_name": "fail", "instances": [1]}')
    assert refusal(response, 500) == "The server failed: RuntimeError."
    assert "RuntimeError at " in caplog.text
    assert "Traceback" not in caplog.text


def test_metrics_are_text_at_their_path_only(client, core):
    client.post(PREDICT, content='{"instances": [1]}')
    response = client.get("/monitoring/prometheus/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert ':tensorflow:serving:request_count{model_name="half",status="OK"} 1' in response.text
    response = client.get("/monitoring/prometheus/metrics?x=1")
    assert response.status_code == 400
    assert response.text == (
        "Unexpected path: /monitoring/prometheus/metrics?x=1. Should be /monitoring/prometheus/metrics"
    )
    core.metrics_path = None
    refusal(client.get("/monitoring/prometheus/metrics"), 404)


def test_pages_of_other_origins_are_allowed_with_the_flag_only(core):
    headers = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "POST, GET",
        "access-control-allow-headers": "Content-Type",
    }
    for cors in (True, False):
        with running(core, RestOptions(port=0, cors=cors)) as server:
            with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
                asked = client.options(PREDICT, headers={"Origin": "https://example.org"})
                answers = [asked, client.post(PREDICT, content='{"instances": [1]}'), client.get("/v1/models/foo")]
                assert [answer.status_code for answer in answers] == [200, 200, 404]
                for answer in answers:
                    assert (headers.items() <= dict(answer.headers).items()) == cors
                assert refusal(client.options(PREDICT), 400) == "Origin header is missing in CORS preflight"


def test_gzip_bodies_are_unpacked(client):
    for packed in (GZIP, gzip.compress(b'{"instances"') + gzip.compress(b": [1.0]}")):
        response = client.post(PREDICT, content=packed, headers={"Content-Encoding": "gzip"})
        assert response.json() == {"predictions": [2.5]}


def test_large_gzip_bodies_are_unpacked(client):
    rows = np.random.default_rng(0).random(100_000).tolist()
    packed = gzip.compress(json.dumps({"instances": rows}).encode(), 1)
    assert len(packed) > 100_000
    response = client.post(PREDICT, content=packed, headers={"Content-Encoding": "gzip"})
    np.testing.assert_allclose(response.json()["predictions"], np.array(rows) / 2 + 2, rtol=1e-6)


@pytest.mark.parametrize(
    ("body", "encoding", "message"),
    [
        (b'{"instances": [1.0]}', "gzip", "The body is not gzip data, as Content-Encoding says."),
        (GZIP[:-9], "gzip", "The body is incomplete gzip data."),
        (GZIP + b"xyz", "gzip", "The body is not gzip data, as Content-Encoding says."),
        (b"", "gzip", "JSON Parse error: The document is empty. at offset: 0"),
        (b"x", "br", "Content-Encoding 'br' is not supported; send gzip or none."),
    ],
    ids=["no gzip", "cut", "more", "empty", "br"],
)
def test_wrong_encodings_are_refused(client, body, encoding, message):
    assert refusal(client.post(PREDICT, content=body, headers={"Content-Encoding": encoding}), 400) == message


def test_chunked_bodies_are_read(client):
    response = client.post(PREDICT, content=iter([b'{"inst', b'ances": ', b"[1.0]}"]))
    assert response.json() == {"predictions": [2.5]}


def test_requests_on_one_connection_are_answered_in_order(server):
    with Client(server.port) as client:
        for number in range(5):
            client.post(body=b'{"instances": [%d]}' % number)
        assert [json.loads(client.answer().body)["predictions"] for _ in range(5)] == [[2 + n / 2] for n in range(5)]


def test_a_client_that_expects_to_be_asked_for_the_body_is_asked(server):
    body = b'{"instances": [1.0]}'
    with Client(server.port) as client:
        client.post(body=b"", headers=(f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert client.socket.recv(100).startswith(b"HTTP/1.1 100 ")
        client.send(body)
        assert client.answer().status == 200
    # If it is refused at once, the connection is closed, since nobody knows whether the body follows.
    with Client(server.port) as client:
        client.post(path="/v1/x", body=b"", headers=(f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert client.answer().status == 400
        assert client.is_closed()


def test_http_1_0_is_answered(server):
    with Client(server.port) as client:
        client.send(b"GET /v1/models/half HTTP/1.0\r\n\r\n")
        assert client.answer().status == 200
        assert client.is_closed()


def test_each_request_is_counted_with_its_outcome(core, monkeypatch):
    counted = []
    monkeypatch.setattr(core.metrics, "request", lambda *args: counted.append(args[:4]))
    with running(core, RestOptions(port=0)) as server:
        call(server.port)
        call(server.port, body=b"")
        call(server.port, "/v1/models/foo:classify", b'{"examples": [{}]}')
        with Client(server.port) as client:
            client.send(b"GET /v1/models/half/metadata HTTP/1.1\r\nHost: x\r\n\r\n")
            client.answer()
    assert counted == [
        ("half", "Predict", "REST", "OK"),
        ("half", "Predict", "REST", "INVALID_ARGUMENT"),
        ("foo", "Classify", "REST", "NOT_FOUND"),
        ("half", "GetModelMetadata", "REST", "OK"),
    ]


def test_the_time_for_a_request_is_passed_on(core, monkeypatch):
    deadlines = []

    async def predict(servable, signature, inputs, output_filter=(), deadline=None):
        deadlines.append(deadline)
        return inputs

    from fake_core import FakeServable

    monkeypatch.setattr(FakeServable, "predict", predict)
    for timeout in (5000, 0):
        with running(core, RestOptions(port=0, timeout_ms=timeout)) as server:
            now = server.loop.time()
            call(server.port)
            after = server.loop.time()
    assert now - 10 < deadlines[0] - 5 < after
    assert deadlines[1] is None


def test_versions_are_released_after_each_request(core, client):
    for body in ('{"instances": [1]}', '{"instances": ["x"]}', '{"signature_name": "fail", "instances": [1]}'):
        client.post(PREDICT, content=body)
    assert core.leases == 0


def test_limits_can_be_given(core):
    with running(core, RestOptions(port=0, limits=Limits(rest_body_bytes=100))) as server:
        assert call(server.port, body=b'{"instances": [1]}').status == 200
        answer = call(server.port, body=b'{"instances": [1]}' + b" " * 100)
        assert (answer.status, answer.error) == (413, "The body has 118 bytes; at most 100 are accepted.")


def test_an_address_in_use_is_an_error_of_the_system(server):
    with pytest.raises(OSError, match="in use"):
        with running(FakeCore(), RestOptions(port=server.port)):
            pass
