"""What is repeated, what is not, and what the errors say; on servers that are made to fail."""

import concurrent.futures
import contextlib
import http.server
import json
import threading
import time

import grpc
import numpy as np
import pytest
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from tf2cases.errors import RunError, UsageError
from tf2cases.serving import client

SIGNATURE = {
    "inputs": {"x": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}]}}},
    "outputs": {"y": {"dtype": "DT_FLOAT", "tensor_shape": {"dim": [{"size": "-1"}]}}},
}
X = np.array([1, 2], np.float32)


class Failing(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Doubles numbers, after it has failed as `failures` says: a list of (gRPC status, HTTP status), or of seconds."""

    def __init__(self):
        self.failures, self.requests = [], 0

    def GetModelMetadata(self, request, context):
        answer, found = get_model_metadata_pb2.GetModelMetadataResponse(), get_model_metadata_pb2.SignatureDefMap()
        for side in ("inputs", "outputs"):
            info = getattr(found.signature_def["serving_default"], side)["x" if side == "inputs" else "y"]
            info.dtype = 1
            info.tensor_shape.dim.add(size=-1)
        answer.metadata["signature_def"].Pack(found)
        return answer

    def Predict(self, request, context):
        failure = self.next()
        if failure:
            context.abort(getattr(grpc.StatusCode, failure[0]), "on purpose")
        answer = predict_pb2.PredictResponse()
        answer.outputs["y"].CopyFrom(request.inputs["x"])
        return answer

    def next(self):
        self.requests += 1
        failure = self.failures.pop(0) if self.failures else None
        if isinstance(failure, float):
            time.sleep(failure)
            failure = None
        return failure


@contextlib.contextmanager
def over_grpc(failing):
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(failing, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield {"server": f"127.0.0.1:{port}"}
    server.stop(None)


@contextlib.contextmanager
def over_rest(failing):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            self.answer(200, {"metadata": {"signature_def": {"signature_def": {"serving_default": SIGNATURE}}}})

        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            failure = failing.next()
            if failure:
                self.answer(failure[1], {"error": "on purpose"})
            else:
                self.answer(200, {"outputs": body["inputs"]["x"]})

        def answer(self, status, record):
            text = json.dumps(record).encode()
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield {"rest": f"http://127.0.0.1:{server.server_port}"}
    server.shutdown()
    server.server_close()


@pytest.fixture(params=[over_grpc, over_rest])
def failing(request):
    """(what fails, where it is)."""
    stub = Failing()
    with request.param(stub) as where:
        yield stub, where


UNAVAILABLE = ("UNAVAILABLE", 503)


def test_an_unavailable_server_is_asked_again_with_growing_pauses(failing):
    stub, where = failing
    stub.failures = [UNAVAILABLE] * 3
    with client.connect(**where) as model:
        start = time.monotonic()
        assert model.call("serving_default", x=X)["y"].tolist() == [1, 2]
    assert stub.requests == 4
    assert 0.35 <= time.monotonic() - start < 5  # at least half of 0.1 + 0.2 + 0.4


def test_it_gives_up_after_the_retries(failing):
    stub, where = failing
    stub.failures = [UNAVAILABLE] * 9
    with client.connect(**where, options=client.Options(retries=1)) as model:
        with pytest.raises(RunError, match=r"is unavailable after 2 attempts: on purpose\."):
            model.call("serving_default", x=X)
    assert stub.requests == 2


@pytest.mark.parametrize(
    ("failure", "kind", "message"),
    [
        (("INVALID_ARGUMENT", 400), UsageError, "signature 'serving_default' refused its input: on purpose."),
        (("NOT_FOUND", 404), UsageError, "on purpose."),
        (("INTERNAL", 500), RunError, "failed: .*on purpose."),
        (("RESOURCE_EXHAUSTED", 429), RunError, "failed: .*on purpose."),
    ],
)
def test_other_errors_are_not_repeated(failing, failure, kind, message):
    stub, where = failing
    stub.failures = [failure] * 9
    with client.connect(**where) as model, pytest.raises(kind, match=message):
        model.call("serving_default", x=X)
    assert stub.requests == 1


def test_a_slow_answer_ends_at_the_deadline(failing):
    stub, where = failing
    stub.failures = [1.5]
    with client.connect(**where, options=client.Options(deadline=0.3)) as model:
        start = time.monotonic()
        with pytest.raises(RunError, match=r"did not answer within the deadline of 0\.3 seconds\."):
            model.call("serving_default", x=X)
    assert time.monotonic() - start < 1.3
    assert stub.requests == 1


def test_retries_end_at_the_deadline(failing):
    stub, where = failing
    stub.failures = [UNAVAILABLE] * 100
    with client.connect(**where, options=client.Options(deadline=0.5, retries=100)) as model:
        with pytest.raises(RunError, match="is unavailable after"):
            model.call("serving_default", x=X)
    assert 2 <= stub.requests <= 5


@pytest.mark.parametrize("where", [{"server": "127.0.0.1:9"}, {"rest": "http://127.0.0.1:9"}])
def test_a_server_that_is_not_there_is_named(where):
    with pytest.raises(RunError, match=r"the server at .*127\.0\.0\.1:9 is unavailable after 2 attempts"):
        client.connect(**where, options=client.Options(retries=1))


@pytest.mark.parametrize("url", ["localhost:8501", "ftp://localhost", "http://:8501", "http://localhost:99999"])
def test_an_address_that_is_none_is_refused(url):
    with pytest.raises(ValueError, match="must be http://HOST:PORT"):
        client.connect(rest=url)


@pytest.mark.parametrize("given", [{}, {"server": "a:1", "rest": "http://a:1"}])
def test_exactly_one_way_must_be_given(given):
    with pytest.raises(UsageError, match="exactly one must be given"):
        client.connect(**given)


@pytest.fixture(params=["server", "rest"])
def zoo(request, server):
    where = {"server": f"127.0.0.1:{server.grpc_port}", "rest": f"http://127.0.0.1:{server.rest_port}"}
    with client.connect(**{request.param: where[request.param]}, name="zoo") as model:
        yield model


def test_messages_may_be_larger_than_grpcs_default(zoo):
    numbers = np.arange(2_000_000, dtype=np.float32)  # 8 MB there and back; the default limit is 4 MiB
    np.testing.assert_array_equal(zoo.call("serving_default", x=numbers)["y"], numbers + 1)


def test_strings_and_several_outputs_come_back(zoo):
    answer = zoo.call("strings", words=[b"a", b"zz"])
    assert answer["number"].tolist() == [1, -1]
    assert answer["number"].dtype == np.int64
    assert answer["upper"].tolist() == [b"A", b"ZZ"]
    assert answer["word_bytes"].tolist() == [b"a", b"zz"]


def test_wrong_inputs_are_refused_before_they_are_sent(zoo):
    for signature, inputs, message in [
        ("none", {}, "has no signature 'none', only "),
        ("serving_default", {"z": [1.0]}, "was given z, but must be given x"),
        ("serving_default", {"x": [[1.0]]}, r"is float32 \[1, 1\], but must be float32 \[n\]"),
        ("serving_default", {"x": ["a"]}, r"is something else, but must be float32 \[n\]"),
        ("strings", {"words": [1.0]}, r"is something else, but must be string \[n\]"),
    ]:
        with pytest.raises(UsageError, match=message):
            zoo.call(signature, **inputs)


def test_a_model_that_is_not_served_is_named(server):
    for where in ({"server": f"127.0.0.1:{server.grpc_port}"}, {"rest": f"http://127.0.0.1:{server.rest_port}"}):
        with pytest.raises(UsageError, match="ghost"):
            client.connect(**where, name="ghost")


def test_repeated_requests_are_counted_and_timed():
    lock, calls = threading.Lock(), []

    def work():
        with lock:
            calls.append(threading.current_thread())
        time.sleep(0.01)

    timing = client.measure(work, 20, 4)
    assert (timing.requests, len(calls), len(set(calls))) == (20, 20, 4)
    assert 0.05 <= timing.seconds < 5
    assert timing.latencies.min() >= 0.01
    exact = client.Timing(4, 2.0, np.array([0.001, 0.002, 0.003, 0.004]))
    assert exact.line(10, 2) == (
        "4 requests of 10 rows, 2 at a time: 2.0 requests/s, 20.0 rows/s; median 2.50 ms, p95 3.85 ms, p99 3.97 ms"
    )


def test_an_error_of_a_repeated_request_is_raised():
    def work():
        raise RunError("on purpose")

    with pytest.raises(RunError, match="on purpose"):
        client.measure(work, 5, 2)
