"""The benchmark of digits counts what a model reads; here, a model that always says "4"."""

import io
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps
from program_call import exit_status

from tf2cases.benchmarks import digit_scenes
from tf2cases.data import mnist
from tf2cases.programs import benchmark


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def classify_bytes(image_bytes):
        count = tf.shape(image_bytes)[0]
        return {"label": tf.fill([count], "4"), "probabilities": tf.fill([count, 10], 0.1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def read_digits_bytes(image_bytes):
        return {"text": tf.fill([tf.shape(image_bytes)[0]], "4")}

    place = tmp_path_factory.mktemp("fours")
    functions = {"classify_bytes": classify_bytes, "read_digits_bytes": read_digits_bytes}
    tf.saved_model.save(tf.Module(), str(place / "1"), signatures=functions)
    return place


def test_every_line_counts_the_answers_of_the_model(model, tmp_path, monkeypatch, capsys):
    Image.new("L", (30, 20)).save(tmp_path / "a.jpg")
    drawn = []

    def written(digit):
        drawn.append(digit)
        return lambda height: np.ones([height, height // 4], np.float32)

    monkeypatch.setattr(digit_scenes, "written", written)
    flags = ["--scenes=6", "--conditions=clean,desk_all_round", f"--photos={tmp_path}"]
    assert exit_status(benchmark, "digits", f"--model={model}", *flags) == 0
    lines = capsys.readouterr().out.splitlines()
    test = mnist.load_sample().test
    label_of = {image.tobytes(): label for image, label in zip(test["images"][..., 0], test["labels"], strict=True)}
    labels = [label_of[digit.tobytes()] for digit in drawn[1:]]  # the first call of the model is not counted
    for line, part in ((lines[1], labels[:6]), (lines[2], labels[6:12])):
        assert f"{np.mean(np.array(part) == 4):7.1%} right" in line
        assert "0 wrong above 0.9" in line
    assert re.fullmatch(r"pages of 1 to 12 digits +[\d.]+% read whole +[\d.]+% of the digits", lines[3])
    assert re.fullmatch(r"photos without digits +100.0% of 1 have a confidence below 0.5", lines[4])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "--model is missing: it must be the export of a digit model."),
        (["--model=.", "--conditions=fog"], "--conditions has 'fog', but each must be one of clean, lined, "),
        (["--model=.", "--fonts=."], "--fonts is '.', but must have font files (.ttf or .otf)."),
        (["--model=.", "--photos=."], "--photos is '.', but must have .jpg pictures."),
    ],
)
def test_mistakes_are_told(flags, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert exit_status(benchmark, "digits", *flags) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", digit_scenes.CONDITIONS)
def test_each_condition_draws_a_photo_with_something_on_it(name):
    scene = digit_scenes.Scene.plain(np.random.default_rng(1))
    digit_scenes.CONDITIONS[name](scene)
    with_ink = scene.one(lambda height: np.ones([height, height // 4], np.float32))
    photo = Image.open(io.BytesIO(with_ink))
    assert photo.format == "JPEG"
    width, height = ImageOps.exif_transpose(photo).size
    if scene.crop is not None:
        assert width < 1200
        assert height < 1600
    elif scene.longest is not None:
        assert (width, height) == (210, 280)
    else:
        assert (width, height) == (1200, 1600)
    assert np.asarray(photo.convert("L"), float).std() > 1
