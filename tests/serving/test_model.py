"""Asking an exported model, and what is said when it cannot be asked."""

import os
import shutil

import numpy as np
import pytest
import tensorflow as tf

import tf2cases
from tf2cases.errors import UsageError
from tf2cases.serving import card
from tf2cases.serving.model import Model


@pytest.fixture(scope="module")
def model(exported):
    return Model(exported[2])


def test_the_newest_version_is_opened(exported, tmp_path):
    _, _, path = exported
    shutil.copytree(path, tmp_path / "9")
    shutil.copytree(path, tmp_path / "0010")
    (tmp_path / "11").write_text("no directory")
    (tmp_path / "latest").mkdir()
    assert Model(tmp_path).path == str(tmp_path / "0010")
    assert Model(str(tmp_path / "9") + "/").path == str(tmp_path / "9")


def test_signatures_have_their_input_specs(model):
    assert model.signatures["serving_default"] == {
        "images": tf.TensorSpec([None, 28, 28, 1], tf.float32, name="images")
    }


def test_lists_and_other_number_types_are_converted(model):
    zeros = model.call("serving_default", images=np.zeros([2, 28, 28, 1]).tolist())
    np.testing.assert_allclose(zeros["probabilities"], np.full([2, 10], 0.1), rtol=1e-6)


@pytest.mark.parametrize(
    ("signature", "inputs", "sentence"),
    [
        ("predict", {}, "no signature 'predict', only classify, classify_bytes, serving_default"),
        ("serving_default", {"image": 1}, "was given image, but must be given images"),
        ("serving_default", {}, "was given nothing, but must be given images"),
        (
            "serving_default",
            {"images": np.zeros([28, 28])},
            r"input 'images' of signature 'serving_default' is float32 \(28, 28\), but must be float32 "
            r"\(None, 28, 28, 1\)",
        ),
        ("serving_default", {"images": ["seven"]}, "is something else, but must be float32"),
        ("classify_bytes", {"image_bytes": b"GIF"}, r"is string \(\), but must be string \(None,\)"),
        (
            "classify_bytes",
            {"image_bytes": [b"no picture"]},
            r"signature 'classify_bytes' refused its input: The bytes are not a PNG, JPEG or BMP picture\.$",
        ),
    ],
)
def test_a_wrong_call_is_explained(model, signature, inputs, sentence):
    with pytest.raises(UsageError, match=sentence):
        model.call(signature, **inputs)


def test_a_missing_directory_is_named(tmp_path):
    with pytest.raises(UsageError, match=f"there is no directory {tmp_path}/none"):
        Model(tmp_path / "none")


def test_a_directory_without_versions_is_explained(tmp_path):
    (tmp_path / "mnist_cnn").mkdir()
    with pytest.raises(UsageError, match=r"has no version: .* did you forget to export"):
        Model(tmp_path)


def test_a_version_that_is_no_saved_model_is_named(tmp_path):
    (tmp_path / "3").mkdir()
    with pytest.raises(UsageError, match=f"{tmp_path}/3 is not a SavedModel: saved_model.pb is missing"):
        Model(tmp_path)


@pytest.mark.parametrize("damage", ["graph", "weights", "no weights"])
def test_a_damaged_export_of_another_program_is_refused(exported, tmp_path, damage):
    copy = tmp_path / "1"
    shutil.copytree(exported[2], copy)
    os.remove(copy / card.PATH)
    if damage == "graph":
        (copy / "saved_model.pb").write_bytes(b"\xff\xff not a proto")
    elif damage == "weights":
        os.truncate(copy / "variables" / "variables.data-00000-of-00001", 100)
    else:
        shutil.rmtree(copy / "variables")
    with pytest.raises(UsageError, match=r"is not a complete SavedModel .*; export it again") as caught:
        Model(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("flip", r"variables/variables\.data-00000-of-00001 has changed since the export"),
        ("remove", r"variables/variables\.index is missing"),
        ("add", r"assets\.extra/notes\.txt does not belong to it"),
        ("card", r"assets\.extra/model_card\.json cannot be read"),
        ("no checksums", r"assets\.extra/model_card\.json cannot be read \(it has no checksums\)"),
    ],
)
def test_any_change_of_an_export_is_noticed_and_the_export_left_as_it_is(exported, tmp_path, damage, message):
    copy = tmp_path / "1"
    shutil.copytree(exported[2], copy)
    if damage == "flip":
        data = copy / "variables" / "variables.data-00000-of-00001"
        content = bytearray(data.read_bytes())
        content[len(content) // 2] ^= 1
        data.write_bytes(content)
    elif damage == "remove":
        os.remove(copy / "variables" / "variables.index")
    elif damage == "add":
        (copy / "assets.extra" / "notes.txt").write_text("mine")
    else:
        (copy / card.PATH).write_text("{" if damage == "card" else "{}")
    before = sorted(str(path) for path in copy.rglob("*"))
    with pytest.raises(UsageError, match=rf"{copy} is damaged: {message}.*; (remove it, or )?export the model again\."):
        Model(copy)
    assert sorted(str(path) for path in copy.rglob("*")) == before


def test_the_card_says_what_the_export_is(exported):
    read = card.read(str(exported[2]))
    assert set(read["sha256"]) >= {"saved_model.pb", "variables/variables.index"}
    assert read["signatures"].keys() == Model(exported[2]).signatures.keys()
    assert read["tf2cases"] == tf2cases.__version__
