"""A client in Node, which shares no code with the server: it knows only the descriptors of the official stubs."""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
from google.protobuf import descriptor_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, model_service_pb2, prediction_service_pb2

PACKAGES = ("@grpc/grpc-js", "@grpc/proto-loader")
CLIENT = pathlib.Path(__file__).with_name("node_client.js")


@pytest.fixture(scope="module")
def node():
    """Runs Node with some arguments; returns what it prints. Its packages may be installed globally."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("needs node and npm")
    globally = subprocess.run(["npm", "root", "-g"], capture_output=True, text=True).stdout.strip()
    places = filter(None, [os.environ.get("NODE_PATH"), globally])
    environment = {**os.environ, "NODE_PATH": os.pathsep.join(places)}

    def run(*arguments):
        command = ["node", *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)

    if run("-e", "".join(f"require('{name}');" for name in PACKAGES)).returncode:
        pytest.skip(f"needs the npm packages {' and '.join(PACKAGES)}, installed globally or under NODE_PATH")
    return run


def write_descriptors(path):
    """Writes the FileDescriptorSet of both services, with everything that they refer to."""
    files = {}

    def add(file):
        for dependency in file.dependencies:
            add(dependency)
        if file.name not in files:
            files[file.name] = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)

    for module in (prediction_service_pb2, model_service_pb2):
        add(module.DESCRIPTOR)
    path.write_bytes(descriptor_pb2.FileDescriptorSet(file=files.values()).SerializeToString())


@pytest.fixture(scope="module")
def found(node, server, tmp_path_factory):
    """What the client got."""
    descriptors = tmp_path_factory.mktemp("node") / "descriptors.binpb"
    write_descriptors(descriptors)
    done = node(CLIENT, descriptors, f"127.0.0.1:{server.grpc_port}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def mapped(entries):
    """A map, which is a list of entries in the JSON."""
    return {entry["key"]: entry["value"] for entry in entries}


def test_predict_takes_both_forms_of_tensors(found):
    for answer in (found["values"], found["content"]):
        y = mapped(answer["outputs"])["y"]
        assert y["float_val"] == [2.5, 3, 4.5]
        assert y["tensor_shape"]["dim"] == [{"size": "3"}]
        spec = answer["model_spec"]
        assert (spec["name"], spec["signature_name"]) == ("half_plus_two", "serving_default")
        assert spec["version"] == {"value": "123"}


def test_strings_are_bytes_and_integers_are_integers(found):
    outputs = mapped(found["strings"]["outputs"])
    assert [bytes(value["data"]) for value in outputs["word_bytes"]["string_val"]] == [b"a", b"\xff\x00"]
    assert outputs["number"]["int64_val"] == ["1", "-1"]


def test_examples_are_classified_and_regressed(found):
    assert found["regressed"]["result"]["regressions"] == [{"value": 3}]
    assert found["classified"]["result"]["classifications"] == [{"classes": [{"score": 3}]}]


def test_metadata_are_a_map_of_signatures(found):
    packed = mapped(found["metadata"]["metadata"])["signature_def"]
    assert packed["type_url"] == "type.googleapis.com/tensorflow.serving.SignatureDefMap"
    signatures = get_model_metadata_pb2.SignatureDefMap.FromString(bytes(packed["value"]["data"])).signature_def
    assert signatures["serving_default"].inputs["x"].name == "x:0"


def test_the_status_names_state_and_code(found):
    (status,) = found["status"]["model_version_status"]
    assert (status["version"], status["state"]) == ("123", "AVAILABLE")


def test_errors_have_a_code_and_a_text(found):
    assert found["unknown"] == {"error": "NOT_FOUND", "details": "Servable not found for request: Latest(nobody)"}
    assert found["wrong"]["error"] == "INVALID_ARGUMENT"
    text = "input tensor alias not found in signature: z. Inputs expected to be in the set {x}."
    assert found["wrong"]["details"] == text
