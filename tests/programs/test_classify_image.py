"""The programs that ask and export Inception-v3."""

import json
import os
import re
import shutil
import zlib

import h5py
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from program_call import exit_status

from tf2cases import inception_v3
from tf2cases.inception_v3 import labels, weights
from tf2cases.programs import classify_image, export_inception

# A PNG of 20,000 x 20,000 pixels, of which only the header is there.
HEADER = b"IHDR" + (20000).to_bytes(4, "big") * 2 + b"\x08\0\0\0\0"
HUGE = b"\x89PNG\r\n\x1a\n\0\0\0\r" + HEADER + zlib.crc32(HEADER).to_bytes(4, "big") + b"\0\0\0\0IDAT\x35\xaf\x06\x1e"
NAMES = ["cat", "dog", "火鸡", "newt", "owl", "pig", "quail"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Random weights of seven classes, and a label map beside them."""
    folder = tmp_path_factory.mktemp("weights")
    network = inception_v3.Network(7)
    network.create((None, *inception_v3.IMAGE_SHAPE), 3)
    save(folder / "seven.h5", network)
    entries = (f'entry {{ target_class: {i} target_class_string: "n{i}" }}\n' for i in range(7))
    (folder / labels.LABEL_MAP).write_text("".join(entries))
    (folder / labels.HUMAN_MAP).write_text("".join(f"n{i}\t{name}\n" for i, name in enumerate(NAMES)), encoding="utf-8")
    return str(folder / "seven.h5")


def save(path, network):
    """Writes the weights of a network as Keras' are published."""
    with h5py.File(path, "w") as file:
        for i, unit in enumerate(network.units().values(), 1):
            conv, norm = f"conv2d_{i}", f"batch_normalization_{i}"
            file[f"{conv}/{conv}/kernel:0"] = unit.conv.kernel.numpy()
            for name, variable in (("beta", "offset"), ("moving_mean",) * 2, ("moving_variance",) * 2):
                file[f"{norm}/{norm}/{name}:0"] = getattr(unit.norm, variable).numpy()
        for name in ("kernel", "bias") if network.logits else ():
            file[f"predictions/predictions/{name}:0"] = getattr(network.logits, name).numpy()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three pictures in a folder, one in a sub-folder, one JPEG called .png, and what is no picture."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "more").mkdir()
    rng = np.random.default_rng(0)
    for name, form in (("a.png", "JPEG"), ("b.gif", "GIF"), ("more/c.jpg", "JPEG")):
        Image.fromarray(rng.integers(0, 256, [30, 40], np.uint8)).save(folder / name, form)
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.jpg").write_text("no picture")
    return folder


def program(module, capfd, *arguments):
    return exit_status(module, *arguments), *capfd.readouterr()


def ask(capfd, *arguments):
    return program(classify_image, capfd, *arguments)


def expected(checkpoint, path):
    loaded = weights.load(checkpoint)
    model = inception_v3.InceptionV3(loaded.network, loaded.preprocessing, NAMES)
    return model.answer(model.read(str(path))[None])


def test_one_picture_gets_its_classes_best_first(checkpoint, photos, capfd):
    code, out, err = ask(capfd, f"--weights={checkpoint}", "--top_k=2", photos / "a.png")
    assert (code, err) == (0, "")
    first, second, done = out.splitlines()
    scores = expected(checkpoint, photos / "a.png")["probabilities"][0]
    order = np.argsort(-scores)
    for line, i in ((first, order[0]), (second, order[1])):
        name, score = re.fullmatch(r"(.+) \(score = (\d\.\d{5})\)", line).groups()
        assert name == NAMES[i]
        assert abs(float(score) - scores[i]) < 2e-5
    assert re.fullmatch(r"Done: 1 picture, \d+\.\d pictures/s\.", done)


def test_a_folder_in_batches_as_json_with_features(checkpoint, photos, tmp_path, capfd):
    npy = tmp_path / "features.npy"
    code, out, err = ask(capfd, f"--weights={checkpoint}", "--json", "--batch_size=2", f"--features={npy}", photos)
    assert code == 0
    records = [json.loads(line) for line in out.splitlines()]
    assert [r["path"] for r in records] == [str(photos / name) for name in ("a.png", "b.gif", "more/c.jpg")]
    assert all(len(r["classes"]) == len(r["scores"]) == 5 and set(r["classes"]) <= set(NAMES) for r in records)
    features = np.load(npy)
    assert (features.shape, features.dtype) == ((3, 2048), np.float32)
    np.testing.assert_allclose(features[1], expected(checkpoint, photos / "b.gif")["features"][0], rtol=1e-4, atol=1e-5)
    assert re.search(r"Done: 3 pictures, \d+\.\d pictures/s; features float32 \[3, 2048\] are in", err)


def test_an_export_is_asked_with_the_same_program(checkpoint, photos, tmp_path, capfd, monkeypatch):
    # The check in a fresh process is tested where exports are.
    monkeypatch.setattr("tf2cases.serving.verify.in_fresh_process", lambda *_: None)
    code, out, err = program(
        export_inception, capfd, f"--weights={checkpoint}", f"--export_dir={tmp_path}", "--top_k=3", "--no_warmup"
    )
    assert (code, err) == (0, "")
    assert out == f"Done: Inception-v3 with the weights {checkpoint} is exported to {tmp_path}/inception_v3/1.\n"
    same = (f"--weights={checkpoint}", f"--export_dir={tmp_path}", "--top_k=3", "--no_warmup")
    _, out, _ = program(export_inception, capfd, *same)
    assert out.endswith(f" is exported to {tmp_path}/inception_v3/1 already, so no further version is written.\n")
    npy = tmp_path / "f.npy"
    _, live, _ = ask(capfd, f"--weights={checkpoint}", "--top_k=3", "--json", photos)
    code, served, _ = ask(capfd, f"--model={tmp_path}/inception_v3", "--json", f"--features={npy}", photos)
    assert code == 0
    for ours, theirs in zip(live.splitlines(), served.splitlines(), strict=True):
        ours, theirs = json.loads(ours), json.loads(theirs)
        assert (ours["path"], ours["classes"]) == (theirs["path"], theirs["classes"])
        np.testing.assert_allclose(ours["scores"], theirs["scores"], atol=1e-5)
    assert np.load(npy).shape == (3, 2048)
    (tmp_path / "bad.jpg").write_text("no picture")
    pictures = [tmp_path / "bad.jpg", photos]
    code, again, err = ask(capfd, f"--model={tmp_path}/inception_v3", "--json", f"--features={npy}", *pictures)
    assert (code, again) == (1, served)
    assert re.search(r"classify_image: .*bad.jpg: this is not a picture", err)
    assert np.load(npy).shape == (3, 2048)
    code, _, err = ask(capfd, f"--model={tmp_path}/inception_v3", "--top_k=4", photos)
    assert code == 2
    assert "--top_k is 4, but" in err
    assert "returns at most 3 classes" in err


def test_a_name_that_is_not_utf_8_is_shown_as_it_can_be(checkpoint, photos, tmp_path, capfd):
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    shutil.copy(photos / "a.png", name)
    code, out, _ = ask(capfd, f"--weights={checkpoint}", "--json", os.fsdecode(name))
    assert code == 0
    assert json.loads(out)["path"] == f"{tmp_path}/caf\ufffd.png"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "bad.jpg: the file is empty"),
        (b"GIF89a, not really", "bad.jpg: this is not a picture"),
        (HUGE, "bad.jpg: .* 50 megapixels"),
    ],
    ids=["empty", "no_picture", "huge"],
)
def test_a_bad_picture_is_named_and_the_others_are_answered(data, message, checkpoint, photos, tmp_path, capfd):
    (tmp_path / "bad.jpg").write_bytes(data)
    npy = tmp_path / "f.npy"
    pictures = [tmp_path / "bad.jpg", photos / "a.png"]
    code, out, err = ask(capfd, f"--weights={checkpoint}", f"--features={npy}", *pictures)
    assert code == 1
    assert re.fullmatch(f"classify_image: .*{message}.*\n", err)
    assert out.startswith(f"{photos}/a.png:\n")
    assert re.search(r"Done: 1 picture, .* features float32 \[1, 2048\] are in", out)
    np.testing.assert_allclose(np.load(npy), expected(checkpoint, photos / "a.png")["features"], rtol=1e-4, atol=1e-5)


def test_if_every_picture_is_bad_the_status_is_2(checkpoint, tmp_path, capfd):
    (tmp_path / "bad.jpg").write_text("no picture")
    npy = tmp_path / "f.npy"
    code, out, err = ask(capfd, f"--weights={checkpoint}", f"--features={npy}", tmp_path / "bad.jpg")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"classify_image: .*bad.jpg: this is not a picture.*\n", err)
    assert not npy.exists()


def test_bad_arguments_are_named(photos, tmp_path, capfd):
    for arguments, message in (
        ([], "no picture is given"),
        ([tmp_path], "has no pictures, but must have files ending in"),
        (["--weights=2016", photos], "--weights is '2016', but must be one of 2015, keras, keras_notop, slim, random"),
        (
            ["--engine=graph", "--weights=keras", photos],
            "--engine=graph runs the graph of 2015, but --weights is 'keras'",
        ),
        (["--model=x", "--weights=keras", photos], "--model was given together with --weights or --engine"),
        (["--weights=random", f"--labels={tmp_path}/none.pbtxt", photos], "none.pbtxt', but must be an existing file"),
        ([f"--model={tmp_path}/nowhere", photos], "there is no directory"),
    ):
        code, _, err = ask(capfd, *arguments)
        assert (code, len(err.splitlines())) == (2, 1), err
        assert message in err


def test_offline_one_message_comes_and_nothing_else(photos, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr("tf2cases.data.tfds.unreachable", lambda url: "no route")
    code, out, err = ask(capfd, f"--weights_dir={tmp_path}", photos)
    assert (code, re.sub("^Left out of .*\n", "", out)) == (2, "")
    assert "inception-2015-12-05.tgz cannot be reached (no route); download it elsewhere and put it at" in err


def test_names_are_found_beside_the_weights_or_are_numbers(photos, tmp_path, capfd):
    index = {str(i): [f"n{i:08}", f"thing_{i}"] for i in range(1000)}
    (tmp_path / labels.CLASS_INDEX).write_text(json.dumps(index))
    for flags, pattern in (
        ([f"--weights_dir={tmp_path}"], r"thing \d+"),
        ([f"--weights_dir={tmp_path}", "--labels=numbers"], r"class \d+"),
        ([f"--weights_dir={tmp_path}/none"], r"class \d+"),
    ):
        code, out, _ = ask(capfd, "--weights=random", "--top_k=1", *flags, photos / "a.png")
        assert code == 0
        assert re.match(pattern + r" \(score", out)


def test_the_real_pictures(checkpoint, shared, capfd):
    """A JPEG called .png, and RGBA."""
    code, out, _ = ask(capfd, f"--weights={checkpoint}", "--top_k=1", shared / "data" / "inception" / "img")
    assert code == 0
    assert [os.path.basename(line) for line in out.splitlines()[0:6:2]] == ["test1.png:", "test2.png:", "test3.png:"]


def test_the_export_of_features_only_weights_is_refused(tmp_path, capfd):
    network = inception_v3.Network(0, kernel_init=lambda shape, seed: tf.zeros(shape))
    network.create((None, *inception_v3.IMAGE_SHAPE), 0)
    save(tmp_path / "bare.h5", network)
    code, _, err = program(export_inception, capfd, f"--weights={tmp_path}/bare.h5", f"--export_dir={tmp_path}")
    assert code == 2
    assert "these weights have no last layer" in err
