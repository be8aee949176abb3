"""The program that asks an export about picture files."""

import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from program_call import exit_status

from tf2cases.data.digit_pictures import find_digit
from tf2cases.data.pictures.graph import decode_batch
from tf2cases.errors import UsageError
from tf2cases.programs import exports, predict
from tf2cases.serving import client, signatures


def save(signatures, directory):
    module = tf.Module()
    tf.saved_model.save(module, str(directory), signatures=signatures)
    return directory.parent


@pytest.fixture(scope="module")
def side_model(tmp_path_factory):
    """Says whether the ink lies left or right, and how much of it: a picture's answer can be told by hand."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def classify_bytes(data):
        images = decode_batch(data, lambda rgba: find_digit(rgba).images[0], [28, 28, 1])
        halves = tf.reduce_sum(tf.reshape(images, [-1, 28, 2, 14]), axis=[1, 3])
        probabilities = halves / tf.reduce_sum(halves, axis=1, keepdims=True)
        label = tf.gather(tf.constant(["left", "right"]), tf.argmax(probabilities, axis=1))
        return {"label": label, "probabilities": probabilities, "copy_bytes": data}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="image_bytes")])
    def another(data):
        return {"label": data}

    functions = {"serving_default": another, "another": another, "classify_bytes": classify_bytes}
    return save(functions, tmp_path_factory.mktemp("models") / "side" / "1")


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
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").touch()
    model, good = f"--model={side_model}", tmp_path / "a.png"
    for arguments, sentence in [
        ([model], "no picture is given: name at least one"),
        ([good], "--model is missing"),
        ([model, tmp_path / "c.png"], "c.png: cannot be read"),
        ([model, tmp_path / "b.png"], "b.png: this is not a picture"),
        ([model, tmp_path / "models"], "models has no pictures, but must have files ending in"),
        ([model, "--out=o", good, tmp_path / "models" / "a.gif"], "would both be written to o/a.png; they must have"),
        ([f"--model={tmp_path}/none", good], "there is no directory"),
        ([f"--model={tmp_path}/models", good], "; did you forget to export, or to append the model's name?"),
        ([f"--model={side_model.parent}", good], f"/1; did you mean {side_model}"),
        ([f"--model={tmp_path}/run", good], "; it is the folder of a run, whose export is in another one, such as"),
        ([side_model, good], f"--server or --rest must be given; did you mean --model={side_model}?"),
        ([model, "--pretty", good], "pretty"),
    ]:
        code, out, err = ask(capsys, *arguments)
        assert code == 2
        assert out == ""
        assert sentence in err
        assert "Traceback" not in err


@pytest.fixture
def folder(tmp_path):
    """Three readable pictures, one of them in a sub-folder, among others that are not, and a file of another kind."""
    folder = tmp_path / "pictures"
    (folder / "more").mkdir(parents=True)
    for name, column in (("a.png", 11), ("d.png", 13), ("more/e.gif", 11)):
        bar(column).save(folder / name)
    (folder / "b.png").write_text("no picture")
    (folder / "c.png").touch()
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.mark.parametrize("size", [1, 2, 100])
def test_unreadable_pictures_are_named_and_the_others_answered(folder, side_model, capsys, size):
    names = [folder / name for name in ("b.png", "a.png", "c.png", "d.png")]
    code, out, err = ask(capsys, f"--model={side_model}", f"--batch_size={size}", *names)
    assert code == 1
    assert out == f"{folder}/a.png\tleft\t0.7500\n{folder}/d.png\tright\t0.7500\n"
    first, second = err.splitlines()
    assert first.startswith(f"predict: {folder}/b.png: this is not a picture; expected ")
    assert second.startswith(f"predict: {folder}/c.png: the file is empty; expected ")


def test_if_no_picture_can_be_read_the_status_is_2(folder, side_model, capsys):
    code, out, err = ask(capsys, f"--model={side_model}", folder / "b.png", folder / "c.png")
    assert (code, out, len(err.splitlines())) == (2, "", 2)


@pytest.mark.parametrize("kind", ["folder", "zip", "gztar"])
def test_a_folder_or_archive_stands_for_its_pictures(folder, side_model, kind, tmp_path, capsys):
    given = folder if kind == "folder" else shutil.make_archive(str(tmp_path / "packed"), kind, folder)
    code, out, err = ask(capsys, f"--model={side_model}", given)
    assert code == 1
    labels = (("a.png", "left"), ("d.png", "right"), ("more/e.gif", "left"))
    assert out == "".join(f"{given}/{name}\t{label}\t0.7500\n" for name, label in labels)
    left_out, *unreadable = err.splitlines()
    assert left_out == f"Left out of {given}: 1 without the ending of a picture (.txt 1)."
    assert [line.split(":")[1] for line in unreadable] == [f" {given}/b.png", f" {given}/c.png"]


def test_a_picture_that_the_model_refuses_does_not_keep_the_others_from_being_answered(tmp_path, capsys, monkeypatch):
    sizes = {}
    for name, width in (("a", 28), ("wide", 60), ("c", 29)):
        Image.new("L", (width, 28)).save(tmp_path / f"{name}.png")
        sizes[(tmp_path / f"{name}.png").read_bytes()] = width

    class Narrow(client.Client):
        def _call(self, signature, inputs):
            widths = [sizes[data] for data in inputs["image_bytes"]]
            if max(widths) > 30:
                raise UsageError("signature 'classify_bytes' refused its input: it is too wide.")
            return {"label": np.array([str(width).encode() for width in widths], object)}

    files = signatures.Spec(np.dtype(object), (None,))
    model = Narrow("a model", {"classify_bytes": signatures.Signature({"image_bytes": files}, {})})
    monkeypatch.setattr(exports, "load", lambda path: model)
    names = [tmp_path / f"{name}.png" for name in ("a", "wide", "c")]
    code, out, err = ask(capsys, "--model=m", *names)
    assert (code, [line.split("\t")[1] for line in out.splitlines()]) == (1, ["28", "29"])
    assert err == f"predict: {names[1]}: signature 'classify_bytes' refused its input: it is too wide.\n"
    assert ask(capsys, "--model=m", names[1])[:2] == (2, "")


def test_a_model_without_a_picture_signature_is_refused(tmp_path, capsys):
    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="features")])
    def price(features):
        return {"price": features[:, 0]}

    place = save({"serving_default": price}, tmp_path / "houses" / "1")
    bar(11).save(tmp_path / "a.png")
    code, _, err = ask(capsys, f"--model={place}", tmp_path / "a.png")
    assert code == 2
    assert "cannot be run on pictures: none of its signatures (serving_default)" in err


def test_help_says_which_pictures_are_read(capsys):
    code, out, _ = ask(capsys, "--help")
    assert code == 0
    assert "anywhere on a page that is lighter or darker than it" in out
    assert "several: Read the digits of each picture one by one" in " ".join(out.split())
    assert "PICTURE_OR_FOLDER..." in out
