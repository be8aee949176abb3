"""What the program that asks a model takes besides pictures, and what it refuses; with models told by hand."""

import contextlib
import json
import re

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from program_call import exit_status

from tf2cases.cases.dcgan import draw_latents
from tf2cases.programs import exports, predict
from tf2cases.serving import client, signatures


def save(functions, directory):
    tf.saved_model.save(tf.Module(), str(directory / "1"), signatures=functions)
    return directory


def signature(name, *shape, dtype=tf.float32):
    return tf.function(input_signature=[tf.TensorSpec([None, *shape], dtype, name=name)])


@pytest.fixture(scope="module")
def houses(tmp_path_factory):
    """Says twice the first feature plus the second."""

    @signature("features", 2)
    def price(features):
        return {"price": 2 * features[:, 0] + features[:, 1]}

    return save({"serving_default": price}, tmp_path_factory.mktemp("houses"))


@pytest.fixture(scope="module")
def painter(tmp_path_factory):
    """Paints each latent's first number as a grey picture of 4x5 pixels."""

    @signature("z", 3)
    def generate_bytes(z):
        grey = tf.cast(tf.round((z[:, 0] + 1) / 2 * 255), tf.uint8)
        pages = tf.tile(grey[:, None, None, None], [1, 4, 5, 1])
        return {"image_bytes": tf.map_fn(tf.io.encode_png, pages, fn_output_signature=tf.string)}

    @signature("z", 3)
    def serving_default(z):
        return {"images": z}

    functions = {"serving_default": serving_default, "generate_bytes": generate_bytes}
    return save(functions, tmp_path_factory.mktemp("painter"))


@pytest.fixture(scope="module")
def mute(tmp_path_factory):
    """Its only answer to pictures is a list of numbers; another signature returns the files."""

    @signature("image_bytes", dtype=tf.string)
    def features_bytes(image_bytes):
        return {"features": tf.ones([tf.shape(image_bytes)[0], 7])}

    return save({"features_bytes": features_bytes}, tmp_path_factory.mktemp("mute"))


@pytest.fixture(scope="module")
def page_reader(tmp_path_factory):
    """Reads "42" on every page, with the probabilities 0.5 and 1."""

    @signature("image_bytes", dtype=tf.string)
    def read_digits_bytes(image_bytes):
        count = tf.shape(image_bytes)[0]
        boxes = [[0.1, 0.2, 0.3, 0.4], [0.1, 0.5, 0.3, 0.7], [0.0, 0.0, 0.0, 0.0]]
        return {
            "text": tf.fill([count], "42"),
            "digits": tf.tile([["4", "2", ""]], [count, 1]),
            "confidence": tf.fill([count], 0.5),
            "confidences": tf.tile([[0.5, 1.0, 0.0]], [count, 1]),
            "boxes": tf.tile([boxes], [count, 1, 1]),
            "count": tf.fill([count], 2),
        }

    @signature("image_bytes", dtype=tf.string)
    def classify_bytes(image_bytes):
        return {"label": tf.fill([tf.shape(image_bytes)[0]], "4")}

    functions = {"read_digits_bytes": read_digits_bytes, "classify_bytes": classify_bytes}
    return save(functions, tmp_path_factory.mktemp("pages"))


@pytest.fixture
def ask(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("L", (9, 9), 128).save("a.png")

    def call(*arguments):
        return exit_status(predict, *arguments), *capsys.readouterr()

    return call


def test_numbers_are_answered_a_line_for_each_row(houses, ask):
    code, out, _ = ask(f"--model={houses}", "--values=2104,3", "--values=1.5,-1")
    assert (code, out) == (0, "2104,3\t4211\n1.5,-1\t2\n")
    _, out, _ = ask(f"--model={houses}", "--values=2104,3", "--json")
    assert json.loads(out) == {"values": "2104,3", "price": 4211.0}


@pytest.mark.parametrize("name", ["rows.npy", "rows.npz", "rows.json"])
def test_a_file_of_inputs_is_read(houses, ask, name):
    rows = [[1.0, 2.0], [3.0, 4.0]]
    if name.endswith(".npy"):
        np.save(name, rows)
    elif name.endswith(".npz"):
        np.savez(name, features=rows)
    else:
        with open(name, "w") as file:
            json.dump({"features": rows}, file)
    code, out, _ = ask(f"--model={houses}", f"--inputs={name}")
    assert (code, out) == (0, f"{name}[0]\t4\n{name}[1]\t10\n")


def test_latents_are_drawn_as_the_gans_own_program_draws_them(painter, ask, tmp_path):
    code, out, _ = ask(f"--model={painter}", "--latents_seed=7", "--count=5", "--out=drawn")
    assert code == 0
    assert out.splitlines() == [f"drawn/{number:04d}.png" for number in range(5)]
    expected = np.round((draw_latents(5, 3, 7).numpy()[:, 0] + 1) / 2 * 255)
    found = [np.asarray(Image.open(tmp_path / "drawn" / f"{number:04d}.png")) for number in range(5)]
    assert [picture.shape for picture in found] == [(4, 5)] * 5
    assert [picture[0, 0] for picture in found] == expected.tolist()


def test_several_pictures_in_one_file_are_a_montage(painter, ask):
    code, out, _ = ask(f"--model={painter}", "--latents_seed=7", "--count=4", "--out=grid.png", "--batch_size=3")
    assert (code, out) == (0, "grid.png: 4 pictures.\n")
    assert Image.open("grid.png").size == (2 * 5 + 3, 2 * 4 + 3)  # two by two, with borders of a pixel


@pytest.mark.parametrize("seed", [0, 7, 2**40 + 5, 2**63 - 1])
def test_latents_need_no_tensorflow(seed):
    np.testing.assert_array_equal(signatures.draw_latents({}, 3, 7, seed), draw_latents(3, 7, seed).numpy())


def test_an_answer_that_cannot_be_told_is_an_error(mute, painter, ask):
    for arguments, sentence in [
        ([f"--model={mute}", "a.png"], "answers with features, which are too many numbers for a line: --json"),
        ([f"--model={painter}", "--latents_seed=1"], "answers with pictures: --out must say where to write them"),
    ]:
        code, out, err = ask(*arguments)
        assert (code, out) == (2, "")
        assert sentence in err


def test_repeated_requests_end_with_a_line_of_rates(houses, ask):
    code, out, _ = ask(f"--model={houses}", "--values=1,2", "--repeat=20", "--concurrency=2")
    assert code == 0
    answer, timing = out.splitlines()
    assert answer == "1,2\t4"
    assert re.fullmatch(
        r"20 requests of 1 row, 2 at a time: [\d.,]+ requests/s, [\d.,]+ rows/s; "
        r"median [\d.]+ ms, p95 [\d.]+ ms, p99 [\d.]+ ms",
        timing,
    )


def test_rows_are_sent_in_batches(ask, monkeypatch):
    sent = []

    class Model(client.Client):
        def _call(self, signature, inputs):
            sent.append(len(inputs["x"]))
            return {"y": inputs["x"][:, 0]}

    spec = signatures.Spec(np.dtype(np.float32), (None, 1))
    model = Model("a model", {"serving_default": signatures.Signature({"x": spec}, {})})
    monkeypatch.setattr(exports, "connect", lambda values: contextlib.nullcontext(model))
    code, out, _ = ask("--model=m", *(f"--values={number}" for number in range(5)), "--batch_size=2")
    assert (code, out) == (0, "0\t0\n1\t1\n2\t2\n3\t3\n4\t4\n")
    assert sent == [2, 2, 1]


def test_mistakes_end_with_one_sentence_and_status_2(houses, ask):
    np.save("odd.npy", np.zeros([2, 3]))
    np.save("objects.npy", np.array([{}], object))
    model = f"--model={houses}"
    for arguments, sentence in [
        (["--values=1,2"], "--model is missing: it must be an exported model, or --server or --rest must be given."),
        ([model, "--server=a:1", "--values=1,2"], "--model and --server were given, but only one of them can be."),
        ([model, "--name=a", "--values=1,2"], "--name is given together with --model, but must be given with --server"),
        ([model, "--values=1,2", "a.png"], "--values and pictures were given, but only one of them can be."),
        ([model, "--values=1,two"], "--values is '1,two', but must be numbers separated by commas"),
        ([model, "--values=1,2", "--values=1"], "--values is '1', but must have 2 numbers like the first row."),
        ([model, "--values=1,2,3"], "is float32 [1, 3], but must be float32 [n, 2]"),
        ([model, "--values=1,2", "--count=2"], "--count is 2, but --latents_seed is not given"),
        ([model, "--values=1,2", "--concurrency=2"], "--concurrency is 2, but --repeat is not given"),
        ([model, "--latents_seed=1"], "cannot be run on latents: none of its signatures (serving_default) takes"),
        ([model, "--values=1,2", "--signature=other"], "--signature is 'other', but must be one of serving_default"),
        (
            [model, "--values=1,2", "--out=a.png"],
            "--out is 'a.png', but signature 'serving_default' answers with price",
        ),
        ([model, "--inputs=none.npy"], "--inputs is 'none.npy', but must be an existing file"),
        ([model, "--inputs=odd.npy"], "has no signature for the array float64 [2, 3], only serving_default(features"),
        ([model, "--inputs=objects.npy"], "--inputs is 'objects.npy', but must be a .npy, .npz or JSON file"),
        (["--rest=localhost:1", "--values=1,2"], "--rest is 'localhost:1', but must be http://HOST:PORT"),
    ]:
        code, out, err = ask(*arguments)
        assert (code, out) == (2, ""), arguments
        assert sentence in err
        assert "Traceback" not in err


def test_a_server_that_is_not_there_ends_with_status_1(ask):
    code, _, err = ask("--server=127.0.0.1:9", "--retries=0", "--values=1,2")
    assert code == 1
    assert "predict: the server at 127.0.0.1:9 is unavailable after 1 attempt: " in err
    assert err.count("\n") == 1


def test_several_digits_are_read_with_their_confidence_and_boxes(ask, page_reader):
    model = f"--model={page_reader}"
    assert ask(model, "a.png")[1] == "a.png\t4\n"
    assert ask(model, "--several", "a.png")[1] == "a.png\t42\t0.5000\n"
    answer = json.loads(ask(model, "--several", "--json", "a.png")[1])
    assert answer["digits"] == ["4", "2"]
    assert answer["confidences"] == [0.5, 1.0]
    np.testing.assert_allclose(answer["boxes"], [[0.1, 0.2, 0.3, 0.4], [0.1, 0.5, 0.3, 0.7]], rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.png"], "--several is given, but {} has no signature read_digits_bytes; it must be a model of digits"),
        (["--values=1,2"], "--several is given, but there are no pictures: it must be given with pictures"),
        (
            ["--signature=x", "a.png"],
            "--several is given, but --signature is given too: it must be given with pictures",
        ),
    ],
)
def test_several_is_for_pictures_of_digits(ask, mute, arguments, message):
    code, _, error = ask(f"--model={mute}", "--several", *arguments)
    assert code == 2
    assert message.format(f"{mute}/1") in error
