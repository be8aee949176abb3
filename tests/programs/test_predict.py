"""The program that asks an export about picture files."""

import json

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from program_call import exit_status

from tf2cases.data.digit_pictures import to_digit
from tf2cases.data.pictures.graph import decode_batch
from tf2cases.programs import predict


def save(signatures, directory):
    module = tf.Module()
    tf.saved_model.save(module, str(directory), signatures=signatures)
    return directory.parent


@pytest.fixture(scope="module")
def side_model(tmp_path_factory):
    """Says whether the ink lies left or right, and how much of it: a picture's answer can be told by hand."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def classify_bytes(data):
        images = decode_batch(data, to_digit, [28, 28, 1])
        halves = tf.reduce_sum(tf.reshape(images, [-1, 28, 2, 14]), axis=[1, 3])
        probabilities = halves / tf.reduce_sum(halves, axis=1, keepdims=True)
        label = tf.gather(tf.constant(["left", "right"]), tf.argmax(probabilities, axis=1))
        return {"label": label, "probabilities": probabilities, "copy_bytes": data}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def another(data):
        return {"label": data}

    signatures = {"serving_default": another, "another": another, "classify_bytes": classify_bytes}
    return save(signatures, tmp_path_factory.mktemp("side") / "1")


@pytest.fixture(scope="module")
def reader_model(tmp_path_factory):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def read_bytes(data):
        count = tf.shape(data)[0]
        return {
            "characters": tf.tile([["4", "2"]], [count, 1]),
            "confidence": tf.fill([count], 0.75),
            "character_confidences": tf.tile([[0.75, 1.0]], [count, 1]),
            "text": tf.fill([count], "42"),
        }

    return save({"serving_default": read_bytes, "read_bytes": read_bytes}, tmp_path_factory.mktemp("r") / "1")


def bar(column, dark=False):
    """A bar of ink, 28x28: three quarters of it in its own half."""
    page = np.zeros([28, 28], np.uint8)
    page[10:20, column : column + 4] = 255
    return Image.fromarray(255 - page if dark else page)


def ask(capsys, *arguments):
    return exit_status(predict, *arguments), *capsys.readouterr()


def test_one_line_a_picture_dark_or_bright_in_one_batch(tmp_path, side_model, capsys):
    bar(11).save(tmp_path / "a.png")  # columns 11-14: three of four left of 14
    bar(13, dark=True).save(tmp_path / "b.gif")  # columns 13-16: three of four on the right
    code, out, _ = ask(capsys, f"--model={side_model}", tmp_path / "a.png", tmp_path / "b.gif")
    assert code == 0
    assert out.splitlines() == [f"{tmp_path}/a.png\tleft\t0.7500", f"{tmp_path}/b.gif\tright\t0.7500"]


def test_json_has_every_output_that_is_no_picture(tmp_path, side_model, capsys):
    bar(11).save(tmp_path / "a.png")
    code, out, _ = ask(capsys, f"--model={side_model}/1", "--json", tmp_path / "a.png")
    assert code == 0
    (line,) = out.splitlines()
    assert json.loads(line) == {
        "path": f"{tmp_path}/a.png",
        "label": "left",
        "probabilities": [0.75, 0.25],
        "probability": 0.75,
    }


def test_a_readers_text_and_confidence_print_through_the_same_program(tmp_path, reader_model, capsys):
    bar(11).save(tmp_path / "a.png")
    _, out, _ = ask(capsys, f"--model={reader_model}", tmp_path / "a.png")
    assert out == f"{tmp_path}/a.png\t42\t0.7500\n"
    _, out, _ = ask(capsys, f"--model={reader_model}", "--json", tmp_path / "a.png")
    assert json.loads(out) == {
        "path": f"{tmp_path}/a.png",
        "text": "42",
        "confidence": 0.75,
        "characters": ["4", "2"],
        "character_confidences": [0.75, 1.0],
    }


KINDS = {
    "rgba.png": lambda page: Image.merge("RGBA", [page.point(lambda _: 0)] * 3 + [page]),
    "palette.png": lambda page: page.quantize(4),
    "deep.png": lambda page: Image.fromarray(np.asarray(page).astype(np.uint16) * 257),
    "cmyk.jpg": lambda page: page.convert("RGB").convert("CMYK"),
    "one_frame.gif": lambda page: page,
    "palette.bmp": lambda page: page.quantize(4),
    "tagged.tiff": lambda page: page,
    "web.webp": lambda page: page.convert("RGB"),
}


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gets_the_right_answer(tmp_path, side_model, capsys, name):
    KINDS[name](bar(16)).save(tmp_path / name)
    code, out, _ = ask(capsys, f"--model={side_model}", tmp_path / name)
    assert code == 0
    assert out.split("\t")[1] == "right"


def test_a_jpeg_called_png_gets_the_right_answer(tmp_path, side_model, capsys):
    bar(16).save(tmp_path / "digit.png", "JPEG")
    _, out, _ = ask(capsys, f"--model={side_model}", tmp_path / "digit.png")
    assert out.split("\t")[1] == "right"


def test_mistakes_end_with_one_sentence_and_status_2(tmp_path, side_model, capsys):
    bar(11).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_text("no picture")
    (tmp_path / "models").mkdir()
    model, good = f"--model={side_model}", tmp_path / "a.png"
    for arguments, sentence in [
        ([model], "no picture is given: name at least one"),
        ([good], "--model is missing"),
        ([model, good, tmp_path / "c.png"], "c.png: cannot be read"),
        ([model, good, tmp_path / "b.png"], "b.png: this is not a picture"),
        ([f"--model={tmp_path}/none", good], "there is no directory"),
        ([f"--model={tmp_path}/models", good], "has no version"),
        ([model, "--pretty", good], "pretty"),
    ]:
        code, out, err = ask(capsys, *arguments)
        assert code == 2
        assert out == ""
        assert sentence in err
        assert "Traceback" not in err


def test_a_model_without_a_picture_signature_is_refused(tmp_path, capsys):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="features")])
    def price(features):
        return {"price": features[:, 0]}

    place = save({"serving_default": price}, tmp_path / "houses" / "1")
    bar(11).save(tmp_path / "a.png")
    code, _, err = ask(capsys, f"--model={place}", tmp_path / "a.png")
    assert code == 2
    assert "cannot be run on pictures: none of its signatures (serving_default)" in err


def test_help_says_how_dark_digits_are_recognised(capsys):
    code, out, _ = ask(capsys, "--help")
    assert code == 0
    assert "a picture whose border is brighter than" in out
    assert "PICTURE..." in out
