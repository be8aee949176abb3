"""Messages: whatever is wrong with a file, one sentence says so, without the innards of Python or of a library."""

import errno
import io
import json
import os
import random
import re
import socket
import ssl
import tarfile
import urllib.error
import zipfile
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from program_call import exit_status

from tf2cases import files, wordcloud
from tf2cases.configs import record
from tf2cases.data import houses, idx
from tf2cases.data.captchas import folder as captchas
from tf2cases.data.pictures import archive, classes, dataset
from tf2cases.data.pictures import files as picture_files
from tf2cases.errors import RunError, UsageError
from tf2cases.inception_v3 import frozen_graph, keras_weights, labels, slim_weights
from tf2cases.programs import predict, train_linear_regression
from tf2cases.serving import card
from tf2cases.serving.model import Model
from tf2cases.training import checkpoints
from tf2cases.wordcloud import masks, segmentation, stopwords, tables

INNARDS = re.compile(
    r"{{|function_node|\[Op:|Errno|errno\b|\.partial\b|\.tmp\b|<_?io\.|object at 0x|Traceback|codec can't|_ssl\.c|\n"
    r"|Error -\d|'NoneType'|has no attribute|<class "
)


def png(path):
    Image.fromarray(np.arange(900, dtype=np.uint8).reshape(30, 30)).save(path, "PNG")


def encoded(form="PNG", side=30):
    buffer = io.BytesIO()
    Image.fromarray(np.arange(side * side, dtype=np.uint8).reshape(side, side)).save(buffer, form)
    return buffer.getvalue()


def zipped(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for label in ("0123", "4567", "8901", "2345"):
            file.writestr(f"{label}.png", encoded())


def tarred(path):
    with tarfile.open(path, "w:gz") as file:
        for label in ("0123", "4567", "8901", "2345"):
            member = tarfile.TarInfo(f"{label}.png")
            member.size = len(encoded())
            file.addfile(member, io.BytesIO(encoded()))


def hdf5(path):
    import h5py

    with h5py.File(path, "w") as file:
        for number in ("", "_1"):
            file[f"conv2d{number}/conv2d{number}/kernel:0"] = np.ones((3, 3, 2, 2), np.float32)
            for name in ("beta:0", "moving_mean:0", "moving_variance:0"):
                file[f"batch_normalization{number}/batch_normalization{number}/{name}"] = np.ones(2, np.float32)


def keras(path):
    hdf5(f"{path}.h5")
    with zipfile.ZipFile(path, "w") as file:
        file.write(f"{path}.h5", "model.weights.h5")
        file.writestr("config.json", "{}")
    os.remove(f"{path}.h5")


def frozen(path):
    graph = tf.compat.v1.GraphDef()
    graph.node.add(name="a", op="Const").attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1.0]))
    with open(path, "wb") as file:
        file.write(graph.SerializeToString())


def text(content):
    def write(path):
        with open(path, "w", encoding="utf-8") as file:
            file.write(content)

    return write


def gzipped_idx(path):
    idx.write(f"{path}.gz", np.zeros([3, 4, 5], np.uint8))
    os.rename(f"{path}.gz", path)


def config_of_a_run(path):
    text(json.dumps({"case": "mnist", "run": "1", "config": {}, "info": {}}))(path)


def array(path):
    with open(path, "wb") as file:
        np.save(file, np.ones([2, 3]))


def arrays(path):
    with open(path, "wb") as file:
        np.savez(file, x=np.ones([2, 3]))


def opened(path):
    with archive.PictureArchive(path).open() as (_, pictures):
        for _, read in pictures:
            try:
                read()
            except OSError as error:
                raise UsageError(files.reason(error)) from error


def read_text(path):
    with wordcloud.opened(path) as found:
        found.all()


def prepared(path):
    dataset.load("x", dataset.collection, None, path, size=16, cache_dir=os.path.join(os.path.dirname(path), "cache"))


# What reads a file, and a file that it can read; its name ends as it must.
READERS = {
    "picture.png": (png, picture_files.read),
    "mask.png": (png, masks.read),
    "pictures.zip": (zipped, opened),
    "pictures.tgz": (tarred, opened),
    "prepared.zip": (zipped, prepared),
    "captchas.zip": (zipped, captchas.load),
    "captchas.tgz": (tarred, captchas.load),
    "classes.zip": (zipped, classes.read),
    "weights.h5": (hdf5, lambda path: keras_weights.read(path, ["a", "b"])),
    "weights.keras": (keras, lambda path: keras_weights.read(path, ["a", "b"])),
    "weights.pb": (frozen, lambda path: frozen_graph.read(path, ["a"])),
    "engine.pb": (frozen, frozen_graph.Engine),
    "weights.ckpt": (text("no checkpoint"), lambda path: slim_weights.read(path, {})),
    "labels.json": (text('{"0": ["n0", "tench"]}'), labels.read_class_index),
    "labels.pbtxt": (text('entry { target_class: 1 target_class_string: "n1" }\n'), labels.read_label_map),
    "human.txt": (text("n1\ttench\n"), labels.read_human_map),
    "table.csv": (text("a,b\n1,2\n3,4\n5,6\n"), houses.load),
    "digits.idx": (lambda path: idx.write(path, np.zeros([3, 4, 5], np.uint8)), idx.read),
    "digits.gz": (gzipped_idx, idx.read),
    "words.csv": (text("word,weight\ntea,3\n"), tables.read_table),
    "stop.txt": (text("the\n"), lambda path: stopwords.chosen(path, False)),
    "dict.txt": (text("列夫·托尔斯泰 5 nr\n"), lambda path: segmentation.OwnWords(path)),
    "novel.txt": (text("some words"), read_text),
    "config.json": (config_of_a_run, lambda path: record.read_record(os.path.dirname(path))),
    "array.npy": (array, predict._arrays),
    "arrays.npz": (arrays, predict._arrays),
    "values.json": (text('{"x": [[1, 2]]}'), predict._arrays),
}


def damages(data, draw):
    """Damaged contents of a file."""
    yield b""
    yield b"\0" * 4096
    yield b"\xff\xfe\x00\xd8" * 50
    yield b"{[" * 3000
    yield b"<!doctype html><p>quota"
    yield encoded("JPEG")[:200]
    yield np.random.default_rng(0).bytes(3000)
    for part in (1, len(data) // 3, len(data) // 2, len(data) - 1):
        yield data[:part]
    for _ in range(25):
        changed = bytearray(data)
        for _ in range(draw.choice([1, 2, 5])):
            changed[draw.randrange(len(data))] = draw.randrange(256)
        yield bytes(changed)


def said(read, path, capsys):
    """The sentences that are said when a file is read."""
    message = ""
    try:
        read(path)
    except (UsageError, RunError) as error:
        message = str(error)
    printed = capsys.readouterr()
    return [message, *printed.out.splitlines(), *re.split("[\r\n]+", printed.err)]


@pytest.mark.parametrize("name", READERS)
@pytest.mark.filterwarnings("ignore")
def test_no_message_about_a_damaged_file_has_innards(name, tmp_path, capsys):
    make, read = READERS[name]
    path = str(tmp_path / name)
    make(path)
    assert said(read, path, capsys)[0] == "" or name in ("weights.ckpt", "classes.zip", "engine.pb", "weights.pb")
    with open(path, "rb") as file:
        data = file.read()
    for content in damages(data, random.Random(3)):
        with open(path, "wb") as file:
            file.write(content)
        for line in said(read, path, capsys):
            assert not INNARDS.search(line), content[:100]


@pytest.mark.parametrize("name", READERS)
def test_no_message_about_a_path_that_is_no_file_has_innards(name, tmp_path, capsys, monkeypatch):
    make, read = READERS[name]
    for kind in ("missing", "folder", "loop", "dangling", "pipe", "refused", "failing", "long"):
        path = str(tmp_path / kind / (name if kind != "long" else "n" * 250 + name))
        os.mkdir(tmp_path / kind)
        if kind == "folder":
            os.mkdir(path)
        elif kind in ("loop", "dangling"):
            os.symlink(path if kind == "loop" else "nowhere", path)
        elif kind == "pipe" and name not in ("novel.txt", "words.csv", "stop.txt", "dict.txt"):  # those are read
            os.mkfifo(path)
        elif kind in ("refused", "failing"):
            make(path)
        with monkeypatch.context() as patch:
            if kind in ("refused", "failing"):
                number = errno.EACCES if kind == "refused" else errno.EIO

                def failing(file, *arguments, number=number, path=path, real=open, **options):
                    if file == path:
                        raise OSError(number, os.strerror(number), file)
                    return real(file, *arguments, **options)

                patch.setattr("builtins.open", failing)
                patch.setattr(io, "open", failing)
            for line in said(read, path, capsys):
                assert not INNARDS.search(line), kind


def test_no_message_about_a_damaged_export_has_innards(tmp_path, capsys):
    module = tf.Module()
    module.v = tf.Variable(1.0)
    module.f = tf.function(lambda x: {"y": x * module.v}, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    path = tmp_path / "1"
    tf.saved_model.save(module, str(path), signatures=module.f)
    draw, seen = random.Random(1), 0
    for file in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        data = (path / file).read_bytes()
        for content in list(damages(data, draw))[:14]:
            (path / file).write_bytes(content)
            for line in said(Model, str(path), capsys):
                seen += bool(line)
                assert not INNARDS.search(line), (file, content[:100])
        (path / file).write_bytes(data)
    card.write(str(path), {"case": "x"})
    data = (path / card.PATH).read_bytes()
    for content in damages(data, draw):
        (path / card.PATH).write_bytes(content)
        for line in said(Model, str(path), capsys):
            assert not INNARDS.search(line), content[:100]
    assert seen > 15


def test_no_message_about_a_damaged_checkpoint_has_innards(tmp_path, capsys):
    v = tf.Variable(tf.ones([20]))
    for step in (1, 2):
        checkpoints.save(str(tmp_path), step, "run", v=v)
    draw = random.Random(2)
    folder = checkpoints.path_of(str(tmp_path), 2)
    for file in sorted(os.listdir(folder)):
        path = os.path.join(folder, file)
        with open(path, "rb") as opened_file:
            data = opened_file.read()
        for content in list(damages(data, draw))[:12]:
            with open(path, "wb") as opened_file:
                opened_file.write(content)
            for line in said(lambda place: checkpoints.restore(place, "run", 2, v=v), str(tmp_path), capsys):
                assert not INNARDS.search(line), (file, content[:100])
        with open(path, "wb") as opened_file:
            opened_file.write(data)
    for roots in ({"w": v}, {"v": tf.Variable(tf.ones([3]))}, {"v": v, "w": tf.Variable(1.0)}):
        line = said(lambda place, roots=roots: checkpoints.restore(place, "run", 1, **roots), str(tmp_path), capsys)[0]
        assert line.startswith(checkpoints.path_of(str(tmp_path), 1))
        assert not INNARDS.search(line)


# The words for what was raised

RAISED = {
    "the connection": (
        urllib.error.URLError(socket.gaierror(-2, "Name or service not known")),
        "Name or service not known",
    ),
    "HTTP": (urllib.error.HTTPError("http://a", 404, "Not Found", None, None), "HTTP Error 404: Not Found"),
    "SSL": (
        urllib.error.URLError(ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")),
        "wrong version number",
    ),
    "zlib": (zlib.error("Error -3 while decompressing data: invalid block type"), "invalid block type"),
    "text": (UnicodeDecodeError("utf-8", b"a\xff", 1, 2, "invalid start byte"), "byte 2 is not UTF-8"),
    "a picture": (OSError("cannot identify image file <_io.BytesIO object at 0x7f12>"), "cannot identify image file"),
    "HDF5": (
        OSError(
            2,
            "Unable to synchronously open file (unable to open file: name = 'x', errno = 2, error message = "
            "'No such file or directory', flags = 0, o_flags = 0)",
        ),
        "Unable to synchronously open file (No such file or directory)",
    ),
    "JSON": (json.JSONDecodeError("Expecting value", "{\n ,", 3), "line 2, column 2 is not JSON"),
    "a key": (KeyError("sha256"), "sha256 is missing"),
    "a member": (KeyError("There is no item named 'a' in the archive"), "There is no item named 'a' in the archive"),
    "types": (TypeError("'NoneType' object is not subscriptable"), "its content has another form"),
    "memory": (MemoryError("Unable to allocate 7 GiB"), "not enough memory"),
    "a temporary name": (
        tf.errors.UnknownError(None, None, "{{function_node __wrapped__SaveV2}} a/.v.01234567.partial/x; Broken pipe"),
        "a/v/x; Broken pipe",
    ),
    "nodes": (
        tf.errors.InvalidArgumentError(None, None, "Expected image\n\t [[{{node decode}}]] [Op:__inference_f_1]"),
        "Expected image",
    ),
}


@pytest.mark.parametrize("name", RAISED)
def test_what_is_raised_is_said_in_a_few_words(name):
    error, words = RAISED[name]
    assert files.reason(error) == words


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device", "a/.b.png.01234567.partial"), "No space left on device."),
        (OSError(28, "No space left on device", "a/b.png"), "a/b.png: No space left on device."),
        (OSError(9, "Bad file descriptor", 5), "Bad file descriptor."),
        (MemoryError(), "not enough memory."),
    ],
)
def test_what_nobody_explains_names_the_file_and_ends_with_status_1(error, sentence, capsys, monkeypatch):
    def fails(*arguments):
        raise error

    monkeypatch.setattr(train_linear_regression, "main", fails)
    assert exit_status(train_linear_regression) == 1
    line = capsys.readouterr().err
    assert line.endswith(f"{sentence}\n")
    assert line.startswith("train_linear_regression: ")
    assert not INNARDS.search(line.strip())
