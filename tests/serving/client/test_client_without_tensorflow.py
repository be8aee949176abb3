"""The client works where there are only NumPy, grpcio and protobuf, and starts quickly."""

import json
import os
import statistics
import subprocess
import sys

import pytest

from tf2cases.serving import client

# Runs with only these libraries: any other one that is not of Python itself cannot be imported.
_ONLY = """
import sys

ALLOWED = {"numpy", "grpc", "google", "typing_extensions", "tf2cases", *sys.stdlib_module_names}

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] not in ALLOWED:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
"""
_ASK = """
import json
from tf2cases.serving import client

way, where = sys.argv[1:]
with client.connect(**{way: where}, name="half_plus_two") as model:
    answer = model.call("serving_default", x=[[1.0], [3.0]])
print(json.dumps({key: value.ravel().tolist() for key, value in answer.items()}))
"""


def run(repo, *words):
    environment = {**os.environ, "PYTHONPATH": str(repo)}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True)


def where(server, way):
    return f"127.0.0.1:{server.grpc_port}" if way == "server" else f"http://127.0.0.1:{server.rest_port}"


@pytest.mark.parametrize("way", ["server", "rest"])
def test_a_remote_model_is_asked_with_numpy_grpcio_and_protobuf_only(repo, server, way):
    done = run(repo, "-c", _ONLY + _ASK, way, where(server, way))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"y": [2.5, 3.5]}  # x / 2 + 2


def test_rest_needs_numpy_only(repo, server):
    code = _ONLY.replace('"grpc", "google", "typing_extensions", ', "") + _ASK
    assert json.loads(run(repo, "-c", code, "rest", where(server, "rest")).stdout) == {"y": [2.5, 3.5]}


def seconds(repo, *words):
    """Seconds of processor time that a process takes, the median of five; and the output of the last."""
    times, code = (
        [],
        (
            "import os, subprocess, sys, time; before = os.times();"
            "done = subprocess.run(sys.argv[1:], capture_output=True, text=True); after = os.times();"
            "print(after.children_user + after.children_system - before.children_user - before.children_system);"
            "print(done.stdout, done.stderr)"
        ),
    )
    for _ in range(5):
        done = run(repo, "-c", code, sys.executable, *words)
        first, _, rest = done.stdout.partition("\n")
        times.append(float(first))
    return statistics.median(times), rest.strip()


def test_the_client_is_imported_within_half_a_second_of_processor_time(repo):
    taken, _ = seconds(
        repo, "-c", "import tf2cases.serving.client.over_grpc, tf2cases.serving.client.over_rest, sys; sys.exit()"
    )
    assert taken < 0.5


def test_predict_over_rest_answers_within_seven_tenths_of_a_second_of_processor_time(repo, server):
    address = where(server, "rest")
    taken, printed = seconds(repo, "-m", "bin.predict", f"--rest={address}", "--name=half_plus_two", "--values=1")
    assert printed == "1\t2.5"
    assert taken < 0.7


def test_importing_the_client_leaves_the_official_stubs_usable():
    from tensorflow_serving.apis import predict_pb2

    assert client.connect is not None
    assert predict_pb2.PredictRequest().model_spec.name == ""
