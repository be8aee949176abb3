"""REST requests to real models: the answers of TensorFlow Serving's documentation, and all kinds of signatures."""

import base64
import json
import math
import socket

import numpy as np
import pytest
from running import serving, wait_for

from tf2cases.server.options import Limits


def test_half_plus_two_answers_as_documented(server):
    assert server.post("half_plus_two:predict", {"instances": [1.0, 2.0, 5.0]}) == {"predictions": [2.5, 3.0, 4.5]}
    assert server.post("half_plus_two/versions/123:predict", {"inputs": [3.0, 4.0]}) == {"outputs": [3.5, 4.0]}
    assert server.get("/v1/models/half_plus_two") == {
        "model_version_status": [
            {"version": "123", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
        ]
    }
    # In the documentation the model is called half.
    assert server.post("half:predict", {"instances": [1.0, 5.0]}, 404) == {
        "error": "Servable not found for request: Latest(half)"
    }


def test_classify_and_regress_answer_as_in_tensorflow_servings_tests(server):
    body = {"signature_name": "regress_x_to_y", "examples": [{"x": 80.0}]}
    assert server.post("half_plus_two:regress", body) == {"results": [42.0]}
    body = {"signature_name": "classify_x_to_y", "examples": [{"x": 20.0}]}
    assert server.post("half_plus_two:classify", body) == {"results": [[["", 12.0]]]}
    body = {"signature_name": "regress_x_to_y", "context": {"x": 10.0}, "examples": [{}, {"x": 20.0}]}
    assert server.post("half_plus_two:regress", body) == {"results": [7.0, 12.0]}
    body = {"signature_name": "classify", "examples": [{"x": [0.25, 0.1]}]}
    assert server.post("zoo:classify", body) == {"results": [[["cat", 0.25], ["dog", 0.1]]]}


def test_metadata_have_the_model_and_its_signatures(server):
    answer = server.get("/v1/models/half_plus_two/metadata")
    assert answer["model_spec"] == {"name": "half_plus_two", "signature_name": "", "version": "123"}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "tensor_shape": {"dim": [{"size": "-1", "name": ""}, {"size": "1", "name": ""}], "unknown_rank": False},
        "name": "x:0",
    }


def test_several_outputs_are_objects(server):
    body = {"signature_name": "both", "instances": [1.0, 2.0]}
    assert server.post("half_plus_two:predict", body) == {
        "predictions": [{"x": 1.0, "y": 2.5, "twice": 5.0}, {"x": 2.0, "y": 3.0, "twice": 6.0}]
    }
    body = {"signature_name": "both", "inputs": {"x": [1.0, 2.0]}}
    assert server.post("half_plus_two:predict", body) == {
        "outputs": {"x": [1.0, 2.0], "y": [2.5, 3.0], "twice": [5.0, 6.0]}
    }


def test_strings_are_text_or_base64_by_the_name_of_the_output(server):
    body = {"signature_name": "strings", "instances": ["a", {"b64": "Yg=="}, "ä"]}
    answer = server.post("zoo:predict", body)["predictions"]
    assert [row["number"] for row in answer] == [1, 2, -1]
    assert [row["upper"] for row in answer[:2]] == ["A", "B"]
    assert [base64.b64decode(row["word_bytes"]["b64"]).decode() for row in answer] == ["a", "b", "ä"]


def test_scalars_are_given_and_returned_by_column(server):
    body = {"signature_name": "scalars", "inputs": {"start": 0.5, "count": 3}}
    assert server.post("zoo:predict", body) == {"outputs": {"numbers": [0.5, 1.5, 2.5], "count": 3}}
    error = server.post("zoo:predict", {"signature_name": "scalars", "inputs": {"start": 0.5, "count": 3.0}}, 400)
    assert error == {"error": "JSON Value: 3.0 Type: Number is not of expected type: int32"}


def test_a_scalar_string_is_returned_by_column(server):
    body = {"signature_name": "strings", "inputs": "a"}
    assert server.post("zoo:predict", body) == {"outputs": {"number": 1, "upper": "A", "word_bytes": {"b64": "YQ=="}}}


def test_special_numbers_go_in_and_come_out(server):
    body = '{"instances": [NaN, Infinity, -Infinity, 1e39, 0.1]}'
    answer = server.ask("POST", "/v1/models/zoo:predict", body)["predictions"]
    assert math.isnan(answer[0])
    assert answer[1:] == [math.inf, -math.inf, math.inf, 1.1]


def test_empty_batches_are_answered_by_column(server):
    assert server.post("zoo:predict", {"inputs": []}) == {"outputs": []}
    assert "No values in 'instances' array" in server.post("zoo:predict", {"instances": []}, 400)["error"]


@pytest.mark.parametrize(
    ("path", "body", "status", "text"),
    [
        ("zoo:predict", {"signature_name": "wide", "instances": [1.0]}, 400, ""),
        ("zoo:predict", {"instances": ["a"]}, 400, "is not of expected type: float"),
        ("zoo:predict", {"inputs": {"y": [1.0]}}, 400, "Missing named input: x in 'inputs' object."),
        ("zoo:predict", {"signature_name": "no", "instances": [1]}, 400, 'Serving signature name: "no" not found'),
        ("zoo:predict", {"signature_name": "positive", "inputs": [-1.0]}, 400, "x must be positive"),
        ("zoo:predict", {"signature_name": "scalars", "inputs": {"start": 1.0, "count": [1, 2]}}, 400, ""),
        ("zoo:classify", {"signature_name": "no", "examples": [{}]}, 400, ""),
        ("zoo:classify", {"examples": [{"x": 1.0}]}, 400, ""),
        ("zoo:classify", {"signature_name": "classify", "examples": [{"x": [1.0]}]}, 400, ""),
        ("zoo:regress", {"signature_name": "classify", "examples": [{"x": [1.0, 2.0]}]}, 400, ""),
        ("zoo/versions/2:predict", {"instances": [1]}, 404, "Servable not found for request: Specific(zoo, 2)"),
        ("zoo/labels/no:predict", {"instances": [1]}, 400, "Unrecognized servable version label: no"),
        ("..%2F..%2Fetc:predict", {"instances": [1]}, 404, "Servable not found for request: Latest(../../etc)"),
        ("zoo:predict", {"signature_name": "kinds", "inputs": {"a_half": [1.0]}}, 400, "Missing named input"),
    ],
)
def test_what_the_model_cannot_answer_is_refused_in_one_sentence(server, path, body, status, text):
    error = server.post(path, body, status)["error"]
    assert text in error
    assert error
    assert "Traceback" not in error
    assert "\n" not in error.strip()


def test_answers_of_a_batch_are_those_of_its_rows(server):
    rows = np.random.default_rng(0).random(64, np.float32).tolist()
    together = server.post("half_plus_two:predict", {"instances": rows})["predictions"]
    np.testing.assert_allclose(together, np.array(rows) / 2 + 2, rtol=1e-6)
    assert server.post("half_plus_two:predict", {"instances": rows[5:6]})["predictions"] == together[5:6]


def test_a_request_that_takes_too_long_is_a_timeout_of_the_gateway(zoo, tmp_path):
    import models

    models.add_version(zoo, str(tmp_path), 1)
    with serving(base_path=str(tmp_path), rest={"timeout_ms": 300}) as server:
        body = {"signature_name": "slow", "instances": [5e5]}
        assert "eadline" in server.post("default:predict", body, 504)["error"]
        assert server.post("default:predict", {"instances": [1.0]}) == {"predictions": [2.0]}


def test_a_client_that_goes_releases_its_version(zoo, tmp_path):
    import models

    models.add_version(zoo, str(tmp_path), 1)
    with serving(base_path=str(tmp_path), rest={"limits": Limits(concurrent_requests=2)}) as server:
        body = json.dumps({"signature_name": "slow", "instances": [2e5]}).encode()
        head = f"POST /v1/models/default:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", server.rest_port)) as client:
                client.sendall(head + body)
                wait_for(lambda: server._fronts[1].application._requests == 1)
            wait_for(lambda: server._fronts[1].application._requests == 0)
        assert server.post("default:predict", {"instances": [1.0]}) == {"predictions": [2.0]}
