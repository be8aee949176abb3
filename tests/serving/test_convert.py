"""Converted exports: readers that share no code with TensorFlow give its answers, and servers are not disturbed."""

import os
import pathlib
import sys

import numpy as np
import pytest
import tensorflow as tf
from case_exports import EXPORTS
from program_call import exit_status

from tf2cases import cases
from tf2cases.errors import RunError
from tf2cases.programs import export as export_program
from tf2cases.programs import train_linear_regression
from tf2cases.serving import convert, export, verify
from tf2cases.serving.model import Model

place = str(pathlib.Path(__file__).resolve().parents[1] / "server")
if place not in sys.path:
    sys.path.append(place)

# Inception-v3 takes as long as all the others.
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name == "retrain" else name for name in EXPORTS]


@pytest.fixture(scope="module", params=NAMES)
def exported(request, tmp_path_factory):
    """(version directory, inputs of the default signature, TensorFlow's answers)."""
    name, fields, info = EXPORTS[request.param]
    case_class = cases.REGISTRY[name]
    case = case_class(case_class.Config(**fields, steps=10, epochs=None), info() if callable(info) else info)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "in_fresh_process", lambda *_: None)
        path = export.export_case(case, str(tmp_path_factory.mktemp("exports") / request.param), warmup=False)
    random, model, request_ = np.random.default_rng(1), Model(path), case.requests()["serving_default"]
    # The case's own request, and noise in the range of its values.
    inputs = {
        key: np.concatenate([value, random.uniform(value.min(), value.max(), [4, *value.shape[1:]])]).astype(np.float32)
        for key, value in request_.items()
    }
    return path, inputs, model.call("serving_default", **inputs)


def assert_agree(found, expected):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key].shape == value.shape
        assert np.abs(found[key] - value).max() <= 1e-4 * np.abs(value).max(), key


def test_onnx_runtime_and_openvino_agree_with_tensorflow(exported):
    pytest.importorskip("tf2onnx")
    onnxruntime, openvino = pytest.importorskip("onnxruntime"), pytest.importorskip("openvino")
    path, inputs, expected = exported
    file = convert.convert(path, "onnx")
    name = os.path.basename(os.path.dirname(path))
    assert file == os.path.join(os.path.dirname(path), f"{name}-1.onnx")

    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    assert {value.name: value.shape[0] for value in session.get_inputs()} == dict.fromkeys(inputs, "rows")
    names = [value.name for value in session.get_outputs()]
    assert_agree(dict(zip(names, session.run(names, inputs), strict=True)), expected)

    core = openvino.Core()
    compiled = core.compile_model(core.read_model(file), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    answer = compiled(inputs)
    assert_agree({key: answer[compiled.output(key)] for key in expected}, expected)


def test_litert_agrees_with_tensorflow(exported):
    interpreters = pytest.importorskip("ai_edge_litert.interpreter")
    path, inputs, expected = exported
    file = convert.convert(path, "litert")
    name = os.path.basename(os.path.dirname(path))
    assert file == os.path.join(os.path.dirname(path), f"{name}-1.tflite")
    interpreter = interpreters.Interpreter(file)
    assert list(interpreter.get_signature_list()) == ["serving_default"]
    assert_agree(interpreter.get_signature_runner("serving_default")(**inputs), expected)


def test_a_server_ignores_the_files(exported):
    from running import serving

    path, _, _ = exported
    base = os.path.dirname(path)
    for ending in (".onnx", ".tflite"):
        pathlib.Path(base, f"{os.path.basename(base)}-1{ending}").touch()
    with serving(base_path=os.path.dirname(base)) as server:
        assert server.core.served() == {os.path.basename(base): [1]}
    with serving(name="model", base_path=base) as server:
        assert server.core.served() == {"model": [1]}


def affine(path, scale=2.0):
    """A small SavedModel."""

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def serve(x):
        return {"y": x * scale}

    tf.saved_model.save(tf.Module(), str(path), signatures={"serving_default": serve})
    return str(path)


@pytest.mark.parametrize("to", ["onnx", "litert"])
def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch, to):
    pytest.importorskip("onnxruntime")
    path, other = affine(tmp_path / "small" / "1"), affine(tmp_path / "other" / "1", 2.001)
    wrong = getattr(convert, f"_to_{to}")(other)
    monkeypatch.setattr(convert, f"_to_{to}", lambda directory: wrong)
    with pytest.raises(
        RunError, match=r"could not be converted: output 'y' differs by 0.000\d+, but at most 0.0001\d+"
    ):
        convert.convert(path, to)
    assert os.listdir(tmp_path / "small") == ["1"]


@pytest.mark.parametrize("to", ["onnx", "litert"])
def test_what_cannot_be_converted_is_told_in_one_sentence(tmp_path, to):
    pytest.importorskip("tf2onnx")

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def serve(x):
        return {"y": tf.strings.length(tf.strings.as_string(x))}

    path = str(tmp_path / "words" / "1")
    tf.saved_model.save(tf.Module(), path, signatures={"serving_default": serve})
    with pytest.raises(RunError, match=f"^{path} could not be converted to {tmp_path}/words/words-1[.]") as caught:
        convert.convert(path, to)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path / "words") == ["1"]


def test_the_program_writes_the_file_beside_the_version_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(verify, "in_fresh_process", lambda *_: None)
    assert exit_status(train_linear_regression, "--epochs=2", "--workdir=runs/houses", "--export_dir=") == 0
    assert exit_status(export_program, "--workdir=runs/houses", "--format=litert", "--publish_as=prices") == 0
    assert capsys.readouterr().out.endswith("exports/prices/1 and " + f"{tmp_path}/exports/prices/prices-1.tflite.\n")
    before = os.path.getmtime("exports/prices/prices-1.tflite")
    assert exit_status(export_program, "--all", "--format=litert") == 0
    assert exit_status(export_program, "--workdir=runs/houses", "--format=litert", "--publish_as=prices") == 0
    assert os.path.getmtime("exports/prices/prices-1.tflite") == before
    assert sorted(os.listdir("exports/houses")) == ["1", "houses-1.tflite"]
    monkeypatch.setattr(convert, "_to_litert", lambda directory: b"nothing")
    os.remove("exports/houses/houses-1.tflite")
    assert exit_status(export_program, "--all", "--format=litert") == 1
    assert "runs/houses is not exported: " in capsys.readouterr().err


def test_a_missing_converter_is_told_before_any_work(monkeypatch, capsys):
    monkeypatch.setattr(convert.importlib.util, "find_spec", lambda name: None)
    assert exit_status(export_program, "--workdir=none", "--format=onnx") == 2
    assert "--format is 'onnx', but tf2onnx is missing: pip install 'tf2cases[convert]'" in capsys.readouterr().err
