"""Names of files may contain any bytes, and terminals may have any encoding: nothing fails, and nothing is lost."""

import contextlib
import io
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from program_call import exit_status

from tf2cases import viz
from tf2cases.data.captchas import folder as captchas
from tf2cases.data.pictures import archive, classes, dataset, members
from tf2cases.data.pictures.folder import PictureFolder
from tf2cases.errors import UsageError
from tf2cases.programs import classify_image, denoise, exports, make_wordcloud, predict
from tf2cases.serving import client, signatures

ODD = [b"caf\xe9", "本".encode("gb18030"), b"a\nb\tc", b"\xff\xfe", "é́ 火".encode(), b"%s{}\\u0041", b" "]
# As PYTHONIOENCODING; in ASCII and Latin-1 most names cannot be written.
TERMINALS = ["ascii", "latin-1", "utf-8", "cp1252", "utf-16"]


def odd(name, ending=""):
    return os.fsdecode(name) + ending


def pictures(folder, prefix="", count=1, side=40):
    """Writes pictures of odd names; returns the names."""
    os.makedirs(folder, exist_ok=True)
    rng, names = np.random.default_rng(0), []
    for k, name in enumerate(name for name in ODD for _ in range(count)):
        names.append(f"{prefix}{odd(name)}{k}.png")
        Image.fromarray(rng.integers(0, 256, [side, side], np.uint8)).save(os.path.join(folder, names[-1]))
    return names


def as_programs_print():
    """Lets standard output escape what it cannot show, as `program.run` does."""
    sys.stdout.reconfigure(errors="backslashreplace")


def test_folders_of_pictures_are_listed_prepared_and_hashed(tmp_path, capsys):
    as_programs_print()
    names = pictures(os.path.join(os.fsencode(tmp_path).decode(), odd(ODD[0])), count=6)
    place = os.path.join(tmp_path, odd(ODD[0]))
    assert sorted(PictureFolder(place).names) == sorted(names)
    PictureFolder(place).fingerprint()
    for channels in (1, 3):  # as of the autoencoder and of the DCGAN
        source = dataset.load(
            "x", dataset.collection, None, place, size=16, channels=channels, cache_dir=str(tmp_path / "cache")
        )
        assert len(source.train["images"]) + len(source.test["images"]) == len(names)


def test_a_damaged_picture_of_any_name_is_named_or_left_out(tmp_path, capsys):
    as_programs_print()
    names = pictures(tmp_path / "p", count=6)
    with open(tmp_path / "p" / names[0], "wb") as file:
        file.write(b"damaged")
    load = dict(size=16, cache_dir=str(tmp_path / "cache"))
    with pytest.raises(UsageError, match="this is not a picture"):
        dataset.load("x", dataset.collection, None, str(tmp_path / "p"), **load)
    source = dataset.load("x", dataset.collection, None, str(tmp_path / "p"), max_bad_images=1, **load)
    assert len(source.train["images"]) + len(source.test["images"]) == len(names) - 1


def test_captchas_of_any_name_are_read_or_refused_in_one_sentence(tmp_path):
    os.makedirs(tmp_path / odd(ODD[0]))
    for label in ("0123", "4567", "8901"):
        Image.new("L", (60, 30)).save(os.path.join(tmp_path, odd(ODD[0]), f"{label}.png"))
    assert captchas.read(os.path.join(tmp_path, odd(ODD[0]))).names == ["0123.png", "4567.png", "8901.png"]
    for k, name in enumerate(ODD[:4]):
        place = tmp_path / str(k)
        os.makedirs(place)
        for label in ("0123", odd(name)):
            Image.new("L", (60, 30)).save(os.path.join(place, f"{label}.png"))
        with contextlib.suppress(UsageError):
            assert captchas.read(str(place)).labels.shape[0] == 2


def test_classes_of_any_name_are_read_if_it_is_utf8(tmp_path):
    names = [name for name in map(odd, ODD) if name.isprintable() or name.isascii()]
    for name in names:
        pictures(os.path.join(tmp_path, name), count=2)
    assert sorted(classes.read(str(tmp_path)).class_names) == sorted(names)
    pictures(os.path.join(tmp_path, odd(b"caf\xe9")), count=2)
    with pytest.raises(UsageError, match=r"a sub-folder whose name, b'caf\\xe9', is not UTF-8"):
        classes.read(str(tmp_path))


def test_archives_with_names_of_any_bytes_are_read(tmp_path):
    import tarfile

    path = str(tmp_path / "a.tar")
    buffer = io.BytesIO()
    Image.new("L", (9, 9)).save(buffer, "PNG")
    with tarfile.open(path, "w", errors="surrogateescape") as file:
        for name in ODD:
            member = tarfile.TarInfo(f"d/{odd(name)}.png")
            member.size = len(buffer.getvalue())
            file.addfile(member, io.BytesIO(buffer.getvalue()))
    assert len(members.names(path)) == len(ODD)
    with archive.PictureArchive(path).open() as (count, found):
        assert count == len(ODD)
        assert all(read() == buffer.getvalue() for _, read in found)


class Echo(client.Client):
    def __init__(self, output="label"):
        kind = signatures.Spec(np.dtype(object), (None,))
        grey = signatures.Spec(np.dtype(np.float32), (None, 28, 28, 1))
        names = {"classify_bytes": "image_bytes", "features_bytes": "image_bytes", "denoise_bytes": "image_bytes"}
        found = {name: signatures.Signature({key: kind}, {}) for name, key in names.items()}
        super().__init__("a model", found | {"serving_default": signatures.Signature({"images": grey}, {})})

    def _call(self, signature, inputs):
        contents = list(next(iter(inputs.values())))
        if signature == "denoise_bytes":
            return {"denoised_bytes": np.array(contents, object)}
        if signature == "features_bytes":
            return {"features": np.zeros([len(contents), 3], np.float32)}
        many = np.array([["火鸡".encode(), b"b"]] * len(contents), object)
        return {"classes": many, "scores": np.array([[0.5, 0.25]] * len(contents))}


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setattr(exports, "load", lambda *arguments: Echo())
    from tf2cases.serving import directories

    monkeypatch.setattr(directories, "version_directory", lambda path: path)


@pytest.fixture(params=TERMINALS)
def terminal(request, monkeypatch):
    """Call it to have standard output in an encoding of a terminal; it returns a function that says what was written.

    Not in the fixture itself, since pytest puts its own standard output in place afterwards.
    """

    def open_terminal():
        written = {name: io.BytesIO() for name in ("stdout", "stderr")}
        for name, buffer in written.items():
            monkeypatch.setattr(sys, name, io.TextIOWrapper(buffer, encoding=request.param, write_through=True))
        return lambda name: written[name].getvalue().decode(request.param)

    return open_terminal


def test_predict_prints_pictures_of_any_name_on_any_terminal(terminal, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = terminal()
    names = pictures(".")
    for flags in ([], ["--json"]):
        assert exit_status(predict, "--model=m", *flags, *names) == 0
    assert shown("stdout").count("0.5000\n") == len(names)
    records = [line for line in shown("stdout").splitlines() if line.startswith("{")]
    assert len(records) == len(names)
    assert {len(record) > 5 for record in records} == {True}


def test_classify_image_prints_pictures_of_any_name_on_any_terminal(terminal, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = terminal()
    names = pictures("p")
    assert exit_status(classify_image, "--model=m", "p") == 0
    assert exit_status(classify_image, "--model=m", "--json", "p", "--features=f.npy") == 0
    assert np.load("f.npy").shape == (len(names), 3)
    assert "Done: 7 pictures" in shown("stdout") + shown("stderr")


def test_denoise_reads_and_writes_any_name_on_any_terminal(terminal, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    terminal()
    for name in ODD[:5]:
        viz.write_png(odd(name, ".png"), np.zeros([28, 28], np.uint8))
        assert exit_status(denoise, "--model=m", odd(name, ".png"), odd(name, "-clean.jpg")) == 0
        with Image.open(odd(name, "-clean.jpg")) as picture:
            assert picture.format == "JPEG"


def test_a_missing_picture_of_any_name_is_one_sentence_on_any_terminal(terminal, model, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = terminal()
    for name in ODD:
        assert exit_status(predict, "--model=m", odd(name, ".png")) == 2
    assert len(shown("stderr").splitlines()) == len(ODD)


def test_word_clouds_print_any_word_on_any_terminal(terminal, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = terminal()
    for k, words in enumerate(("中文 词云 中文", "tea café tea")):
        with open(f"{k}.txt", "w", encoding="utf-8") as file:
            file.write(words)
        assert exit_status(make_wordcloud, f"--text={k}.txt", f"--out={k}.png") == 0
    assert exit_status(make_wordcloud, "--text=火.txt") == 2
    assert len(shown("stderr").splitlines()) == 1


@pytest.mark.parametrize("environment", [{"LC_ALL": "C"}, {"PYTHONIOENCODING": "latin-1"}])
def test_a_real_process_in_another_locale_draws_and_names_what_it_drew(environment, repo, tmp_path):
    (tmp_path / "小说.txt").write_text("词云 词云 中文", encoding="utf-8")
    command = [sys.executable, "-m", "bin.make_wordcloud", "--text=小说.txt", "--out=云.png", "--frequencies=-"]
    os.makedirs(os.path.join(tmp_path, odd(ODD[0])))
    os.rename(tmp_path / "小说.txt", os.path.join(tmp_path, odd(ODD[0]), "小说.txt"))
    given = {**os.environ, "PYTHONPATH": str(repo), **environment}
    place = os.path.join(tmp_path, odd(ODD[0]))
    done = subprocess.run(command, cwd=place, env=given, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert "词云,2" in done.stdout.decode()
    assert Image.open(os.path.join(place, "云.png")).size == (800, 600)
