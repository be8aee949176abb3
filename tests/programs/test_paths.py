"""Paths on the command line: what every flag accepts, what is checked before the work, and names that few have."""

import importlib
import os
import re

import numpy as np
import pytest
from absl import flags
from program_call import exit_status
from test_help import NOT_PROGRAMS, names_in

import tf2cases.programs
from tf2cases import quiet, viz
from tf2cases.configs import path_flags
from tf2cases.programs import (
    benchmark,
    classify_image,
    denoise,
    evaluate,
    evaluate_dcgan,
    export,
    export_inception,
    make_captchas,
    make_wordcloud,
    predict,
    retrain,
    sample_dcgan,
    sample_vae,
    train_captcha,
    train_linear_regression,
    train_mnist,
)
from tf2cases.serving import client, signatures

# The string flags that are not paths, but for those with a list of choices.
TEXTS = {
    *("background", "case", "charset", "color", "crop", "interpolate", "keep_checkpoints", "language", "outline_color"),
    *("preset", "publish_as", "target"),
}
# The same, in only some programs.
TEXTS_IN = {
    "features": ("train_linear_regression", "evaluate_dcgan"),
    "weights": ("make_wordcloud",),
    **dict.fromkeys(
        ("backend", "model_name", "host", "grpc_channel_arguments", "saved_model_tags", "mixed_precision"), ("serve",)
    ),
    **dict.fromkeys(("server", "rest", "name", "signature"), ("predict",)),
}
ODD = "a[1]\\b*? \n"  # patterns of file names, and characters that few names have


def programs():
    """(name, module) of every program and benchmark."""
    (folder,) = tf2cases.programs.__path__
    for name in sorted(names_in(folder) - NOT_PROGRAMS - {"benchmark"}):
        yield name, importlib.import_module(f"tf2cases.programs.{name}")
    yield from benchmark.PARTS.items()


def parsed(module, *arguments):
    values = flags.FlagValues()
    module.define(values)
    values(["program", *arguments])
    return values


def flags_that_must_be_paths():
    for name, module in programs():
        values = parsed(module)
        for flag in values:
            text = values[flag].flag_type() != "string" or " One of: " in values[flag].help or flag in TEXTS
            if not text and name not in TEXTS_IN.get(flag, ()):
                yield pytest.param(module, flag, id=f"{name}-{flag}")


PATHS = list(flags_that_must_be_paths())


def test_there_are_paths():
    names = {case.id for case in PATHS}
    assert {"train_mnist-workdir", "classify_image-features", "make_wordcloud-mask", "gpu-out"} <= names
    assert len(names) > 60


@pytest.mark.parametrize(("module", "flag"), PATHS)
def test_every_path_flag_expands_the_home_folder(module, flag, monkeypatch):
    monkeypatch.setenv("HOME", "/home/someone")
    assert parsed(module, f"--{flag}=~/a/b")[flag].value == "/home/someone/a/b"
    assert parsed(module, f"--{flag}=a~b")[flag].value == "a~b"


@pytest.mark.parametrize(("module", "flag"), PATHS)
@pytest.mark.parametrize("url", ["gs://bucket/a", "https://example.org/a.png", "file:///a", "s3://a"])
def test_every_path_flag_refuses_urls_by_name(module, flag, url):
    scheme = url[: url.index("//") + 2]
    with pytest.raises(flags.Error, match=rf"--{flag}={url}: must be a path on this computer, without {scheme}\."):
        parsed(module, f"--{flag}={url}")


@pytest.mark.parametrize(("module", "flag"), PATHS)
def test_every_path_flag_refuses_names_that_are_not_utf8(module, flag):
    with pytest.raises(flags.Error, match=rf"--{flag}=caf.*: must be a path whose name is UTF-8\."):
        parsed(module, f"--{flag}={os.fsdecode(b'caf' + bytes([0xE9]))}")


# Path flags whose help says what the empty text means; and those of bin.serve, for which tensorflow_model_server's
# default is empty.
MAY_BE_EMPTY = {
    *(case.id for case in PATHS if "empty: no export" in parsed(case.values[0])[case.values[1]].help),
    *(case.id for case in PATHS if case.id.startswith("serve-")),
}


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in PATHS])
def test_every_path_flag_refuses_the_empty_text_unless_it_has_a_meaning(case):
    module, flag = case.values
    if case.id in MAY_BE_EMPTY:
        assert parsed(module, f"--{flag}=")[flag].value == ""
        return
    with pytest.raises(flags.Error, match=rf"--{flag}=: must be a path, and not empty\."):
        parsed(module, f"--{flag}=")


def test_what_may_be_empty_is_the_folder_of_exports_and_what_the_real_server_has():
    assert {id_.split("-")[1] for id_ in MAY_BE_EMPTY if not id_.startswith("serve-")} == {"export_dir"}
    assert {"train_mnist-export_dir", "serve-ssl_config_file"} <= MAY_BE_EMPTY


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        (train_mnist, ["--workdir="], "train_mnist: --workdir is '', but must be a path, and not empty."),
        (predict, ["--model=m", ""], "predict: one of the arguments is empty, but must be a path."),
        (
            export,
            ["--workdir=gs://b"],
            "export: --workdir is 'gs://b', but must be a path on this computer, without gs://.",
        ),
    ],
)
def test_a_path_that_is_none_is_refused_in_one_sentence(module, arguments, message, capsys):
    assert exit_status(module, *arguments) == 2
    assert capsys.readouterr().err == f"{message}\n"


@pytest.fixture
def places(tmp_path, monkeypatch):
    """An empty folder with a file, a folder and a picture; loading TensorFlow in a program fails."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("word")
    (tmp_path / "folder").mkdir()
    viz.write_png("picture.png", np.zeros([28, 28], np.uint8))

    def load():
        pytest.fail("the work began")

    monkeypatch.setattr(quiet, "import_tensorflow", load)


def said(capsys):
    (line,) = capsys.readouterr().err.splitlines()
    return line


NO_FOLDER = r"is '{0}', but \S*/file is not a folder; it must be a folder, or a new one in a folder\."
MISSING = r"is 'nowhere/\w+\.\w+', but the folder \S*/nowhere does not exist; it must be a file in an existing folder\."
NO_FILE = r"is '{0}', but must be a file, not a folder\."
NOT_THERE = r"is 'nowhere', but must be an existing file or folder\."
MODEL = "--model=folder"
UNUSABLE = [
    (train_mnist, ["--workdir=file"], "--workdir " + NO_FOLDER.format("file")),
    (train_mnist, ["--workdir=file/w"], "--workdir " + NO_FOLDER.format("file/w")),
    (train_mnist, ["--export_dir=file"], "--export_dir " + NO_FOLDER.format("file")),
    (train_mnist, ["--export_dir=file/a/b"], "--export_dir " + NO_FOLDER.format("file/a/b")),
    (train_mnist, ["--workdir=w/file", "--export_dir=."], "--export_dir " + NO_FOLDER.format("./file")),
    (train_mnist, [f"--export_dir={'a' * 300}"], "--export_dir is 'a+', but it cannot be used: File name too long"),
    (train_captcha, ["--cache_dir=file"], "--cache_dir " + NO_FOLDER.format("file")),
    (train_captcha, ["--test_dir=nowhere"], "--test_dir " + NOT_THERE),
    (retrain, ["--data_dir=folder", "--cache_dir=file/c"], "--cache_dir " + NO_FOLDER.format("file/c")),
    (retrain, ["--data_dir=folder", "--weights_dir=file"], "--weights_dir " + NO_FOLDER.format("file")),
    (export, ["--workdir=w", "--export_dir=file/e"], "--export_dir " + NO_FOLDER.format("file/e")),
    (export, ["--workdir=w/file", "--export_dir=."], "--export_dir " + NO_FOLDER.format("./file")),
    (export_inception, ["--export_dir=file"], "--export_dir " + NO_FOLDER.format("file")),
    (export_inception, ["--labels=nowhere", "--weights=random"], "--labels " + NOT_THERE),
    (evaluate_dcgan, ["--workdir=file"], "--workdir " + NO_FOLDER.format("file")),
    (evaluate_dcgan, ["--workdir=w", "--classifier=nowhere"], "--classifier " + NOT_THERE),
    (classify_image, ["--features=nowhere/f.npy", "picture.png"], "--features " + MISSING),
    (classify_image, ["--features=folder", "picture.png"], "--features " + NO_FILE.format("folder")),
    (classify_image, ["--labels=nowhere", "picture.png"], "--labels " + NOT_THERE),
    (sample_vae, [MODEL, "--out=nowhere/a.png"], "--out " + MISSING),
    (sample_vae, [MODEL, "--out=folder"], "--out " + NO_FILE.format("folder")),
    (sample_dcgan, [MODEL, "--out=nowhere/a.png"], "--out " + MISSING),
    (sample_dcgan, [MODEL, "--out=new.png/"], "--out " + NO_FILE.format("new.png/")),
    (denoise, [MODEL, "picture.png", "nowhere/a.png"], "OUT " + MISSING),
    (denoise, [MODEL, "picture.png", "gs://b/a.png"], "gs://b/a.png must be a path on this computer, without gs://"),
    (make_captchas, ["--out=file"], "--out " + NO_FOLDER.format("file")),
    (make_captchas, ["--out=file/new"], "--out " + NO_FOLDER.format("file/new")),
    (make_wordcloud, ["--text=file", "--mask=nowhere"], "--mask: nowhere: cannot be read"),
    (make_wordcloud, ["--text=file", "--font=file"], "--font is 'file', but it is not a readable font"),
    (benchmark, ["gpu", "--out=nowhere/a.json"], "--out " + MISSING),
]


@pytest.mark.parametrize(("module", "arguments", "message"), UNUSABLE)
def test_a_path_that_cannot_be_used_is_refused_before_the_work(module, arguments, message, places, capsys, monkeypatch):
    monkeypatch.setattr(tf2cases.wordcloud, "weigh", lambda *arguments: pytest.fail("the work began"))
    before = sorted(os.listdir())
    assert exit_status(module, *arguments) == 2
    assert re.search(message, said(capsys))
    assert sorted(os.listdir()) == before


@pytest.mark.parametrize(
    ("module", "arguments", "flag"),
    [
        (sample_vae, [MODEL, "--out={}"], "--out"),
        (sample_dcgan, [MODEL, "--out={}"], "--out"),
        (denoise, [MODEL, "picture.png", "{}"], "OUT"),
        (make_wordcloud, ["--text=file", "--out={}"], "--out"),
    ],
)
@pytest.mark.parametrize("name", ["a", "a.xyz", "png", "a.png.txt", "a.mp4"])
def test_the_ending_of_a_picture_must_name_its_format(module, arguments, flag, name, places, capsys):
    assert exit_status(module, *(argument.format(name) for argument in arguments)) == 2
    assert re.search(rf"{flag} is '{name}', but must end in \.png", said(capsys))


def test_default_places_are_checked_too(places, capsys):
    for name, module in (("runs", train_linear_regression), ("exports", train_linear_regression)):
        open(name, "x").close()
        assert exit_status(module) == 2
        assert re.search(rf"is '{name}/linear_regression', but \S*/{name} is not a folder", said(capsys))
        os.remove(name)


@pytest.mark.parametrize("use", [path_flags.FOLDER, path_flags.CACHE, path_flags.FILE])
def test_a_folder_that_cannot_be_written_to_is_refused(use, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: path != str(tmp_path))  # root may write anywhere
    with pytest.raises(
        ValueError, match=rf"^--x is '{tmp_path}/new', but {tmp_path} cannot be written to; it must be "
    ):
        path_flags.check("x", f"{tmp_path}/new", use)
    if use == path_flags.CACHE:
        path_flags.check("x", str(tmp_path), use)  # it may be complete


def test_files_that_are_no_regular_ones_can_be_written(tmp_path):
    path_flags.check("x", "/dev/null", path_flags.FILE)
    os.mkfifo(tmp_path / "pipe")
    path_flags.check("x", str(tmp_path / "pipe"), path_flags.FILE)


@pytest.fixture
def checked_here(monkeypatch):
    """Exports are checked in this process, which is faster than a fresh one."""
    from tf2cases.serving import verify

    monkeypatch.setattr(verify, "in_fresh_process", verify.compare)


@pytest.mark.parametrize("folder", [ODD, os.fsdecode(b"caf\xe9")])
def test_a_run_in_a_folder_of_any_name_loses_nothing(folder, tmp_path, monkeypatch, capsys, checked_here):
    """The name of the current folder is not in the flags, so that it need not be UTF-8."""
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    odd = "" if not folder.isascii() else f"{tmp_path}/{folder}/"
    train = ["--dataset=mnist_sample", "--model=mlp", f"--workdir={odd}run"]
    assert exit_status(train_mnist, *train, "--steps=2", "--export_dir=") == 0
    assert exit_status(train_mnist, *train, "--steps=4", f"--export_dir={odd}exports") == 0
    assert "resuming from step 2" in capsys.readouterr().out
    assert exit_status(evaluate, f"--workdir={odd}run", "--step=2") == 0
    assert exit_status(export, f"--workdir={odd}run", f"--export_dir={odd}exports", "--publish_as=again") == 0
    assert os.listdir("exports/run") == ["1"]
    assert sorted(os.listdir("run/checkpoints")) == ["step_00000002", "step_00000004"]
    viz.write_png("digit.png", np.eye(28, dtype=np.uint8) * 255)
    capsys.readouterr()
    for model in ("exports/run", "exports/again/1"):
        assert exit_status(predict, f"--model={odd}{model}", f"{odd}digit.png") == 0
    first, second = capsys.readouterr().out.replace(odd, "").splitlines()
    assert first == second
    assert first.startswith("digit.png\t")


def test_an_export_is_checked_in_a_fresh_process_in_a_folder_of_any_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = ["--epochs=1", f"--workdir={ODD}/run", f"--export_dir={ODD}/exports", "--no_warmup"]
    assert exit_status(train_linear_regression, *run) == 0
    assert os.listdir(f"{ODD}/exports/run") == ["1"]


def test_predictions_of_pictures_whose_names_are_not_utf8_are_printed(tmp_path, monkeypatch, capsys):
    from tf2cases.programs import exports

    monkeypatch.chdir(tmp_path)
    name = os.fsdecode(b"caf\xe9.png")
    viz.write_png(name, np.zeros([28, 28], np.uint8))

    class Model(client.Client):
        def _call(self, signature, inputs):
            return {"label": np.array([b"7"]), "confidence": np.array([0.5])}

    files = signatures.Spec(np.dtype(object), (None,))
    model = Model("a model", {"classify_bytes": signatures.Signature({"image_bytes": files}, {})})
    monkeypatch.setattr(exports, "load", lambda path: model)
    assert exit_status(predict, "--model=m", name) == 0
    assert exit_status(predict, "--model=m", "--json", name) == 0
    plain, record = capsys.readouterr().out.splitlines()
    assert plain == "caf\\udce9.png\t7\t0.5000"
    assert record == '{"path": "caf\\udce9.png", "label": "7", "confidence": 0.5}'
