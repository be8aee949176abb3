"""Files to write: every program follows links, writes into pipes, and refuses what it cannot write before the work."""

import os
import threading

import numpy as np
import pytest
from PIL import Image
from program_call import exit_status

from tf2cases import quiet, viz, wordcloud
from tf2cases.programs import (
    benchmark,
    classify_image,
    denoise,
    exports,
    make_captchas,
    make_wordcloud,
    predict,
    sample_dcgan,
    sample_vae,
)
from tf2cases.serving import client, signatures

MODEL = "--model=folder"
WRITERS = {
    "sample_vae": (sample_vae, [MODEL, "--out={}.png"], "--out"),
    "sample_dcgan": (sample_dcgan, [MODEL, "--out={}.png"], "--out"),
    "denoise": (denoise, [MODEL, "picture.png", "{}.png"], "OUT"),
    "predict": (predict, [MODEL, "picture.png", "--out={}.png"], "--out"),
    "make_wordcloud": (make_wordcloud, ["--text=file", "--out={}.png"], "--out"),
    "frequencies": (make_wordcloud, ["--text=file", "--frequencies={}.csv"], "--frequencies"),
    "classify_image": (classify_image, ["picture.png", "--features={}.npy"], "--features"),
    "gpu": (benchmark, ["gpu", "--out={}.jsonl"], "--out"),
}
ENDINGS = (".png", ".csv", ".npy", ".jsonl")


@pytest.fixture(autouse=True)
def places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("word word word")
    viz.write_png("picture.png", np.zeros([28, 28], np.uint8))


@pytest.mark.parametrize("writer", WRITERS)
def test_a_target_that_cannot_be_written_is_refused_before_the_work(writer, capsys, monkeypatch):
    module, arguments, flag = WRITERS[writer]
    monkeypatch.setattr(quiet, "import_tensorflow", lambda: pytest.fail("the work began"))
    monkeypatch.setattr(wordcloud, "weigh", lambda *arguments: pytest.fail("the work began"))
    for ending in ENDINGS:
        os.symlink(f"none/a{ending}", f"nowhere{ending}")
        os.symlink(f"loop{ending}", f"loop{ending}")
        os.mkdir(f"dir{ending}")
        os.symlink(f"dir{ending}", f"to_dir{ending}")
        if os.path.isdir("/proc/self"):
            os.symlink(f"/proc/new{ending}", f"to_proc{ending}")
    before = sorted(os.listdir())
    for name, why in {
        "nowhere": f"the folder {os.getcwd()}/none does not exist",
        "loop": "it cannot be used: Too many levels of symbolic links",
        "dir": "",
        "to_dir": "",
        **({"to_proc": "/proc cannot be written to"} if os.path.isdir("/proc/self") else {}),
    }.items():
        if writer == "predict" and not why:  # writes into the folder
            continue
        assert exit_status(module, *(argument.format(name) for argument in arguments)) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"{flag} is '{name}." in line
        assert f"but {why or 'must be a file, not a folder'}" in line
    assert sorted(os.listdir()) == before


class Echo(client.Client):
    """Answers with the pictures that it is sent."""

    def __init__(self):
        kind = signatures.Spec(np.dtype(object), (None,))
        found = signatures.Signature({"image_bytes": kind}, {"picture_bytes": kind})
        super().__init__("a model", {"classify_bytes": found})

    def _call(self, signature, inputs):
        return {"picture_bytes": np.array(list(inputs["image_bytes"]), object)}


@pytest.fixture
def echo(monkeypatch):
    monkeypatch.setattr(exports, "load", lambda *arguments: Echo())


def test_links_are_followed_by_what_predict_writes(echo):
    os.symlink("folder/real.png", "link.png")
    assert exit_status(predict, MODEL, "--out=link.png", "picture.png") == 0
    assert os.path.islink("link.png")
    assert Image.open("folder/real.png").size == (28, 28)


@pytest.mark.parametrize(("program", "name"), [("predict", "pipe"), ("predict", "pipe.png"), ("cloud", "pipe")])
def test_a_pipe_is_written_to(program, name, echo, capsys):
    os.mkfifo(name)
    got = []
    reader = threading.Thread(target=lambda: got.append(open(name, "rb").read()))
    reader.start()
    if program == "predict":
        assert exit_status(predict, MODEL, f"--out={name}", "picture.png") == 0
    else:
        assert exit_status(make_wordcloud, "--text=file", f"--out={name}") == 0
    reader.join(10)
    assert got[0].startswith(b"\x89PNG")
    assert sorted(os.listdir()) == sorted(["file", "folder", "picture.png", name])


def test_pictures_of_one_name_do_not_replace_each_other(echo, capsys):
    for place in ("a", "b"):
        viz.write_png(f"{place}/x.png", np.zeros([28, 28], np.uint8))
    assert exit_status(predict, MODEL, "--out=new", "a/x.png", "b/x.png") == 2
    assert "a/x.png and b/x.png would both be written to new/x.png" in capsys.readouterr().err
    assert not os.path.exists("new")


@pytest.mark.parametrize("out", [".", "picture.png", "link.png", "./picture.png"])
def test_predict_does_not_replace_a_picture_that_it_reads(out, echo, capsys):
    os.symlink("picture.png", "link.png")
    before = open("picture.png", "rb").read()
    assert exit_status(predict, MODEL, f"--out={out}", "picture.png") == 2
    assert f"--out is '{out}', but must not replace the picture picture.png" in capsys.readouterr().err
    assert open("picture.png", "rb").read() == before


def test_an_older_table_behind_a_link_is_kept_beside_it_and_the_link_stays(capsys):
    os.symlink("folder/words.csv", "words.csv")
    with open("folder/words.csv", "w") as file:
        file.write("edited")
    assert exit_status(make_wordcloud, "--text=file", "--frequencies=words.csv") == 0
    assert f"The older words.csv is kept as {os.getcwd()}/folder/words.csv~." in capsys.readouterr().out
    assert os.path.islink("words.csv")
    assert open("folder/words.csv~").read() == "edited"
    assert open("folder/words.csv", encoding="utf-8-sig").read().splitlines() == ["word,weight", "word,3"]


def test_a_contact_sheet_that_cannot_be_written_is_refused_before_the_work(capsys):
    os.mkdir("new_contact_sheet.png")
    assert exit_status(make_captchas, "--out=new", "--count=1", "--overwrite") == 2
    assert "the contact sheet is 'new_contact_sheet.png', but must be a file" in capsys.readouterr().err
    assert not os.path.exists("new")


@pytest.mark.parametrize("writer", ["sample", "predict", "make_wordcloud", "frequencies", "make_captchas"])
def test_a_full_disk_is_one_sentence_that_names_the_file(writer, echo, capsys, monkeypatch):
    def full(handle):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "fsync", full)
    arguments, target = {
        "sample": ((predict, MODEL, "--out=new.png", "picture.png"), "new.png"),
        "predict": ((predict, MODEL, "--out=new", "picture.png"), "new/picture.png"),
        "make_wordcloud": ((make_wordcloud, "--text=file", "--out=new.png"), "new.png"),
        "frequencies": ((make_wordcloud, "--text=file", "--frequencies=new.csv"), "cloud.png"),
        "make_captchas": ((make_captchas, "--out=new", "--count=1", "--workers=1"), "new"),
    }[writer]
    assert exit_status(*arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line
    assert f"{target}" in line
    assert "partial" not in line
    assert "Errno" not in line
    left = [name for _, _, names in os.walk(".") for name in names]
    assert sorted(left) == ["file", "picture.png"]
