"""The digit model that comes with the package."""

import shutil

import numpy as np
from program_call import exit_status

from bin import make_digit_model
from tf2cases import playground
from tf2cases.data import mnist
from tf2cases.serving import card, verify
from tf2cases.serving.model import Model

SHIPPED = playground.MODELS / "digits"


def accuracy(directory, images, labels):
    found = Model(str(directory)).call("serving_default", images=images.astype(np.float32) / 255)
    return np.mean(found["probabilities"].argmax(axis=1) == labels)


def test_it_reads_the_bundled_test_digits():
    sample = mnist.load_sample().test
    assert accuracy(SHIPPED, sample["images"], sample["labels"]) >= 0.99


def test_it_reads_as_many_of_all_test_digits_as_its_card_says(shared):
    test = mnist.load_idx(str(shared / "data" / "mnist")).test
    assert accuracy(SHIPPED, test["images"], test["labels"]) == card.read(str(SHIPPED / "1"))["metrics"]["accuracy"]


def test_it_can_be_written_anew_with_the_same_weights(tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "in_fresh_process", lambda *_: None)
    shutil.copytree(SHIPPED / "1", tmp_path / "digits" / "1")
    assert exit_status(make_digit_model, f"--out={tmp_path}/digits") == 0
    images = mnist.load_sample().test["images"][:20] / np.float32(255)
    old, new = (Model(str(place)).call("serving_default", images=images) for place in (SHIPPED, tmp_path / "digits"))
    np.testing.assert_allclose(new["probabilities"], old["probabilities"], atol=1e-6)
    card.check(str(tmp_path / "digits" / "1"))
    assert [path.name for path in (tmp_path / "digits").iterdir()] == ["1"]


def test_an_export_of_another_case_is_refused(tmp_path, capsys):
    (tmp_path / "a" / "1").mkdir(parents=True)
    (tmp_path / "a" / "1" / "saved_model.pb").touch()
    assert exit_status(make_digit_model, f"--model={tmp_path}/a") == 2
    message = f"make_digit_model: --model is '{tmp_path}/a', but must be an export of the case mnist.\n"
    assert capsys.readouterr().err == message
