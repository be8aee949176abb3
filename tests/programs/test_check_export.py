"""The program that checks exports: every rule fails for what breaks it, and says what to do."""

import importlib.util
import json
import os
import pathlib
import re
import shutil
import sys

import numpy as np
import pytest
import tensorflow as tf
from program_call import exit_status

from tf2cases.programs import check_export
from tf2cases.serving import batching, card, rules, verify, warmup
from tf2cases.serving.export import export

place = str(pathlib.Path(__file__).resolve().parents[1] / "server")
if place not in sys.path:
    sys.path.append(place)


def signature(body, *shape, dtype=tf.float32, name="x"):
    return tf.function(body, input_signature=[tf.TensorSpec(shape, dtype, name=name)])


def good_signatures():
    """Tensors, bytes and serialized tf.Examples."""
    scale = tf.Variable([1.0, 2.0])

    def classify(inputs):
        x = tf.io.parse_example(inputs, {"x": tf.io.FixedLenFeature([2], tf.float32)})["x"]
        return {"classes": tf.tile([["cat", "dog"]], [tf.shape(x)[0], 1]), "scores": x * scale}

    return {
        "serving_default": signature(lambda x: {"y": x * scale}, None, 2),
        "size_bytes": signature(
            lambda image_bytes: {"size": tf.strings.length(image_bytes)}, None, dtype=tf.string, name="image_bytes"
        ),
        "classify": signature(classify, None, dtype=tf.string, name="inputs"),
    }


def example(*values):
    feature = {"x": tf.train.Feature(float_list=tf.train.FloatList(value=values))}
    return tf.train.Example(features=tf.train.Features(feature=feature)).SerializeToString()


REQUESTS = {
    "serving_default": {"x": np.array([[1, 2], [3, 4]], np.float32)},
    "size_bytes": {"image_bytes": np.array([b"ab", b"c"], object)},
    "classify": {"inputs": np.array([example(1, 2), example(3, 4)], object)},
}


@pytest.fixture(scope="session")
def good(tmp_path_factory):
    """The directory of version 1 of an export that keeps every rule."""

    def checked_and_settled(directory, path, tolerance):
        pathlib.Path(directory, batching.PATH).write_text(batching.Settings(8, 500, "Not measured.").text())

    place = tmp_path_factory.mktemp("exports") / "small"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "in_fresh_process", checked_and_settled)
        return export(good_signatures(), REQUESTS, str(place), facts={"case": "small"})


@pytest.fixture
def copy(good, tmp_path):
    return pathlib.Path(shutil.copytree(good, tmp_path / "small" / "1"))


@pytest.fixture
def check(capsys):
    """{rule: (state, text)} of an export, after the exit status; `to_do` has the advice that was printed."""

    def call(*paths):
        code = exit_status(check_export, *paths)
        out, err = capsys.readouterr()
        assert err == ""
        found = {}
        for line in out.splitlines():
            if match := re.fullmatch(r"(ok|FAILED|-) +([\w -]+): (.+)", line):
                found[match[2]] = match[1], match[3]
                if match[1] == "FAILED":
                    found[match[2]] = *found[match[2]], out.split(line)[1].splitlines()[1]
        return code, found

    return call


def save(path, **functions):
    """A SavedModel of another program."""
    tf.saved_model.save(tf.Module(), str(path), signatures=functions)
    return path


def test_every_rule_holds_for_an_export(good, check):
    code, found = check(os.path.dirname(good))
    assert code == 0
    assert {state for state, _ in found.values()} == {"ok"}
    assert found.keys() == check_export._TO_DO.keys()  # there is advice for each rule, and no other
    assert set(rules.NAMES) < found.keys()
    assert found["version directories"] == ("ok", "1; by default, a server loads 1")
    assert found["warm-up records"] == ("ok", "6 were replayed")
    assert found["answers"] == ("ok", "3 of 3 signatures were called with an example or zeros")


def damage(path):
    with open(path, "r+b") as file:
        file.seek(-20, os.SEEK_END)
        file.write(b"damage")


def edit_card(copy, **changes):
    record = json.loads((copy / card.PATH).read_text())
    (copy / card.PATH).write_text(json.dumps({**record, **changes}))


BROKEN = {
    "warm-up records are missing": (
        lambda copy: os.remove(copy / warmup.PATH),
        {"warm-up records": "requests is missing", "checksums": "requests is missing"},
    ),
    "warm-up records are cut": (
        lambda copy: os.truncate(copy / warmup.PATH, 100),
        {"warm-up records": "Failed to read warmup record", "checksums": "has changed since the export"},
    ),
    "variables are damaged": (
        lambda copy: damage(copy / "variables/variables.data-00000-of-00001"),
        {"loads": "", "checksums": "variables.data-00000-of-00001 has changed"},
    ),
    "variables are missing": (
        lambda copy: shutil.rmtree(copy / "variables"),
        {"complete files": "variables/variables.index is missing", "loads": "", "checksums": "is missing"},
    ),
    "a shard is missing": (
        lambda copy: os.rename(
            copy / "variables/variables.data-00000-of-00001", copy / "variables/variables.data-00000-of-00002"
        ),
        {"complete files": "1 of 2 data files are in variables/", "loads": "", "checksums": "is missing"},
    ),
    "the graph is missing": (
        lambda copy: os.remove(copy / "saved_model.pb"),
        {"complete files": "saved_model.pb is missing", "loads": "", "checksums": "saved_model.pb is missing"},
    ),
    "the card is no JSON": (lambda copy: (copy / card.PATH).write_text("{"), {"card": "cannot be read"}),
    "the card is of another model": (
        lambda copy: edit_card(copy, signatures={}),
        {"card fits": "the card has the signatures none, but the model classify, serving_default, size_bytes"},
    ),
    "the card names a signature that is not there": (
        lambda copy: edit_card(copy, answers={"values": "other"}),
        {"card fits": "the card lets other answer, which the model does not have"},
    ),
    "an example is refused": (
        lambda copy: edit_card(copy, examples={"serving_default": {"x": [1, 2, 3]}}),
        {"answers": "signature 'serving_default' fails: "},
    ),
    "the settings for batching are wrong": (
        lambda copy: (copy / batching.PATH).write_text("max_batch_size { value: 0 }"),
        {"batching": "max_batch_size must be positive"},
    ),
    "a version has two directories": (
        lambda copy: shutil.copytree(copy, copy.parent / "001"),
        {"version directories": "version 1 has several directories"},
    ),
    "the version is no integer": (
        lambda copy: copy.rename(copy.parent / "first"),
        {"version directories": "'first' is not an integer"},
    ),
    "the model's name is odd": (
        lambda copy: copy.parent.rename(copy.parent.parent / "a:b"),
        {"model name": "the model's name 'a:b'"},
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_fails_with_what_to_do(copy, check, tmp_path, name):
    break_it, expected = BROKEN[name]
    break_it(copy)
    (version,) = [path for path in tmp_path.glob("*/*") if path.name != "001"]
    code, found = check(version)
    assert code == 1
    failed = {rule: rest for rule, (state, *rest) in found.items() if state == "FAILED"}
    assert failed.keys() == expected.keys()
    for rule, (text, advice) in failed.items():
        assert expected[rule] in text
        assert advice == f"        to do: {check_export._TO_DO[rule]}"
    if "loads" in failed:
        assert found["no XLA"] == ("-", "the model does not load")


def files_of(image_bytes):
    return {"size": tf.strings.length(image_bytes), "image": image_bytes}


SIGNATURES = {
    "a default signature": {"other": signature(lambda x: {"y": x}, None, 2)},
    "plain names": {"serving_default": signature(lambda x: {"my/y": x}, None, 2)},
    "batch dimension": {"serving_default": signature(lambda x: {"y": x}, 3, 2)},
    "float32 outputs": {"serving_default": signature(lambda x: {"y": tf.cast(x, tf.float64)}, None, 2)},
    "byte inputs": {"serving_default": signature(files_of, None, dtype=tf.string, name="image_bytes")},
    "byte outputs": {
        "serving_default": signature(lambda x: {"y": tf.repeat(tf.io.encode_png(PIXEL), tf.shape(x)[:1])}, None, 2)
    },
    "classify": {
        "serving_default": signature(lambda x: {"y": x}, None, 2),
        "classify": signature(lambda x: {"scores": x}, None, 2),
    },
    "names of outputs": {"serving_default": signature(lambda x: {"x": x + 1}, None, 2)},
    "no XLA": {"serving_default": tf.function(lambda x: {"y": x}, [tf.TensorSpec([None, 2], name="x")], jit_compile=1)},
    "known operations": {
        "serving_default": signature(
            lambda x: {"y": tf.ensure_shape(tf.py_function(abs, [x], x.dtype), [None, 2])}, None, 2
        )
    },
    "answers": {"serving_default": signature(lambda x: {"y": x / tf.reduce_sum(x, 1, keepdims=True)}, None, 2)},
}
PIXEL = np.zeros([1, 1, 1], np.uint8)


@pytest.mark.parametrize("rule", SIGNATURES)
def test_a_model_of_another_program_that_breaks_a_rule(tmp_path, check, rule):
    path = save(tmp_path / "theirs" / "7", **SIGNATURES[rule])
    code, found = check(path.parent)
    assert code == 1
    assert {name for name, (state, *_) in found.items() if state == "FAILED"} - {"warm-up records"} == {rule}
    for name in ("card", "checksums", "card fits"):
        assert found[name] == ("-", "no card")


def test_a_model_of_tensorflow_1_is_checked(tmp_path, check):
    from models import save_half_plus

    save_half_plus(str(tmp_path / "half" / "3"))
    code, found = check(tmp_path / "half")
    assert code == 1
    assert {name for name, (state, *_) in found.items() if state == "FAILED"} == {
        *("byte inputs", "names of outputs", "warm-up records")
    }
    assert found["answers"] == ("ok", "2 of 5 signatures were called with an example or zeros")


def test_several_exports_are_checked_and_one_failure_counts(good, copy, check, capsys):
    os.remove(copy / batching.PATH)
    assert check(good, copy)[0] == 0
    shutil.rmtree(copy / "variables")
    assert check(good, copy)[0] == 1


def test_without_the_serving_api_the_warm_up_records_are_not_replayed(good, check, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "tensorflow_serving" else find(name))
    code, found = check(good)
    assert code == 0
    reason = "tensorflow-serving-api is missing: pip install 'tf2cases[serving]'"
    assert {rule: text for rule, (state, text) in found.items() if state == "-"} == {"warm-up records": reason}


@pytest.mark.parametrize("make", [lambda path: None, os.mkdir, lambda path: path.write_text("a file")])
def test_what_is_no_export_has_exit_status_2(tmp_path, capsys, make):
    make(tmp_path / "model")
    assert exit_status(check_export, tmp_path / "model") == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("check_export: ")
    assert " must " in line
