"""The program bin.serve, as a process: its start, its files, its end."""

import contextlib
import http.client
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

SECONDS = 120  # for the start, on a busy machine


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A base path with version 3 of a model whose answer takes as many steps as it is told."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    def count(x):
        steps = tf.cast(x[0], tf.int32)
        last = tf.while_loop(lambda i: i < steps, lambda i: i + 1, [0])[0]
        return {"y": x + 1 + 0 * tf.cast(last, tf.float32)}

    place = tmp_path_factory.mktemp("base")
    tf.saved_model.save(tf.Module(), str(place / "3"), signatures={"serving_default": count})
    return place


def free_ports(count):
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in opened]


@contextlib.contextmanager
def started(repo, *arguments, env=None):
    """The process of a server, when it has begun to serve, and what it printed until then."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bin.serve", *map(str, arguments)],
        cwd=repo,
        env={**(env or os.environ), "CUDA_VISIBLE_DEVICES": "-1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    guard = threading.Timer(SECONDS, process.kill)
    guard.start()
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("serving "):
                break
        else:
            raise AssertionError("".join(lines))
        yield process, "".join(lines)
    finally:
        guard.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def ended(repo, *arguments):
    """(status, output) of a server that cannot start."""
    done = subprocess.run(
        [sys.executable, "-m", "bin.serve", *map(str, arguments)],
        cwd=repo,
        env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    return done.returncode, done.stdout + done.stderr


def ask(port, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST" if body else "GET", path, body and json.dumps(body))
        response = connection.getresponse()
        return response.status, response.read().decode()


def test_it_serves_until_it_is_told_to_stop_and_answers_what_it_has(repo, base, tmp_path):
    grpc_port, rest_port = free_ports(2)
    monitoring = tmp_path / "monitoring.txt"
    monitoring.write_text('prometheus_config { enable: true, path: "/metrics" }')
    flags = ["--model_name=counter", f"--model_base_path={base}", f"--port={grpc_port}"]
    flags += [f"--rest_api_port={rest_port}", f"--monitoring_config_file={monitoring}", "--num_load_threads=4"]
    flags += ["--rest_api_num_threads=2", f"--grpc_socket_path={tmp_path}/socket", "--use_alts_credentials"]
    with started(repo, *flags) as (process, said):
        assert "serve is for development and tests; use tensorflow_model_server in production.\n" in said
        assert "--num_load_threads is ignored: it has no effect here.\n" in said
        assert "--use_alts_credentials is ignored: it has no effect here.\n" in said
        assert f"serving counter version 3; gRPC at 127.0.0.1:{grpc_port}, unix:{tmp_path}/socket, REST at " in said
        predict = "/v1/models/counter:predict"
        assert ask(rest_port, predict, {"instances": [1.0]})[0] == 200
        assert "# TYPE :tensorflow:serving:request_count counter" in ask(rest_port, "/metrics")[1]
        status, text = ended(repo, f"--model_base_path={base}", f"--port={grpc_port}", "--rest_api_port=0")
        assert (status, f"cannot listen at 127.0.0.1:{grpc_port} for gRPC" in text) == (1, True), text

        answers = []
        asking = threading.Thread(target=lambda: answers.append(ask(rest_port, predict, {"instances": [3e5]})))
        asking.start()
        time.sleep(0.1)
        begin = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        asking.join()
        assert time.monotonic() - begin < 10
        status, text = answers[0]
        assert (status, json.loads(text)) == (200, {"predictions": [300001.0]})


def test_without_a_model_it_serves_the_digits_of_the_package_and_shows_the_page(repo):
    grpc_port, rest_port = free_ports(2)
    with started(repo, f"--port={grpc_port}", f"--rest_api_port={rest_port}") as (process, said):
        assert (
            f"serving digits version 1; gRPC at 127.0.0.1:{grpc_port}, REST at http://127.0.0.1:{rest_port}\n" in said
        )
        assert process.stdout.readline() == f"The playground is at http://127.0.0.1:{rest_port}/\n"
        status, page = ask(rest_port, "/playground/")
        assert (status, page.startswith("<!doctype html>")) == (200, True)
        status, listed = ask(rest_port, "/playground/models.json")
        (model,) = json.loads(listed)["models"]
        assert (status, model["name"], model["card"]["case"]) == (200, "digits", "mnist")
        body = {"inputs": {"images": [[[[0.0]] * 28] * 28]}}
        status, text = ask(rest_port, "/v1/models/digits:predict", body)
        assert (status, round(sum(json.loads(text)["outputs"][0]), 5)) == (200, 1.0)


def test_in_front_of_a_backend_it_serves_no_model_and_starts_without_tensorflow(repo, tmp_path):
    # A module of this name before the real one fails when it is imported.
    (tmp_path / "tensorflow.py").write_text("raise AssertionError('TensorFlow is imported')")
    (rest_port,) = free_ports(1)
    place = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    exports = f"--models={repo}/tf2cases/playground/models"
    with started(repo, "--backend=http://127.0.0.1:1", exports, f"--rest_api_port={rest_port}", env=place) as (_, said):
        page = f"http://127.0.0.1:{rest_port}/"
        assert said.endswith(f"serving the playground at {page}, whose requests go to http://127.0.0.1:1\n")
        (model,) = json.loads(ask(rest_port, "/playground/models.json")[1])["models"]
        assert (model["name"], "find_digits_bytes" in model["signatures"]) == ("digits", True)
        status, text = ask(rest_port, "/v1/models/digits")
        assert (status, "The backend at http://127.0.0.1:1 does not answer: " in text) == (502, True)


def test_a_malformed_config_ends_the_start(repo, tmp_path):
    (tmp_path / "models.config").write_text("model_config_list { improper }")
    status, text = ended(repo, f"--model_config_file={tmp_path}/models.config")
    assert status == 1
    assert "serve: Error parsing text-format tensorflow.serving.ModelServerConfig" in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_a_request_that_takes_too_long_does_not_keep_it_alive(repo, base):
    grpc_port, rest_port = free_ports(2)
    with started(repo, f"--model_base_path={base}", f"--port={grpc_port}", f"--rest_api_port={rest_port}") as (
        process,
        _,
    ):
        connection = socket.create_connection(("127.0.0.1", rest_port))
        with contextlib.closing(connection):
            body = b'{"instances": [2e9]}'
            connection.sendall(
                b"POST /v1/models/default:predict HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )
            time.sleep(0.5)
            begin = time.monotonic()
            process.send_signal(signal.SIGTERM)
            process.wait(30)
            assert time.monotonic() - begin < 10.5


@pytest.mark.slow
def test_ten_thousand_idle_connections_to_either_port_leave_it_small_and_quick(repo, base):
    count = 10_000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < count + 500:
        pytest.skip(f"needs {count + 500} open files, but the system allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    grpc_port, rest_port = free_ports(2)
    # The beginning of HTTP/2, and settings without an entry.
    greeting = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    with started(repo, f"--model_base_path={base}", f"--port={grpc_port}", f"--rest_api_port={rest_port}") as (
        process,
        _,
    ):
        try:
            for port, first in ((rest_port, b""), (grpc_port, greeting)):
                with contextlib.ExitStack() as stack:
                    for _ in range(count):
                        idle = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
                        idle.sendall(first)
                        if first:
                            assert idle.recv(9)[3] == 4  # its settings
                    begin = time.monotonic()
                    for _ in range(20):
                        assert ask(rest_port, "/v1/models/default:predict", {"instances": [1.0]})[0] == 200
                        assert predict(grpc_port) == 2
                    assert time.monotonic() - begin < 20
                    with open(f"/proc/{process.pid}/status") as status:
                        kilobytes = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
                    assert kilobytes < 1_500_000
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def predict(port):
    """The answer for x = 1 over gRPC, through a connection of its own."""
    import grpc
    from tensorflow_serving.apis import predict_pb2

    request = predict_pb2.PredictRequest()
    request.model_spec.name = "default"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=1)
    request.inputs["x"].float_val.append(1)
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        answer = predict_pb2.PredictResponse.FromString(call(request.SerializeToString(), timeout=60))
    return answer.outputs["y"].float_val[0]
