"""What an export provides, and that nothing else is left behind."""

import os
import pathlib
import resource

import numpy as np
import pytest
import tensorflow as tf
from absl import flags
from absl.testing import flagsaver
from small_model import LABELS, png, requests

from tf2cases.data.digit_pictures import find_digit
from tf2cases.data.pictures.graph import decode
from tf2cases.errors import RunError
from tf2cases.serving import export as export_module
from tf2cases.serving import rules, verify, warmup
from tf2cases.serving.export import export, versions
from tf2cases.serving.model import Model


@pytest.fixture
def unchecked(monkeypatch):
    """Leaves out the fresh process, whose work `compare` does here in this one."""
    monkeypatch.setattr(verify, "in_fresh_process", verify.compare)


def affine(scale):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def serve(x):
        return {"y": x * scale}

    return {"serving_default": serve}


ROWS = {"serving_default": {"x": np.array([[1, 2], [3, 4]], np.float32)}}


def test_the_first_version_is_1_whatever_else_lies_there(exported):
    _, _, path = exported
    assert os.path.basename(path) == "1"
    assert sorted(os.listdir(os.path.dirname(path))) == ["1", "backup", "notes.txt"]


def test_versions_count_up_and_other_names_are_ignored(tmp_path, unchecked):
    assert versions(tmp_path / "none") == []
    (tmp_path / "v9").mkdir()
    (tmp_path / "12").write_text("a file, not a version")
    (tmp_path / "0010").mkdir()
    variable = tf.Variable(2.0)
    paths = [export(affine(variable), ROWS, tmp_path) for _ in range(3)]
    assert [os.path.basename(path) for path in paths] == ["11", "13", "14"]
    assert versions(tmp_path) == [10, 11, 13, 14]


def test_the_answers_are_the_live_models_in_another_process(exported):
    model, asked, path = exported  # the fixture's export compared them in a fresh process
    served = Model(path)
    assert list(served.signatures) == ["classify", "classify_bytes", "serving_default"]
    images = asked["serving_default"]["images"]
    live = model.probabilities(images).numpy()
    for count in (1, 3):
        answer = served.call("serving_default", images=images[:count])
        np.testing.assert_allclose(answer["probabilities"], live[:count], atol=1e-6)
    answer = served.call("classify", **asked["classify"])
    np.testing.assert_allclose(answer["scores"], live, atol=1e-6)
    assert answer["classes"].tolist() == [[label.encode() for label in LABELS]] * 3


def test_pictures_in_give_the_same_as_their_pixels(exported):
    model, asked, path = exported
    images = np.round(asked["serving_default"]["images"] * 255) / 255
    encoded = png(images)
    images = [find_digit(decode(one)).images[0] for one in encoded]
    answer = Model(path).call("classify_bytes", image_bytes=encoded)
    live = model.probabilities(tf.stack(images)).numpy()
    np.testing.assert_allclose(answer["probabilities"], live, atol=1e-6)
    assert [int(label) for label in answer["label"]] == live.argmax(1).tolist()


def test_only_the_variables_that_signatures_read_are_saved(exported):
    _, _, path = exported
    saved = tf.train.list_variables(os.path.join(path, "variables", "variables"))
    shapes = sorted(shape for name, shape in saved if name.startswith("served_variables"))
    assert shapes == [[784], [784, 10]]  # moving mean and kernel; the slot is not there


def test_openvino_reads_the_float_signature(exported):
    openvino = pytest.importorskip("openvino")
    model, asked, path = exported
    images = asked["serving_default"]["images"]
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    for count in (1, 3):
        answer = compiled(images[:count])[0]
        np.testing.assert_allclose(answer, model.probabilities(images[:count]).numpy(), atol=1e-4)


def test_saved_model_cli_shows_every_signature(exported, capsys):
    tools = pytest.importorskip("tensorflow.python.tools.saved_model_cli")
    _, _, path = exported
    flags.FLAGS.mark_as_parsed()
    with flagsaver.flagsaver((tools._SMCLI_DIR, path), (tools._SMCLI_ALL, True)):
        tools.show()
    shown = capsys.readouterr().out
    for text in ("classify_bytes", "serving_default", "shape: (-1, 28, 28, 1)", "tensorflow/serving/predict"):
        assert text in shown


def test_warmup_records_read_back_and_can_be_replayed(exported):
    log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    _, asked, path = exported
    served = Model(path)
    seen = []
    for record in tf.data.TFRecordDataset(os.path.join(path, warmup.PATH)):
        log = log_pb2.PredictionLog.FromString(record.numpy())
        assert log.WhichOneof("log_type") == "predict_log"
        request = log.predict_log.request
        name = request.model_spec.signature_name
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        rows = len(next(iter(inputs.values())))
        seen.append((request.model_spec.name, name, rows))
        for key, value in inputs.items():
            np.testing.assert_array_equal(value, asked[name][key][:rows])
        assert all(len(value) == rows for value in served.call(name, **inputs).values())
    names = ("classify", "classify_bytes", "serving_default")
    assert sorted(seen) == [("small", name, rows) for name in names for rows in (1, 3)]


def test_without_the_serving_api_export_says_so_and_goes_on(tmp_path, unchecked, monkeypatch, capsys):
    monkeypatch.setattr(warmup, "available", lambda: False)
    path = export(affine(tf.Variable(2.0)), ROWS, tmp_path)
    assert not os.path.exists(os.path.join(path, warmup.PATH))
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "pip install 'tf2cases[serving]'" in message
    assert "--no_warmup" in message


def test_no_warmup_writes_none_and_says_nothing(tmp_path, unchecked, capsys):
    path = export(affine(tf.Variable(2.0)), ROWS, tmp_path, warmup=False)
    assert os.listdir(os.path.join(path, "assets.extra")) == ["model_card.json"]
    assert capsys.readouterr().err == ""


def refused(directory, signatures, asked, error, sentence):
    """Export fails with the sentence, and the directory is as before."""
    directory.mkdir(exist_ok=True)
    (directory / "7").mkdir()
    with pytest.raises(error, match=sentence) as caught:
        export(signatures, asked, directory)
    assert "\n" not in str(caught.value)
    assert os.listdir(directory) == ["7"]


def test_a_compiled_function_is_refused(tmp_path, unchecked):
    signatures = affine(2.0)
    body = tf.function(lambda x: {"y": x}, jit_compile=True, input_signature=[tf.TensorSpec([None, 2], name="x")])
    refused(tmp_path, {**signatures, "fast": body}, ROWS, rules.RuleError, "rule 'no XLA': signature 'fast'")


def test_answers_that_depend_on_the_batch_are_refused(tmp_path, unchecked):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def normalised(x):
        return {"y": x - tf.reduce_mean(x, axis=0)}

    refused(
        tmp_path,
        {"serving_default": normalised},
        ROWS,
        RunError,
        r"signature 'serving_default', row 0 of 2 against the same row alone: output 'y' differs by 1,",
    )


def test_nan_for_zeros_is_refused(tmp_path, unchecked):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def divide(x):
        return {"y": x / tf.reduce_sum(x, axis=1, keepdims=True)}

    refused(
        tmp_path,
        {"serving_default": divide},
        ROWS,
        RunError,
        "signature 'serving_default' for zeros: output 'y' has NaN",
    )


def test_nan_in_the_answer_is_refused(tmp_path, unchecked):
    refused(tmp_path, affine(tf.Variable(np.nan)), ROWS, RunError, "output 'y' has NaN")


def test_a_wrong_export_is_refused_by_the_fresh_process(tmp_path, monkeypatch):
    variable = tf.Variable(2.0)
    save = tf.saved_model.save

    def save_then_go_on(*arguments, **options):
        variable.assign(2.001)  # saved with another weight than the one that answered
        save(*arguments, **options)

    monkeypatch.setattr(tf.saved_model, "save", save_then_go_on)
    refused(
        tmp_path,
        affine(variable),
        ROWS,
        RunError,
        "does not match the live model: signature 'serving_default': output 'y' differs by 0.002,",
    )


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({}, r"requests are given for \[\]"),
        ({"serving_default": {"z": ROWS["serving_default"]["x"]}}, r"has \['z'\], but must have \['x'\]"),
        ({"serving_default": {"x": ROWS["serving_default"]["x"][:1]}}, "must have at least 2"),
    ],
)
def test_requests_must_fit_the_signatures(tmp_path, unchecked, asked, sentence):
    refused(tmp_path, affine(2.0), asked, RunError, sentence)


def test_a_full_disk_leaves_nothing_behind(tmp_path, unchecked):
    variable = tf.Variable(np.ones([2, 100_000], np.float32))

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
    def serve(x):
        return {"y": (x @ variable)[:, :1]}

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))  # a write beyond that fails
    try:
        refused(tmp_path, {"serving_default": serve}, ROWS, RunError, "failed, and nothing was changed there")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_failing_write_of_warmup_records_leaves_nothing_behind(tmp_path, unchecked, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(warmup, "write", full)
    refused(tmp_path, affine(2.0), ROWS, RunError, "No space left on device")


def test_an_interrupted_export_leaves_nothing_behind(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(verify, "in_fresh_process", interrupted)
    with pytest.raises(KeyboardInterrupt):
        export(affine(2.0), ROWS, tmp_path)
    assert os.listdir(tmp_path) == []


def test_another_export_taking_the_number_first_is_no_failure(tmp_path, unchecked, monkeypatch):
    rename = os.rename

    def rename_late(source, target):
        if target.endswith("1"):
            os.mkdir(target)
            pathlib.Path(target, "saved_model.pb").write_text("the other's")
        rename(source, target)

    monkeypatch.setattr(export_module.os, "rename", rename_late)
    assert os.path.basename(export(affine(2.0), ROWS, tmp_path)) == "2"


def test_expected_answers_keep_strings_that_end_in_zeros(tmp_path):
    inputs = {"x": np.array([b"a\0\0", b""], object)}
    verify.save(tmp_path / "answers.npz", [("s", inputs, {"y": np.float32([[1, 2]])})])
    ((name, read, outputs),) = verify._load(tmp_path / "answers.npz")
    assert name == "s"
    assert read["x"].tolist() == [b"a\0\0", b""]
    np.testing.assert_array_equal(outputs["y"], [[1, 2]])


def test_the_verifier_says_what_it_could_not_load(tmp_path, capsys):
    assert verify.main(["verify", str(tmp_path), str(tmp_path / "none.npz"), "1e-5"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_requests_are_several_rows():
    assert {len(value) for inputs in requests().values() for value in inputs.values()} == {3}


def test_the_same_model_is_not_exported_twice(tmp_path, unchecked):
    variable = tf.Variable(2.0)
    facts = {"identity": "run 10"}
    first = export(affine(variable), ROWS, tmp_path, facts=facts)
    assert export(affine(variable), ROWS, tmp_path, facts=facts) == first
    assert versions(tmp_path) == [1]
    assert export(affine(variable), ROWS, tmp_path, facts=facts, warmup=False) == str(tmp_path / "2")
    assert export(affine(variable), ROWS, tmp_path, facts={"identity": "run 11"}, warmup=False) == str(tmp_path / "3")
    assert export(affine(variable), ROWS, tmp_path, warmup=False) == str(tmp_path / "4")  # of unknown origin
    with open(tmp_path / "4" / "saved_model.pb", "ab") as file:
        file.write(b"damage")
    assert export(affine(variable), ROWS, tmp_path, facts=facts, warmup=False) == str(tmp_path / "5")
